"""Which mistake explains a wrong gradient: patterns tried against the numerical Jacobian.

Each pattern is a small function that gets the `Case` and the number k of a wrong input, and
returns a sentence if the mistake it knows, made on the numerical Jacobian, gives the analytic one.
They are tried in the order of `PATTERNS`, the most specific first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass
class Case:
    """What the patterns see. Jacobians are (outputs, inputs), one for each input."""

    names: Sequence[str]
    inputs: list[Array]
    output: Array
    analytic: list[Array]
    numeric: list[Array]
    bar: list[Array]
    wrong: list[Array]
    elsewhere: Callable[[list[Array]], tuple[list[Array], list[Array]] | None]

    def same(self, k: int, made: Array, rtol: float = 1e-4) -> bool:
        """Whether the analytic Jacobian of input k is this one, as well as can be known.

        What is made must be far nearer to it than the numerical Jacobian, or it explains nothing.
        """
        a, n = self.analytic[k], self.numeric[k]
        if made.shape != a.shape or np.abs(a - made).sum() > 0.1 * np.abs(a - n).sum():
            return False
        size = max(float(np.max(np.abs(n), initial=0.0)), float(np.max(np.abs(a), initial=0.0)))
        slack = 4 * float(np.max(self.bar[k], initial=0.0)) + 1e-7 * size
        return bool(np.all(np.abs(a - made) <= slack + rtol * np.abs(made)))

    def jacobian(self, k: int) -> Array:
        """The numerical Jacobian of input k, in the shapes of the output and the input."""
        return self.numeric[k].reshape(*self.output.shape, *self.inputs[k].shape)


Pattern = Callable[[Case, int], str | None]


def diagnose(case: Case) -> tuple[str, str]:
    """The name of the pattern that explains the wrong gradients, and a sentence about it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for k, mask in enumerate(case.wrong):
        if mask.any():
            name, sentence = _diagnose_input(case, k)
            found.setdefault(sentence, (name, []))[1].append(f"'{case.names[k]}'")
    sentences = []
    for sentence, (_, names) in found.items():
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        sentences.append(sentence.replace("@", listed))
    known = [name for name, _ in found.values() if name != "none"]
    return (known or ["none"])[0], "; ".join(dict.fromkeys(sentences))


def _diagnose_input(case: Case, k: int) -> tuple[str, str]:
    for name, pattern in PATTERNS.items():
        sentence = pattern(case, k)
        if sentence:
            return name, sentence
    mask = case.wrong[k]
    entries = f"{mask.sum()} of {mask.size} entries of the Jacobian"
    return "none", f"the gradient for @ is wrong in {entries}, by no known pattern"


# --- patterns ------------------------------------------------------------------------------------
# In the sentences @ stands for the input's name.


def zero(case: Case, k: int) -> str | None:
    """Nothing comes back at all."""
    if not case.analytic[k].any():
        return "the gradient for @ is zero"
    return None


def sign(case: Case, k: int) -> str | None:
    """−J."""
    if case.same(k, -case.numeric[k]):
        return "the gradient for @ has its sign flipped"
    return None


def swapped(case: Case, k: int) -> str | None:
    """The tuple of gradients in the wrong order."""
    for other in range(len(case.inputs)):
        if other == k or case.inputs[other].size != case.inputs[k].size:
            continue
        if case.same(k, case.numeric[other]) and case.same(other, case.numeric[k]):
            first, second = sorted((k, other))
            return f"the gradients for '{case.names[first]}' and '{case.names[second]}' are swapped"
    return None


def last_batch_element(case: Case, k: int) -> str | None:
    """Right for the last batch element, as if each had overwritten the one before it."""
    return _only(case, k, axis=0, index=-1, what="only the last batch element counts for @")


def not_summed(case: Case, k: int) -> str | None:
    """The input was broadcast along some axis of the output: one part was taken, not the sum."""
    for axis in _broadcast_axes(case, k):
        for index in (0, -1):
            end = "first" if index == 0 else "last"
            found = _only(
                case,
                k,
                axis,
                index,
                f"the gradient for @ is not summed over broadcast axis {axis} of the output: "
                f"only the {end} element counts",
            )
            if found:
                return found
    return None


def averaged(case: Case, k: int) -> str | None:
    """As `not_summed`, with the mean in place of the sum."""
    factor = _factor(case, k)
    axes = _broadcast_axes(case, k)
    if factor is None or case.output.ndim == 0:
        return None
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            size = math.prod(case.output.shape[axis] for axis in chosen)
            if size > 1 and math.isclose(factor * size, 1, rel_tol=1e-4):
                named = f"axis {chosen[0]}" if count == 1 else f"axes {chosen}"
                return (
                    f"the gradient for @ is averaged over broadcast {named} of the output, where "
                    f"it should be summed: a constant factor of 1/{size}"
                )
    return None


