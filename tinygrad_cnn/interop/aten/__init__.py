"""PyTorch's ATen calls in our ops: `table.py` holds the vocabulary, the other files fill it.

A call that is not in it is decomposed by PyTorch into simpler ones before it is asked for here.
"""

from . import creating, elementwise, layers, losses, reducing, shape
from .table import ATEN, STATEFUL, aten

__all__ = [
    "ATEN",
    "STATEFUL",
    "aten",
    "creating",
    "elementwise",
    "layers",
    "losses",
    "reducing",
    "shape",
]
