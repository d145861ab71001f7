"""A tutorial as one HTML page: prose, code, what it printed, and its pictures."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..picture.animation import Animation
from ..picture.gallery import figure
from ..picture.html import page as whole_page
from ..step import Steps
from ..step.page import script_hash
from .cells import Cell, Tutorial
from .run import Result, Session, save_picture

_WIDE = 1300  # pixels: a wider picture scrolls, since its text would become too small


def write_page(
    tutorial: Tutorial,
    folder: str | Path,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> tuple[Path, Result]:
    """Run a tutorial and write ``NAME.html``.

    Pictures that unfold or move are written beside it as well, as pages of their own.

    Args:
        tutorial: what is run, up to the first cell that fails, or needs what is not installed.
        folder: where the pages go; made if need be.
        progress: called before each cell, with the number of cells done and of all.

    Returns:
        The page, and the result of the last cell that ran: its `error` is empty if all went well.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    session, parts, result = Session(tutorial), [], Result()
    for i, cell in enumerate(tutorial.cells):
        progress(i, len(tutorial.cells))
        result = session.run(cell)
        more = _more(result, folder, tutorial.name, i)
        parts.append(_prose(cell) if cell.prose else _code(cell, result, more))
        if cell.exercise and cell.title in tutorial.solutions:
            solution = _highlighted(tutorial.solutions[cell.title])
            parts.append(f"<details><summary>Solution</summary>{solution}</details>")
        if result.error or result.skipped:
            break
    if any(cell.exercise for cell in tutorial.cells):
        parts.append(_how_to_answer(tutorial))
    path = folder / f"{tutorial.name}.html"
    inside = script_hash() if any("<iframe" in part for part in parts) else ""
    text = whole_page(tutorial.title, "\n".join(parts), _STYLE + _colours(), inside=inside)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path, result


def _how_to_answer(tutorial: Tutorial) -> str:
    command = f"tinygrad-cnn tutorial {tutorial.name[:2].lstrip('0')}"
    return (
        f'<p class="more">To put in answers: <code>{html.escape(command)} --step</code> in the '
        "terminal, or <code>--notebook</code> for VS Code and Jupyter.</p>"
    )


def _more(result: Result, folder: Path, name: str, number: int) -> str:
    """A link to a picture's own page, if it has one."""
    if not result.has_page:
        return ""
    path = save_picture(result, folder / name, number)
    words = "see it move" if isinstance(result.picture, Animation) else "open as a page"
    if isinstance(result.picture, Steps):
        words = "open it in a window of its own"
    return f'<p class="more"><a href="{name}/{path.name}">{words}</a></p>' if path else ""


def _prose(cell: Cell) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(cell.source)


def _code(cell: Cell, result: Result, more: str) -> str:
    parts = [_highlighted(cell.source)]
    if result.text:
        parts.append(f'<pre class="output">{html.escape(result.text)}</pre>')
    if isinstance(result.picture, Steps):
        parts.append(f'<div class="wide steps">{result.picture.frame()}{more}</div>')
    elif result.picture:
        shown = figure(result.picture.title, result.picture) + more
        wide = result.picture.size[0] > _WIDE
        parts.append(f'<div class="wide">{shown}</div>' if wide else shown)
    if result.error:
        parts.append(f'<pre class="error">{html.escape(result.error)}</pre>')
    kind = "exercise" if cell.exercise else "cell"
    return f'<div class="{kind}">' + "\n".join(parts) + "</div>"


def _highlighted(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(source, PythonLexer(stripnl=False), HtmlFormatter(cssclass="code"))


def _colours() -> str:
    from pygments.formatters import HtmlFormatter

    def sheet(style: str) -> str:
        return str(HtmlFormatter(style=style).get_style_defs(".code pre"))

    return (
        f"{sheet('default')}\n@media (prefers-color-scheme: dark) {{\n{sheet('github-dark')}\n}}\n"
        ".code pre { background: #8881 !important; }\n"
    )


_STYLE = """
body { font-size: 17px; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
p, ul, ol { max-width: 44rem; }
table { border-collapse: collapse; } td, th { border: 1px solid #8886; padding: .2rem .6rem; }
pre { overflow-x: auto; padding: .7rem 1rem; border-radius: 8px; font-size: 14px;
      line-height: 1.4; margin: .6rem 0; }
code { font-family: 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: .92em; }
pre.output { border: 1px solid #8886; }
pre.error { border: 2px solid #c0392b; }
.exercise .code { border-left: 4px solid #e69f00; }
details { margin: .4rem 0 1rem; } summary { cursor: pointer; }
figure { margin: .8rem 0; overflow-x: auto; border-radius: 8px; padding: 10px;
         border: 1px solid #8884; }
figure img { max-width: 100%; height: auto; display: block; margin: auto; }
.wide img { max-width: none; }
.wide { width: max-content; max-width: 96vw; position: relative; left: 50%;
        transform: translateX(-50%); }
.wide.steps { width: min(78rem, 96vw); }
.more { font-size: 14px; } .cell .more { margin: -.5rem 0 1rem; }
.cell .steps .more { margin: .3rem 0 1rem; }
"""
