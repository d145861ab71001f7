"""The corners: memory layouts, small dtypes, arrays without elements or axes, ties, kinks, poles.

Each convention that is tested here is in the docstring of its op.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import ShapeError, TinygradError

from .numerical import close
from .strategies import CASES, Array, Case, has_every_op

few = settings(max_examples=settings.default.max_examples // 2)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
every_op = pytest.mark.parametrize("name", sorted(tg.OPS))


def run(name: str, inputs: Any, options: dict[str, Any], seed: int = 0) -> tuple[Any, list[Any]]:
    """The op's outputs, and the gradients of its floating inputs for random cotangents."""
    op = tg.OPS[name]
    tensors = [_tensor(x) for x in inputs]
    result = op(tensors, **options) if op.variadic else op(*tensors, **options)
    outputs = result if isinstance(result, tuple) else (result,)
    rng = np.random.default_rng(seed)
    for y in outputs:
        if y.requires_grad:
            y.backward(np.asarray(rng.normal(size=y.shape), y.dtype))
    gradients = [x.grad for x in tensors if x is not None]
    return [y.numpy() for y in outputs], [g.numpy() for g in gradients if g is not None]


def _tensor(x: Any) -> Any:
    if x is None:
        return None
    return tg.Tensor(x, requires_grad=x.dtype.kind == "f", copy=False)


# --- memory layouts ------------------------------------------------------------------------------


def fortran(x: Array) -> Array:
    return np.array(x, order="F")


def every_other(x: Array) -> Array:
    """A view into an array of twice the size."""
    view = np.full([2 * n for n in x.shape], 7, x.dtype)[(..., *[slice(None, None, 2)] * x.ndim)]
    view[...] = x
    return view


def backwards(x: Array) -> Array:
    """A view with negative strides."""
    return np.flip(np.array(np.flip(x)))


def stretched(x: Array) -> Array:
    """Read-only, and with strides of 0 if all elements are equal."""
    return np.broadcast_to(x.flat[0], x.shape) if x.size and (x == x.flat[0]).all() else x


@every_op
@few
@given(data=st.data())
def test_the_layout_in_memory_does_not_matter(name, data):
    case = data.draw(CASES[name])
    layout = data.draw(st.sampled_from([fortran, every_other, backwards, stretched]))
    inputs = [None if x is None else layout(np.asarray(x)) for x in case.inputs]
    for x, y in zip(inputs, case.inputs, strict=True):
        np.testing.assert_array_equal(x, y)
    for found, expected in zip(
        run(name, inputs, case.options), run(name, case.inputs, case.options), strict=True
    ):
        for a, b in zip(found, expected, strict=True):
            assert a.shape == b.shape
            assert close(a, b, 1e-12)


# --- dtypes --------------------------------------------------------------------------------------


def with_dtype(case: Case, inputs: Any, dtype: Any) -> list[Any]:
    """Inputs, cast where the case has one that is differentiated."""
    return [
        x.astype(dtype) if given is not None and given.dtype.kind == "f" else x
        for given, x in zip(case.inputs, inputs, strict=True)
    ]


@every_op
@few
@given(data=st.data())
def test_float16_stays_float16_and_is_about_right(name, data):
    case = data.draw(CASES[name])
    inputs = with_dtype(case, case.inputs, np.float16)
    values, gradients = run(name, inputs, case.options)
    assert {a.dtype for a in gradients} <= {np.dtype(np.float16)}
    assert {a.dtype for a in values} == {np.dtype(case.options.get("dtype", np.float16))}
    wide = run(name, with_dtype(case, inputs, np.float64), case.options)
    for found, expected in zip((values, gradients), wide, strict=True):
        for a, b in zip(found, expected, strict=True):
            assert close(a, b, 0.05)


