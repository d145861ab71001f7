"""For every op a strategy that draws a call of it: inputs and options.

`CASES[name]` draws a `Case`. A property test of all ops is written once, over `CASES`; a new op
is held to all of them as soon as it has its entry here.

A finite difference must not reach across the kinks of relu and abs, the poles of log and division,
or ties of a maximum. So values keep away from those points, which have tests of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cnn as tg
from tinygrad_cnn.kernels.convolution import output_sizes
from tinygrad_cnn.kernels.pooling import max_pool_index

Array = np.ndarray[Any, Any]
Draw = st.DrawFn


class Case(NamedTuple):
    """One call of an op.

    Attributes:
        inputs: float64 arrays, which are differentiated; arrays of other dtypes, which are not;
            None for an optional input that is left out.
        options: by keyword.
        seed: for what a test draws beside: cotangents, directions, indices.
    """

    inputs: tuple[Array | None, ...]
    options: dict[str, Any]
    seed: int

    def __repr__(self) -> str:
        listed = ", ".join("None" if x is None else f"{x.dtype}{x.shape}" for x in self.inputs)
        return f"Case([{listed}], {self.options}, seed={self.seed})"


def has_every_op(names: Iterable[str], table: str) -> None:
    """A table of tests holds every op, and nothing else; else this says what to add to it."""
    lacking, unknown = tg.OPS.keys() - {*names}, {*names} - tg.OPS.keys()
    assert not lacking, f"{table} lacks {', '.join(sorted(lacking))}"
    assert not unknown, f"{table} has {', '.join(sorted(unknown))}, but there is no such op"


seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 4)


def frozen(array: Any) -> Array:
    """Read-only, so that an op that writes into its input raises."""
    array = np.asarray(array)
    array.flags.writeable = False
    return array


def ordinary(rng: np.random.Generator, shape: Any) -> Array:
    """Values of either sign, of a size about 1."""
    return frozen(rng.uniform(-2, 2, shape))


def positive(rng: np.random.Generator, shape: Any) -> Array:
    return frozen(rng.uniform(0.3, 2, shape))


def off_zero(rng: np.random.Generator, shape: Any) -> Array:
    """Of either sign, but not near 0."""
    return frozen(rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape))


def distinct(rng: np.random.Generator, shape: Any) -> Array:
    """No two of them near each other."""
    size = math.prod(shape)
    return frozen((rng.permutation(size).reshape(shape) - size / 2) * 0.05)


def spread(rng: np.random.Generator, shape: Any) -> Array:
    """Far from each other."""
    return frozen(distinct(rng, shape) * 10)


def off_quarters(rng: np.random.Generator, shape: Any) -> Array:
    """Far from each other, and from whole numbers."""
    return frozen(spread(rng, shape) + 0.125)


def case(seed: int, kinds: Any, shapes: Any, **options: Any) -> Case:
    """A case whose i-th input has values of `kinds[i]` and shape `shapes[i]`; no input for None."""
    rng = np.random.default_rng(seed)
    inputs = tuple(
        None if shape is None else kind(rng, shape)
        for kind, shape in zip(kinds, shapes, strict=True)
    )
    return Case(inputs, options, seed)


def shapes(least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(sides, min_size=least, max_size=most).map(tuple)


def per_axis(draw: Draw, d: int, values: st.SearchStrategy[int]) -> Any:
    """An option that may be given once, or once for each of d axes."""
    return draw(values | st.tuples(*[values] * d))


# --- elementwise -----------------------------------------------------------------------------


@st.composite
def elementwise(draw: Draw, *kinds: Any) -> Case:
    found = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=len(kinds), max_dims=3, max_side=3)
    ).input_shapes
    return case(draw(seeds), kinds, found)


def condition(rng: np.random.Generator, shape: Any) -> Array:
    return frozen(rng.random(shape) < 0.5)


# --- reductions, shapes ----------------------------------------------------------------------


@st.composite
def reductions(draw: Draw, kind: Any) -> Case:
    shape = draw(shapes())
    n = len(shape)
    axis = st.none()
    if n:
        axis |= st.integers(-n, n - 1)
        axis |= st.lists(st.integers(0, n - 1), unique=True).map(tuple)
    return case(draw(seeds), [kind], [shape], axis=draw(axis), keepdims=draw(st.booleans()))


@st.composite
def reshapes(draw: Draw) -> Case:
    shape = draw(shapes())
    wanted = list(draw(st.permutations(shape)))
    while len(wanted) > 1 and draw(st.booleans()):  # merge two axes
        wanted[:2] = [wanted[0] * wanted[1]]
    if draw(st.booleans()):
        wanted.insert(draw(st.integers(0, len(wanted))), 1)
    if wanted and draw(st.booleans()):
        wanted[draw(st.integers(0, len(wanted) - 1))] = -1
    return case(draw(seeds), [ordinary], [shape], shape=tuple(wanted))


@st.composite
def transposes(draw: Draw) -> Case:
    shape = draw(shapes())
    axes = [a - draw(st.sampled_from([0, len(shape)])) for a in range(len(shape))]
    order = st.none() | st.permutations(axes).map(tuple)
    return case(draw(seeds), [ordinary], [shape], axes=draw(order))


@st.composite
def broadcasts(draw: Draw) -> Case:
    shape = draw(shapes())
    stretched = [draw(sides) if size == 1 else size for size in shape]
    return case(draw(seeds), [ordinary], [shape], shape=(*draw(shapes(most=2)), *stretched))


@st.composite
def indexings(draw: Draw, scatter: bool = False) -> Case:
    """Basic, integer-array (with repeats) and boolean-array indices."""
    shape = draw(shapes(least=1))
    index = draw(
        hnp.basic_indices(shape, allow_newaxis=True, max_dims=5)
        | hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4))
        | hnp.arrays(bool, shape)
        | st.tuples(hnp.arrays(bool, shape[:1]))
    )
    if not scatter:
        return case(draw(seeds), [ordinary], [shape], index=index)
    picked = np.empty(shape)[index].shape
    return case(draw(seeds), [ordinary], [picked], index=index, shape=shape)


@st.composite
def concatenations(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3).filter(any))
    parts = [list(shape) for _ in sizes]
    for part, size in zip(parts, sizes, strict=True):
        part[axis] = size
    return case(draw(seeds), [ordinary] * len(parts), parts, axis=axis)


# --- products --------------------------------------------------------------------------------


@st.composite
def matrix_products(draw: Draw) -> Case:
    """Vectors, matrices and stacks of them, in all combinations."""
    k = draw(sides)
    lead_a, lead_b = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)
    ).input_shapes
    a = draw(st.sampled_from([(k,), (*lead_a, draw(sides), k)]))
    b = draw(st.sampled_from([(k,), (*lead_b, k, draw(sides))]))
    return case(draw(seeds), [ordinary] * 2, [a, b])


@st.composite
def linear_maps(draw: Draw) -> Case:
    i, o = draw(sides), draw(sides)
    bias = draw(st.sampled_from([None, (o,)]))
    return case(draw(seeds), [ordinary] * 3, [(*draw(shapes(most=2)), i), (o, i), bias])


# --- windows ---------------------------------------------------------------------------------


class Windows(NamedTuple):
    """Sizes of a convolution or pooling, with canonical options."""

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def out(self) -> tuple[int, ...]:
        return output_sizes(self.size, self.kernel, self.stride, self.padding, self.dilation)


@st.composite
def windows(draw: Draw, d: int, pooling: bool = False) -> Windows:
    """Sizes that fit; at most half a kernel of padding for pooling. Smaller for more axes."""
    most = {1: 6, 2: 4, 3: 3}[d]
    kernel = draw(st.tuples(*[st.integers(1, min(3, most))] * d))
    stride = draw(st.tuples(*[st.integers(1, 3)] * d))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * d))
    padding, size = [], []
    for k, e in zip(kernel, dilation, strict=True):
        before, after = draw(st.tuples(*[st.integers(0, k // 2 if pooling else 2)] * 2))
        least = max(1, (k - 1) * e + 1 - before - after)
        if pooling and e > 1:
            least = max(least, e)  # else a window may fall between the cells, into the padding
        padding.append((before, after))
        size.append(draw(st.integers(least, max(least, most))))
    return Windows(tuple(size), kernel, stride, tuple(padding), dilation)


@st.composite
def paddings(draw: Draw, found: Windows) -> tuple[Any, Windows]:
    """The padding in one of the forms in which it may be given, and the windows it makes."""
    names = ["valid", "same", "same_upper", "same_lower"]
    fits = all(
        n >= (k - 1) * e + 1
        for n, k, e in zip(found.size, found.kernel, found.dilation, strict=True)
    )
    form = draw(st.sampled_from(["pairs", "ints", "int", *(names if fits else names[1:])]))
    if form == "pairs":
        return found.padding, found
    if form in {"ints", "int"}:
        ints = tuple(max(pair) for pair in found.padding)
        if form == "int":
            ints = (max(ints),) * len(ints)
        pairs = tuple((p, p) for p in ints)
        return (ints[0] if form == "int" else ints), found._replace(padding=pairs)
    pairs = tg.ops.windows.padding_pairs(
        form, len(found.kernel), found.kernel, found.dilation, "strategy"
    )
    return form, found._replace(padding=pairs)


class Channels(NamedTuple):
    batch: int
    inputs: int
    outputs: int
    groups: int


@st.composite
def channels(draw: Draw) -> Channels:
    groups = draw(st.integers(1, 2))
    small = st.integers(1, 2)
    return Channels(draw(small), groups * draw(small), groups * draw(small), groups)


@st.composite
def convolutions(draw: Draw, d: int) -> Case:
    c, found = draw(channels()), draw(windows(d))
    padding, _ = draw(paddings(found))
    x = (c.batch, c.inputs, *found.size)
    w = (c.outputs, c.inputs // c.groups, *found.kernel)
    return case(
        draw(seeds), [ordinary] * 3, [x, w, draw(st.sampled_from([None, (c.outputs,)]))],
        stride=draw(st.sampled_from([found.stride, 1, 2])), padding=padding,
        dilation=found.dilation, groups=c.groups,
    )  # fmt: skip


@st.composite
def transposed_convolutions(draw: Draw, d: int) -> Case:
    c, found = draw(channels()), draw(windows(d))
    rest = tuple(draw(st.integers(0, s - 1)) for s in found.stride)
    sizes = zip(*found[1:], found.out, rest, strict=True)
    assume(all((m - 1) * s - sum(p) + (k - 1) * e + r >= 0 for k, s, p, e, m, r in sizes))
    x = (c.batch, c.outputs, *found.out)
    w = (c.outputs, c.inputs // c.groups, *found.kernel)
    return case(
        draw(seeds), [ordinary] * 3, [x, w, draw(st.sampled_from([None, (c.inputs,)]))],
        stride=found.stride, padding=found.padding, output_padding=rest, groups=c.groups,
        dilation=found.dilation,
    )  # fmt: skip


@st.composite
def weight_gradients(draw: Draw, d: int) -> Case:
    c, found = draw(channels()), draw(windows(d))
    shapes = [(c.batch, c.inputs, *found.size), (c.batch, c.outputs, *found.out)]
    return case(
        draw(seeds), [ordinary] * 2, shapes, kernel=found.kernel, stride=found.stride,
        padding=found.padding, dilation=found.dilation, groups=c.groups,
    )  # fmt: skip


@st.composite
def max_pools(draw: Draw, d: int) -> Case:
    found = draw(windows(d, pooling=True))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *found.size)
    return case(
        draw(seeds), [distinct], [shape], kernel_size=found.kernel,
        stride=draw(st.sampled_from([found.stride, 2, None])), padding=found.padding,
        dilation=found.dilation, ceil_mode=draw(st.booleans()),
    )  # fmt: skip


def pooled_size(found: Windows, ceil_mode: bool) -> tuple[int, ...]:
    """The output's size, by asking a pool of zeros."""
    d = len(found.size)
    pool = tg.OPS[f"max_pool{d}d"]
    y = pool(np.zeros((1, 1, *found.size)), *found[1:], ceil_mode=ceil_mode)
    return y.shape[2:]