def constant_factor(case: Case, k: int) -> str | None:
    """c · J, and what c may stand for."""
    factor = _factor(case, k)
    if factor is None or math.isclose(factor, 1, rel_tol=1e-6):
        return None
    flipped = "has its sign flipped and " if factor < 0 else ""
    return f"the gradient for @ {flipped}is off by a constant factor of {_spell(case, abs(factor))}"


def transposed(case: Case, k: int) -> str | None:
    """Two axes of the input, or of the cotangent, exchanged."""
    shape, jacobian, outputs = case.inputs[k].shape, case.jacobian(k), case.output.ndim
    for i, j in itertools.combinations(range(len(shape)), 2):
        if shape[i] == 1 or shape[j] == 1:
            continue
        made = np.swapaxes(jacobian, outputs + i, outputs + j)
        if case.same(k, made.reshape(case.analytic[k].shape)):
            return f"the gradient for @ is transposed: its axes {i} and {j} are exchanged"
    if case.output.size == case.inputs[k].size and case.same(k, case.numeric[k].T):
        return "the Jacobian for @ is transposed: output and input are exchanged"
    for i, j in itertools.combinations(range(outputs), 2):
        sizes = case.output.shape
        if sizes[i] != sizes[j] or sizes[i] == 1:
            continue
        if case.same(k, np.swapaxes(jacobian, i, j).reshape(case.analytic[k].shape)):
            return f"the cotangent is transposed in the gradient for @: axes {i} and {j}"
    return None


def statistic_constant(case: Case, k: int) -> str | None:
    """y = F(x, s(x)) with s treated as constant: what is missing is a multiple of ds/dx.

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
            if size <= len(basis) + 1:  # two or three elements fit too much by chance
                continue
            seen = case.wrong[k].sum(axis=0)  # how many outputs see each element wrongly
            hits = np.count_nonzero(seen)
            chance = hits * math.log(size) < math.log(10**4) or seen[seen > 0].mean() < 2
            if names == ["maximum"] and chance:
                continue  # that each is the largest of its group may be chance
            if _residual(error, basis, axes) <= 1e-4 * total + 4 * _noise(case, k):
                listed = " and the ".join(names)
                over = "all elements" if size == x.size else f"axis {axes[0]}"
                over = over if len(axes) == 1 or size == x.size else f"axes {axes}"
                frozen = (
                    "is treated as a constant" if len(names) == 1 else "are treated as constants"
                )
                return f"the {listed} of @ over {over} {frozen}"
    return None


def flipped(case: Case, k: int) -> str | None:
    """A convolution's kernel turned around, or not turned around, in the backward pass."""
    shape, jacobian, outputs = case.inputs[k].shape, case.jacobian(k), case.output.ndim
    if len(shape) < 3:
        return None
    for spatial in _spatial_choices(shape):
        axes = tuple(outputs + a for a in spatial)
        if case.same(k, np.flip(jacobian, axes).reshape(case.analytic[k].shape)):
            return (
                f"the gradient for @ is flipped along axes {spatial}: the kernel is turned around"
            )
    if case.output.ndim != len(shape):
        return None
    spatial = tuple(range(2, len(shape)))
    sizes = [case.output.shape[a] + shape[a] for a in spatial]
    if math.prod(sizes) > 2000:
        return None
    off = np.abs(case.analytic[k] - case.numeric[k])
    for centres in itertools.product(*map(range, sizes)):
        made = _reflected(jacobian, outputs, spatial, centres).reshape(case.analytic[k].shape)
        unknown = np.isnan(made)
        seen = case.wrong[k] & ~unknown
        if seen.sum() < max(4, 0.3 * case.wrong[k].sum()) or off[seen].sum() < 0.2 * off.sum():
            continue
        if case.same(k, np.where(unknown, case.analytic[k], made)):
            return "the kernel is not flipped in the gradient for @ (turned around in space)"
    return None


