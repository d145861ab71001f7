"""Optimisers, schedules and clipping: against their formulae, and against PyTorch."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.train.runs import assert_same
from tinygrad_cnn import Tensor, cross_entropy, manual_seed, optim
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError
from tinygrad_cnn.nn import Linear, Parameter, Sequential, Tanh
from tinygrad_cnn.optim import SGD, Adam, AdamW, CosineSchedule, Schedule, StepSchedule

RATES = st.floats(1e-3, 0.5)
DECAYS = st.sampled_from([0.0, 0.01, 0.3])
BETAS = st.tuples(st.floats(0, 0.99), st.floats(0, 0.999))


@st.composite
def optimizers(draw):
    """An optimiser's class and its options, PyTorch's names throughout."""
    options = {"lr": draw(RATES), "weight_decay": draw(DECAYS)}
    kind = draw(st.sampled_from([SGD, Adam, AdamW]))
    if kind is SGD:
        options["momentum"] = draw(st.sampled_from([0.0, 0.5, 0.9]))
        options["nesterov"] = bool(options["momentum"]) and draw(st.booleans())
    else:
        options["betas"] = draw(BETAS)
        options["eps"] = draw(st.sampled_from([1e-8, 1e-3]))
    return kind, options


def moved(optimizer, gradients):
    """The parameters after each step along the given gradients."""
    ways = []
    for gradient in gradients:
        for p, g in zip(optimizer.params, gradient, strict=True):
            p.grad = g
        optimizer.step()
        ways.append([p.data.copy() for p in optimizer.params])
    return ways


def start(dtype=np.float64, steps=5, seed=0):
    """Parameters of several shapes, and gradients for some steps."""
    rng = np.random.default_rng(seed)
    shapes = [(3, 2), (4,), ()]
    params = [Parameter(np.asarray(rng.normal(size=s), dtype)) for s in shapes]
    gradients = [[np.asarray(rng.normal(size=s), dtype) for s in shapes] for _ in range(steps)]
    return params, gradients


def by_the_formula(kind, p, gradients, lr, weight_decay, momentum=0.0, nesterov=False, **adam):
    """One number's way, written down as the docstrings have it."""
    v = m = 0.0
    for t, g in enumerate(gradients, 1):
        if kind is AdamW:
            p = (1 - lr * weight_decay) * p
        else:
            g = g + weight_decay * p
        if kind is SGD:
            v = momentum * v + g
            p = p - lr * (g + momentum * v if nesterov else v)
        else:
            b1, b2 = adam["betas"]
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g**2
            p = p - lr * m / (1 - b1**t) / (math.sqrt(v / (1 - b2**t)) + adam["eps"])
        yield p


@given(optimizers(), st.integers(0, 99))
def test_each_number_moves_by_the_formula(optimizer, seed):
    kind, options = optimizer
    params, gradients = start(seed=seed)
    first = params[0].data[2, 1]
    ours = [way[0][2, 1] for way in moved(kind(params, **options), gradients)]
    expected = by_the_formula(kind, first, [g[0][2, 1] for g in gradients], **options)
    np.testing.assert_allclose(ours, list(expected), rtol=1e-10, atol=1e-12)


@given(optimizers(), st.integers(0, 99))
def test_each_step_is_pytorchs(optimizer, seed):
    torch = pytest.importorskip("torch")
    kind, options = optimizer
    params, gradients = start(seed=seed)
    twins = [torch.tensor(p.data.copy(), requires_grad=True) for p in params]
    theirs = getattr(torch.optim, kind.__name__)(twins, **options)
    for gradient, ours in zip(gradients, moved(kind(params, **options), gradients), strict=True):
        for twin, g in zip(twins, gradient, strict=True):
            twin.grad = torch.tensor(g)
        theirs.step()
        for p, twin in zip(ours, twins, strict=True):
            np.testing.assert_allclose(p, twin.detach().numpy(), rtol=1e-10, atol=1e-12)


@given(optimizers(), st.integers(1, 4))
def test_one_that_takes_over_a_state_goes_on_as_the_other_would(optimizer, steps):
    kind, options = optimizer
    params, gradients = start(np.float32, steps=5)
    first = kind(params, **options)
    moved(first, gradients[:steps])
    copies = [Parameter(p.data.copy()) for p in params]
    second = kind(copies, lr=0.123)
    second.load_state_dict(first.state_dict())
    assert_same(moved(second, gradients[steps:]), moved(first, gradients[steps:]))


