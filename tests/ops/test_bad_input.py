"""Every op, called wrongly: either it computes what its definition says, or it says what is wrong.

One thing is broken in a right call from `strategies`: the rank, a size or the dtype of an input, an
option, or its name. An error that NumPy raises somewhere inside is a failure.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError, TinygradError

from .numerical import close
from .strategies import CASES, Draw

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
few = settings(max_examples=settings.default.max_examples // 2)
every_op = pytest.mark.parametrize("name", sorted(tg.OPS))
SPOKEN_OF_AS = {
    "batch_norm_eval": "batch_norm", "batch_norm_train": "batch_norm", "dropout_mask": "dropout",
}  # fmt: skip
WRONG_OPTIONS = [
    None, True, -1, 0, 1, 2, 7, 1.5, 1j, float("nan"), float("inf"), np.float32(0.5), np.int64(1),
    "nonsense", "same", b"x", slice(None), range(2), (), [], {}, (0,), (1, 1), (-1, -1), (None,),
    (1.5, 1), (1, 2, 3, 4), ((1, 1),), [[1], [1, 2]], ("a", "b"), (slice(None, None, 0),),
    {"a": 1}, np.array("x"), np.array([1.0, 2.0]), np.array([[1, 2]]), {1, 2}, object,
]  # fmt: skip


class Call(NamedTuple):
    """An op's arguments, one of them broken."""

    inputs: list[Any]
    options: dict[str, Any]
    broken: int | str

    def of(self, name: str) -> Any:
        """Call an op by name; einsum as its users do, with a string."""
        if name == "einsum":
            letters = "{}->{}".format(",".join(self.options["inputs"]), self.options["output"])
            return tg.einsum(self.options.get("subscripts", letters), *self.inputs)
        op = tg.OPS[name]
        inputs = [self.inputs] if op.variadic else self.inputs
        return op(*inputs, **self.options)


def other_rank(draw: Draw, x: Any) -> Any:
    if x.size and x.ndim and draw(st.booleans()):
        return np.take(x, 0, axis=draw(st.integers(0, x.ndim - 1)))[...]
    return np.expand_dims(x, draw(st.integers(0, x.ndim)))


def other_size(draw: Draw, x: Any) -> Any:
    if not x.ndim:
        return np.ones(3, x.dtype)
    shape = list(x.shape)
    shape[draw(st.integers(0, x.ndim - 1))] = draw(st.integers(0, 5))
    return np.resize(x, shape).astype(x.dtype)


def other_dtype(draw: Draw, x: Any) -> Any:
    wanted = st.sampled_from([bool, "i1", "u1", "i8", "f2", "f4", "f8"])
    return np.round(x).astype(draw(wanted))


def python_number(draw: Draw, x: Any) -> Any:
    return draw(st.sampled_from([1.5, 2, -1, True]))


@st.composite
def wrong_calls(draw: Draw, name: str, *ways: Any) -> Call:
    """A case of the op with one input broken in one of the ways; with no ways, one option."""
    case = draw(CASES[name])
    inputs, options = list(case.inputs), dict(case.options)
    names = ("subscripts",) if name == "einsum" else tg.OPS[name].options
    broken: int | str
    if ways:
        broken = draw(st.sampled_from([i for i, x in enumerate(inputs) if x is not None]))
        inputs[broken] = draw(st.sampled_from(ways))(draw, inputs[broken])
    else:
        broken = draw(st.sampled_from(names))
        options[broken] = draw(st.sampled_from(WRONG_OPTIONS))
    if draw(st.booleans()):
        inputs = [
            tg.Tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x
            for x in inputs
        ]
    return Call(inputs, options, broken)


def works_or_says_why(name: str, call: Call) -> str:
    """What the op said, or "" if it worked, as its definition does."""
    try:
        y = call.of(name)
        said = ""
    except TinygradError as error:
        said = str(error)
    if said:
        assert said.startswith(f"{SPOKEN_OF_AS.get(name, name)}: ")
        return said
    outputs = y if isinstance(y, tuple) else (y,)
    for part in outputs:
        assert np.asarray(tg.constant(part)).dtype.kind in "fiub"
    if isinstance(outputs[0], tg.Tensor) and outputs[0].requires_grad:
        _is_as_defined(outputs[0], [x for x in call.inputs if isinstance(x, tg.Tensor)])
    return ""


