"""Functions of functions, against differences, against each other, against autograd and torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.ops.numerical import close, directional_derivative
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

seeds = st.integers(0, 2**32 - 1)


def network(x, w):
    """A small network of several nonlinear ops: (2, 1, 4, 4), (3, 1, 2, 2) → (2, 3)."""
    h = tg.conv2d(x, w, stride=2)
    h = tg.batch_norm_train(tg.tanh(h))[0]
    return tg.log_softmax(tg.global_avg_pool(h * tg.sigmoid(h)), axis=1)


def loss(x, w):
    """(2, 1, 4, 4), (3, 1, 2, 2) → one number."""
    return -(network(x, w) * network(x, w)).mean()


def arrays(rng):
    return [rng.normal(size=(2, 1, 4, 4)), rng.normal(size=(3, 1, 2, 2))]


def inner(xs, ys):
    return sum(float(np.vdot(x, y)) for x, y in zip(xs, ys, strict=True))


def plain(result):
    return [r.numpy() for r in result]


# --- what they compute -------------------------------------------------------------------------


@given(seeds)
def test_value_and_grad(seed):
    rng = np.random.default_rng(seed)
    values, along = arrays(rng), arrays(rng)
    value, gradients = tg.value_and_grad(loss, (0, 1))(*values)
    assert value.item() == loss(*map(tg.Tensor, values)).item()
    slope = directional_derivative(lambda *v: loss(*map(tg.Tensor, v)).item(), values, along)
    assert close(inner(plain(gradients), along), slope)


@given(seeds)
def test_jvp_is_the_derivative_and_vjp_its_transpose(seed):
    rng = np.random.default_rng(seed)
    values, along = arrays(rng), arrays(rng)
    u = rng.normal(size=(2, 3))
    y, pushed = tg.jvp(network, values, along)
    same, back = tg.vjp(network, *values)
    np.testing.assert_array_equal(y.numpy(), same.numpy())
    slope = directional_derivative(
        lambda *v: inner([network(*map(tg.Tensor, v)).numpy()], [u]), values, along
    )
    assert close(inner([pushed.numpy()], [u]), slope)
    assert close(inner(plain(back(u)), along), slope)


@given(seeds)
def test_the_jacobian_has_all_of_it(seed):
    rng = np.random.default_rng(seed)
    values, along = arrays(rng), arrays(rng)
    by_x, by_w = tg.jacobian(network, (0, 1))(*values)
    assert (by_x.shape, by_w.shape) == ((2, 3, 2, 1, 4, 4), (2, 3, 3, 1, 2, 2))
    pushed = tg.jvp(network, values, along)[1].numpy()
    found = sum(
        np.tensordot(j.numpy(), v, v.ndim) for j, v in zip((by_x, by_w), along, strict=True)
    )
    assert close(found, pushed, 1e-12)


@given(seeds)
def test_the_hessian_is_symmetric_and_hvp_its_product(seed):
    rng = np.random.default_rng(seed)
    values, along = arrays(rng), arrays(rng)
    h = tg.hessian(loss, 1)(*values).numpy()
    assert close(h, h.transpose(4, 5, 6, 7, 0, 1, 2, 3), 1e-10)
    product = tg.hvp(lambda w: loss(values[0], w), [values[1]], [along[1]]).numpy()
    assert close(np.tensordot(h, along[1], 4), product, 1e-10)
    both = plain(tg.hvp(loss, values, along))
    slope = directional_derivative(
        lambda *v: inner(plain(tg.value_and_grad(loss, (0, 1))(*v)[1]), along), values, along, 1e-4
    )
    assert close(inner(both, along), slope, 1e-6)


def test_a_jacobian_of_a_jacobian_of_a_jacobian():
    """∂³/∂xᵢ∂xⱼ∂xₖ of x₀² x₁³ at (2, 3)."""
    third = tg.jacobian(tg.jacobian(tg.jacobian(lambda x: x[0] ** 2 * x[1] ** 3)))
    found = third(np.array([2.0, 3.0])).numpy()
    expected = np.zeros((2, 2, 2))
    for at in [(0, 0, 1), (0, 1, 0), (1, 0, 0)]:
        expected[at] = 2 * 3 * 3**2
    for at in [(0, 1, 1), (1, 0, 1), (1, 1, 0)]:
        expected[at] = 2 * 2 * 6 * 3
    expected[1, 1, 1] = 2**2 * 6
    np.testing.assert_allclose(found, expected)


def test_every_op_of_a_deep_network_has_a_third_derivative():
    rng = np.random.default_rng(0)
    values, along = arrays(rng), arrays(rng)

    def curvature(*v):
        return inner(plain(tg.hvp(loss, list(v), along)), along)

    def recorded(x, w):
        products = tg.hvp(loss, [x, w], along)
        return sum((p * v).sum() for p, v in zip(products, along, strict=True))

    gradients = tg.value_and_grad(recorded, (0, 1))(*values)[1]
    slope = directional_derivative(curvature, values, along)
    assert close(inner(plain(gradients), along), slope, 1e-5)


# --- what they depend on -----------------------------------------------------------------------


def test_results_can_be_differentiated_by_weights_that_the_function_uses():
    """d/dw of (d/dx w x³ = 3 w x²) is 3 x²."""
    w = tg.Tensor(np.array(5.0), requires_grad=True)
    gradient = tg.value_and_grad(lambda x: w * x**3)(np.array(2.0))[1]
    assert tg.grad(gradient, w).item() == 12.0
    assert tg.grad(tg.jvp(lambda x: w * x**3, [np.array(2.0)], [np.array(1.0)])[1], w).item() == 12


def test_results_depend_on_cotangents_and_tangents():
    u = tg.Tensor(np.array([1.0, 1.0]), requires_grad=True)
    x = np.array([2.0, 3.0])
    pulled = tg.vjp(lambda x: x**2, x)[1](u)[0]
    assert tg.grad(pulled.sum(), u).numpy().tolist() == [4, 6]
    pushed = tg.jvp(lambda x: x**2, [x], [u])[1]
    assert tg.grad(pushed.sum(), u).numpy().tolist() == [4, 6]
    product = tg.hvp(lambda x: (x**3).sum(), [x], [u])
    assert tg.grad(product.sum(), u).numpy().tolist() == [12, 18]


def test_only_the_argument_is_differentiated():
    """f(z) = x z, at z = x: the slope by z is x, and not 2 x."""
    x = tg.Tensor(np.array(3.0), requires_grad=True)
    slope = tg.value_and_grad(lambda z: x * z)(x)[1]
    assert slope.item() == 3.0
    assert tg.grad(slope, x).item() == 1.0
    assert x.grad is None


def test_nothing_is_recorded_where_nothing_asks():
    for result in tg.value_and_grad(lambda x: x**2)(np.array(3.0)):
        assert not result.requires_grad
    w = tg.Tensor(np.array(5.0), requires_grad=True)
    with tg.no_grad():
        value, slope = tg.value_and_grad(lambda x: w * x**2)(np.array(3.0))
        pushed = tg.jvp(lambda x: w * x**2, [np.array(3.0)], [np.array(1.0)])[1]
    assert (slope.item(), pushed.item()) == (30.0, 30.0)
    assert not any(y.requires_grad for y in (value, slope, pushed))


def test_what_does_not_matter_has_zeros():
    x, w = np.array([1.0, 2.0]), np.array([3.0])
    assert plain(tg.vjp(lambda x, w: x * 2, x, w)[1](x))[1].tolist() == [0.0]
    assert tg.jvp(lambda x: tg.Tensor(w), [x], [x])[1].numpy().tolist() == [0.0]
    assert tg.jvp(lambda x: (x > 0) * tg.Tensor(w), [x], [x])[1].numpy().tolist() == [0.0, 0.0]
    assert tg.hessian(lambda x: x.sum())(x).numpy().tolist() == [[0, 0], [0, 0]]


def test_scalars_stay_scalars():
    x = tg.Scalar(2.0)
    value, slope = tg.value_and_grad(lambda x: x**3)(x)
    assert (value.data, slope.data) == (8.0, 12.0)
    assert tg.hessian(lambda x: x**3)(x).data == 12.0
    assert tg.jvp(lambda x: x**3, [x], [2.0])[1].data == 24.0
    assert tg.grad(slope, x).data == 12.0


def test_options_and_other_arguments_pass_through():
    slope = tg.value_and_grad(lambda x, n, *, scale: scale * x**n)
    assert slope(np.array(2.0), 3, scale=10.0)[1].item() == 120.0


def test_a_backward_pass_is_a_graph_that_can_be_asked():
    x = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True, name="x")
    y = (x * x * x).sum()
    g = tg.grad(y, x, create_graph=True)
    graph = tg.Graph.of(g)
    assert {"multiply", "broadcast_to"} <= {node.op.name for node in graph.nodes if node.op}
    assert graph.replay({x: [2.0, 4.0]})[g].numpy().tolist() == [12.0, 48.0]
    assert tg.zoom(g, 1, depth=4).output.data == 12.0
    assert tg.Graph.from_json(graph.to_json()).edges == graph.edges


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda x: tg.value_and_grad(lambda x: x)(x), ShapeError, r"give one number, got .*\(2,\)"),
        (lambda x: tg.hvp(lambda x: x, [x], [x]), ShapeError, "hvp: the function must give one"),
        (lambda x: tg.vjp(lambda x: 3.0, x), DtypeError, "must give a Tensor or Scalar, got float"),
        (lambda x: tg.jacobian(lambda x: x)(np.arange(2)), DtypeError, "argument 0 .* int64"),
        (lambda x: tg.jacobian(lambda x: x, 1)(x), OptionError, "argnums has 1, but there are 1"),
        (lambda x: tg.jacobian(lambda x: x, ())(x), OptionError, "no argument to differentiate"),
        (lambda x: tg.hessian(lambda x: x, (0, 1)), OptionError, "argnums must be one int"),
        (lambda x: tg.jvp(lambda x: x, [x], [x[:1]]), ShapeError, r"tangent 0 .* shape \(1,\)"),
        (lambda x: tg.jvp(lambda x: x, [x], []), ShapeError, "1 primals, but 0 tangents"),
        (lambda x: tg.jvp(lambda x: x, x, x), DtypeError, "primals must be a tuple"),
        (lambda x: tg.vjp(lambda x: x, x)[1]([1.0]), ShapeError, r"shape \(2,\), but .* \(1,\)"),
        (lambda x: tg.vjp(lambda x: x), OptionError, "no argument to differentiate"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(ask, error, message):
    with pytest.raises(error, match=message):
        ask(np.array([1.0, 2.0]))


# --- other libraries ---------------------------------------------------------------------------


def test_against_autograd():
    autograd = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    rng = np.random.default_rng(0)
    a, x, v = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)

    def f(np_, x):
        h = np_.tanh(np_.matmul(a, x)) + np_.exp(np_.sin(x)) * x
        return np_.sum(h * h * h)

    def ours(x):
        return f(tg, x)

    def theirs(x):
        return f(anp, x)

    np.testing.assert_allclose(tg.value_and_grad(ours)(x)[1].numpy(), autograd.grad(theirs)(x))
    np.testing.assert_allclose(tg.hessian(ours)(x).numpy(), autograd.hessian(theirs)(x))
    hvp = autograd.hessian_vector_product(theirs)(x, v)
    np.testing.assert_allclose(tg.hvp(ours, [x], [v]).numpy(), hvp)


def test_against_torch():
    """Third derivatives, along directions: convolution, batch norm, pooling, cross-entropy."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    labels = np.array([1, 0])
    values = [rng.normal(size=(2, 2, 6, 6)), rng.normal(size=(3, 2, 3, 3))]
    along = [[rng.normal(size=v.shape) for v in values] for _ in range(2)]

    def ours(x, w):
        h = tg.batch_norm_train(tg.conv2d(x, w, padding=1))[0]
        h = tg.avg_pool2d(tg.tanh(h), 2)
        return tg.cross_entropy(tg.max_pool2d(h, 3).reshape(2, 3), labels)

    def theirs(x, w):
        h = torch.nn.functional.conv2d(x, w, padding=1)
        # written out: its own batch_norm is wrong at third order (as of 2.13)
        h = h - h.mean((0, 2, 3), keepdim=True)
        h = h / ((h * h).mean((0, 2, 3), keepdim=True) + 1e-5) ** 0.5
        h = torch.nn.functional.avg_pool2d(torch.tanh(h), 2)
        h = torch.nn.functional.max_pool2d(h, 3).reshape(2, 3)
        return torch.nn.functional.cross_entropy(h, torch.tensor(labels))

    def derivatives(f, xs, make, grad):
        found = []
        y = f(*xs)
        for directions in [*along, None]:
            gradients = grad(y, xs)
            found.append([np.asarray(g.detach()) if make else g.numpy() for g in gradients])
            if directions is not None:
                vs = [torch.tensor(v) if make else v for v in directions]
                y = sum((g * v).sum() for g, v in zip(gradients, vs, strict=True))
        return found

    mine = derivatives(
        ours, [tg.Tensor(v, requires_grad=True) for v in values], False,
        lambda y, xs: tg.grad(y, xs, create_graph=True),
    )  # fmt: skip
    other = derivatives(
        theirs, [torch.tensor(v, requires_grad=True) for v in values], True,
        lambda y, xs: torch.autograd.grad(y, xs, create_graph=True),
    )  # fmt: skip
    for order, (a, b) in enumerate(zip(mine, other, strict=True)):
        for i in range(2):
            np.testing.assert_allclose(a[i], b[i], 1e-8, 1e-9, err_msg=f"order {order + 1}, {i}")
