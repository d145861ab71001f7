"""What a page of paths says in words: what was found where, and where the gradient lies."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.errors import TinygradError
from tinygrad_cnn.paths import GradientPaths

from ..picture.html import safe
from ..picture.numbers import percent
from .choices import names_of
from .lengths import by_length
from .words import Things, count_of, name_of

STYLE = """
.found { border-collapse: collapse; font-size: .9rem; }
.found th, .found td { text-align: left; padding: .15rem .8rem .15rem 0;
                       border-bottom: 1px solid #9ca3af66; }
.found td.number, .found th.number { text-align: right; white-space: nowrap; }
"""


def in_words(paths: GradientPaths) -> str:
    """How many paths there are, over what; all digits of the number."""
    number = sum(paths.count)
    return f"{number:,} path{'s' * (number != 1)} over {Things.of(paths).told}"


def found_in_words(paths: GradientPaths) -> list[str]:
    """What paths are told apart by, how many there are, and through what most comes: sentences."""
    things = Things.of(paths)
    start = name_of(paths.wrt)
    if not paths.n_blocks:
        return [
            f"Nothing to choose, and nothing that is marked, lies between {start} and the loss."
        ]
    said = [f"Between {start} and the loss: {_places(paths)}."]
    shares, why = _shares(paths)
    if why:
        return [*said, why]
    names = names_of(paths)
    top = sorted(range(len(names)), key=lambda i: -shares[i])[:3]
    told = [f"{names[i]} ({percent(shares[i])})" for i in top if shares[i] >= 0.01]
    none = percent(paths.shares[0])
    said.append(
        f"Of the gradient at {start}, {none} comes along paths that cross no "
        f"{things.crossed_one}."
        + (f" Most comes through {', '.join(told)}." if told else "")
        + f" {by_length(paths).finding()}".rstrip()
    )
    return said


def report(paths: GradientPaths) -> str:
    """The same as HTML, with a table of all choices or parts."""
    sentences = "".join(f"<p>{safe(sentence)}</p>\n" for sentence in found_in_words(paths))
    if not paths.n_blocks:
        return f"<h2>What was found</h2>\n{sentences}"
    shares, why = _shares(paths)
    known = not why
    start = safe(name_of(paths.wrt))
    split = (
        ""
        if Things.of(paths).marked
        else "At an addition or concatenation, shortcut and branches together have what comes to "
        "it. "
    )
    table = (
        _parts_table(paths, shares, known)
        if Things.of(paths).marked
        else _choices_table(paths, shares, known)
    )
    about = (
        f"<p>A share is the part of the gradient at {start} that comes along there, over all paths "
        "together: ⟨G, g⟩ / ‖g‖², where G is the sum of their gradients and g the whole gradient. "
        f"It is exact. {split}A negative share pulls against the rest.</p>\n"
        if known
        else ""
    )
    return f"<h2>What was found</h2>\n{sentences}{about}{table}"


def _places(paths: GradientPaths) -> str:
    """How many choices of which kind there are, or parts; and where the first and the last are."""
    names = names_of(paths)
    where = f"from {names[0]} to {names[-1]}" if len(names) > 1 else names[0]
    if Things.of(paths).marked:
        return f"{Things.of(paths).told}, {where}"
    kinds = Counter(choice.kind for choice in paths.choices)
    told = " and ".join(count_of(number, kind) for kind, number in kinds.items())
    branches = f" with {count_of(len(names), 'branch')}" if len(names) != len(paths.choices) else ""
    return f"{told}{branches}, {where}"


def _shares(paths: GradientPaths) -> tuple[list[float], str]:
    """The share of each part; or why there are none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="gradient_paths: the gradient is zero")
        try:
            shares = paths.part_shares
        except TinygradError as error:  # a vjp that cannot be recorded
            return [], f"Which part comes through which branch is not known: {error}"
    if not all(map(math.isfinite, shares)):
        return [], "The gradient is zero or not finite, so nothing has a share in it."
    return shares, ""


def _choices_table(paths: GradientPaths, shares: Sequence[float], known: bool) -> str:
    names = dict(zip(((p.place, p.argument) for p in paths.parts), names_of(paths), strict=True))
    of = dict(zip(names, shares, strict=True)) if known else {}
    rows = []
    for choice in paths.choices:
        skip = ["none", ""]
        if choice.skip is not None:
            share = paths.edge_shares.get((choice.place, choice.skip), 0.0) if known else None
            skip = _share(_made(choice.skip_node), share)
        for i, argument in enumerate(choice.branches):
            branch = choice.place, argument
            left = [""] * 4 if i else [choice.scope or "–", choice.kind, *skip]
            told = f"{names[branch]}: {_made(choice.place.inputs[argument], names[branch])}"
            rows.append([*left, *_share(told, of.get(branch))])
    head = ["where", "what", "shortcut", "share", "branch", "share"]
    return _table(head, rows, {3, 5})


def _parts_table(paths: GradientPaths, shares: Sequence[float], known: bool) -> str:
    named = paths.kinds != ("",)
    rows = [
        [
            name,
            *([paths.kinds[part.kind]] if named else []),
            _made(part.place),
            *_share("", shares[i] if known else None)[1:],
        ]
        for i, (part, name) in enumerate(zip(paths.parts, names_of(paths), strict=True))
    ]
    head = ["part", *(["kind"] if named else []), "ends in", "share"]
    return _table(head, rows, {len(head) - 1})


def _share(told: str, share: float | None) -> list[str]:
    return [told, "" if share is None else percent(share)]


def _made(node: Node | None, known: str = "") -> str:
    """What computed a value, and where, unless it is known that it was there."""
    if node is None:
        return "none"
    made = node.inputs[0] if node.op is OUTPUT else node
    assert made is not None
    what = made.op.name if made.op else node.name or node.role
    said = known and f"{node.scope}.".startswith(f"{known}.")
    return f"{what} in {node.scope}" if node.scope and not said else what


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]) -> str:
    number = ' class="number"'

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{number * (i in numbers)}>{safe(cell)}</{tag}>" for i, cell in enumerate(row)
        )

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    table = f'<table class="found">\n<tr>{cells("th", head)}</tr>\n{body}\n</table>'
    return f'<div style="overflow-x: auto">{table}</div>'  # on a phone it scrolls by itself
