"""`step`: a page on which a person steps through a program, forward and backward.

`recording.py` finds the events of whatever is given; `steps.py` decides every step in plain data,
`drawings.py` and `opened.py` what is drawn and opened; the page in `web` shows it.
"""

from .show import Steps, step

__all__ = [
    "Steps",
    "step",
]