@st.composite
def average_pools(draw: Draw, d: int, gradient: bool = False) -> Case:
    found = draw(windows(d, pooling=True))._replace(dilation=(1,) * d)
    lead = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    options = {
        "kernel_size": found.kernel, "stride": found.stride, "padding": found.padding,
        "count_include_pad": draw(st.booleans()), "ceil_mode": draw(st.booleans()),
        "divisor_override": draw(st.sampled_from([None, 1, 3])),
    }  # fmt: skip
    if gradient:
        g = (*lead, *pooled_size(found, options["ceil_mode"]))
        return case(draw(seeds), [ordinary], [g], size=found.size, **options)
    if draw(st.booleans()) and all(n >= k for n, k in zip(found.size, found.kernel, strict=True)):
        options |= {"stride": None, "padding": 0}
    return case(draw(seeds), [ordinary], [(*lead, *found.size)], **options)


@st.composite
def winners(draw: Draw, unpool: bool) -> Case:
    """The index of a max pooling whose windows may overlap, and values for it."""
    found = draw(windows(draw(st.integers(1, 2)), pooling=True))
    lead = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    seed = draw(seeds)
    pooled = distinct(np.random.default_rng(seed), (*lead, *found.size))
    index = max_pool_index(pooled, *found[1:])
    size = {"size": found.size} if unpool else {}
    shape = index.shape if unpool else pooled.shape
    return case(seed, [ordinary, lambda rng, _: frozen(index)], [shape, ()], **size)