def shifted(case: Case, k: int) -> str | None:
    """Moved by one or two places in space, wrapped around or cut off."""
    shape, jacobian, outputs = case.inputs[k].shape, case.jacobian(k), case.output.ndim
    if len(shape) < 3:
        return None
    spatial = tuple(range(2, len(shape)))
    for shift in itertools.product((-2, -1, 0, 1, 2), repeat=len(spatial)):
        if not any(shift):
            continue
        axes = tuple(outputs + a for a in spatial)
        rolled = np.roll(jacobian, shift, axes)
        cut = rolled.copy()
        for axis, s in zip(axes, shift, strict=True):
            edge = [slice(None)] * cut.ndim
            edge[axis] = slice(0, s) if s > 0 else slice(s, None)
            if s:
                cut[tuple(edge)] = 0
        for made in (rolled, cut):
            if case.same(k, made.reshape(case.analytic[k].shape)):
                return f"the gradient for @ is shifted in space by {shift}"
    return None


def border(case: Case, k: int) -> str | None:
    """Right everywhere but for the elements, or the outputs, next to the border."""
    shape, outputs = case.inputs[k].shape, case.output.shape
    for which, sizes, axis in (("elements of @", shape, 0), ("outputs, for @,", outputs, 1)):
        if len(sizes) < 3:
            continue
        inside = np.zeros(sizes, bool)
        inside[:, :, *[slice(1, -1)] * (len(sizes) - 2)] = True
        chosen = np.expand_dims(inside.reshape(-1), axis)
        if (chosen & (case.numeric[k] != 0)).sum() > 5 and not (chosen & case.wrong[k]).any():
            return f"wrong only at the border: {which} inside are right (padding?)"
    return None


def output_for_input(case: Case, k: int) -> str | None:
    """The claimed Jacobian is the true one at f(x)."""
    if not _shape_kept(case, k):
        return None
    other = _at_output(case, k)
    if other and case.same(k, other[1][k], 1e-3):
        return "the output is used in place of the input in the gradient for @"
    return None


