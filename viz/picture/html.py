"""The shell of every page that viz writes: a single file that loads no other files.

A page may contain one script. Its security policy lists that script's hash, and forbids all others.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from .dark import SHEET
from .svg import clean

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 Helvetica, Arial, 'DejaVu Sans', sans-serif; margin: 1.5rem;
       background: #ffffff; color: #1f2328; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
a { color: #0067a3; }
@media (prefers-color-scheme: dark) {
body { background: #0d1014; color: #e5e7eb; } a { color: #7cc4f5; }
}
"""


def page(title: str, body: str, style: str = "", script: str = "", inside: str = "") -> str:
    """A whole page around some HTML.

    Its security policy forbids browsers to load anything, and to run any script but this one.

    Args:
        title: in the window's title, shown literally.
        body: HTML, with `safe` text.
        style: CSS, added to the shell's own.
        script: JavaScript, run at the end of the page.
        inside: hash of the script of pages in frames inside this one, which follow its policy, too.
    """
    policy = _POLICY
    if script or inside:
        allowed = [hash_of(script)] if script else []
        policy += f"; script-src {' '.join([*allowed, inside]).strip()}"
    if script:
        body += f"\n<script>{script}</script>"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{safe(title)}</title>\n<style>{_STYLE}{SHEET}\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def hash_of(script: str) -> str:
    """A script's hash, as a security policy lists it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def safe(text: str) -> str:
    """Text on one line as HTML that shows it literally."""
    return escape(clean(text))
