"""Pictures of the paths through a network: one by one, or summed by what they cross.

`choices.py` and `lengths.py` decide as plain data what is shown, `table.py`, `tree.py`, `route.py`,
`trellis.py`, `pairs.py` and `charts.py` draw it, `report.py` says it in words, and `unroll.py`
holds the functions that users call.
"""

from .report import found_in_words, in_words
from .unroll import path_lengths, unroll

__all__ = [
    "found_in_words",
    "in_words",
    "path_lengths",
    "unroll",
]
