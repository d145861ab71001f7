"""Pictures of the 2ⁿ paths of a residual network.

`choices.py` and `lengths.py` decide in plain data what is shown; `table.py`, `tree.py` and
`charts.py` draw it, with the pieces in `parts.py`.
"""

from __future__ import annotations

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.paths import GradientPaths

from ..picture import Picture
from .charts import draw_lengths
from .choices import MAX_BLOCKS, measured, schematic
from .lengths import by_length
from .table import draw_table
from .tree import draw_tree

KINDS = ("table", "tree", "lengths")


def unroll(what: int | GradientPaths, kind: str | None = None) -> Picture:
    """Residual blocks as the sum of their paths.

    Args:
        what: a number of blocks, for the schematic; or what `tinygrad_cnn.gradient_paths` found,
            for its numbers.
        kind: "table" has a row per path, sorted by length, with the norm of its gradient;
            "tree" has the equivalent structure in which every route is drawn out (Fig. 1 of Veit,
            Wilber & Belongie 2016); "lengths" sums over the paths of each length (see
            `path_lengths`). None means the table up to 6 blocks, else the lengths.

    Raises:
        OptionError: another kind; a table or tree of more than 6 blocks; lengths of a schematic;
            a tree of blocks that are nested or side by side.

    Example:
        >>> from viz.paths import unroll
        >>> unroll(3)
        <Picture '3 residual blocks: 2³ = 8 paths', ...>
        >>> ["".join("F" if f else "-" for f in path.taken) for path in unroll(2).data.paths]
        ['--', 'F-', '-F', 'FF']
    """
    if kind is not None and kind not in KINDS:
        raise OptionError(f"unroll: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    n = what.n_blocks if isinstance(what, GradientPaths) else _checked(what)
    if kind == "lengths" or (kind is None and n > MAX_BLOCKS):
        if isinstance(what, GradientPaths):
            return path_lengths(what)
        raise OptionError(
            f"unroll: {n} blocks by length need numbers; give gradient_paths(loss, wrt=x)"
        )
    if n > MAX_BLOCKS:
        raise OptionError(
            f"unroll: a {kind} of {n} blocks would have up to 2^{n} rows; up to {MAX_BLOCKS} "
            'blocks are drawn one by one, more with kind="lengths"'
        )
    unrolled = measured(what) if isinstance(what, GradientPaths) else schematic(n)
    if kind != "tree":
        return draw_table(unrolled)
    if not unrolled.is_chain:
        raise OptionError(
            "unroll: a tree needs blocks that follow one another, each on the way to wrt; these "
            'are nested, side by side, or hold wrt. Use kind="table"'
        )
    return draw_tree(unrolled)


def path_lengths(paths: GradientPaths) -> Picture:
    """Which path lengths carry the gradient: three bar charts over the length k.

    They show how many paths have length k, the norm of their summed gradient G_k, and its signed
    share ⟨G_k, g⟩/‖g‖² in the gradient g. Works for any number of blocks.

    Example:
        >>> import tinygrad_cnn as tg
        >>> from viz.paths import path_lengths
        >>> x = tg.Tensor(1.0, requires_grad=True, name="x")
        >>> y = tg.residual_add(x, 3 * x)
        >>> path_lengths(tg.gradient_paths(y, wrt=x)).data.shares
        (0.25, 0.75)
    """
    return draw_lengths(by_length(paths))


def _checked(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise OptionError(f"unroll: expected a number of blocks or GradientPaths, got {type(n)}")
    if n < 1:
        raise OptionError(f"unroll: at least one block is needed, got {n}")
    return n


__all__ = ["path_lengths", "unroll"]
