"""`gradcheck` compares gradients with numerical derivatives and names the mistake in a wrong one.

The result is a `Report`: `Entry` is one element of a Jacobian, `Kink` a point without a derivative.
"""

from .check import gradcheck
from .report import Entry, Kink, Report

__all__ = ["Entry", "Kink", "Report", "gradcheck"]