# --- normalisation, losses -------------------------------------------------------------------


@st.composite
def batch_norms(draw: Draw, training: bool) -> Case:
    c = draw(sides)
    n = draw(st.integers(2 if training else 1, 4))
    x = (n, c, *draw(shapes(most=2)))
    affine = [draw(st.sampled_from([None, (c,)])) for _ in range(2)]
    eps = draw(st.sampled_from([1e-5, 0.1]))
    if training:
        # two equal values alone have no variance to divide by
        return case(draw(seeds), [spread, ordinary, ordinary], [x, *affine], eps=eps)
    kinds = [ordinary, ordinary, positive, ordinary, ordinary]
    return case(draw(seeds), kinds, [x, (c,), (c,), *affine], eps=eps)


@st.composite
def softmaxes(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return case(draw(seeds), [ordinary], [shape], axis=axis)


@st.composite
def class_options(draw: Draw, classes: int, smoothing: bool) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["weight"] = positive(np.random.default_rng(draw(seeds)), (classes,))
    if classes > 1 and draw(st.booleans()):
        options["ignore_index"] = draw(st.integers(0, classes - 1))
    if smoothing and draw(st.booleans()):
        options["label_smoothing"] = draw(st.sampled_from([0.1, 0.5, 1.0]))
    return options


def probabilities(rng: np.random.Generator, shape: Any) -> Array:
    """Positive, and they sum to 1 along axis 1."""
    found = positive(rng, shape)
    return frozen(found / found.sum(axis=1, keepdims=True))


@st.composite
def cross_entropies(draw: Draw, smoothing: bool) -> Case:
    """Targets are classes; if smoothed they may be, also probabilities of classes."""
    n, c, rest = draw(sides), draw(sides), draw(shapes(most=1))
    dtype = draw(st.sampled_from([np.int64, np.int32, np.uint8]))
    options = draw(class_options(c, smoothing))
    options["reduction"] = draw(st.sampled_from(["mean", "sum", "none"]))
    if smoothing and draw(st.booleans()):
        options.pop("ignore_index", None)
        return case(draw(seeds), [ordinary, probabilities], [(n, c, *rest)] * 2, **options)
    # some target must count, or there is nothing to divide the mean by
    counted = [k for k in range(c) if k != options.get("ignore_index")]

    def labels(rng: np.random.Generator, shape: Any) -> Array:
        found = rng.integers(0, c, shape)
        found.flat[0] = counted[0]
        return frozen(found.astype(dtype))

    return case(draw(seeds), [ordinary, labels], [(n, c, *rest), (n, *rest)], **options)


@st.composite
def dropouts(draw: Draw) -> Case:
    shape = draw(shapes())
    p = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    return case(draw(seeds), [ordinary, condition], [shape, shape], p=p)


@st.composite
def residual_adds(draw: Draw) -> Case:
    return case(draw(seeds), [ordinary] * 2, [draw(shapes())] * 2)


@st.composite
def pairs(draw: Draw) -> Case:
    """An input and a target of one shape."""
    shape = draw(shapes())
    return case(
        draw(seeds), [ordinary, ordinary], [shape, shape],
        reduction=draw(st.sampled_from(["mean", "sum", "none"])),
    )  # fmt: skip


@st.composite
def binary_cross_entropies(draw: Draw) -> Case:
    shape = draw(shapes())
    options = {}
    for name in ("weight", "pos_weight"):
        if draw(st.booleans()):
            options[name] = positive(np.random.default_rng(draw(seeds)), shape[-1:])
    return case(
        draw(seeds), [ordinary, ordinary], [shape, shape],
        reduction=draw(st.sampled_from(["mean", "sum", "none"])), **options,
    )  # fmt: skip


# --- more shapes, indexing -------------------------------------------------------------------


def axis_of(draw: Draw, ndim: int) -> Any:
    """An axis, counted from either end."""
    return draw(st.integers(-ndim, ndim - 1))


@st.composite
def activations(draw: Draw, **options: st.SearchStrategy[Any]) -> Case:
    drawn = {name: draw(values) for name, values in options.items()}
    return case(draw(seeds), [off_zero], [draw(shapes())], **drawn)


@st.composite
def compared(draw: Draw) -> Case:
    """Two inputs that broadcast, no element of one near one of the other."""
    found = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3)
    kinds = [spread, off_quarters]
    return case(draw(seeds), kinds, draw(found).input_shapes)