@every_op
@few
@given(data=st.data())
def test_integers_are_refused_or_taken_for_what_they_are(name, data):
    """A result of integers is NumPy's, which wraps around; one of fractions is right."""
    case = data.draw(CASES[name])
    dtype = np.dtype(data.draw(st.sampled_from(["i1", "u1", "i4", "i8"])))
    rng = np.random.default_rng(case.seed)
    low = 0 if dtype == np.uint8 else -4
    inputs = [
        x if x is None or x.dtype.kind != "f" else rng.integers(low, 5, x.shape)
        for x in case.inputs
    ]
    try:
        values, _ = run(name, with_dtype(case, inputs, dtype), case.options)
    except TinygradError as error:
        expected = ("float", "Integers to negative")
        if not any(words in str(error) for words in expected):
            raise
        return
    expected, _ = run(name, with_dtype(case, inputs, np.float64), case.options)
    for a, b in zip(values, expected, strict=True):
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0.01, atol=0.01)
        else:
            np.testing.assert_array_equal(a, b.astype(np.int64).astype(a.dtype))


# --- arrays without elements ---------------------------------------------------------------------

NONE = (0, 3)  # no rows of three
MASK = np.zeros(NONE, bool)
LABELS = np.zeros(0, int)
REDUCTIONS = ["logsumexp", "max", "mean", "min", "norm", "prod", "std", "sum", "var"]
WINDOWS = {"kernel_size": 2, "stride": 1, "padding": 0}


