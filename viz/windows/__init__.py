"""Pictures of windows: the arithmetic of convolution and pooling.

`window.py` says in plain data what a window computes; `convolution.py` and
`pooling.py` put it into a `Scene`, columns of grids, which `scene.py` and `grid.py` draw.
"""

from .convolution import convolution
from .pooling import pooling

__all__ = ["convolution", "pooling"]
