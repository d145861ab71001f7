"""For those who learn and those who teach: how a tutorial checks what its reader filled in.

`exercises.py` compares an answer with the solution, and says what is wrong with it.
"""

from .exercises import check, check_function, check_gradient, explain

__all__ = [
    "check",
    "check_function",
    "check_gradient",
    "explain",
]
