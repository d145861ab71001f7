"""Dark mode: a style sheet that recolours a drawing where the reader prefers dark pages.

A saved .svg is always on white, for printing and for slides. In a notebook and in .html pages,
drawings that adapt contain this sheet. It changes the background, frames, free text and arrows.
Boxes keep their colours, which can be told apart on any background.
"""

from __future__ import annotations

from .style import MARKS, STEPS, on_ramp

_GROUND, _TEXT, _FAINT = "#15181e", "#e5e7eb", "#9ca3af"
_FLOW = ((122, 74, 160), (222, 82, 120), (255, 158, 74), (255, 232, 148))  # small to large
_AGAINST = ((38, 52, 84), (37, 99, 200), (96, 165, 250), (207, 228, 255))  # negative ones
_MARKS = {"zero": "#6aa5ff", "broken": "#ff5c8a", "none": "#5b6472"}
_CELLS = {
    "plain": "#1c2129",
    "blank": "#1c2129",
    "pad": "#262c36",
    "window": "#6b4310",
    "kernel": "#17496b",
    "product": "#493467",
    "output": "#11573f",
    "winner": "#b06d00",
    "broken": "#a3003a",
}
_PLOTTED = {  # lines, bands and words of plots
    "#222222": _TEXT,
    "#111111": _TEXT,
    "#6b7280": _FAINT,
    "#9ca3af": "#6b7280",
    "#4b5563": "#b6bcc6",
    "#1f2937": "#d1d5db",
    "#d1d5db": "#4b5563",
    "#f3f4f6": "#262c36",
    "#e5e7eb": "#333a45",
    "#0072b2": "#4a9fe0",
    "#d55e00": "#f5833a",
    "#009e73": "#2fc79a",
    "#56b4e9": "#a8dcff",
    "#a6761d": "#c99a4a",
    "#b30000": "#ff6b6b",
}
_OUTLINES = {"window": "#ff9a3d", "output": "#35c89a", "winner": "#ff9a3d"}


def _sheet() -> str:
    rules = [
        f".ground {{ fill: {_GROUND} }}",
        ".scope > rect { fill: #1c2129; stroke: #5b6472 }",
        f'[fill="#222222"] {{ fill: {_TEXT} }}',
        f'[fill="#6b7280"] {{ fill: {_FAINT} }}',
        f".label {{ stroke: {_GROUND} }}",
        ".edge path, .axis line { stroke: #9ca3af }",
        ".edge polygon { fill: #9ca3af }",
        ".axis .grid { stroke: #333a45 }",
        '.bar [fill="#0067a3"] { fill: #56b4e9 }',
        '.bar [fill="#8cc0e3"] { fill: #22587c }',
        '.bar [fill="#f5d08c"] { fill: #7a5a14 }',
    ]
    rules += [f".cell.{kind} rect {{ fill: {fill} }}" for kind, fill in _CELLS.items()]
    rules += [f".outline.{kind} {{ stroke: {stroke} }}" for kind, stroke in _OUTLINES.items()]
    rules += [".paper { fill: #1c2129 }", ".map .grid { stroke: #333a45 }"]
    for hollow in ("circle", "rect"):
        rules += [f'.plot {hollow}[fill="#ffffff"] {{ fill: {_GROUND} }}']
    for light, color in _PLOTTED.items():
        rules += [f'.plot [fill="{light}"] {{ fill: {color} }}']
        rules += [f'.plot [stroke="{light}"] {{ stroke: {color} }}']
    for name, light in MARKS.items():
        rules += [f'[stroke="{light}"] {{ stroke: {_MARKS[name]} }}']
        rules += [f'[fill="{light}"] {{ fill: {_MARKS[name]} }}']
        rules += [f".edge.{name} path {{ stroke: {_MARKS[name]} }}"]
        rules += [f".edge.{name} polygon {{ fill: {_MARKS[name]} }}"]
    for step in range(STEPS + 1):
        color = on_ramp(_FLOW, step / STEPS)
        rules += [f".f{step} path, .f{step} line {{ stroke: {color} }}"]
        rules += [f".f{step} polygon, .f{step} rect {{ fill: {color} }}"]
        rules += [f".n{step} rect {{ fill: {on_ramp(_AGAINST, step / STEPS)} }}"]
        ink = _GROUND if step / STEPS > 0.5 else _TEXT
        rules += [f".f{step} text, .n{step} text {{ fill: {ink} }}"]
    body = "\n".join(
        ", ".join(f".adapts {part.strip()}" for part in selector.split(",")) + " {" + rest
        for selector, rest in (rule.split("{") for rule in rules)
    )
    return f"@media (prefers-color-scheme: dark) {{\n{body}\n}}"


SHEET = _sheet()
"""CSS for the drawings inside a page."""


def adapting(svg: str) -> str:
    """An SVG with the sheet inside, if it was drawn to adapt; else the SVG as it is."""
    head, end, rest = svg.partition(">")
    return f"{head}{end}<style>{SHEET}</style>{rest}" if 'class="adapts"' in head else svg