def empty_calls() -> dict[str, tuple[list[Any], dict[str, Any]]]:
    """For every op a call on shapes (or arrays) some of which have no elements."""
    calls: dict[str, tuple[list[Any], dict[str, Any]]] = {
        **{name: ([NONE] * len(op.inputs), {}) for name, op in tg.OPS.items() if op.elementwise},
        **{name: ([NONE], {"axis": 1}) for name in REDUCTIONS},
        "astype": ([NONE], {"dtype": np.float64}),
        "batch_norm_eval": ([NONE, 3, 3, 3, 3], {}),
        "broadcast_to": ([(1, 3)], {"shape": NONE}),
        "concatenate": ([NONE, (2, 3), NONE], {}),
        "cross_entropy": ([NONE, LABELS], {"reduction": "sum"}),
        "cumsum": ([NONE], {"axis": 1}),
        "dropout_mask": ([NONE, MASK], {"p": 0.5}),
        "einsum": ([NONE, (3, 2)], {"inputs": ("ij", "jk"), "output": "ik"}),
        "embedding": ([LABELS, (4, 2)], {}),
        "expand_dims": ([NONE], {"axis": 0}),
        "flip": ([NONE], {}),
        "fold": ([(0, 8, 9)], {"output_size": 4, "kernel_size": 2}),
        "getitem": ([(2, 3)], {"index": slice(0)}),
        "glu": ([(0, 4)], {}),
        "group_norm": ([(0, 4, 2), 4, 4], {"num_groups": 2}),
        "instance_norm": ([(0, 2, 3), 2, 2], {}),
        "interpolate": ([(0, 2, 3, 3)], {"size": 2, "mode": "bilinear"}),
        "interpolate_input_grad": (
            [(0, 2, 3, 3)],
            {"input_size": 4, "scale_factor": None, "mode": "bicubic", "align_corners": False},
        ),
        "layer_norm": ([NONE, 3, 3], {"normalized_shape": 3}),
        "linear": ([NONE, (2, 3), 2], {}),
        "local_response_norm": ([(0, 4, 2)], {"size": 3}),
        "locally_connected2d": ([(0, 1, 3, 3), (2, 1, 2, 2, 2, 2), (2, 2, 2)], {}),
        "log_softmax": ([NONE], {}),
        "masked_fill": ([NONE, MASK], {"value": 0.0}),
        "matmul": ([(2, 0), NONE], {}),
        "moveaxis": ([NONE], {"source": 0, "destination": 1}),
        "mse_loss": ([NONE, NONE], {"reduction": "sum"}),
        "binary_cross_entropy_with_logits": ([NONE, NONE], {"reduction": "sum"}),
        "nll_loss": ([NONE, LABELS], {"reduction": "none"}),
        "outer": ([(0,), (3,)], {}),
        "pad": ([NONE], {"pad_width": 1}),
        "pixel_shuffle": ([(0, 4, 2, 3)], {"upscale_factor": 2}),
        "pixel_unshuffle": ([(1, 2, 0, 4)], {"downscale_factor": 2}),
        "prelu": ([NONE, 3], {}),
        "repeat": ([(2, 3)], {"repeats": 0, "axis": 0}),
        "reshape": ([NONE], {"shape": (3, 0, 2)}),
        "residual_add": ([NONE, NONE], {}),
        "rms_norm": ([NONE, 3], {"normalized_shape": 3, "eps": None}),
        "roll": ([NONE], {"shift": 1, "axis": 0}),
        "scaled_dot_product_attention": (
            [(0, 2, 3), (2, 3), (2, 4), np.ones((2, 2), bool), (2, 2), np.zeros((0, 2, 2), bool)],
            {},
        ),
        "scatter_add": ([NONE], {"index": slice(0), "shape": (2, 3)}),
        "softmax": ([NONE], {"axis": 0}),
        "split": ([NONE], {"sections": 3, "axis": 1}),
        "squeeze": ([(1, 0)], {"axis": 0}),
        "stack": ([NONE, NONE], {}),
        "take": ([(2, 3)], {"indices": [], "axis": 0}),
        "take_winners": ([(0, 1, 4), np.zeros((0, 1, 2), int)], {}),
        "transpose": ([NONE], {}),
        "unfold": ([(0, 2, 4, 4)], {"kernel_size": 2}),
        "unfold2d": ([(0, 1, 3, 3)], {"kernel": 2, "stride": 1}),
        "where": ([MASK, NONE, NONE], {}),
        "unpool": ([(0, 1, 2), np.zeros((0, 1, 2), int)], {"size": 4}),
    }
    for d in (1, 2, 3):
        image, kernel, small = (0, 2, *[4] * d), (2, 2, *[2] * d), (0, 2, *[3] * d)
        calls |= {
            f"conv{d}d": ([image, kernel, 2], {}),
            f"conv{d}d_weight_grad": (
                [image, small],
                {"kernel": 2, "stride": 1, "padding": 0, "dilation": 1, "groups": 1},
            ),
            f"conv_transpose{d}d": ([image, kernel, 2], {}),
            f"max_pool{d}d": ([image], WINDOWS),
            f"avg_pool{d}d": ([image], WINDOWS),
            f"avg_pool{d}d_input_grad": (
                [small],
                {**WINDOWS, "size": [4] * d, "ceil_mode": False, "count_include_pad": True},
            ),
            f"adaptive_avg_pool{d}d": ([image], {"output_size": 2}),
            f"adaptive_max_pool{d}d": ([image], {"output_size": 2}),
        }
    return calls


EMPTY = empty_calls()
NEEDS_ELEMENTS = {"batch_norm_train": ([NONE], {})}  # there are no statistics of no images


def test_every_op_is_tried_without_elements():
    has_every_op([*EMPTY, *NEEDS_ELEMENTS], "empty_calls in tests/ops/test_corners.py")


def filled(shapes: list[Any]) -> list[Array]:
    return [np.ones(x) if isinstance(x, int | tuple) else x for x in shapes]


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_without_elements_nothing_breaks(name):
    """Forward and backward, with no warning, and to a gradient of each input's shape."""
    shapes, options = EMPTY[name]
    inputs = filled(shapes)
    with np.errstate(all="raise"):
        values, gradients = run(name, inputs, options)
    assert all(np.isfinite(y).all() for y in [*values, *gradients])
    assert [g.shape for g in gradients] == [x.shape for x in inputs if x.dtype.kind == "f"]


