"""A self-contained page of pictures, each with a few sentences on what to see in it."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .dark import adapting
from .html import page as whole_page
from .html import safe
from .picture import Picture


@dataclass(frozen=True)
class Section:
    """One entry of the page.

    Attributes:
        title: its heading.
        text: what to see in it.
        pictures: shown below the text, in order.
        output: text that a program printed, shown as it is.
        links: addresses of other pages, each with the words that lead there.
    """

    title: str
    text: str
    pictures: Sequence[Picture] = ()
    output: str = ""
    links: Sequence[tuple[str, str]] = ()


def page(title: str, introduction: str, sections: Sequence[Section]) -> str:
    """The page as HTML. It holds all its pictures, loads no other files, and runs no script."""
    contents = "\n".join(
        f'<li><a href="#section-{i}">{html.escape(s.title)}</a></li>'
        for i, s in enumerate(sections, 1)
    )
    body = "\n".join(_section(i, section) for i, section in enumerate(sections, 1))
    head = f"<h1>{safe(title)}</h1>\n<p>{html.escape(introduction)}</p>\n<ol>\n{contents}\n</ol>"
    return whole_page(title, f"{head}\n{body}", _STYLE)


def write_page(
    path: str | os.PathLike[str], title: str, introduction: str, sections: Sequence[Section]
) -> Path:
    """Write the page to a file; its folder is made if need be. Returns the file's path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(title, introduction, sections), encoding="utf-8", newline="\n")
    return target


def _section(number: int, section: Section) -> str:
    figures = "\n".join(figure(section.title, picture) for picture in section.pictures)
    output = f"<pre>{html.escape(section.output)}</pre>" if section.output else ""
    links = "".join(
        f'<p><a href="{html.escape(address, quote=True)}">{html.escape(words)}</a></p>\n'
        for address, words in section.links
    )
    return (
        f'<section id="section-{number}">\n<h2>{number}. {html.escape(section.title)}</h2>\n'
        f"<p>{html.escape(section.text)}</p>\n{links}{figures}\n{output}\n</section>"
    )


def figure(title: str, picture: Picture) -> str:
    """A picture inside a page."""
    # Inside an <img>, a picture's ids and styles cannot clash with those of other pictures.
    encoded = base64.b64encode(adapting(picture.svg).encode()).decode()
    alt = html.escape(picture.title or title, quote=True)
    return f'<figure><img alt="{alt}" src="data:image/svg+xml;base64,{encoded}"></figure>'


_STYLE = """
body { font-size: 17px; max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
p { max-width: 46rem; }
figure { margin: 1rem 0; overflow-x: auto; border-radius: 8px; padding: 10px;
         border: 1px solid #8884; }
figure img { max-width: 100%; height: auto; display: block; margin: auto; }
pre { overflow-x: auto; padding: .8rem 1rem; border-radius: 8px; background: #8881;
      font-size: 14px; line-height: 1.4; }
"""
