"""The page: its markup, style sheet and script (all in `web`), and the data, in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from ..picture.html import hash_of, page

SCRIPTS = ("data.js", "drawing.js", "arrays.js", "story.js", "scalars.js", "page.js")


def page_of(data: Mapping[str, Any]) -> str:
    """The page of some steps and drawings, as HTML that loads no other files."""
    drawings, start = list(data["drawings"]), data["start"]
    first = drawings[start]["svg"]  # is in the page itself, also for those without scripts
    drawings[start] = {**drawings[start], "svg": None}
    data = {**data, "drawings": drawings}
    # In a script no "<" is needed: "\\u003c" is the same in JSON, and ends no element.
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").encode("utf-8", "replace").decode()
    body = _file("page.html").replace("<!--drawing-->", first)
    body = body.replace("<!--data-->", f'<script type="application/json" id="data">{text}</script>')
    return page(f"{data['title']}, step by step", body, _file("page.css"), script())


@cache
def _file(name: str) -> str:
    return (resources.files(__package__) / "web" / name).read_text(encoding="utf-8")


def script() -> str:
    """The one script of every such page, from its files in order."""
    return "\n".join(map(_file, SCRIPTS))


def script_hash() -> str:
    """Its hash, for the security policy of a page that has such a page inside."""
    return hash_of(script())