def test_what_needs_elements_says_so():
    for name, (shapes, options) in NEEDS_ELEMENTS.items():
        with pytest.raises(ShapeError, match=r"more than one value per channel.*\(0, 3\)"):
            run(name, filled(shapes), options)


@pytest.mark.parametrize(
    ("f", "value"), [(tg.sum, 0.0), (tg.prod, 1.0), (tg.norm, 0.0), (tg.logsumexp, -np.inf)]
)
def test_of_no_elements_a_reduction_gives_its_neutral_element(f, value):
    x = tg.Tensor(np.zeros(NONE), requires_grad=True)
    y = f(x, axis=0)
    y.backward(np.ones(3))
    assert y.numpy().tolist() == [value] * 3
    assert x.grad.shape == NONE


@pytest.mark.parametrize("f", [tg.mean, tg.var, tg.std])
def test_of_no_elements_there_is_no_mean(f):
    assert np.isnan(f(np.zeros(0)))


# --- arrays without axes -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, op in tg.OPS.items() if op.elementwise])
def test_numbers_as_arrays_of_no_axes(name):
    inputs = [np.array(0.5)] * len(tg.OPS[name].inputs)
    values, gradients = run(name, inputs, {})
    assert all(type(y) is np.ndarray and y.shape == () for y in [*values, *gradients])


@pytest.mark.parametrize(
    "f",
    [
        tg.sum, tg.mean, tg.max, tg.min, tg.prod, tg.norm, tg.logsumexp, tg.var, tg.std, tg.cumsum,
        tg.transpose, tg.squeeze, tg.flip,
        lambda x: tg.reshape(x, (1, 1)), lambda x: tg.expand_dims(x, 0),
        lambda x: tg.broadcast_to(x, (2, 3)), lambda x: x[()], lambda x: x[None],
        lambda x: x[True], lambda x: x[None, ..., None],
        lambda x: tg.stack([x, x]), lambda x: tg.repeat(x, 3), lambda x: tg.take(x, [0, 0]),
        lambda x: tg.pad(x, 1), lambda x: tg.roll(x, 1), lambda x: tg.outer(x, x),
        lambda x: tg.einsum(",", x, x), lambda x: tg.mse_loss(x, 0.0), lambda x: tg.dropout(x, 0.1),
        lambda x: tg.binary_cross_entropy_with_logits(x, 1.0), lambda x: tg.residual_add(x, x),
    ],
)  # fmt: skip
def test_functions_of_an_array_of_no_axes(f):
    x = tg.Tensor(np.array(1.5), requires_grad=True)
    y = f(x)
    y.backward(np.ones(y.shape))
    assert type(x.grad.numpy()) is np.ndarray
    assert x.grad.shape == ()


# --- ties ----------------------------------------------------------------------------------------

POOLS = [f"{kind}{d}d" for kind in ("max_pool", "adaptive_max_pool") for d in (1, 2, 3)]
EXTREMES = ["max", "min", *POOLS]


def first_winner(element, shape):
    """1 at the first of the elements read, in row-major order, that equals the output."""
    [cells] = element.cells.values()
    winner = min(index for index, cell in cells.items() if cell.data == element.output.data)
    one_hot = np.zeros(shape)
    one_hot[winner] = 1
    return one_hot


@pytest.mark.parametrize("name", EXTREMES)
@given(data=st.data())
def test_of_equal_elements_the_first_in_each_window_gets_the_gradient(name, data):
    """As in the definition, read element by element in row-major order."""
    case = data.draw(CASES[name])
    rng = np.random.default_rng(case.seed)
    x = tg.Tensor(rng.integers(0, 2, case.inputs[0].shape).astype(np.float64), requires_grad=True)
    y = tg.OPS[name](x, **case.options)
    g = rng.normal(size=y.shape)
    y.backward(g)
    expected = np.zeros(x.shape)
    for at in np.ndindex(y.shape):
        element = tg.zoom(y, at)
        expected += g[at] * first_winner(element, x.shape)
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-12)
    assert close(x.grad.numpy().sum(), g.sum(), 1e-12)