def lower(rng: np.random.Generator, shape: Any) -> Array:
    """Not near any of `spread`, nor of `upper`, which it may be larger than."""
    return frozen(rng.choice([-1.125, -0.375, 0.125], shape))


def upper(rng: np.random.Generator, shape: Any) -> Array:
    return frozen(rng.choice([-0.625, 0.375, 1.125], shape))


@st.composite
def clips(draw: Draw) -> Case:
    """With bounds for each element, which have gradients, or for all."""
    found = hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3)
    x, low, high = draw(found).input_shapes
    low, high = draw(st.sampled_from([(low, high), (None, high), (low, None), ((), ())]))
    return case(draw(seeds), [spread, lower, upper], [x, low, high])


@st.composite
def softpluses(draw: Draw) -> Case:
    """Sharp and blunt; with the threshold among the values, or beyond them."""
    beta, threshold = draw(st.sampled_from([(1.0, 20.0), (0.5, math.inf), (2, 0.0), (-1.5, 0.9)]))
    return case(draw(seeds), [off_quarters], [draw(shapes())], beta=beta, threshold=threshold)


@st.composite
def hard_tanhs(draw: Draw) -> Case:
    low, high = draw(st.sampled_from([(-1, 1), (-0.51, 0.26), (0.01, 0.01)]))
    return case(draw(seeds), [off_quarters], [draw(shapes())], min_val=low, max_val=high)