@given(optimizers())
def test_dtypes_and_shapes_stay(optimizer):
    kind, options = optimizer
    params, gradients = start(np.float32)
    options = {k: np.float64(v) if isinstance(v, float) else v for k, v in options.items()}
    [*_, last] = moved(kind(params, **options), gradients)
    assert [(p.dtype, p.shape) for p in last] == [(np.float32, p.shape) for p in params]
    assert all(isinstance(p.node.value, np.ndarray) for p in params)


def test_what_has_no_gradient_stays_and_gradients_can_be_forgotten():
    a, b = Parameter([1.0]), Parameter([1.0])
    optimizer = Adam([a, b], lr=0.1, weight_decay=0.5)
    a.grad = [2.0]
    optimizer.step()
    assert a.item() < 1
    assert b.item() == 1
    optimizer.zero_grad()
    assert a.grad is None


def test_a_model_learns():
    manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2)).astype(np.float32)
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    net = Sequential(Linear(2, 16), Tanh(), Linear(16, 2))
    optimizer = SGD(net.parameters(), lr=0.5, momentum=0.9)
    for _ in range(100):
        optimizer.zero_grad()
        loss = cross_entropy(net(Tensor(x)), labels)
        loss.backward(free_graph=True)
        optimizer.step()
    assert loss.item() < 0.1
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: SGD([], 0.1), OptionError, "SGD: there are no parameters"),
        (lambda p: SGD([p, p], 0.1), OptionError, "SGD: a parameter is given twice"),
        (lambda p: SGD(p, 0.1), DtypeError, r"SGD: params must be .* got one; give \[tensor\]"),
        (lambda p: Adam([Tensor([1.0])]), DtypeError, "Adam: parameters must be Tensors with"),
        (
            lambda p: SGD(Linear(1, 1), 0.1),
            DtypeError,
            r"got Linear; give model\.parameters\(\)",
        ),
        (lambda p: SGD([p], "0.1"), OptionError, "SGD: lr must be ≥ 0, got '0.1'"),
        (lambda p: SGD([p], -0.1), OptionError, "SGD: lr must be ≥ 0, got -0.1"),
        (lambda p: SGD([p], math.nan), OptionError, "SGD: lr must be ≥ 0, got nan"),
        (lambda p: SGD([p], 0.1, nesterov=True), OptionError, "nesterov needs momentum > 0"),
        (lambda p: AdamW([p], betas=(0.9, 1.0)), OptionError, "AdamW: beta2 must be in 0 ≤ beta2"),
        (lambda p: Adam([p], betas=0.9), OptionError, "betas must be two numbers, got 0.9"),
        (lambda p: optim.clip_grad_norm([p], 0), OptionError, "max_norm must be > 0, got 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make(Parameter([1.0, 2.0]))


def test_a_state_that_does_not_fit_is_refused():
    state = Adam(start()[0]).state_dict()
    with pytest.raises(OptionError, match="SGD: this is the state of Adam"):
        SGD(start()[0], 0.1).load_state_dict(state)
    with pytest.raises(OptionError, match="state is of 3 parameters, there are 1"):
        Adam([Parameter([1.0])]).load_state_dict(state)
    params, gradients = start()
    optimizer = Adam(params)
    moved(optimizer, gradients)
    with pytest.raises(ShapeError, match=r"mean of parameter 0 has shape \(3, 2\), .* \(2, 3\)"):
        Adam([Parameter(np.ones((2, 3))), *params[1:]]).load_state_dict(optimizer.state_dict())


# --- schedules -------------------------------------------------------------------------------


@st.composite
def schedules(draw):
    optimizer = SGD([Parameter([1.0])], lr=draw(RATES))
    warmup = draw(st.integers(0, 3))
    kind = draw(st.sampled_from([Schedule, StepSchedule, CosineSchedule]))
    if kind is Schedule:
        return Schedule(optimizer, warmup)
    if kind is StepSchedule:
        return StepSchedule(optimizer, draw(st.integers(4, 6)), draw(st.floats(0.1, 1)), warmup)
    return CosineSchedule(
        optimizer, draw(st.integers(warmup + 1, 12)), draw(st.floats(0, 1)), warmup
    )


@given(schedules(), st.floats(0, 20), st.floats(0, 20))
def test_the_rate_rises_in_the_warm_up_and_falls_after_it(schedule, a, b):
    early, late = sorted([a, b])
    base = schedule.base_lr
    assert 0 <= schedule.at(late) <= base
    if late < schedule.warmup:
        assert base / 10 * 0.999 <= schedule.at(early) <= schedule.at(late) + 1e-15
    if early >= schedule.warmup:
        assert schedule.at(early) >= schedule.at(late)
    schedule.move_to(late)
    assert schedule.optimizer.lr == schedule.at(late)
    assert schedule.base_lr == base


@given(schedules(), schedules(), st.floats(0, 20))
def test_a_schedule_takes_over_anothers_state(schedule, other, epoch):
    if type(schedule) is type(other):
        other.load_state_dict(schedule.state_dict())
        assert other.at(epoch) == schedule.at(epoch)
    else:
        with pytest.raises(OptionError, match=f"this is the state of {type(schedule).__name__}"):
            other.load_state_dict(schedule.state_dict())


@given(schedules())
def test_after_whole_epochs_the_rate_is_pytorchs(schedule):
    torch = pytest.importorskip("torch")
    rates = torch.optim.lr_scheduler
    twin = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=schedule.base_lr)
    warmup = int(schedule.warmup)
    epochs = 12
    if isinstance(schedule, StepSchedule):
        assume(warmup < schedule.step_size)
        after = rates.StepLR(twin, schedule.step_size, schedule.gamma)
    elif isinstance(schedule, CosineSchedule):
        assume(not warmup)  # PyTorch's wave would have to begin at another epoch
        floor = schedule.floor * schedule.base_lr
        after = rates.CosineAnnealingLR(twin, schedule.epochs, floor)
        epochs = schedule.epochs  # PyTorch's wave then rises again
    else:
        after = rates.ConstantLR(twin, factor=1.0)
    parts = [after]
    if warmup:
        parts.append(rates.LinearLR(twin, start_factor=0.1, total_iters=warmup))
    for epoch in range(epochs):
        assert schedule.at(epoch) == pytest.approx(twin.param_groups[0]["lr"], abs=1e-9)
        twin.step()
        for part in parts:
            part.step()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: Schedule(o, warmup=-1), "Schedule: warmup must be ≥ 0, got -1"),
        (lambda o: StepSchedule(o, 0), "StepSchedule: step_size must be > 0, got 0"),
        (lambda o: StepSchedule(o, 1, gamma=0.0), "StepSchedule: gamma must be > 0"),
        (lambda o: CosineSchedule(o, 3, warmup=3), "warmup=3 must be shorter than epochs=3"),
        (lambda o: CosineSchedule(o, 3, floor=2), "floor must be in 0 … 1, got 2"),
    ],
)
def test_schedules_that_mean_nothing_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make(SGD([Parameter([1.0])], lr=0.1))