def input_for_output(case: Case, k: int) -> str | None:
    """The true Jacobian is the claimed one at f(x)."""
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
    """A part of the gradient is right, and the rest is 0; or a known part is missing."""
    a, n, wrong = case.analytic[k], case.numeric[k], case.wrong[k]
    missing = "a term is missing in the gradient for @: "
    if a.shape[0] == a.shape[1] and a.shape[0] > 1:
        one = np.eye(len(a))
        if case.same(k, n - one):
            return missing + "the identity, as of a skip connection"
        share = float(np.diagonal(n - a)[0])
        if case.same(k, n - share * one):
            return f"{missing}{share:.4g} times the cotangent"
        if _shape_kept(case, k) and case.inputs[k].all():
            rest = one * np.reshape(case.output / case.inputs[k], -1)  # f = x · h(x): this is h
            if case.same(k, rest) or case.same(k, n - rest):
                return missing + "of a product with @, only one factor is differentiated"
        if not wrong[one > 0].any() and not a[one == 0].any():
            return missing + "all entries off the diagonal are 0"
    if np.all(a[wrong] == 0) and not wrong.all():
        return f"{missing}{wrong.mean():.0%} of the entries are 0"
    rank, full = _rank(n - a), _rank(n)
    extent = min(wrong.any(axis=1).sum(), wrong.any(axis=0).sum())  # that few entries have few
    if 2 * rank < extent and 0 < rank < full and rank <= max(1, full // 3):
        return f"{missing}what is missing has rank {rank} of {full}"
    return None


PATTERNS: dict[str, Pattern] = {
    "zero": zero,
    "sign": sign,
    "swapped": swapped,
    "transposed": transposed,
    "averaged": averaged,
    "constant factor": constant_factor,
    "last batch element": last_batch_element,
    "not summed": not_summed,
    "shifted": shifted,
    "flipped": flipped,
    "border": border,
    "output for input": output_for_input,
    "input for output": input_for_output,
    "statistic constant": statistic_constant,
    "term missing": term_missing,
}


# --- what patterns share -------------------------------------------------------------------------


def _factor(case: Case, k: int) -> float | None:
    """c, if the analytic Jacobian is c times the numerical one."""
    a, n = case.analytic[k], case.numeric[k]
    square = float(np.vdot(n, n))
    factor = float(np.vdot(a, n)) / square if square else 0.0
    return factor if factor and case.same(k, factor * n) else None


def _spell(case: Case, factor: float) -> str:
    """A factor in words: what sizes of this case it could be."""
    meanings = []
    sizes: dict[str, int] = {}
    if case.output.ndim > 1:
        sizes["the batch size"] = case.output.shape[0]
    for name, x in zip(case.names, case.inputs, strict=True):
        if x.ndim >= 3:
            sizes[f"the spatial size of '{name}'"] = math.prod(x.shape[2:])
        if x.ndim >= 2:
            sizes[f"the channels of '{name}'"] = x.shape[1]
        if x.ndim >= 1:
            sizes[f"the elements of '{name}'"] = x.size
    if case.output.size > 1:
        sizes["the elements of the output"] = case.output.size
    for power, form in ((1, "{}"), (-1, "1 / {}")):
        for what, size in sizes.items():
            if size > 1 and math.isclose(factor, float(size) ** power, rel_tol=1e-5):
                meanings.append(form.format(what))
    number = f"{factor:.6g}"
    for denominator in range(1, 1025):
        top = factor * denominator
        if (
            round(top) >= 1
            and math.isclose(top, round(top), rel_tol=1e-6)
            and denominator * round(top) < 10**5
        ):
            number = f"{round(top)}/{denominator}" if denominator > 1 else str(round(top))
            break
    return number + (f" ({' = '.join(meanings[:3])})" if meanings else "")


def _broadcast_axes(case: Case, k: int) -> list[int]:
    """The axes of the output along which the input was repeated, as far as shapes tell."""
    shape, output = case.inputs[k].shape, case.output.shape
    if len(shape) == 1 and len(output) > 2 and shape[0] == output[1]:  # one for each channel
        return [0, *range(2, len(output))]
    lacking = len(output) - len(shape)
    if lacking < 0:
        return []
    aligned = (1,) * lacking + shape
    if any(s not in (1, o) for s, o in zip(aligned, output, strict=True)):
        return list(range(1)) if len(output) > 1 and shape[:1] != output[:1] else []
    return [i for i, (s, o) in enumerate(zip(aligned, output, strict=True)) if s == 1 != o]


def _only(case: Case, k: int, axis: int, index: int, what: str) -> str | None:
    """`what`, if one element of an output axis is right and the others are 0."""
    output = case.output.shape
    if not output or axis >= len(output) or output[axis] < 2:
        return None
    made = np.zeros_like(case.jacobian(k))
    at = (slice(None),) * axis + (index,)
    made[at] = case.jacobian(k)[at]
    return what if made.any() and case.same(k, made.reshape(case.analytic[k].shape)) else None


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
    """How far each output's error is from a multiple of the basis within each group."""
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


def _spatial_choices(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    spatial = range(2, len(shape))
    for count in range(len(spatial), 0, -1):
        for axes in itertools.combinations(spatial, count):
            if any(shape[a] > 1 for a in axes):
                yield axes


def _reflected(
    jacobian: Array, outputs: int, spatial: tuple[int, ...], centres: tuple[int, ...]
) -> Array:
    """Each output's row with position p read from 2·i − p + const, i the output's position.

    What would be read from outside is nan: unknown.
    """
    made = jacobian
    for axis, centre in zip(spatial, centres, strict=True):
        i = np.arange(made.shape[axis])[:, None]
        p = np.arange(made.shape[outputs + axis])[None, :]
        source = 2 * i - p + centre - (made.shape[outputs + axis] + made.shape[axis]) // 2
        inside = (source >= 0) & (source < made.shape[outputs + axis])
        moved = np.moveaxis(made, (axis, outputs + axis), (0, 1))
        picked = moved[i, np.where(inside, source, 0)]
        picked[~inside] = np.nan
        made = np.moveaxis(picked, (0, 1), (axis, outputs + axis))
    return made


def _shape_kept(case: Case, k: int) -> bool:
    return case.output.shape == case.inputs[k].shape


def _at_output(case: Case, k: int) -> tuple[list[Array], list[Array]] | None:
    """Both Jacobians where the function's output is its input."""
    arrays = list(case.inputs)
    arrays[k] = case.output
    return case.elsewhere(arrays)


def _rank(matrix: Array) -> int:
    if not matrix.size:
        return 0
    singular = np.linalg.svd(matrix, compute_uv=False)
    return int((singular > 1e-5 * singular[0]).sum()) if singular[0] else 0


def where(case: Case) -> list[str]:
    """Where the wrong entries lie: share, input, and the indices of an axis they keep to."""
    lines = []
    for k, mask in enumerate(case.wrong):
        if not mask.any():
            if len(case.names) > 1:
                lines.append(f"{case.names[k]}: right")
            continue
        line = f"{case.names[k]}: {mask.sum()} of {mask.size} entries wrong"
        places = np.asarray(mask.any(axis=0)).reshape(case.inputs[k].shape)
        for axis, size in enumerate(places.shape):
            others = tuple(a for a in range(places.ndim) if a != axis)
            hit = np.flatnonzero(np.any(places, axis=others))
            if len(hit) < size and len(hit) <= 4:
                line += f"; only at index {', '.join(map(str, hit))} of axis {axis}"
        lines.append(line)
    return lines
