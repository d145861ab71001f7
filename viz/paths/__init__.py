"""Pictures of the 2ⁿ paths of a residual network: one by one, or summed by their length.

`choices.py` and `lengths.py` decide as plain data what is shown, `table.py`, `tree.py`, `route.py`,
`trellis.py` and `charts.py` draw it, and `unroll.py` holds the functions that users call.
"""

from .unroll import path_lengths, unroll

__all__ = [
    "path_lengths",
    "unroll",
]
