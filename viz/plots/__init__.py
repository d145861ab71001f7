"""Plots of numbers and images: curves, classes taken for each other, a checked Jacobian.

`chart.py` says how a plot by matplotlib becomes a Picture.

"""

from .checks import write_checks
from .confusions import confusion
from .curves import training
from .images import images
from .jacobian import jacobian
from .panels import panels
from .prediction import prediction

__all__ = [
    "confusion",
    "images",
    "jacobian",
    "panels",
    "prediction",
    "training",
    "write_checks",
]
