"""Sums of products with named axes, ``einsum("ij,jk->ik", a, b)``, and the outer product."""

from __future__ import annotations

import itertools
import math
import string
from collections import Counter
from typing import Any

import numpy as np

from ..engine.definition import add_up, place
from ..engine.op import Op, Shape, constant, op
from ..errors import OptionError, ShapeError
from .shape import reshape


def _forward(*arrays: Any, inputs: tuple[str, ...], output: str) -> Any:
    """Σ over the axes that the output does not name, of the product of all inputs."""
    return np.einsum(f"{','.join(inputs)}->{output}", *arrays, optimize=len(arrays) > 2)


_einsum: Op = op("einsum", _forward)


def einsum(subscripts: str, *operands: Any) -> Any:
    """NumPy's `einsum`: multiply with named axes, and sum over those the output leaves out.

    Three or more operands are multiplied two at a time, with sums in between, in the order that
    takes the least work. NaN and infinity reach the same elements in any order. What NaN reaches is
    NaN. What infinity reaches is infinite or NaN, and which of the two may depend on the order:
    ∞·(1 − 2) is −∞, and ∞·1 − ∞·2 is NaN.

    Args:
        subscripts: letters for the axes of each operand, e.g. ``"bij,bjk->bik"``; an ellipsis
            stands for any further axes. Without ``->`` the output has the letters named once.
        operands: as many as there are groups of letters.

    Raises:
        OptionError: subscripts that mean nothing.
        ShapeError: sizes that differ under one letter (1 does not stretch), or a wrong rank.

    Example:
        >>> import tinygrad_cnn as tg
        >>> a = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> tg.einsum("ii", a)  # the trace
        Tensor(5.)
    """
    if not isinstance(subscripts, str):
        raise OptionError(f"einsum: subscripts must be a string, got {type(subscripts).__name__}")
    if not operands:
        raise OptionError("einsum: there are no operands")
    inputs, output = _letters(subscripts, list(map(_rank, operands)))
    return _einsum(list(operands), inputs=inputs, output=output)


def _rank(operand: Any) -> int:
    try:
        return np.ndim(constant(operand))
    except ValueError as error:  # ragged
        raise ShapeError(f"einsum: operand {operand!r} is no array: {error}") from None


def _letters(subscripts: str, ranks: list[int]) -> tuple[tuple[str, ...], str]:
    """The subscripts with letters for the ellipsis and for an output that was left out."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    plain = text.replace("->", "").replace(",", "").replace("...", "")
    if not all(c in string.ascii_letters for c in plain):
        raise OptionError(f"einsum: {subscripts!r} may hold letters, commas, '...' and one '->'")
    if any(term.count("...") > 1 for term in (*terms, right)):
        raise OptionError(f"einsum: {subscripts!r} has two ellipses where one can be")
    if len(terms) != len(ranks):
        raise OptionError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(ranks)}")
    free = [c for c in string.ascii_letters if c not in plain]
    widest = 0
    for term, rank in zip(terms, ranks, strict=True):
        named = len(term.replace("...", ""))
        if named > rank or (named < rank and "..." not in term):
            raise ShapeError(f"einsum: {term!r} in {subscripts!r} does not fit {rank} axes")
        widest = max(widest, rank - named)
    dots = "".join(free[:widest])
    inputs = tuple(
        term.replace("...", dots[widest - (rank - len(term.replace("...", ""))) :])
        for term, rank in zip(terms, ranks, strict=True)
    )
    if arrow:
        output = right.replace("...", dots)
    else:
        counts = Counter(c for term in terms for c in term.replace("...", ""))
        output = dots + "".join(sorted(c for c, times in counts.items() if times == 1))
    if len(set(output)) < len(output) or not set(output) <= set("".join(inputs)):
        raise OptionError(
            f"einsum: the output {right!r} of {subscripts!r} must name the inputs' axes, once each"
        )
    return inputs, output


def _sizes(inputs: tuple[str, ...], shapes: list[Shape]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for term, shape in zip(inputs, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ShapeError(
                    f"einsum: axis {letter!r} has size {sizes[letter]} and size {size} in inputs "
                    f"of shapes {shapes}"
                )
    return sizes


@_einsum.check
def _(*arrays: Any, inputs: tuple[str, ...], output: str) -> dict[str, Any]:
    _sizes(inputs, [np.shape(a) for a in arrays])
    return {"inputs": inputs, "output": output}


@_einsum.vjp
def _(g: Any, y: Any, *arrays: Any, inputs: tuple[str, ...], output: str) -> tuple[Any, ...]:
    sizes = _sizes(inputs, [np.shape(a) for a in arrays])
    return tuple(_gradient(i, g, arrays, inputs, output, sizes) for i in range(len(arrays)))


def _gradient(
    i: int, g: Any, arrays: Any, inputs: tuple[str, ...], output: str, sizes: dict[str, int]
) -> Any:
    """Swap operand i with the output: the sum of products of g and the other operands.

    An axis that only operand i has was summed over: ones spread g along it. An axis that operand
    i names twice is a diagonal: an identity matrix puts g there.
    """
    terms = [output, *inputs[:i], *inputs[i + 1 :]]
    operands = [g, *arrays[:i], *arrays[i + 1 :]]
    free = iter([c for c in string.ascii_letters if c not in "".join((output, *inputs))])
    target = ""
    for letter in inputs[i]:
        if letter in target:
            twin = next(free)
            terms.append(letter + twin)
            operands.append(np.eye(sizes[letter], dtype=g.dtype))
            target += twin
        else:
            if letter not in "".join(terms):
                terms.append(letter)
                operands.append(np.ones(sizes[letter], g.dtype))
            target += letter
    return _einsum(operands, inputs=tuple(terms), output=target)


@_einsum.definition
def _(at: Shape, *arrays: Any, inputs: tuple[str, ...], output: str) -> Any:
    sizes = _sizes(inputs, [a.shape for a in arrays])
    summed = sorted(set("".join(inputs)) - set(output))

    def product(values: tuple[int, ...]) -> Any:
        index = {**dict(zip(output, at, strict=True)), **dict(zip(summed, values, strict=True))}
        first, *others = [
            array[tuple(index[letter] for letter in term)]
            for array, term in zip(arrays, inputs, strict=True)
        ]
        for factor in others:
            first = first * factor
        return first

    return add_up(map(product, itertools.product(*(range(sizes[c]) for c in summed))))


@_einsum.multiply_adds
def _(out: Shape, *shapes: Shape, inputs: tuple[str, ...], output: str) -> int:
    sizes = _sizes(inputs, list(shapes))
    return math.prod(sizes.values()) * max(len(shapes) - 1, 1)


@op
def outer(a: Any, b: Any) -> Any:
    """Every product of an element of a with one of b: (size of a, size of b).

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.outer(tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0]))
        Tensor([[3., 4.],
                [6., 8.]])
    """
    return np.outer(a, b)


outer.vjp(
    lambda g, y, a, b: (g @ reshape(b, -1)).reshape(a.shape),
    lambda g, y, a, b: (reshape(a, -1) @ g).reshape(b.shape),
)


@outer.definition
def _(at: Shape, a: Any, b: Any) -> Any:
    return a[place(at[0], a.shape)] * b[place(at[1], b.shape)]


@outer.multiply_adds
def _(out: Shape, a: Shape, b: Shape) -> int:
    return math.prod(out)
