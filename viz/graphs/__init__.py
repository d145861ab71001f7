"""A recording as boxes and arrows, and the gradients that flow through it.

`program.py`, `facts.py` and `folding.py` decide in plain data what is drawn, `layout.py` where, and
`render.py` writes it; `draw.py`, `flow.py`, `bars.py` and `summary.py` have what users call.
"""

from .bars import gradient_bars
from .draw import draw
from .flow import gradient_flow
from .summary import summary_page

__all__ = [
    "draw",
    "gradient_bars",
    "gradient_flow",
    "summary_page",
]