@st.composite
def prelus(draw: Draw) -> Case:
    shape = draw(shapes())
    weight = draw(st.sampled_from([(), (1,), shape[1:2] or (1,)]))
    return case(draw(seeds), [off_zero, ordinary], [shape, weight])


@st.composite
def gated(draw: Draw) -> Case:
    shape = list(draw(shapes(least=1)))
    axis = axis_of(draw, len(shape))
    shape[axis] *= 2
    return case(draw(seeds), [ordinary], [tuple(shape)], axis=axis)


@st.composite
def masked_fills(draw: Draw) -> Case:
    found = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3)
    value = draw(st.sampled_from([0, -1.5]))
    return case(draw(seeds), [ordinary, condition], draw(found).input_shapes, value=value)


def divided(rng: np.random.Generator, shape: Any) -> Array:
    """Not near a multiple of any of `divisors`."""
    return frozen(rng.integers(-3, 4, shape) + rng.uniform(0.2, 0.3, shape))


def divisors(rng: np.random.Generator, shape: Any) -> Array:
    return frozen(rng.choice([-2.0, -1.0, 1.0, 2.0], shape))


def off_a_pole(rng: np.random.Generator, shape: Any) -> Array:
    """Where tan is not large."""
    return frozen(rng.uniform(-1, 1, shape))


