"""Hooks: seeing and replacing gradients, and what enters and leaves a module."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, GraphError, ShapeError


def leaf(*values):
    return tg.Tensor(np.array(values, np.float64), requires_grad=True)


# --- of Tensors and Scalars --------------------------------------------------------------------


def test_a_hook_sees_the_sum_once():
    x, seen = leaf(3.0), []
    h = x * 2
    h.register_hook(lambda g: seen.append(g.item()))
    (h * 5 + h * 7).backward()
    assert seen == [12.0]
    assert x.grad.item() == 24.0


def test_what_a_hook_returns_goes_on():
    x = leaf(3.0)
    h = (x * 2).retain_grad()
    h.register_hook(lambda g: g * 10)
    h.register_hook(lambda g: g + 1)
    h.backward()
    assert (h.grad.item(), x.grad.item()) == (11.0, 22.0)


def test_a_leaf_s_hook_changes_what_it_keeps_and_what_grad_gives():
    x = leaf(3.0, 4.0)
    x.register_hook(lambda g: np.clip(g.numpy(), -1, 1))
    (x * 5).sum().backward()
    assert x.grad.numpy().tolist() == [1.0, 1.0]
    assert tg.grad((x * 0.5).sum(), x).numpy().tolist() == [0.5, 0.5]


def test_removed_is_removed():
    x = leaf(3.0)
    first, second = x.register_hook(lambda g: g * 2), x.register_hook(lambda g: g * 3)
    first.remove()
    first.remove()
    (x * 1).backward()
    second.remove()
    (x * 1).backward()
    assert x.grad.item() == 3.0 + 1.0


def test_scalars_see_floats():
    x, seen = tg.Scalar(3.0), []
    h = x * x
    h.register_hook(seen.append)
    x.register_hook(lambda g: 2 * g)
    h.backward()
    assert seen == [1.0]
    assert x.grad == 12.0


def test_a_hook_is_part_of_a_recorded_gradient():
    """g ↦ g² at x: d/dx of (3x²)² is 36 x³."""
    x = leaf(2.0)
    hook = x.register_hook(lambda g: g * g)
    gradient = tg.grad(x**3, x, create_graph=True)
    assert gradient.item() == 144.0
    hook.remove()
    assert tg.grad(gradient, x).item() == 36 * 8
    x.register_hook(lambda g: g.numpy())
    with pytest.raises(GraphError, match=r"hook at input .* would count as a constant"):
        tg.grad(x**3, x, create_graph=True)


def test_an_output_of_several_has_its_own_hook():
    x, seen = leaf([1.0], [3.0]), []
    y, mean, _ = tg.batch_norm_train(x)
    mean.register_hook(lambda g: seen.append(g.numpy().tolist()))
    (y.sum() + 4 * mean.sum()).backward()
    assert seen == [[4.0]]


@pytest.mark.parametrize(
    ("hook", "error", "message"),
    [
        (lambda g: g[:1], ShapeError, r"hook at input .*: got shape \(1,\) for a gradient of \(2,"),
        (lambda g: "big", DtypeError, "expected a gradient or None, got str"),
    ],
)
def test_what_a_hook_may_not_return(hook, error, message):
    x = leaf(1.0, 2.0)
    x.register_hook(hook)
    with pytest.raises(error, match=message):
        x.sum().backward()


def test_what_cannot_have_a_hook():
    with pytest.raises(GraphError, match=r"register_hook: input .* needs no gradient"):
        tg.Tensor([1.0]).register_hook(print)
    with pytest.raises(DtypeError, match="a hook must be a function, got float"):
        leaf(1.0).register_hook(3.0)


def test_hooks_make_no_cycles():
    gc.disable()
    try:
        h = leaf(1.0) * 2
        hook = h.register_hook(lambda g: g)
        kept = weakref.ref(h.node)
        del h
        assert kept() is None
        hook.remove()
    finally:
        gc.enable()


# --- of modules --------------------------------------------------------------------------------


def model():
    tg.manual_seed(0)
    return tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 2)).astype(float)


def inputs(requires_grad=True):
    values = np.random.default_rng(0).normal(size=(5, 3))
    return tg.Tensor(values, requires_grad=requires_grad)


def test_forward_hooks_see_and_replace():
    net, x, calls = model(), inputs(), []
    plain = net(x)
    before = net[1].register_forward_pre_hook(lambda m, args: calls.append(("in", m, args[0])))
    after = net[1].register_forward_hook(lambda m, args, y: calls.append(("out", m, args[0], y)))
    np.testing.assert_array_equal(net(x).numpy(), plain.numpy())
    (_, m, x1), (_, m2, x2, y2) = calls
    assert m is m2 is net[1]
    assert x1 is x2
    np.testing.assert_array_equal(y2.numpy(), np.tanh(x1.numpy()))
    before.remove()
    after.remove()
    net[1].register_forward_pre_hook(lambda m, args: (args[0] * 0,))
    np.testing.assert_allclose(net(x).numpy(), np.tile(net[2].bias.numpy(), (5, 1)))
    net[2].register_forward_hook(lambda m, args, y: y + 7.0)
    np.testing.assert_allclose(net(x).numpy(), np.tile(net[2].bias.numpy() + 7, (5, 1)))
    assert len(calls) == 2


def test_backward_hooks_see_what_the_module_sends_and_gets():
    net, x, seen = model(), inputs(), {}
    for i in range(3):
        net[i].register_backward_hook(lambda m, gi, go, i=i: seen.update({i: (gi, go)}))
    u = np.random.default_rng(1).normal(size=(5, 2))
    net(x).backward(u)
    assert sorted(seen) == [0, 1, 2]
    np.testing.assert_array_equal(seen[2][1][0].numpy(), u)
    for earlier in range(2):
        np.testing.assert_array_equal(seen[earlier][1][0].numpy(), seen[earlier + 1][0][0].numpy())
    np.testing.assert_array_equal(seen[0][0][0].numpy(), x.grad.numpy())


def test_a_backward_hook_sees_its_module_s_part_alone():
    """x also goes round the module; and the module's output is used twice."""
    layer, x, seen = tg.nn.Tanh(), leaf(0.0), []
    layer.register_backward_hook(lambda m, gi, go: seen.append((gi[0].item(), go[0].item())))
    y = layer(x)
    (y * 2 + y * 3 + x * 100).backward()
    assert seen == [(5.0, 5.0)]
    assert x.grad.item() == 105.0


