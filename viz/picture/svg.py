"""Small helpers to write SVG by hand: elements, text that is safe, and how wide text is.

Lengths are in pixels. Pictures contain no scripts and no references to other files. Their colours
are those of light pages; `dark.py` changes them for dark ones.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from html import escape as _escape
from typing import Any

FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
INK = "#222222"
FAINT = "#6b7280"

# Advance widths in em. They follow DejaVu Sans, the widest of the fonts above.
_WIDTHS = {
    **dict.fromkeys("ijl'|", 0.34),
    **dict.fromkeys(" .,:;I!·", 0.41),
    **dict.fromkeys("ftr()[]-J/\\", 0.43),
    **dict.fromkeys('sckzvxyLTEFZPSXY_`*?"', 0.64),
    **dict.fromkeys("mMwW%@—…", 1.0),
}


def clean(text: str) -> str:
    """Text on one line that any SVG reader accepts: line ends show as ↵, control characters as �.

    Example:
        >>> clean("two\\nlines\\x00")
        'two↵lines�'
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\n", "↵").replace("\t", " ")
    return "".join("\ufffd" if _forbidden(c) else c for c in text)


def _forbidden(c: str) -> bool:
    return unicodedata.category(c) in {"Cc", "Cs"} or c in "\ufffe\uffff"


def escape(text: object) -> str:
    """Any text as SVG text or attribute value, shown literally."""
    return _escape(clean(str(text)))


def shorten(text: str, length: int = 52) -> str:
    """A long text cut in its middle, with an ellipsis; pictures keep the whole as a tooltip."""
    if len(text) <= length:
        return text
    tail = length // 3
    return f"{text[: length - tail - 1]}…{text[-tail:]}"


def text_width(text: str, size: float = 12.0, bold: bool = False) -> float:
    """About how wide a line of text is, in pixels; rather too wide than too narrow.

    Chinese, Japanese and Korean characters and emoji count as full width.
    """
    return size * (1.1 if bold else 1.0) * math.fsum(map(_em, clean(text)))


def _em(c: str) -> float:
    if unicodedata.combining(c) or unicodedata.category(c) in {"Mn", "Cf"}:
        return 0.0
    if unicodedata.east_asian_width(c) in "WF":
        return 1.08
    if c in _WIDTHS:
        return _WIDTHS[c]
    if c.isascii():
        return 0.79 if c.isupper() or c in "+=<>#~^&" else 0.645
    return 0.9


def number(x: float) -> str:
    """A coordinate: at most two decimals, and no more digits than needed.

    Platforms can differ in the last bit of x. That bit does not decide how 0.005 is rounded.

    Example:
        >>> number(0.7 + 0.025 - 1e-12), number(0.7 + 0.025 + 1e-12), number(-1e-12)
        ('0.72', '0.72', '0')
    """
    return f"{round(x, 6) + 0.0:.2f}".rstrip("0").rstrip(".")


def element(tag: str, content: str = "", **attributes: Any) -> str:
    """One element. ``stroke_width`` becomes stroke-width, ``class_`` class; None is left out.

    Example:
        >>> element("rect", x=1.0, y=2.25, class_="a<b", rx=None)
        '<rect x="1" y="2.25" class="a&lt;b"/>'
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="'
        f'{number(value) if isinstance(value, float) else escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def rect(x: float, y: float, width: float, height: float, **attributes: Any) -> str:
    """A rectangle from its upper left corner."""
    return element(
        "rect",
        x=float(x),
        y=float(y),
        width=float(width),
        height=float(height),
        **attributes,
    )


def line(x1: float, y1: float, x2: float, y2: float, **attributes: Any) -> str:
    """A straight line; grey and thin unless told otherwise."""
    style: dict[str, Any] = {"stroke": FAINT, "stroke_width": 1.0, **attributes}
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), **style)


def path(d: str, **attributes: Any) -> str:
    """A curve from its commands; an outline unless given a fill."""
    return element("path", d=d, **{"fill": "none", **attributes})


def polygon(points: Iterable[tuple[float, float]], **attributes: Any) -> str:
    """A closed polygon."""
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return element("polygon", points=corners, **attributes)


def text(
    x: float,
    y: float,
    content: str,
    *,
    size: float = 12.0,
    anchor: str | None = None,
    bold: bool = False,
    fill: str = INK,
    **attributes: Any,
) -> str:
    """One line of text, its baseline at y; `anchor` is start (the default), middle or end."""
    return element(
        "text",
        escape(content),
        x=float(x),
        y=float(y),
        font_size=float(size),
        text_anchor=anchor,
        font_weight="bold" if bold else None,
        fill=fill,
        **attributes,
    )


def group(*parts: str, tooltip: str = "", **attributes: Any) -> str:
    """Several elements as one, with an optional tooltip."""
    title = element("title", escape(tooltip)) if tooltip else ""
    return element("g", title + "".join(parts), **attributes)


def document(
    width: float, height: float, *parts: str, title: str = "", adapts: bool = False
) -> str:
    """A whole picture of the given size, on white.

    With `adapts`, its colours are among those that `dark.py` knows how to change.
    """
    width, height = max(width, 1.0), max(height, 1.0)
    ground = rect(0, 0, width, height, rx=6.0, fill="#ffffff", class_="ground")
    name = element("title", escape(title)) if title else ""
    kind = ' class="adapts"' if adapts else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{kind} width="{number(width)}" '
        f'height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}" role="img" '
        f'font-family="{FONT}" style="max-width:100%;height:auto">\n'
        + "\n".join([name, ground, *parts]).strip()
        + "\n</svg>\n"
    )


def fit(text: str, width: float, size: float) -> str:
    """A text shortened in its middle until it is at most `width` pixels wide."""
    length = len(text)
    while length > 3 and text_width(shorten(text, length), size) > width:
        length -= 1
    return shorten(text, length)


def fit_dotted(name: str, width: float, size: float) -> str:
    """A module's name without its outermost parts, as far as needed.

    >>> fit_dotted("features.stages.1.0", 70, 10)
    '…stages.1.0'
    """
    parts = name.split(".")
    while len(parts) > 1 and text_width(name, size) > width:
        parts = parts[1:]
        name = f"…{'.'.join(parts)}"
    return fit(name, width, size)


def wrap(text: str, width: float, size: float) -> list[str]:
    """A text in lines of at most `width` pixels, broken at spaces."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