@st.composite
def spreads(draw: Draw, kind: Any) -> Case:
    """Standard deviations and variances of at least two elements."""
    shape = draw(shapes(least=1).filter(lambda s: s[-1] > 1))
    axis = draw(st.sampled_from([None, -1, tuple(range(len(shape)))]))
    return case(
        draw(seeds), [kind], [shape], axis=axis, ddof=draw(st.sampled_from([0, 1, 0.5])),
        keepdims=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def cumulative(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    return case(draw(seeds), [ordinary], [shape], axis=axis)


@st.composite
def moved_axes(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    count = draw(st.integers(1, len(shape)))
    order = st.permutations(range(len(shape)))
    source, destination = draw(order)[:count], draw(order)[:count]
    if count == 1 and draw(st.booleans()):
        source, destination = source[0], destination[0] - len(shape)
    return case(draw(seeds), [ordinary], [shape], source=source, destination=destination)


@st.composite
def new_axes(draw: Draw) -> Case:
    shape = draw(shapes())
    axis = st.integers(-len(shape) - 1, len(shape))
    pair = st.lists(st.integers(0, len(shape) + 1), min_size=2, max_size=2, unique=True).map(tuple)
    return case(draw(seeds), [ordinary], [shape], axis=draw(axis | pair))


@st.composite
def squeezes(draw: Draw) -> Case:
    shape = draw(st.lists(st.integers(1, 2), max_size=4).map(tuple))
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    axis = draw(st.sampled_from([None, ones, ones[:1]]))
    return case(draw(seeds), [ordinary], [shape], axis=axis)


@st.composite
def flips(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = st.none() | st.integers(-len(shape), len(shape) - 1)
    axis |= st.lists(st.integers(0, len(shape) - 1), unique=True).map(tuple)
    return case(draw(seeds), [ordinary], [shape], axis=draw(axis))


@st.composite
def rolls(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    if draw(st.booleans()):
        return case(draw(seeds), [ordinary], [shape], shift=draw(st.integers(-5, 5)), axis=None)
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, max_size=3))
    shift = tuple(draw(st.integers(-5, 5)) for _ in axes)
    return case(draw(seeds), [ordinary], [shape], shift=shift, axis=tuple(axes))


@st.composite
def takes(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    size = math.prod(shape) if axis is None else shape[axis]
    wanted = hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=0, max_dims=2, max_side=3),
        elements=st.integers(-size, size - 1),
    )
    return case(draw(seeds), [ordinary], [shape], indices=draw(wanted), axis=axis)


@st.composite
def repeats(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    size = math.prod(shape) if axis is None else shape[axis]
    count = st.integers(0, 3) | st.lists(st.integers(0, 3), min_size=size, max_size=size)
    return case(draw(seeds), [ordinary], [shape], repeats=draw(count), axis=axis)


@st.composite
def stacks(draw: Draw) -> Case:
    shape, count = draw(shapes()), draw(st.integers(1, 3))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return case(draw(seeds), [ordinary] * count, [shape] * count, axis=axis)


@st.composite
def splits(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    axis = axis_of(draw, len(shape))
    n = shape[axis]
    cuts = st.lists(st.integers(0, n), max_size=2).map(sorted)
    sections = draw(st.sampled_from([k for k in range(1, n + 1) if n % k == 0]) | cuts)
    return case(draw(seeds), [ordinary], [shape], sections=sections, axis=axis)


@st.composite
def pads(draw: Draw) -> Case:
    shape = draw(shapes())
    mode = draw(st.sampled_from(["constant", "reflect", "edge", "wrap"]))
    most = [n - 1 if mode == "reflect" else 2 for n in shape]
    width: Any = tuple(draw(st.tuples(*[st.integers(0, m)] * 2)) for m in most)
    if draw(st.booleans()):
        width = min([2, *most])
    options = {"constant_values": 1.5} if mode == "constant" else {}
    return case(draw(seeds), [ordinary], [shape], pad_width=width, mode=mode, **options)


@st.composite
def embeddings(draw: Draw) -> Case:
    entries, dims = draw(sides), draw(sides)
    return case(
        draw(seeds),
        [lambda rng, shape: frozen(rng.integers(0, entries, shape)), ordinary],
        [draw(shapes(most=2)), (entries, dims)],
    )


@st.composite
def einsums(draw: Draw) -> Case:
    """Traces, diagonals, outer products, sums over an axis of one operand, batches …"""
    inputs, output = draw(
        st.sampled_from(
            [
                (("ij", "jk"), "ik"), (("bij", "bjk"), "bik"), (("i", "j"), "ij"), (("ii",), ""),
                (("ii",), "i"), (("iij",), "ji"), (("ij",), ""), (("ijk",), "kj"),
                (("ij", "ij"), "i"), (("ij", "jk", "kl"), "il"), (("iji", "j"), "i"),
                (("", "i"), "i"),
            ]
        )
    )  # fmt: skip
    size = {letter: draw(st.integers(1, 3)) for letter in sorted(set("".join(inputs)))}
    shapes = [tuple(size[letter] for letter in term) for term in inputs]
    return case(draw(seeds), [ordinary] * len(inputs), shapes, inputs=inputs, output=output)


@st.composite
def outers(draw: Draw) -> Case:
    return case(draw(seeds), [ordinary] * 2, [draw(shapes(most=2)), draw(shapes(most=2))])


@st.composite
def adaptive_pools(draw: Draw, d: int, kind: Any) -> Case:
    most = {1: 7, 2: 5, 3: 3}[d]
    size = draw(st.tuples(*[st.integers(1, most)] * d))
    out = draw(st.tuples(*[st.none() | st.integers(1, most)] * d) | st.integers(1, most))
    return case(draw(seeds), [kind], [(draw(sides), 2, *size)], output_size=out)


@st.composite
def unfolded(draw: Draw) -> Case:
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    size = tuple(draw(st.integers(k, 4)) for k in kernel)
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    return case(draw(seeds), [ordinary], [(2, 2, *size)], kernel=kernel, stride=stride)


@st.composite
def unfoldings(draw: Draw, back: bool = False) -> Case:
    found = draw(windows(2))
    padding, found = draw(paddings(found))
    n, c = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    options = {
        "kernel_size": found.kernel, "dilation": found.dilation, "padding": padding,
        "stride": found.stride,
    }  # fmt: skip
    if not back:
        return case(draw(seeds), [ordinary], [(n, c, *found.size)], **options)
    columns = (n, c * math.prod(found.kernel), math.prod(found.out))
    return case(draw(seeds), [ordinary], [columns], output_size=found.size, **options)


@st.composite
def resized(draw: Draw, gradient: bool = False) -> Case:
    """Images made larger and smaller, in all modes."""
    modes = tg.ops.resizing.MODES
    mode = draw(st.sampled_from(sorted(modes)))
    d = draw(st.sampled_from(modes[mode]))
    most = st.integers(1, {1: 7, 2: 5, 3: 3}[d])
    size, out = draw(st.tuples(*[most] * d)), draw(st.tuples(*[most] * d))
    options: dict[str, Any] = {"mode": mode, "scale_factor": None}
    options["align_corners"] = draw(st.booleans()) and not mode.startswith("nearest")
    if draw(st.booleans()):
        factors = draw(st.tuples(*[st.sampled_from([0.7, 1.5, 2, 2.4])] * d))
        out = tuple(math.floor(n * s) for n, s in zip(size, factors, strict=True))
        assume(min(out) > 0)
        options["scale_factor"] = factors
    lead = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    if gradient:
        return case(draw(seeds), [ordinary], [(*lead, *out)], input_size=size, **options)
    if not options["scale_factor"] or draw(st.booleans()):
        options["size"] = out
    return case(draw(seeds), [ordinary], [(*lead, *size)], **options)


@st.composite
def shuffled_pixels(draw: Draw, back: bool = False) -> Case:
    r, lead, (c, h, w) = (
        draw(st.integers(1, 3)),
        draw(shapes(most=1)),
        draw(st.tuples(*[sides] * 3)),
    )
    if back:
        return case(draw(seeds), [ordinary], [(*lead, c, h * r, w * r)], downscale_factor=r)
    return case(draw(seeds), [ordinary], [(*lead, c * r * r, h, w)], upscale_factor=r)


@st.composite
def locally_connected(draw: Draw) -> Case:
    found = draw(windows(2))._replace(dilation=(1, 1))
    found = found._replace(size=tuple(map(max, found.size, found.kernel)))
    c, o = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    bias = draw(st.sampled_from([None, (o, *found.out)]))
    shapes = [(2, c, *found.size), (o, c, *found.kernel, *found.out), bias]
    return case(draw(seeds), [ordinary] * 3, shapes, stride=found.stride, padding=found.padding)


@st.composite
def attentions(draw: Draw) -> Case:
    """With a mask of booleans, one to be added, both or neither, or causal; and with dropout."""
    found = hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=2, max_side=2)
    leads, (queries, keys, e, v) = draw(found).input_shapes, draw(st.tuples(*[sides] * 4))
    scores = (*np.broadcast_shapes(*leads[:2]), queries, keys)
    causal = draw(st.booleans())
    rows = st.sampled_from([None, scores, (keys,), (queries, 1)])
    masks = [None if causal else draw(rows) for _ in range(2)]
    kept = draw(st.sampled_from([None, scores]))
    shapes = [(*leads[0], queries, e), (*leads[1], keys, e), (*leads[2], keys, v), *masks, kept]
    kinds = [ordinary, ordinary, ordinary, condition, ordinary, condition]
    return case(
        draw(seeds), kinds, shapes, is_causal=causal, scale=draw(st.sampled_from([None, 0.4])),
        dropout_p=0.0 if kept is None else 0.25,
    )  # fmt: skip


@st.composite
def layer_norms(draw: Draw) -> Case:
    shape = (*draw(shapes(most=2)), draw(st.integers(2, 4)))
    count = draw(st.integers(1, len(shape)))
    inner = shape[-count:]
    affine = [draw(st.sampled_from([None, inner])) for _ in range(2)]
    return case(
        draw(seeds), [spread, ordinary, ordinary], [shape, *affine], normalized_shape=inner, eps=0.1
    )


@st.composite
def group_norms(draw: Draw) -> Case:
    groups, size = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    channels = groups * size
    affine = [draw(st.sampled_from([None, (channels,)])) for _ in range(2)]
    shape = (draw(sides), channels, *draw(shapes(most=2)))
    return case(
        draw(seeds), [spread, ordinary, ordinary], [shape, *affine], num_groups=groups, eps=0.1
    )


@st.composite
def instance_norms(draw: Draw) -> Case:
    c = draw(sides)
    affine = [draw(st.sampled_from([None, (c,)])) for _ in range(2)]
    shape = (draw(sides), c, *draw(shapes(most=1)), draw(st.integers(2, 4)))
    return case(draw(seeds), [spread, ordinary, ordinary], [shape, *affine], eps=0.1)


@st.composite
def rms_norms(draw: Draw) -> Case:
    shape = draw(shapes(least=1))
    inner = shape[-draw(st.integers(1, len(shape))) :]
    weight = draw(st.sampled_from([None, inner]))
    return case(
        draw(seeds), [off_zero, ordinary], [shape, weight], normalized_shape=inner,
        eps=draw(st.sampled_from([None, 0.1])),
    )  # fmt: skip


@st.composite
def response_norms(draw: Draw) -> Case:
    shape = (draw(sides), draw(st.integers(1, 6)), *draw(shapes(least=1, most=2)))
    options = draw(st.sampled_from([{}, {"alpha": 0.5, "beta": 0.5, "k": 2.0}]))
    return case(draw(seeds), [ordinary], [shape], size=draw(st.integers(1, 8)), **options)


class Cases(dict[str, st.SearchStrategy[Case]]):
    def __missing__(self, name: str) -> Any:
        raise KeyError(f"no strategy draws a call of {name}: CASES in tests/ops/strategies.py")


CASES = Cases()
CASES |= {
    "absolute": elementwise(off_zero),
    "adaptive_avg_pool1d": adaptive_pools(1, ordinary),
    "adaptive_avg_pool2d": adaptive_pools(2, ordinary),
    "adaptive_avg_pool3d": adaptive_pools(3, ordinary),
    "adaptive_max_pool1d": adaptive_pools(1, distinct),
    "adaptive_max_pool2d": adaptive_pools(2, distinct),
    "adaptive_max_pool3d": adaptive_pools(3, distinct),
    "add": elementwise(ordinary, ordinary),
    "astype": st.builds(
        lambda seed, shape: case(seed, [ordinary], [shape], dtype=np.float64), seeds, shapes()
    ),
    "atan": elementwise(ordinary),
    "avg_pool1d": average_pools(1),
    "avg_pool1d_input_grad": average_pools(1, gradient=True),
    "avg_pool2d": average_pools(2),
    "avg_pool2d_input_grad": average_pools(2, gradient=True),
    "avg_pool3d": average_pools(3),
    "avg_pool3d_input_grad": average_pools(3, gradient=True),
    "batch_norm_eval": batch_norms(training=False),
    "batch_norm_train": batch_norms(training=True),
    "binary_cross_entropy_with_logits": binary_cross_entropies(),
    "broadcast_to": broadcasts(),
    "ceil": elementwise(off_quarters),
    "clip": clips(),
    "concatenate": concatenations(),
    "conv1d": convolutions(1),
    "conv1d_weight_grad": weight_gradients(1),
    "conv2d": convolutions(2),
    "conv2d_weight_grad": weight_gradients(2),
    "conv3d": convolutions(3),
    "conv3d_weight_grad": weight_gradients(3),
    "conv_transpose1d": transposed_convolutions(1),
    "conv_transpose2d": transposed_convolutions(2),
    "conv_transpose3d": transposed_convolutions(3),
    "cos": elementwise(ordinary),
    "cosh": elementwise(ordinary),
    "cross_entropy": cross_entropies(smoothing=True),
    "cumsum": cumulative(),
    "divide": elementwise(ordinary, off_zero),
    "dropout_mask": dropouts(),
    "einsum": einsums(),
    "elu": activations(alpha=st.sampled_from([0.5, 1.0])),
    "embedding": embeddings(),
    "erf": elementwise(ordinary),
    "exp": elementwise(ordinary),
    "exp2": elementwise(ordinary),
    "expand_dims": new_axes(),
    "expm1": elementwise(ordinary),
    "flip": flips(),
    "floor": elementwise(off_quarters),
    "fmod": elementwise(divided, divisors),
    "fold": unfoldings(back=True),
    "gelu": activations(approximate=st.sampled_from(["none", "tanh"])),
    "getitem": indexings(),
    "glu": gated(),
    "group_norm": group_norms(),
    "hardsigmoid": elementwise(off_quarters),
    "hardswish": elementwise(off_quarters),
    "hardtanh": hard_tanhs(),
    "instance_norm": instance_norms(),
    "interpolate": resized(),
    "interpolate_input_grad": resized(gradient=True),
    "layer_norm": layer_norms(),
    "leaky_relu": activations(negative_slope=st.sampled_from([0.01, 0.3])),
    "linear": linear_maps(),
    "local_response_norm": response_norms(),
    "locally_connected2d": locally_connected(),
    "log": elementwise(positive),
    "log10": elementwise(positive),
    "log1p": elementwise(positive),
    "log2": elementwise(positive),
    "log_sigmoid": elementwise(ordinary),
    "log_softmax": softmaxes(),
    "logsumexp": reductions(ordinary),
    "masked_fill": masked_fills(),
    "matmul": matrix_products(),
    "max": reductions(distinct),
    "max_pool1d": max_pools(1),
    "max_pool2d": max_pools(2),
    "max_pool3d": max_pools(3),
    "maximum": compared(),
    "mean": reductions(ordinary),
    "min": reductions(distinct),
    "minimum": compared(),
    "mish": elementwise(ordinary),
    "moveaxis": moved_axes(),
    "mse_loss": pairs(),
    "multiply": elementwise(ordinary, ordinary),
    "negative": elementwise(ordinary),
    "nll_loss": cross_entropies(smoothing=False),
    "norm": reductions(off_zero),
    "outer": outers(),
    "pad": pads(),
    "pixel_shuffle": shuffled_pixels(),
    "pixel_unshuffle": shuffled_pixels(back=True),
    "power": elementwise(positive, ordinary),
    "prelu": prelus(),
    "prod": reductions(ordinary),
    "reciprocal": elementwise(off_zero),
    "relu": elementwise(off_zero),
    "remainder": elementwise(divided, divisors),
    "repeat": repeats(),
    "reshape": reshapes(),
    "residual_add": residual_adds(),
    "rms_norm": rms_norms(),
    "roll": rolls(),
    "round": elementwise(off_quarters),
    "rsqrt": elementwise(positive),
    "scaled_dot_product_attention": attentions(),
    "scatter_add": indexings(scatter=True),
    "sigmoid": elementwise(ordinary),
    "sign": elementwise(off_zero),
    "silu": elementwise(ordinary),
    "sin": elementwise(ordinary),
    "sinh": elementwise(ordinary),
    "softmax": softmaxes(),
    "softplus": softpluses(),
    "split": splits(),
    "sqrt": elementwise(positive),
    "square": elementwise(ordinary),
    "squeeze": squeezes(),
    "stack": stacks(),
    "std": spreads(spread),
    "subtract": elementwise(ordinary, ordinary),
    "sum": reductions(ordinary),
    "take": takes(),
    "take_winners": winners(unpool=False),
    "tan": elementwise(off_a_pole),
    "tanh": elementwise(ordinary),
    "transpose": transposes(),
    "trunc": elementwise(off_quarters),
    "unfold": unfoldings(),
    "unfold2d": unfolded(),
    "unpool": winners(unpool=True),
    "var": spreads(ordinary),
    "where": elementwise(condition, ordinary, ordinary),
}