# --- clipping --------------------------------------------------------------------------------


@given(st.integers(0, 99), st.floats(0.1, 10))
def test_clipping_keeps_directions_and_bounds_the_norm(seed, max_norm):
    params, [before] = start(steps=1, seed=seed)
    for p, g in zip(params, before, strict=True):
        p.grad = g
    silent = Parameter([1.0])
    total = optim.clip_grad_norm([*params, silent], max_norm)
    norm = math.sqrt(sum((g**2).sum() for g in before))
    assert total == pytest.approx(norm)
    for p, g in zip(params, before, strict=True):
        np.testing.assert_allclose(p.grad.data, g * min(1, max_norm / norm), rtol=1e-12)
    assert silent.grad is None


def test_clipping_is_pytorchs():
    torch = pytest.importorskip("torch")
    params, [gradients] = start(steps=1)
    twins = [torch.tensor(p.data.copy(), requires_grad=True) for p in params]
    for p, twin, g in zip(params, twins, gradients, strict=True):
        p.grad, twin.grad = g, torch.tensor(g)
    theirs = float(torch.nn.utils.clip_grad_norm_(twins, 0.5))
    assert optim.clip_grad_norm(params, 0.5) == pytest.approx(theirs)
    for p, twin in zip(params, twins, strict=True):
        np.testing.assert_allclose(p.grad.data, twin.grad.numpy(), rtol=1e-5)
