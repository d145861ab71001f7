"""One path, highlighted on the network itself."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_cnn.errors import OptionError

from ..picture.picture import Picture
from .choices import SinglePath, Unrolled
from .parts import WIDTH, document, heading, network, paragraph
from .words import short

LEFT = 110.0
RIGHT = 800.0


def draw_route(unrolled: Unrolled, taken: Sequence[bool] | None = None) -> Picture:
    """The network of a chain of blocks, with one path thick; its data is that path.

    Args:
        unrolled: the blocks and their paths.
        taken: for each block whether the path takes its branch; if None, the path with the largest
            norm of all that take a branch, or every second branch where there are no norms.

    Raises:
        OptionError: taken does not fit the blocks.
    """
    path = _find(unrolled, taken)
    n = len(unrolled.blocks)
    step = min(150.0, (RIGHT - LEFT) / max(n, 1))
    title = f"One of {len(unrolled.paths)} paths: {_words(unrolled, path)}"
    y, parts = heading(8.0, title, _introduction(unrolled))
    y += 64
    parts += network(unrolled.blocks, y, LEFT, step, unrolled.start, unrolled.end, taken=path.taken)
    y, said = paragraph(LEFT - 10, y + 28, _verdict(unrolled, path), WIDTH - LEFT - 20)
    return Picture(document(y + 8, [*parts, *said], title), path, title=title)


def _find(unrolled: Unrolled, taken: Sequence[bool] | None) -> SinglePath:
    n = len(unrolled.blocks)
    if taken is not None:
        wanted = tuple(map(bool, taken))
        if len(wanted) != n:
            raise OptionError(
                f"unroll: path needs a boolean for each of {n} blocks, got {len(wanted)}"
            )
        return next(path for path in unrolled.paths if path.taken == wanted)
    if unrolled.total is None:
        every_second = tuple(i % 2 == 0 for i in range(n))
        return next(path for path in unrolled.paths if path.taken == every_second)
    longer = [path for path in unrolled.paths if path.length] or list(unrolled.paths)
    return max(longer, key=lambda path: path.norm or 0.0)


def _words(unrolled: Unrolled, path: SinglePath) -> str:
    ways = [
        block.branch if taken else block.shortcut
        for block, taken in zip(unrolled.blocks, path.taken, strict=True)
        if taken or not unrolled.things.marked
    ]
    return " → ".join([unrolled.start, *ways, unrolled.end])


def _introduction(unrolled: Unrolled) -> str:
    what = "The gradient flows back along it," if not unrolled.forward else "It is run forward,"
    one = "" if unrolled.things.marked else f"; at each {unrolled.joins} the path has one input"
    return (
        f"Thick: the way of this path through the network, which has not changed. {what} from "
        f"{unrolled.start if unrolled.forward else unrolled.end} to "
        f"{unrolled.end if unrolled.forward else unrolled.start}{one}. "
        "Pale: what other paths take. " + unrolled.note
    ).strip()


def _verdict(unrolled: Unrolled, path: SinglePath) -> str:
    crosses = (
        f"Length {path.length}: it crosses {path.length} of {len(unrolled.blocks)} "
        f"{unrolled.things.crossed}."
    )
    if path.norm is None:
        return f"{crosses} Its gradient at {unrolled.start} is {path.formula}."
    if unrolled.forward:
        return (
            f"{crosses} Norm of its output: {short(path.norm)}; of the network's output: "
            f"{short(unrolled.total or 0.0)}."
        )
    return (
        f"{crosses} Its gradient at {unrolled.start} is {path.formula}, of norm "
        f"{short(path.norm)}; the whole gradient has norm {short(unrolled.total or 0.0)}."
    )
