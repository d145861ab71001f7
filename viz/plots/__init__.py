"""Plots of numbers and images: training curves, confusion matrices, a gradient check's Jacobians.

`chart.py` turns a plot by matplotlib into a Picture.
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