def test_a_backward_hook_replaces():
    net, x = model(), inputs()
    expected = tg.grad(net(x).sum(), x).numpy()
    net[1].register_backward_hook(lambda m, gi, go: gi[0] * 3)
    np.testing.assert_allclose(tg.grad(net(x).sum(), x).numpy(), 3 * expected)


def test_a_first_layer_s_hook_is_called_without_gradients_of_inputs():
    net, seen = model(), []
    net[0].register_backward_hook(lambda m, gi, go: seen.append((gi, go[0].shape)))
    net(inputs(requires_grad=False)).sum().backward()
    assert seen == [((), (5, 4))]
    with tg.no_grad():
        assert net(inputs()).shape == (5, 2)
    net[0].register_backward_hook(lambda m, gi, go: go)
    with pytest.raises(ShapeError, match=r"hook of Linear: expected 0 gradients, .* inputs, got 1"):
        net(inputs(requires_grad=False)).sum().backward()


def test_hooks_change_nothing_else():
    net, x = model(), inputs()
    u = np.random.default_rng(1).normal(size=(5, 2))
    net(x).backward(u)
    expected = [p.grad.numpy() for p in [x, *net.parameters()]]
    net.zero_grad()
    x.grad = None
    for _, module in net.named_modules():
        module.register_backward_hook(lambda m, gi, go: None)
        module.register_forward_hook(lambda m, args, y: None)
    y = net(x)
    assert {n.scope for n in tg.Graph.of(y).nodes if n.op} == {"", "0", "1", "2"}
    y.backward(u)
    for p, gradient in zip([x, *net.parameters()], expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), gradient)
