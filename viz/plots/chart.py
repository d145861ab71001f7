"""How a plot by matplotlib is made and becomes a Picture."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

from ..picture.picture import Picture
from ..picture.svg import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, RED = "#0072b2", "#d55e00", "#b30000"
# Text is not turned into outlines. Ids are the same each time: the same data give the same bytes.
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a "$" in a name is a dollar
    "svg.hashsalt": "tinygrad_cnn",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11.0,
    "legend.frameon": False,
    "legend.handlelength": 3.0,
    "axes.facecolor": "none",  # the figure's own ground is behind it
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}
_STYLED = re.compile('(<[^<>]*) style="([^"]*)"')
_COLORED = re.compile("(fill|stroke): (#[0-9a-f]{6}|none);? ?")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # in XML


def figure_of(width: float, height: float) -> Figure:
    """A new figure, its size in inches. It does not touch pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def picture_of(figure: Figure, data: Any, title: str) -> Picture:
    """The figure as a Picture: the same data give the same bytes."""
    written = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():  # a glyph that matplotlib lacks does not matter
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(written, format="svg", metadata=nothing)
    text = written.getvalue()
    text = _FORBIDDEN.sub("\ufffd", text)
    text = text[text.index("<svg") :]  # inside a page there can be no XML declaration,
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    joins = "stroke-linejoin:round;stroke-linecap:butt"  # and no style sheet for all elements
    text = _STYLED.sub(_colors_as_attributes, text)
    style = f'class="adapts" style="max-width:100%;height:auto;{joins}"'
    text = text.replace("<svg", f"<svg {style}", 1)
    text = text.replace('<g id="figure_1"', '<g class="plot" id="figure_1"', 1)
    text = text.replace("<path", '<path class="ground"', 1)
    return Picture(text, data, title=title)


def _colors_as_attributes(match: re.Match[str]) -> str:
    """A start tag with its colours as attributes, which `dark.py` can find and override."""
    head, style = match.groups()
    colors = "".join(f' {name}="{color}"' for name, color in _COLORED.findall(style))
    rest = _COLORED.sub("", style)
    return head + colors + (f' style="{rest}"' if rest else "")
