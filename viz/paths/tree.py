"""The unrolled tree: every route drawn out, as in Fig. 1 of Veit, Wilber & Belongie 2016."""

from __future__ import annotations

from ..picture import svg
from ..picture.picture import Picture
from .choices import SinglePath, Unrolled
from .parts import (
    INK,
    MARGIN,
    RADIUS,
    box_width,
    branch_box,
    document,
    end_label,
    head,
    heading,
    join,
    network,
    start_label,
    wire,
)
from .words import short

LEFT = 210.0  # of the first block's column
RIGHT = 820.0  # the last addition, at most


def draw_tree(unrolled: Unrolled) -> Picture:
    """The equivalent structure of a chain of blocks as a picture; its data is `unrolled`."""
    n = len(unrolled.blocks)
    leaves = leaf_order(unrolled)
    step = min(195.0, (RIGHT - LEFT) / max(n, 1))
    row = 36.0 if n <= 3 else 24.0
    title = f"{unrolled.title}, unrolled"
    y, parts = heading(8.0, title, _introduction(unrolled))
    y += 58
    parts += network(unrolled.blocks, y, LEFT, step, unrolled.start, unrolled.end)
    parts.append(svg.text(MARGIN, y + 4, "the network", bold=True))
    y += 40
    parts.append(svg.text(MARGIN, y, "the same, every path apart", bold=True))
    told = "length" if unrolled.total is None else "length · norm"
    y += 22
    parts.append(svg.text(LEFT - 76, y, told, size=10.5, anchor="end", fill=INK))
    y += 6
    heights = [y + (i + 0.5) * row for i in range(len(leaves))]
    for path, height in zip(leaves, heights, strict=True):
        parts += _leaf(unrolled, path, height)
    for i, block in enumerate(unrolled.blocks):
        after = LEFT + (i + 1) * step
        start = LEFT + i * step + (RADIUS if i else -6.0)
        merged = []
        for skip, branch in zip(heights[::2], heights[1::2], strict=True):
            middle = (skip + branch) / 2
            parts += [
                wire((start, skip), (after, skip), (after, middle - RADIUS), dashed=True),
                head(after, middle - RADIUS, dx=0, dy=1),
                wire((start, branch), (after, branch), (after, middle + RADIUS)),
                head(after, middle + RADIUS, dx=0, dy=-1),
                branch_box(block, after - step / 2, branch, box_width(step)),
                join(block.join, after, middle),
            ]
            merged.append(middle)
        heights = merged
    right = LEFT + n * step
    parts += [
        wire((right + (RADIUS if n else -6), heights[0]), (right + 24, heights[0])),
        *end_label(right + 26, heights[0], unrolled.end),
    ]
    text = document(y + row * len(leaves) + 14, parts, title)
    return Picture(text, unrolled, title=title)


def leaf_order(unrolled: Unrolled) -> list[SinglePath]:
    """The paths from top to bottom: at every ⊕ the shortcut comes from above."""
    return sorted(unrolled.paths, key=lambda path: path.taken[::-1])


def _introduction(unrolled: Unrolled) -> str:
    start = unrolled.start
    told = "output" if unrolled.forward else "gradient"
    if unrolled.things.marked:
        apart = "Below, every way through or past the marked parts (boxes) apart"
    else:
        apart = (
            "Below, the same function drawn without sharing: each "
            f"{unrolled.joins} gets its two inputs separately"
        )
    letter = unrolled.blocks[0].branch[0] if unrolled.blocks else "F"
    past = "lead past them" if unrolled.things.marked else "are shortcuts"
    return (
        f"Above, the network. {apart}, so there are {len(unrolled.paths)} copies of {start}, one "
        f"for each path, and copies of {letter}₁, {letter}₂, … . "
        f"A path crosses the boxes on its way; dashed lines {past}."
        + ("" if unrolled.total is None else f" The norm is that of the path's {told}.")
        + (f" {unrolled.note}" if unrolled.note else "")
    )


def _leaf(unrolled: Unrolled, path: SinglePath, y: float) -> list[str]:
    told = str(path.length) if path.norm is None else f"{path.length} · {short(path.norm)}"
    return [
        svg.text(LEFT - 76, y + 4, told, size=10.5, anchor="end", fill=INK),
        start_label(LEFT, y, unrolled.start),
    ]
