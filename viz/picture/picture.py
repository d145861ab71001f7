"""`Picture`: an SVG, the data that it shows, and ways to save and display it."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_cnn.errors import OptionError

from .dark import adapting
from .html import page, safe

MAX_PIXELS = 4000  # of a PNG's width
_MAX_HEIGHT = 20000
_ENDINGS = (".svg", ".png", ".pdf", ".html", ".dot", ".json")


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture: its SVG, what it shows as data, and, if Graphviz laid it out, its DOT.

    A notebook displays it.

    Attributes:
        svg: the picture, as text.
        data: what the picture shows: numbers, strings, lists, dicts and arrays.
        dot: DOT text for Graphviz, or None.
        title: a short name.
        page: writes the page that .html saves; if None, the page shows the SVG.

    Example:
        >>> from viz.picture import svg
        >>> picture = Picture(svg.document(80, 20, svg.text(4, 14, "x < y")), title="an inequality")
        >>> picture
        <Picture 'an inequality', 80 × 20>
        >>> picture.png(width=160)[:4]
        b'\\x89PNG'
    """

    svg: str
    data: Any = None
    dot: str | None = None
    title: str = "picture"
    page: Callable[[], str] | None = field(default=None, compare=False)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels (1/96 inch)."""
        return _length("width", self.svg), _length("height", self.svg)

    def save(self, path: str | Path) -> Path:
        """Write a file. Its ending says of which kind: .svg, .png, .pdf, .html, .dot or .json.

        An .html page loads no other files and runs no script. If the picture was folded, its closed
        boxes open at a click there.

        Raises:
            OptionError: another ending; .dot or .json for a picture that has none; or .pdf
                without the package svg2pdf-py.
        """
        path = Path(path)
        path.write_bytes(self._bytes(path.suffix.lower()))
        return path

    def _bytes(self, ending: str) -> bytes:
        if ending == ".svg":
            return self.svg.encode()
        if ending == ".png":
            return self.png()
        if ending == ".html":
            body = f"<h1>{safe(self.title)}</h1>\n{self.svg}"
            return (self.page() if self.page else page(self.title, body)).encode()
        if ending == ".pdf":
            return self.pdf()
        if ending == ".json" and self.data is not None:
            return json.dumps(plain(self.data), ensure_ascii=False, indent=1).encode()
        if ending == ".dot" and self.dot is not None:
            return self.dot.encode()
        if ending in _ENDINGS:
            raise OptionError(f"Picture.save: {self!r} has nothing to write as {ending}")
        raise OptionError(
            f"Picture.save: cannot write {ending or 'a file without an ending'}; possible are "
            f"{', '.join(_ENDINGS)}"
        )

    def png(self, width: int | None = None) -> bytes:
        """The picture as PNG.

        Args:
            width: in pixels, at most 4000. If None, twice the SVG's own width, or less if large.

        Raises:
            OptionError: width is not in 1 … 4000.
        """
        import resvg_py

        if width is None:
            across, down = self.size
            scale = min(2.0, MAX_PIXELS / across, _MAX_HEIGHT / down)
            width = max(1, int(across * scale))
        if not 1 <= width <= MAX_PIXELS:
            raise OptionError(f"Picture.png: width must be 1 … {MAX_PIXELS} pixels, got {width}")
        return resvg_py.svg_to_bytes(
            svg_string=self.svg,
            width=width,
            dpi=96.0,
            font_files=_fonts(),
            font_family="DejaVu Sans",
            sans_serif_family="DejaVu Sans",
            monospace_family="DejaVu Sans Mono",
        )

    def pdf(self) -> bytes:
        """The picture as PDF: one page of its size, of curves and text, with its fonts inside.

        Raises:
            OptionError: the package svg2pdf-py is not installed.
        """
        try:
            import svg2pdf_py
        except ImportError:
            raise OptionError(
                "Picture.save: a PDF needs `pip install svg2pdf-py`; or save .html and print it "
                f"from a browser, or save {', '.join(e for e in _ENDINGS if e != '.pdf')}"
            ) from None
        fonts = svg2pdf_py.FontDatabase.system()
        for file in _fonts():
            fonts.load_font_file(file)
        return svg2pdf_py.svg_to_pdf(self.svg, fonts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": adapting(self.svg), "text/plain": repr(self)}

    def __repr__(self) -> str:
        across, down = self.size
        return f"<Picture {self.title!r}, {across:.0f} × {down:.0f}>"


def plain(value: Any) -> Any:
    """Data as strict JSON can hold it: NaN and infinities become strings, arrays lists."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):  # UTF-8 cannot encode a lone surrogate
        return value.encode("utf-8", "replace").decode()
    return value


def _length(side: str, svg: str) -> float:
    found = re.search(rf'<svg[^>]*?\s{side}="([\d.]+)(pt|px|)"', svg, re.DOTALL)
    if found is None:
        raise OptionError(f"Picture: the SVG's root element has no {side} in px or pt")
    return float(found[1]) * (96 / 72 if found[2] == "pt" else 1)


@cache
def _fonts() -> list[str]:
    """The DejaVu fonts that come with matplotlib, for machines that have none."""
    package = importlib.util.find_spec("matplotlib")
    if package is None or package.origin is None:
        return []
    folder = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf"
    return [str(file) for file in sorted(folder.glob("DejaVuSans*.ttf"))]
