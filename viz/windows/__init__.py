"""Pictures of windows: the arithmetic of convolution and pooling, cell by cell.

`window.py` says as plain data what a window computes; the files of the public functions arrange it
in a `Scene` of grids, and `scene.py`, `grid.py` and `shown.py` draw that.
"""

from .backward import convolution_backward, pooling_backward
from .convolution import convolution
from .pooling import pooling
from .transposed import transposed_convolution

__all__ = [
    "convolution",
    "convolution_backward",
    "pooling",
    "pooling_backward",
    "transposed_convolution",
]
