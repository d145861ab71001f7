"""Patterns of a wrong formula: a part is treated as constant, mistaken for another, or missing.

In the sentences @ stands for the input's name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .case import Array, Case


def statistic_constant(case: Case, k: int) -> str | None:
    """y = F(x, s(x)) with s treated as constant: the missing term is a multiple of ds/dx.

    For every output, the error over the elements that share a statistic must be a multiple of
    the statistic's gradient, which is known: 1/m for a mean, ∝ x − μ for a variance, and so on.
    """
    x = case.inputs[k]
    error = (case.analytic[k] - case.numeric[k]).reshape(-1, *x.shape)
    total = float(np.linalg.norm(error))
    for axes in _statistic_axes(x.shape):
        size = math.prod(x.shape[a] for a in axes)
        gradients = _statistics(x, axes)
        for names, basis in _bases(gradients):
            if size <= len(basis) + 1:  # so few elements would fit by chance
                continue
            seen = case.wrong[k].sum(axis=0)  # for how many outputs each element is wrong
            hits = np.count_nonzero(seen)
            chance = hits * math.log(size) < math.log(10**4) or seen[seen > 0].mean() < 2
            if names == ["maximum"] and chance:
                continue  # each may be the largest of its group by chance
            if _residual(error, basis, axes) <= 1e-4 * total + 4 * _noise(case, k):
                listed = " and the ".join(names)
                over = "all elements" if size == x.size else f"axis {axes[0]}"
                over = over if len(axes) == 1 or size == x.size else f"axes {axes}"
                frozen = (
                    "is treated as a constant" if len(names) == 1 else "are treated as constants"
                )
                return f"the {listed} of @ over {over} {frozen}"
    return None


def output_for_input(case: Case, k: int) -> str | None:
    """The claimed Jacobian at x is the true Jacobian at f(x)."""
    if not _shape_kept(case, k):
        return None
    other = _at_output(case, k)
    if other and case.same(k, other[1][k], 1e-3):
        return "the output is used in place of the input in the gradient for @"
    return None


def input_for_output(case: Case, k: int) -> str | None:
    """The true Jacobian at x is the claimed Jacobian at f(x)."""
    if not _shape_kept(case, k):
        return None
    other = _at_output(case, k)
    n = case.numeric[k]
    if other:
        size = float(np.max(np.abs(n)))
        if np.all(np.abs(other[0][k] - n) <= 1e-4 * np.abs(n) + 1e-6 * size + 4 * case.bar[k]):
            return "the input is used in place of the output in the gradient for @"
    return None


def term_missing(case: Case, k: int) -> str | None:
    """Part of the gradient is right and the rest is 0, or a known term is missing."""
    a, n, wrong = case.analytic[k], case.numeric[k], case.wrong[k]
    missing = "a term is missing in the gradient for @: "
    if a.shape[0] == a.shape[1] and a.shape[0] > 1:
        one = np.eye(len(a))
        if case.same(k, n - one):
            return missing + "the identity, as of a skip connection"
        share = float(np.diagonal(n - a)[0])
        if n.any() and case.same(k, n - share * one):
            return f"{missing}{share:.4g} times the cotangent"
        if _shape_kept(case, k) and case.inputs[k].all():
            rest = one * np.reshape(case.output / case.inputs[k], -1)  # h, if f = x · h(x)
            if case.same(k, rest) or case.same(k, n - rest):
                return missing + "of a product with @, only one factor is differentiated"
        if not wrong[one > 0].any() and not a[one == 0].any():
            return missing + "all entries off the diagonal are 0"
    if np.all(a[wrong] == 0) and not wrong.all():
        return f"{missing}{wrong.mean():.0%} of the entries are 0"
    rank, full = _rank(n - a), _rank(n)
    extent = min(wrong.any(axis=1).sum(), wrong.any(axis=0).sum())  # the most that the rank can be
    if 2 * rank < extent and 0 < rank < full and rank <= max(1, full // 3):
        return f"{missing}what is missing has rank {rank} of {full}"
    return None


def _statistic_axes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The sets of axes that normalisations take statistics over."""
    every = tuple(range(len(shape)))
    if not every:
        return
    choices = [
        every[:1] + every[2:],  # batch norm
        every[2:],  # instance norm, pooling
        every[-1:],  # softmax, layer norm
        every[1:],  # layer norm over an example
        every[1:2],  # softmax over channels
        every[:1],
        every,
    ]
    yield from dict.fromkeys(c for c in choices if c and math.prod(shape[a] for a in c) > 1)


def _statistics(x: Array, axes: tuple[int, ...]) -> dict[str, Array]:
    """The gradients of statistics over some axes, up to a factor for each group."""
    mean = x.mean(axis=axes, keepdims=True)
    top = x.max(axis=axes, keepdims=True)
    return {
        "mean": np.ones_like(x),
        "variance": x - mean,
        "norm": x.copy(),
        "maximum": (x == top).astype(float),
        "sum of exponentials": np.exp(x - top),
    }


def _bases(gradients: dict[str, Array]) -> Iterator[tuple[list[str], list[Array]]]:
    for name, gradient in gradients.items():
        yield [name], [gradient]
    yield ["mean", "variance"], [gradients["mean"], gradients["variance"]]


def _residual(error: Array, basis: list[Array], axes: tuple[int, ...]) -> float:
    """The part of the error that is not, in each group, a linear combination of the basis."""
    moved = [a + 1 for a in axes]
    rows = np.moveaxis(error, moved, range(-len(axes), 0))
    rows = rows.reshape(*rows.shape[: error.ndim - len(axes)], -1)
    left = rows.copy()
    done: list[Array] = []
    for gradient in basis:
        b = np.moveaxis(gradient, axes, range(-len(axes), 0))
        b = b.reshape(*b.shape[: gradient.ndim - len(axes)], -1)[None]
        for d in done:
            b = b - d * (b * d).sum(-1, keepdims=True)
        length = np.linalg.norm(b, axis=-1, keepdims=True)
        b = np.divide(b, length, out=np.zeros_like(b), where=length > 0)
        left = left - b * (left * b).sum(-1, keepdims=True)
        done.append(b)
    return float(np.linalg.norm(left))


def _noise(case: Case, k: int) -> float:
    return float(np.linalg.norm(case.bar[k]))


def _shape_kept(case: Case, k: int) -> bool:
    return case.output.shape == case.inputs[k].shape


def _at_output(case: Case, k: int) -> tuple[list[Array], list[Array]] | None:
    """Both Jacobians at the point where the input is f(x)."""
    arrays = list(case.inputs)
    arrays[k] = case.output
    return case.elsewhere(arrays)


def _rank(matrix: Array) -> int:
    if not matrix.size:
        return 0
    singular = np.linalg.svd(matrix, compute_uv=False)
    return int((singular > 1e-5 * singular[0]).sum()) if singular[0] else 0
