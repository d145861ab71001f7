"""The reverse walk: where gradients arrive, when they add up, and what is refused."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import AnomalyError, DtypeError, GraphError, OptionError, ShapeError


def leaf(*values, **options):
    return tg.Tensor(np.array(values, np.float64), requires_grad=True, **options)


# --- where gradients arrive --------------------------------------------------------------------


@pytest.mark.parametrize("start", [tg.Scalar(1.0), leaf(1.0)], ids=["Scalar", "Tensor"])
def test_a_chain_of_100_000_ops(start):
    y = start
    for _ in range(100_000):
        y = y * 1.00001
    y.backward()
    slope = float(y.data if isinstance(y, tg.Scalar) else y.item())
    assert float(start.grad) == pytest.approx(slope)
    del y  # freeing it must not recurse either


def test_backward_twice_adds():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward()
    y.backward()
    assert x.grad.numpy().tolist() == [12.0]


def test_gradients_add_up_over_results_until_they_are_dropped():
    x = leaf(3.0)
    (2 * x).backward()
    (5 * x).backward()
    assert x.grad.item() == 7.0
    x.grad = None
    (2 * x).backward()
    assert x.grad.item() == 2.0


def test_a_gradient_that_was_handed_out_does_not_change_later():
    x = leaf(3.0)
    (2 * x).backward()
    first = x.grad
    (5 * x).backward()
    assert (first.item(), x.grad.item()) == (2.0, 7.0)


def test_only_leaves_keep_their_gradient_unless_asked():
    x = leaf(3.0)
    plain, retained = x * 2, (x * 5).retain_grad()
    (plain * retained).backward()
    assert plain.grad is None
    assert retained.grad.item() == 6.0


def test_no_gradient_is_none_and_not_zero():
    x, w = leaf(3.0), leaf(4.0)
    (x * 2).backward()
    assert w.grad is None


def test_an_input_that_asks_for_nothing_gets_nothing():
    x, constant = leaf(3.0), tg.Tensor([2.0], np.float64)
    (x * constant).backward()
    assert constant.grad is None


@given(st.data())
def test_a_cotangent_weighs_the_outputs(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    a, u = rng.normal(size=(n, m)), rng.normal(size=n)
    x = tg.Tensor(rng.normal(size=m), requires_grad=True)
    tg.matmul(a, x).backward(u)
    np.testing.assert_allclose(x.grad.numpy(), u @ a)


def test_a_cotangent_may_be_changed_afterwards():
    x, u = leaf(1.0, 2.0), np.array([3.0, 4.0])
    gradient = tg.grad(x + 0.0, x, u)
    (x + 0.0).backward(u)
    u[:] = 0
    assert gradient.numpy().tolist() == x.grad.numpy().tolist() == [3.0, 4.0]


def test_gradients_are_read_only():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        x.grad.numpy()[0] = 5.0


# --- grad(): gradients as values ---------------------------------------------------------------


def test_grad_leaves_grad_alone():
    x = leaf(3.0)
    assert tg.grad(x * x, x).item() == 6.0
    assert x.grad is None


def test_grad_reaches_values_in_the_middle():
    x = leaf(3.0)
    h = x * x
    by_h, by_x = tg.grad(h * h, [h, x])
    assert (by_h.item(), by_x.item()) == (18.0, 108.0)


def test_an_unused_input_is_an_error_unless_allowed():
    x, w = leaf(3.0), leaf(4.0, name="w")
    with pytest.raises(GraphError, match=r"does not depend on x\[1\] \(input 'w' of shape \(1,\)"):
        tg.grad(x * x, [x, w])
    used, unused = tg.grad(x * x, [x, w], allow_unused=True)
    assert used.item() == 6.0
    assert unused is None


@pytest.mark.parametrize("make", [tg.Scalar, lambda v: tg.Tensor(v, np.float64, True)])
def test_third_order(make):
    """d³/dx³ x⁵ = 60 x², each time a recorded gradient."""
    x = make(2.0)
    y = x**5
    for _ in range(3):
        y = tg.grad(y, x, create_graph=True)
    assert float(y) == pytest.approx(240.0)


def test_a_recorded_gradient_depends_on_its_cotangent_too():
    """∂/∂u ⟨u, J v⟩ = J v: twice backward is forward."""
    x, u = leaf(2.0, 3.0), leaf(1.0, 1.0)
    pulled = tg.grad(x**3, x, u, create_graph=True)
    v = np.array([5.0, 7.0])
    assert tg.grad(pulled, u, v).numpy().tolist() == [3 * 4 * 5, 3 * 9 * 7]


def test_gradients_are_recorded_on_request_under_no_grad_too():
    x = leaf(2.0)
    y = x**3
    with tg.no_grad():
        first = tg.grad(y, x, create_graph=True)
        assert not (first * 2).requires_grad
    assert tg.grad(first, x).item() == 12.0


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "error", "message"),
    [
        (lambda x: (x * 2).backward(), ShapeError, r"shape \(2,\), so a gradient .* y\.sum\(\)"),
        (lambda x: (x * 2).backward([1.0]), ShapeError, r"shape \(2,\), but the gradient \(1,\)"),
        (
            lambda x: (x * 2).backward(np.ones(2, np.float32)), DtypeError,
            r"the gradient is float32, y is float64: use grad\.astype\(np\.float64\)",
        ),
        (lambda x: x.detach().sum().backward(), GraphError, "needs no gradient: nothing it was"),
        (lambda x: tg.backward(3.0), DtypeError, "a Tensor or Scalar is needed, got float"),
        (lambda x: tg.grad(3.0, x), DtypeError, "a Tensor or Scalar is needed, got float"),
        (lambda x: tg.grad(x.sum(), [1.0]), DtypeError, r"grad: x\[0\] must be a Tensor or Scalar"),
    ],
)  # fmt: skip
def test_what_cannot_be_differentiated(compute, error, message):
    with pytest.raises(error, match=message):
        compute(leaf(1.0, 2.0))


def test_integers_cannot_ask_for_gradients():
    with pytest.raises(DtypeError, match=r"only floating values .* int64; make it with dtype="):
        tg.Tensor(np.array([1, 2]), requires_grad=True)
    with pytest.raises(DtypeError, match="only floating values"):
        tg.Tensor(np.array([True])).requires_grad = True


def test_requires_grad_is_set_on_leaves_only():
    with pytest.raises(GraphError, match=r"leaves only; this is multiply .*use detach\(\)"):
        (leaf(1.0) * 2).requires_grad = False


def test_a_vjp_of_the_wrong_shape_is_refused():
    bad = tg.op("bad", lambda x: 2 * x, lambda g, y, x: g[:1])
    with pytest.raises(ShapeError, match=r"vjp of bad .* shape \(1,\) for input 0, .* \(2,\)"):
        bad(leaf(1.0, 2.0)).sum().backward()


@pytest.mark.parametrize("answer", [lambda g: (g, g, g), lambda g: g])
def test_a_vjp_must_answer_for_each_input(answer):
    bad = tg.op("bad", lambda a, b: a + b, lambda g, y, a, b: answer(g))
    with pytest.raises(ShapeError, match=r"vjp of bad: expected a tuple of 2 gradients.*got"):
        bad(leaf(1.0), leaf(2.0)).backward()


@pytest.mark.parametrize("make", [tg.Scalar, leaf])
def test_a_plain_gradient_is_not_taken_for_a_constant(make):
    """It is right at first order, and would silently be wrong at second."""
    cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g_plain(g) * 3 * g_plain(x) ** 2)

    def g_plain(value):
        return tg.constant(value)

    x = make(2.0)
    assert float(tg.grad(cube(x), x)) == 12.0
    with pytest.raises(GraphError, match=r"vjp of cube .* plain array for input 0 while gradients"):
        tg.grad(cube(x), x, create_graph=True)


# --- values that changed -----------------------------------------------------------------------


def assign(w):
    w.data = [7.0]


def step(w):
    w.grad = [1.0]
    tg.optim.SGD([w], lr=0.1).step()


def in_place(w):
    with tg.no_grad():
        w -= 0.5


def load(w):
    model = tg.nn.Module()
    model.w = w
    model.load_state_dict({"w": np.array([7.0])})


def cast(w):
    model = tg.nn.Module()
    model.w = w
    model.astype(np.float32)


@pytest.mark.parametrize("change", [assign, step, in_place, load, cast])
def test_a_value_that_changed_after_its_use_is_caught(change):
    w = tg.nn.Parameter(np.array([2.0]), name="w")
    y = (w * w).sum()
    change(w)
    with pytest.raises(GraphError, match=r"multiply of shape \(1,\) used parameter 'w'.* changed"):
        y.backward()
    (w * w).sum().backward()  # a new forward pass is fine


def test_a_result_that_changed_after_its_use_is_caught():
    x = leaf(2.0)
    h = x * x
    y = h * h
    h.data = [1.0]
    with pytest.raises(GraphError, match="whose value was changed"):
        y.backward()


def test_a_change_before_the_use_is_fine():
    x = leaf(2.0)
    x.data = [3.0]
    (x * x).sum().backward()
    assert x.grad.item() == 6.0


def test_in_place_while_recording_makes_a_new_tensor():
    x = leaf(2.0)
    y = x
    y *= 3.0
    y.backward()
    assert (x.item(), y.item(), x.grad.item()) == (2.0, 6.0, 3.0)


# --- the graph afterwards ----------------------------------------------------------------------


def test_backward_leaves_the_graph():
    x = leaf(2.0)
    y = (x * x).sum()
    before = tg.Graph.of(y).edges
    y.backward()
    assert tg.Graph.of(y).edges == before


@pytest.mark.parametrize(
    "use", [lambda y: y.backward(), tg.Graph.of, lambda y: tg.zoom(y), lambda y: (y * 2).backward()]
)
def test_a_freed_graph_says_so(use):
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(free_graph=True)
    assert x.grad.item() == 4.0
    with pytest.raises(GraphError, match=r"freed by an earlier backward\(free_graph=True\)"):
        use(y)


def test_an_old_part_of_a_graph_may_be_freed_by_another_result():
    x = leaf(2.0)
    h = x * x
    (h * 2).backward(free_graph=True)
    with pytest.raises(GraphError, match=r"graph behind multiply .* was freed"):
        (h * 3).backward()


# --- modes ---------------------------------------------------------------------------------------


def test_no_grad_works_as_a_decorator_and_ends_with_an_exception():
    @tg.no_grad()
    def evaluate(x):
        assert not (x * 2).requires_grad
        raise KeyError

    x = leaf(1.0)
    with pytest.raises(KeyError):
        evaluate(x)
    assert (x * 2).requires_grad


def test_a_thread_has_its_own_modes():
    x = leaf(1.0)
    found = {}

    def work():
        found["recorded"] = (x * 2).requires_grad
        found["scope"] = (x * 2).node.scope

    with tg.no_grad(), tg.scope("outer"), tg.trace() as t:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == {"recorded": True, "scope": ""}
    assert t.events == []


def test_threads_differentiate_side_by_side():
    results = [None] * 4

    def work(i):
        x = leaf(float(i))
        for _ in range(200):
            x.grad = None
            (x**3).backward()
        results[i] = x.grad.item()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0.0, 3.0, 12.0, 27.0]


def test_a_block_may_be_entered_again():
    x = tg.Tensor([1.0], requires_grad=True)
    block, recorded = tg.no_grad(), []
    for _ in range(2):
        with block:
            with block:
                recorded.append((x * 2).requires_grad)
            recorded.append((x * 2).requires_grad)
        recorded.append((x * 2).requires_grad)
    assert recorded == [False, False, True] * 2

    @tg.no_grad()
    def down(n):
        return [(x * 2).requires_grad, *(down(n - 1) if n else [])]

    assert not any(down(3) + down(3))
    anomaly = tg.detect_anomaly()
    for _ in range(2):
        with anomaly, np.errstate(invalid="ignore"), pytest.raises(AnomalyError):
            tg.log(x * -1)


def test_what_yields_cannot_be_decorated():
    with pytest.raises(OptionError, match=r"numbers yields, .* use a with block"):

        @tg.no_grad()
        def numbers():
            yield 1


def test_a_single_number_can_be_formatted():
    x = tg.Tensor([[1.5]], requires_grad=True)
    assert f"{x.sum():.3f} {tg.Scalar(2.0):6.2f} {x}" == f"1.500   2.00 {x!r}"
    with pytest.raises(ShapeError, match=r"one number is needed, got shape \(2,\)"):
        format(tg.Tensor([1.0, 2.0]), ".2f")


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda x: x.backward("a"), DtypeError, "must be numbers, got 'a'"),
        (lambda x: x.backward([[1.0], 2.0]), ShapeError, "no array"),
        (lambda x: tg.Scalar(1.0).backward("a"), DtypeError, "must be numbers"),
        (lambda x: tg.Scalar(1.0).backward(np.ones(2)), ShapeError, "one number"),
        (lambda x: tg.grad(x, None, [1, 1]), DtypeError, "x must be a Tensor"),
        (
            lambda x: tg.grad(x, x, tg.Scalar(1.0), create_graph=True),
            DtypeError,
            "grad_outputs is a Scalar, y a Tensor",
        ),
    ],
)
def test_what_is_no_cotangent(use, error, message):
    with pytest.raises(error, match=message):
        use(tg.Tensor([1.0, 2.0], requires_grad=True))


@pytest.mark.parametrize("create_graph", [False, True])
def test_no_gradient_changes_with_another(create_graph):
    """Of a + b both get the cotangent: each as its own."""
    a, b = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in "ab")
    cotangent = tg.Tensor([3.0, 4.0])
    to_a, to_b = tg.grad(a + b, [a, b], cotangent, create_graph=create_graph)
    to_a.data = np.zeros(2)
    assert to_b.numpy().tolist() == cotangent.numpy().tolist() == [3.0, 4.0]
    assert not np.shares_memory(to_a.numpy(), to_b.numpy())
