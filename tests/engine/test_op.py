"""Declaring an op: every form that `op.py` documents, on plain arrays, Tensors and Scalars."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError


def leaf(*values):
    return tg.Tensor(np.array(values, np.float64), requires_grad=True)


def test_in_one_line():
    cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * 3 * x**2)
    x, s = leaf(2.0), tg.Scalar(2.0)
    cube(x).backward()
    cube(s).backward()
    assert (cube(2.0), x.grad.item(), s.grad) == (8.0, 12.0, 12.0)
    assert tg.grad(tg.grad(cube(x), x, create_graph=True), x).item() == 12.0


def test_as_a_decorator():
    @tg.op
    def swish(x):
        """x · sigmoid(x)."""
        return x / (1 + np.exp(-x))

    @swish.vjp
    def _(g, y, x):
        s = tg.sigmoid(x)
        return g * (s + y * (1 - s))

    x = leaf(0.0, 1.0)
    swish(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.5, 0.92767], atol=1e-5)
    assert (swish.name, swish.__doc__) == ("swish", "x · sigmoid(x).")


def test_under_another_name():
    @tg.op("x²", symbol="²")
    def square(x):
        return x * x

    assert repr(square) == "<Op x²(x)>"
    assert square.symbol == "²"


def test_a_vjp_for_each_input_is_called_only_if_needed():
    asked = []

    def by_a(g, y, a, b):
        asked.append("a")
        return g * b

    def by_b(g, y, a, b):
        asked.append("b")
        return g * a

    product = tg.op("product", lambda a, b: a * b, by_a, by_b)
    a = leaf(2.0)
    product(a, np.array([3.0])).backward()
    assert (a.grad.item(), asked) == (3.0, ["a"])


def test_no_gradient_is_declared_by_none():
    pick = tg.op("pick", lambda x, where: x * where, lambda g, y, x, where: g * where, None)
    x, mask = leaf(2.0, 3.0), leaf(0.0, 1.0)
    pick(x, mask).sum().backward()
    assert x.grad.numpy().tolist() == [0.0, 1.0]
    assert mask.grad is None


def test_broadcasting_and_dtype_are_the_mechanism_s_care():
    scale = tg.op("scale", lambda x, k: x * k, lambda g, y, x, k: (g * k, g * x))
    x = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    k = tg.Tensor(np.full((3, 1, 1), 2.0), requires_grad=True)
    scale(x, k).sum().backward()
    assert (x.grad.shape, x.grad.dtype) == ((2, 3), np.float32)
    assert (k.grad.shape, k.grad.dtype) == ((3, 1, 1), np.float64)
    assert x.grad.numpy().tolist() == [[6.0] * 3] * 2
    assert k.grad.numpy().ravel().tolist() == [6.0] * 3


@tg.op
def affine(x, w, b=None, *, times=1):
    return times * x * w + (0 if b is None else b)


@affine.vjp
def _(g, y, x, w, b, *, times):
    return g * w * times, g * x * times, g


@pytest.mark.parametrize("give", [lambda b: (b,), lambda b: ()], ids=["given", "left out"])
def test_an_optional_input(give):
    x, w, b = leaf(2.0), leaf(3.0), leaf(4.0)
    affine(x, w, *give(b), times=5).backward()
    assert (x.grad.item(), w.grad.item()) == (15.0, 10.0)
    assert (b.grad is None) == (give(b) == ())


def test_inputs_and_options_by_position_and_by_name():
    x, w, b = leaf(2.0), leaf(3.0), leaf(4.0)
    assert [
        y.item() for y in (affine(x, w, b, 5), affine(x, w=w, b=b, times=5), affine(w=w, x=x))
    ] == [34.0, 34.0, 6.0]


def test_an_input_left_out_takes_its_default():
    power = tg.op("power_of", lambda x, k=2.0: x**k, lambda g, y, x, k: g * k * x ** (k - 1), None)
    x = leaf(3.0)
    power(x).backward()
    assert (power(x).item(), x.grad.item()) == (9.0, 6.0)


def test_a_sequence_of_inputs():
    @tg.op
    def total(*arrays, times=1):
        return times * sum(arrays)

    @total.vjp
    def _(g, y, *arrays, times):
        return tuple(g * times for _ in arrays)

    a, b = leaf(1.0), leaf(2.0, 3.0)
    total([a, b, np.array([4.0])], times=2).sum().backward()
    assert (a.grad.numpy().tolist(), b.grad.numpy().tolist()) == ([4.0], [2.0, 2.0])
    with pytest.raises(DtypeError, match="total: the first argument is a list of arrays"):
        total(a, b)


@tg.op
def polar(r, angle):
    return r * np.cos(angle), r * np.sin(angle)


@polar.vjp
def _(g, y, r, angle):
    (gx, gy), (x, y) = g, y
    by_r, by_angle = 0.0, 0.0
    if gx is not None:
        by_r, by_angle = gx * x / r, -gx * y
    if gy is not None:
        by_r, by_angle = by_r + gy * y / r, by_angle + gy * x
    return by_r, by_angle


@pytest.mark.parametrize("make", [lambda v: leaf(v), tg.Scalar], ids=["Tensor", "Scalar"])
@pytest.mark.parametrize("used", ["x", "y", "both"])
def test_several_outputs(make, used):
    r, angle = make(2.0), make(0.5)
    x, y = polar(r, angle)
    assert (float(x), float(y)) == pytest.approx((2 * np.cos(0.5), 2 * np.sin(0.5)))
    {"x": x, "y": y, "both": x * y}[used].backward()
    expected = {
        "x": (np.cos(0.5), -2 * np.sin(0.5)),
        "y": (np.sin(0.5), 2 * np.cos(0.5)),
        "both": (2 * np.sin(1.0), 4 * np.cos(1.0)),
    }[used]
    assert (float(r.grad), float(angle.grad)) == pytest.approx(expected)


def test_several_outputs_at_second_order():
    """x² + y² = r² has second derivative 2 by r and 0 by the angle."""
    r, angle = leaf(2.0), leaf(0.5)
    x, y = polar(r, angle)
    by_r, by_angle = tg.grad(x * x + y * y, [r, angle], create_graph=True)
    assert tg.grad(by_r, r).item() == pytest.approx(2)
    assert tg.grad(by_angle, angle).item() == pytest.approx(0)


def test_an_elementwise_op_is_its_own_definition_options_included():
    leaky = tg.op("leaky", lambda x, *, slope=0.1: np.where(x > 0, x, slope * x), elementwise=True)
    leaky.vjp(lambda g, y, x, *, slope: g * np.where(tg.constant(x) > 0, 1.0, slope))
    x = leaf(-2.0, 3.0)
    graph = tg.zoom(leaky(x, slope=0.5), 0)
    graph.output.backward()
    assert graph.output.data == -1.0
    assert next(iter(graph.cells["x"].values())).grad == 0.5


def test_a_python_number_is_a_fine_result():
    norm = tg.op("norm", lambda x: float(np.sum(x**2)), lambda g, y, x: g * 2 * x)
    x = leaf(1.0, 2.0)
    y = norm(x)
    y.backward()
    assert (y.shape, y.item(), x.grad.numpy().tolist()) == ((), 5.0, [2.0, 4.0])


def test_a_result_that_holds_no_floats_has_no_gradient():
    largest = tg.op("largest", np.argmax, lambda g, y, x: x * 0)
    assert not tg.op("largest", lambda x: np.argmax(x))(leaf(1.0, 2.0)).requires_grad
    both = tg.op("both", lambda x: (np.max(x), np.argmax(x)), lambda g, y, x: g[0] * (x == y[0]))
    value, place = both(leaf(1.0, 2.0))
    assert (value.requires_grad, place.requires_grad) == (True, False)
    assert largest.inputs[0] == "a"


def test_your_ops_are_not_registered_and_may_share_a_name():
    before = dict(tg.OPS)
    mine = tg.op("relu", lambda x: np.maximum(x, 0), lambda g, y, x: g * (tg.constant(x) > 0))
    assert before == tg.OPS
    assert mine(np.array([-1.0, 2.0])).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: affine.vjp(lambda *a: a, None),
            r"affine.vjp: expected 1 function .* or 3 \(one each for x, w, b\), got 2",
        ),
        (lambda: tg.op("f", lambda x, **o: x), r"f: name each option; \*\*o cannot be recorded"),
        (
            lambda: affine(1.0, 2.0, time=3),
            "affine: unknown option 'time'; it takes x, w, b, times",
        ),
        (lambda: affine(1.0, 2.0, 3.0, 4, 5), "affine: 1 arguments too many; it takes x, w, b"),
    ],
)
def test_options_that_mean_nothing(declare, message):
    with pytest.raises(OptionError, match=message):
        declare()


def test_inputs_that_are_missing():
    with pytest.raises(DtypeError, match="affine: input w is missing"):
        affine(leaf(1.0))
    with pytest.raises(DtypeError, match="echo: the forward must return an array, got str"):
        tg.op("echo", lambda x: "x")(leaf(1.0))


def test_an_error_in_a_forward_names_the_op_and_is_otherwise_left_alone():
    broken = tg.op("broken", lambda x: x.missing)
    with pytest.raises(AttributeError, match="missing") as caught:
        broken(leaf(1.0))
    assert caught.value.__notes__ == ["in op 'broken' on inputs of shapes [(1,)]"]
    assert caught.value.__cause__ is None


def test_an_op_without_a_vjp_or_definition_says_so():
    rounded = tg.op("rounded", np.round)
    y = rounded(leaf(1.5))
    with pytest.raises(GraphError, match=r"rounded has no vjp: declare one with @rounded.vjp"):
        y.backward()
    with pytest.raises(GraphError, match="rounded has no definition: declare one with"):
        tg.zoom(y, 0)


def test_an_op_costs_what_it_declares():
    w = leaf(*range(6)).reshape(2, 3)
    dense = tg.op("dense", lambda x, w: w @ x)
    dense.multiply_adds(lambda out, x, w: out[0] * x[0])
    y = dense(leaf(1.0, 2.0, 3.0), w)
    assert dense.cost(y.node) == (6, 8 * (2 + 3 + 6))


def test_a_check_of_shapes_is_asked_once_for_each():
    asked = []
    crop = tg.op("crop", lambda x, *, to: x[: to[0]], lambda g, y, x, to: 0 * x)

    @crop.check_shapes
    def _(x, *, to):
        asked.append((x.shape, x.dtype, to))
        if type(to) is bool or x.shape[0] < 2:
            raise OptionError("crop: no")
        return {"to": tuple(to) if isinstance(to, list) else (to,)}

    x, one, listed = leaf(1.0, 2.0, 3.0), 1, [2]
    assert [crop(x, one).shape for _ in range(3)] == [(1,)] * 3
    assert len(asked) == 1
    crop(x.numpy().astype(np.float32), one)
    crop(leaf(1.0, 2.0), one)
    assert len(asked) == 3
    for refused in ((x, True), (leaf(1.0), one), (leaf(1.0), one)):  # True == 1, but is not
        with pytest.raises(OptionError, match="crop: no"):
            crop(*refused)
    assert crop(x, listed).shape == (2,)
    listed[0] = 3
    assert crop(x, listed).shape == (3,)


def test_an_op_forgets_the_checks_of_long_ago():
    asked = []
    scaled = tg.op("scaled", lambda x, *, by: by * x, lambda g, y, x, by: by * g)
    scaled.check_shapes(lambda x, *, by: asked.append(by) or {"by": by})
    factors = [float(i) for i in range(3000)]
    for by in factors:
        assert scaled(1.0 * leaf(1.0), by=by).item() == by
    assert len(asked) == len(factors)
