"""For those who learn and those who teach: how a tutorial checks what its reader filled in.

`exercises.py` compares an answer with the solution, and says what is wrong with it; `needs.py`
skips a tutorial for which a package is missing.
"""

from .exercises import check, check_function, check_gradient, explain
from .needs import Skipped, need

__all__ = [
    "Skipped",
    "check",
    "check_function",
    "check_gradient",
    "explain",
    "need",
]