@pytest.mark.parametrize("f", [tg.maximum, tg.minimum])
@given(seed=st.integers(0, 1000))
def test_of_equal_inputs_the_first_gets_the_gradient(f, seed):
    rng = np.random.default_rng(seed)
    a, b = (tg.Tensor(rng.integers(0, 2, 5).astype(np.float64), requires_grad=True) for _ in "ab")
    g = rng.normal(size=5)
    y = f(a, b)
    y.backward(g)
    wins = y.numpy() == a.numpy()
    np.testing.assert_array_equal(a.grad.numpy(), np.where(wins, g, 0))
    np.testing.assert_array_equal(b.grad.numpy(), np.where(wins, 0, g))


@pytest.mark.parametrize(
    ("f", "shapes"),
    [(tg.matmul, [(1,), (0, 1, 1)]), (tg.linear, [(2, 3, 0), (4, 0)])],
)
def test_gradients_of_products_without_elements(f, shapes):
    inputs = [tg.Tensor(np.zeros(shape), requires_grad=True) for shape in shapes]
    f(*inputs).sum().backward()
    assert [x.grad.shape for x in inputs] == shapes


# --- reductions of what is nearly nothing ---------------------------------------------------------


@given(value=st.floats(-1e6, 1e6), dtype=st.sampled_from(["f2", "f4", "f8"]), n=st.integers(1, 40))
def test_of_equal_elements_the_spread_is_0_and_has_no_slope(value, dtype, n):
    """Exactly, though their mean may be rounded."""
    x = tg.Tensor(np.full((n, 2), np.clip(value, -6e4, 6e4), dtype), requires_grad=True)
    tg.std(x, axis=0).backward(np.ones(2, dtype))
    assert not np.any(x.grad.numpy())
    assert tg.std(x).item() == tg.var(x).item() == 0


def test_in_float16_what_is_squared_or_cubed_on_the_way_does_not_overflow():
    x = tg.Tensor(np.array([1e4, -1e4], np.float16), requires_grad=True)
    assert tg.std(x).item() == 1e4
    tg.gelu(x, approximate="tanh").backward(np.ones(2, np.float16))
    assert x.grad.numpy().tolist() == [1, 0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: tg.batch_norm(x, training=True),
        lambda x: tg.layer_norm(x, normalized_shape=x.shape[1:]),
        lambda x: tg.group_norm(x, num_groups=1),
        tg.instance_norm,
        lambda x: tg.rms_norm(x, normalized_shape=x.shape[1:]),
        lambda x: tg.local_response_norm(x, 1, alpha=0.01),
    ],
)
def test_norms_of_many_or_large_numbers_in_float16(f):
    values = np.random.default_rng(0).normal(0, 200, (2, 1, 10_000))
    x = tg.Tensor(values.astype(np.float16), requires_grad=True)
    y = f(x)
    y.backward(np.asarray(values > 0, np.float16))
    wide = tg.Tensor(x.data.astype(np.float64), requires_grad=True)
    f(wide).backward(np.asarray(values > 0, np.float64))
    assert y.dtype == x.grad.dtype == np.float16
    assert close(y.numpy(), f(wide).numpy(), 0.02)
    assert close(x.grad.numpy(), wide.grad.numpy(), 0.02)


def test_the_gradient_of_cumsum_keeps_small_parts_beside_large_ones():
    x = tg.Tensor(np.zeros(3, np.float32), requires_grad=True)
    tg.cumsum(x).backward([1e8, 1.0, 1.0])
    assert x.grad.numpy()[1:].tolist() == [2, 1]


def test_nan_in_logsumexp_reaches_the_gradient():
    x = tg.Tensor([[1.0, np.nan], [-np.inf, -np.inf]], requires_grad=True)
    tg.logsumexp(x, axis=1).backward([1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [[np.nan, np.nan], [0, 0]])