def _is_as_defined(y: tg.Tensor, tensors: list[tg.Tensor]) -> None:
    """One element of the value, and the shapes of all gradients."""
    y.backward(np.ones(y.shape, y.dtype))
    assert all(x.grad is None or x.grad.shape == x.shape for x in tensors)
    value = y.numpy()
    if value.size and np.isfinite(value).all():
        at = tuple(n // 2 for n in y.shape)
        tolerance = {2: 0.02, 4: 1e-4, 8: 1e-9}[y.dtype.itemsize]
        assert close(float(tg.zoom(y, at).output), value[at], tolerance)


def names_a_shape(said: str, shapes: list[tuple[int, ...]]) -> bool:
    """Whether a message names the shape of an input, its spatial part, or its number of axes."""
    told = {part for shape in shapes for part in (str(shape), str(shape[2:]), f"{len(shape)} axes")}
    return any(part in said for part in told)


@every_op
@given(data=st.data())
def test_wrong_shapes(name, data):
    call = data.draw(wrong_calls(name, other_rank, other_size))
    said = works_or_says_why(name, call)
    if said:
        assert names_a_shape(said, [np.shape(x) for x in call.inputs if x is not None])


@every_op
@few
@given(data=st.data())
def test_wrong_dtypes(name, data):
    works_or_says_why(name, data.draw(wrong_calls(name, other_dtype, python_number)))


@pytest.mark.filterwarnings("ignore:Data type alias:DeprecationWarning")  # the dtype called "a"
@pytest.mark.parametrize("name", [n for n, op in sorted(tg.OPS.items()) if op.options])
@given(data=st.data())
def test_wrong_options(name, data):
    works_or_says_why(name, data.draw(wrong_calls(name)))


@every_op
def test_no_input_at_all(name):
    with pytest.raises(DtypeError, match=f"{name}: .*(missing|not empty)"):
        tg.OPS[name]()


@every_op
def test_an_option_that_there_is_not(name):
    op = tg.OPS[name]
    inputs = [np.ones(2)] * max(len(op.inputs), 1)
    with pytest.raises(OptionError, match=f"{name}: unknown option 'nonsense'; it takes"):
        op(*([inputs] if op.variadic else inputs), nonsense=1)


# --- functions around ops ------------------------------------------------------------------------

X = tg.Tensor(np.ones((4, 3)), requires_grad=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"running_mean": np.zeros(4)}, ShapeError, r"running_mean .*\(3,\).*\(4, 3\), got \(4,\)"),
        ({"running_var": np.ones(1)}, ShapeError, r"running_var must have shape \(3,\)"),
        ({"running_mean": np.zeros(3, int)}, DtypeError, "running_mean .*in place, got int64"),
        ({"running_var": [1.0, 1.0, 1.0]}, DtypeError, "running_var .*in place, got list"),
        ({"momentum": "fast"}, OptionError, "momentum must be a number in 0 … 1, got 'fast'"),
        ({"decay": 1.5}, OptionError, "decay must be a number in 0 … 1, got 1.5"),
        ({"training": "yes"}, OptionError, "training must be True or False, got 'yes'"),
    ],
)
def test_batch_norm_s_statistics(options, error, message):
    """Refused before anything is updated."""
    mean = np.zeros(3)
    with pytest.raises(error, match=f"batch_norm: {message}"):
        tg.batch_norm(X, **{"running_mean": mean, "training": True, **options})
    assert not mean.any()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.dropout(X, "a"), OptionError, "dropout: p must be a number in 0 … 1, got 'a'"),
        (
            lambda: tg.dropout(np.ones(3, int)), DtypeError,
            "dropout: a floating input is needed, got int64",
        ),
        (lambda: tg.global_avg_pool(X), ShapeError, r"global_avg_pool: .*, got \(4, 3\)"),
        (lambda: tg.argmax(X, axis=2), ShapeError, "argmax: axis 2 is out of range.* 2 axes"),
        (lambda: tg.argmax(X, axis=(0, 1)), DtypeError, r"argmax: axis must be an int, got \(0, 1"),
        (
            lambda: tg.prelu(X, np.ones(2, np.float32)), ShapeError,
            r"prelu: weight must have shape \(1,\) or \(3,\), .* input \(4, 3\), got \(2,\)",
        ),
        (lambda: tg.glu(X), ShapeError, r"glu: axis 1 of input \(4, 3\) has size 3; .* even"),
        (
            lambda: X.masked_fill([1, 0, 1], 0.0), DtypeError,
            "masked_fill: the mask must be of booleans, got int64",
        ),
        (
            lambda: tg.hardtanh(X, 2, 1), OptionError,
            "hardtanh: min_val 2 is larger than max_val 1",
        ),
        (lambda: tg.einsum(3, X), OptionError, "einsum: subscripts must be a string, got int"),
        (lambda: tg.einsum("ij"), OptionError, "einsum: there are no operands"),
        (lambda: tg.einsum("...i...", X), OptionError, "einsum: '...i...' has two ellipses"),
        (lambda: tg.einsum("ij", [[1.0], []]), ShapeError, r"einsum: operand .* is no array"),
        (lambda: tg.einsum("i1", X), OptionError, "einsum: 'i1' may hold letters, commas"),
        (lambda: tg.einsum("ij,jk", X), OptionError, "einsum: 'ij,jk' names 2 operands, got 1"),
        (lambda: tg.einsum("i", X), ShapeError, "einsum: 'i' in 'i' does not fit 2 axes"),
        (lambda: tg.einsum("ij->ii", X), OptionError, "einsum: the output 'ii' .* once each"),
        (
            lambda: tg.einsum("ij,jk", X, X), ShapeError,
            r"einsum: axis 'j' has size 3 and size 4 in inputs of shapes \[\(4, 3\), \(4, 3\)\]",
        ),
    ],
)  # fmt: skip
def test_functions_around_ops(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_operators_of_a_tensor_say_what_does_not_fit():
    x = tg.Tensor([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"^==: .*\(3,\) \(4,\)"):
        _ = x == np.ones(4)
    with pytest.raises(DtypeError, match=r"^<: cannot compare float32 with str"):
        _ = x < "a"
    with pytest.raises(ShapeError, match=r"^swapaxes: axis 5 is out of range"):
        x.swapaxes(0, 5)


@pytest.mark.parametrize(
    "nothing", ["a", object(), np.datetime64("2026-01-01"), ("a", 1), [[1.0], [1.0, 2.0]], 1j]
)
@pytest.mark.parametrize("op", [tg.add, tg.matmul, tg.where, tg.outer, tg.residual_add])
def test_what_holds_no_numbers(op, nothing):
    others = [tg.Tensor([1.0, 2.0], requires_grad=True)] * (len(op.inputs) - 1)
    with pytest.raises(TinygradError, match=f"^{op.name}: "):
        op(*others, nothing)
