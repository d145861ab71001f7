"""Pictures of windows: the arithmetic of convolution and pooling.

`window.py` says in plain data what a window computes; `convolution.py`, `pooling.py`,
`transposed.py` and `backward.py` put it into a `Scene`, columns of grids, which `scene.py` and
`grid.py` draw; `shown.py` makes a picture of one place or an animation of all.
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
