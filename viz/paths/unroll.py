"""`unroll` and `path_lengths`: from blocks, a model or a split gradient to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.paths import Expansion, GradientPaths

from ..picture.html import page, safe
from ..picture.picture import Picture
from .charts import draw_lengths
from .choices import MAX_BLOCKS, Unrolled, forward, measured, schematic
from .lengths import by_length
from .model import paths_of_model
from .pairs import draw_pairs, pairs_of
from .report import STYLE, report
from .route import draw_route
from .table import draw_table
from .tree import draw_tree
from .trellis import draw_trellis, trellis_of
from .words import plural

KINDS = ("table", "tree", "path", "trellis", "lengths", "pairs")
BY_LENGTH = ("trellis", "lengths", "pairs")


def unroll(
    what: int | Module | GradientPaths | Expansion,
    kind: str | None = None,
    *,
    path: Sequence[bool] | None = None,
    values: str = "shares",
    samples: int = 10,
    x: Tensor | None = None,
    note: str = "",
) -> Picture:
    """A network's branches, or the parts of it that were marked, as the sum of their paths.

    Saved as .html, the page of `gradient_paths` says in words what was found, and has a table of
    all choices or parts: how each was read, and what part of the gradient comes through it.

    Args:
        what: a number of blocks, for the schematic; what `tinygrad_cnn.gradient_paths` found, for
            its numbers; a model, for the gradient of the sum of its outputs; or what
            `tinygrad_cnn.expand` found, for the forward pass.
        kind: "table" has a row per path, sorted by length, with the norm of its gradient; saved as
            .html, the network above it shows the row that is pointed at.
            "tree" has the equivalent structure in which every route is drawn out (Fig. 1 of Veit,
            Wilber & Belongie 2016). "path" highlights one path on the network itself.
            "trellis" is for many blocks: a heat map of block × branches crossed so far, beside the
            number of paths, the gradient of a single one and the exact share, per length.
            "lengths" has only bars per length (see `path_lengths`). "pairs" is for two kinds of
            parts (`through={...}`): a heat map, with margins. None means the table up to 6 blocks,
            else pairs if there are two kinds, else the trellis.
        path: for kind "path": for each block whether the path takes its branch. If None, the path
            with the largest gradient of those that take a branch.
        values: for the pairs: "shares", "norms" or "count".
        samples: for the trellis, how many single paths of each length are measured. Each costs a
            backward pass through its branches; 0 leaves them out.
        x: for a model, its input; 8 examples of standard normal numbers if None.
        note: a sentence for the picture's introduction: what was measured.

    Raises:
        OptionError: another kind; a table, tree or path of more than 6 blocks; numbers by length of
            a schematic or an expansion; a tree or path of blocks that are nested or side by side;
            pairs of another number of kinds than two.

    Example:
        >>> from viz.paths import unroll
        >>> unroll(3)
        <Picture '3 residual blocks: 2³ = 8 paths', ...>
        >>> ["".join("F" if f else "-" for f in path.taken) for path in unroll(2).data.paths]
        ['--', 'F-', '-F', 'FF']
    """
    if kind is not None and kind not in KINDS:
        raise OptionError(f"unroll: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if isinstance(what, Module):
        what, measured_on = paths_of_model(what, x)
        note = note or measured_on
    n = what.n_blocks if isinstance(what, GradientPaths | Expansion) else _checked(what)
    if kind is None and n > MAX_BLOCKS:
        two = isinstance(what, GradientPaths) and len(what.kinds) == 2
        kind = "pairs" if two else "trellis"
    if kind in BY_LENGTH:
        if not isinstance(what, GradientPaths):
            raise OptionError(
                f"unroll: {n} blocks by length need gradients; give gradient_paths(loss, wrt=x)"
            )
        if kind == "pairs":
            return _with_words(draw_pairs(pairs_of(what, values, note)), what)
        if kind == "lengths" or n == 0:
            return _with_words(draw_lengths(by_length(what, note=note)), what)
        return _with_words(draw_trellis(trellis_of(what, samples, note)), what)
    if n > MAX_BLOCKS:
        raise OptionError(
            f"unroll: a {kind} of {n} blocks would have up to 2^{n} paths; up to {MAX_BLOCKS} "
            'blocks are drawn one by one, more with kind="trellis"'
        )
    unrolled = _unrolled(what, note)
    if kind in (None, "table"):
        more = partial(report, what) if isinstance(what, GradientPaths) else str
        return draw_table(unrolled, more)
    picture = _draw_single(unrolled, kind, path)
    return _with_words(picture, what) if isinstance(what, GradientPaths) else picture


def _with_words(picture: Picture, paths: GradientPaths) -> Picture:
    """A picture whose page says in words what was found."""

    def written() -> str:
        body = f"<h1>{safe(picture.title)}</h1>\n{picture.svg}\n{report(paths)}"
        return page(picture.title, body, STYLE)

    return replace(picture, page=written)


def _unrolled(what: int | GradientPaths | Expansion, note: str) -> Unrolled:
    if isinstance(what, GradientPaths):
        return measured(what, note)
    return forward(what) if isinstance(what, Expansion) else schematic(what)


def _draw_single(unrolled: Unrolled, kind: str, path: Sequence[bool] | None) -> Picture:
    if not unrolled.is_chain:
        raise OptionError(
            f"unroll: a {kind} needs {plural(unrolled.things.one)} that follow one another, each "
            "with a way past it; these are nested, side by side, in series, or hold wrt. Use "
            'kind="table"'
        )
    return draw_tree(unrolled) if kind == "tree" else draw_route(unrolled, path)


def path_lengths(paths: GradientPaths, note: str = "") -> Picture:
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
    return _with_words(draw_lengths(by_length(paths, note=note)), paths)


def _checked(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise OptionError(
            "unroll: expected a number of blocks, GradientPaths, a model or an Expansion, got "
            f"{type(n).__name__}"
        )
    if n < 1:
        raise OptionError(f"unroll: at least one block is needed, got {n}")
    return n
