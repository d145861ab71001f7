"""The split of a gradient over paths, on random residual programs."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.ops.residual import residual_add

SIZE = 3


class Program:
    """A random residual program: blocks in a chain, nested in branches, or side by side."""

    def __init__(self, draw, nonlinear=True):
        self.nonlinear = nonlinear
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.blocks = 0
        self.plan = self._plan(draw, depth=2)

    def _plan(self, draw, depth):
        parts = []
        for _ in range(draw(st.integers(1, 3 if depth == 2 else 1))):
            kinds = ["plain"]
            if self.blocks < 5:
                kinds += ["block", "projected", "block after activation"]
                kinds += ["side by side"] if self.blocks < 3 else []
            kind = draw(st.sampled_from(kinds))
            inner = []
            if kind != "plain":
                self.blocks += 3 if kind == "side by side" else 1
                if depth and draw(st.booleans()):
                    inner = self._plan(draw, depth - 1)
            parts.append((kind, inner, [self._weight() for _ in range(4)]))
        return parts

    def _weight(self):
        return tg.Tensor(self.rng.standard_normal((SIZE, SIZE)))

    def run(self, x, without=None):
        """The program's output; `without` is the number of an add whose branch is left out."""
        self.adds, self.without = [], without
        return self._run(x, self.plan)

    def _run(self, x, plan):
        f = tg.tanh if self.nonlinear else lambda h: h
        for kind, inner, (w, u, v, p) in plan:
            if kind == "plain":
                x = f(x @ w)
                continue
            branch = self._run(f(x @ w), inner) @ u
            if kind == "side by side":
                x = self._add(self._add(x, branch), self._add(x @ p, f(x @ v)))
            else:
                x = self._add(x @ p if kind == "projected" else x, branch)
            if kind == "block after activation":
                x = tg.relu(x) if self.nonlinear else -x
        return x

    def _add(self, skip, branch):
        """A residual add, or the same plainly written."""
        if len(self.adds) == self.without:
            self.adds.append(None)
            return skip
        y = tg.residual_add(skip, branch)
        self.adds.append(y.node)
        return y


@st.composite
def programs(draw, nonlinear=True):
    return Program(draw, nonlinear)


def input_of(program):
    return tg.Tensor(program.rng.standard_normal((2, SIZE)), requires_grad=True)


def loss_of(program, x, without=None):
    cotangent = tg.Tensor(np.random.default_rng(1).standard_normal((2, SIZE)))
    return (program.run(x, without) * cotangent).sum()


def routes(node, wrt, made=()):
    """By brute force: the choices made along every route of edges, one entry for each route."""
    if node is wrt:
        yield made
    for i, parent in enumerate(node.inputs):
        if parent is not None:
            choice = ((node, i == 1),) if node.op is residual_add else ()
            yield from routes(parent, wrt, made + choice)


@settings(max_examples=settings.default.max_examples * 3)
@given(programs())
def test_lengths_and_paths_add_up_to_the_gradient(program):
    x = input_of(program)
    loss = loss_of(program, x)
    ordinary = tg.grad(loss, x).numpy()
    paths = tg.gradient_paths(loss, wrt=x)
    scale = 1e-12 * max(1.0, max(paths.norms))
    np.testing.assert_allclose(paths.total, ordinary, rtol=1e-10, atol=scale)

    by_length = [np.zeros_like(ordinary) for _ in range(paths.n_blocks + 1)]
    counted = [0] * (paths.n_blocks + 1)
    for taken, gradient in paths.paths():
        assert len(taken) == paths.n_blocks
        by_length[sum(taken)] += gradient
        counted[sum(taken)] += 1
    assert counted == paths.count
    np.testing.assert_allclose(by_length, paths.by_length, rtol=1e-9, atol=scale)
    if np.linalg.norm(ordinary) > 1e-6:
        assert sum(paths.shares) == pytest.approx(1)


@given(programs())
def test_paths_are_the_distinct_choices_along_all_routes(program):
    x = input_of(program)
    loss = loss_of(program, x)
    paths = tg.gradient_paths(loss, wrt=x)
    distinct = set(routes(loss.node, x.node))
    taken = [{add for add, branch in path if branch} for path in distinct]
    assert paths.blocks == [add for add in program.adds if any(add in dict(p) for p in distinct)]
    assert paths.count == [
        sum(len(crossed) == k for crossed in taken) for k in range(paths.n_blocks + 1)
    ]
    assert Counter(found for found, _ in paths.paths()) == Counter(
        tuple(add in crossed for add in paths.blocks) for crossed in taken
    )


@given(programs(), st.integers(0, 5))
def test_a_limit_on_the_length_keeps_the_short_lengths_and_the_sum(program, limit):
    x = input_of(program)
    loss = loss_of(program, x)
    whole = tg.gradient_paths(loss, wrt=x)
    limited = tg.gradient_paths(loss, wrt=x, max_length=limit)
    scale = 1e-12 * max(1.0, max(whole.norms))
    kept = whole.by_length[: limit + 1]
    np.testing.assert_allclose(limited.by_length, kept, rtol=1e-10, atol=scale)
    np.testing.assert_allclose(limited.total, whole.total, rtol=1e-10, atol=scale)
    if np.linalg.norm(whole.total) > 1e-6:
        assert limited.left_out == pytest.approx(sum(whole.shares[limit + 1 :]), abs=1e-6)


@given(programs(), st.data())
def test_a_lesion_is_the_program_without_that_branch(program, data):
    x = input_of(program)
    loss = loss_of(program, x)
    paths = tg.gradient_paths(loss, wrt=x)
    if not paths.n_blocks:
        return
    i = data.draw(st.integers(0, paths.n_blocks - 1))
    lesion = paths.lesion(i)
    number = program.adds.index(paths.blocks[i])
    gradient = tg.grad(loss, x).numpy()
    without = loss_of(program, x, without=number)
    after = tg.grad(without, x, allow_unused=True)
    assert lesion.loss_before == loss.item()
    assert lesion.loss == pytest.approx(without.item(), rel=1e-12, abs=1e-12)
    np.testing.assert_array_equal(lesion.gradient_before, gradient)
    np.testing.assert_allclose(lesion.gradient, after.numpy(), rtol=1e-10, atol=1e-12)


@given(programs(nonlinear=False))
def test_the_paths_of_a_linear_program_add_up_forward_too(program):
    x = input_of(program)
    y = program.run(x)
    expansion = tg.expand(y, x)
    assert expansion.difference < 1e-10
    assert len(expansion.paths) == len(set(routes(y.node, x.node)))
    np.testing.assert_array_equal(expansion.output, y.numpy())


@given(programs(), st.data())
def test_samples_are_paths_of_their_length(program, data):
    x = input_of(program)
    paths = tg.gradient_paths(loss_of(program, x), wrt=x)
    k = data.draw(st.sampled_from([k for k, number in enumerate(paths.count) if number]))
    every = [(taken, g) for taken, g in paths.paths() if sum(taken) == k]
    for taken, g in paths.sample(k, 3, seed=data.draw(st.integers(0, 99))):
        found = [h for other, h in every if other == taken]
        assert any(np.allclose(g, h, rtol=1e-10, atol=1e-13) for h in found)
    if all(number <= 50 for number in paths.count):
        means = paths.single_norms(samples=50)
        assert means[k] == pytest.approx(np.mean([np.linalg.norm(g) for _, g in every]))
        estimate = paths.veit_estimate(samples=50)
        assert estimate[k] == pytest.approx(sum(np.linalg.norm(g) for _, g in every))
        assert estimate[k] >= paths.norms[k] * (1 - 1e-9)  # paths cancel, never the opposite


def chain(n, x):
    for i in range(n):
        x = tg.residual_add(x, (i + 2) * x)
    return x.sum()


@pytest.mark.parametrize("n", [0, 1, 4, 54])
def test_a_chain_has_binomially_many_paths(n):
    x = tg.Tensor(np.ones(2), requires_grad=True)
    paths = tg.gradient_paths(chain(n, x), wrt=x)
    assert paths.n_blocks == n
    assert paths.count == [math.comb(n, k) for k in range(n + 1)]


def test_the_parts_of_a_linear_chain_are_the_elementary_symmetric_polynomials():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    paths = tg.gradient_paths(chain(3, x), wrt=x)  # (1+2)(1+3)(1+4)
    assert [g.item() for g in paths.by_length] == [1, 2 + 3 + 4, 6 + 8 + 12, 24]
    assert [(taken, g.item()) for taken, g in paths.paths()][:4] == [
        ((False, False, False), 1),
        ((True, False, False), 2),
        ((False, True, False), 3),
        ((True, True, False), 6),
    ]


def test_routes_that_make_the_same_choices_are_one_path():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    h = tg.residual_add(x, 2 * x)
    paths = tg.gradient_paths((h * h).sum(), wrt=x)
    assert paths.count == [1, 1]
    assert len(list(paths.paths())) == 2


def test_a_parameter_in_a_branch_is_reached_through_that_branch_only():
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Residual(nn.Linear(SIZE, SIZE)) for _ in range(3)))
    loss = (model(tg.Tensor(np.ones((2, SIZE), np.float32))) ** 2).sum()
    paths = tg.gradient_paths(loss, wrt=model[1].branch.weight)
    assert paths.n_blocks == 2  # its own block's add, and the one after it
    assert paths.count == [0, 1, 1]
    assert all(taken[0] for taken, _ in paths.paths())


def test_batch_norm_in_training_and_a_projection_shortcut():
    tg.manual_seed(0)
    model = tg.models.ResNet((1, 1, 1), (4, 6, 8)).astype(np.float64)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 1, 8, 8)), requires_grad=True)
    loss = tg.cross_entropy(model(x), [0, 1, 2, 3])
    paths = tg.gradient_paths(loss, wrt=x)
    assert paths.count == [1, 3, 3, 1]
    np.testing.assert_allclose(paths.total, tg.grad(loss, x).numpy(), rtol=1e-10, atol=1e-14)


def test_too_many_paths_to_list():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    with pytest.raises(tg.errors.OptionError, match=r"21 blocks have up to 2\^21 paths"):
        list(tg.gradient_paths(chain(21, x), wrt=x).paths())


def test_a_loss_that_does_not_depend_on_wrt():
    x = tg.Tensor(np.ones(2), requires_grad=True)
    other = tg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(tg.errors.GraphError, match="does not depend"):
        tg.gradient_paths(chain(2, x), wrt=other)


@pytest.mark.parametrize(
    ("wrt", "error", "words"),
    [
        (tg.Tensor(np.ones(2)), tg.errors.GraphError, "made without requires_grad=True"),
        ([], tg.errors.DtypeError, "wrt must be one Tensor or Scalar, got list"),
    ],
)
def test_what_no_gradient_can_be_taken_at(wrt, error, words):
    x = tg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(error, match=words):
        tg.gradient_paths(chain(2, x), wrt=wrt)


def test_no_block_to_delete():
    x = tg.Tensor(1.0, requires_grad=True)
    with pytest.raises(tg.errors.OptionError, match="no path meets a residual block"):
        tg.gradient_paths(x * 2, wrt=x).lesion(0)


def test_a_zero_gradient_has_no_shares():
    x = tg.Tensor(np.ones(2), requires_grad=True)
    paths = tg.gradient_paths(chain(1, x) * 0.0, wrt=x)
    with pytest.warns(UserWarning, match="gradient is zero"):
        assert np.isnan(paths.shares).all()


def counting_chain(n, x, counted):
    """A chain whose branches count their vjps."""

    def vjp(g, y, h):
        counted.append(1)
        return 0.5 * g

    halve = tg.op("halve", lambda h: 0.5 * h, vjp)
    for _ in range(n):
        x = tg.residual_add(x, halve(x))
    return x.sum()


@pytest.mark.parametrize("n", [1, 2, 9, 20])
def test_the_split_of_a_chain_takes_a_triangle_of_branch_vjps(n):
    counted = []
    x = tg.Tensor(np.ones(2), requires_grad=True)
    loss = counting_chain(n, x, counted)
    paths = tg.gradient_paths(loss, wrt=x)
    assert paths.norms
    assert len(counted) == n * (n + 1) // 2
    counted.clear()
    limited = tg.gradient_paths(loss, wrt=x, max_length=2)
    assert limited.shares == pytest.approx(paths.shares[:3])
    assert len(counted) <= 4 * n


def test_paths_share_the_work_of_their_common_choices():
    counted = []
    x = tg.Tensor(np.ones(2), requires_grad=True)
    paths = tg.gradient_paths(counting_chain(7, x, counted), wrt=x)
    assert len(list(paths.paths())) == 2**7
    assert len(counted) == 2**7 - 1


def test_the_first_of_very_many_paths_comes_at_once():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    paths = tg.gradient_paths(chain(60, x), wrt=x).paths(limit=60)
    assert next(paths) == ((False,) * 60, 1)


def test_the_trellis_of_a_linear_chain():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    paths = tg.gradient_paths(chain(3, x), wrt=x)
    assert paths.trellis.tolist() == [
        [1, 4 + 3, 4 * 3, 0],  # at the output of the first block: two blocks were crossed
        [1, 4, 0, 0],
        [1, 0, 0, 0],
    ]


def test_sampled_paths_are_uniform():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    inner = tg.residual_add(x, 2 * x)  # nested: no chain, so choices are not equally likely
    y = tg.residual_add(x, tg.residual_add(inner, 3 * inner))
    paths = tg.gradient_paths(tg.residual_add(y, 5 * y).sum(), wrt=x)
    drawn = Counter(taken for taken, _ in paths.sample(2, 3000, seed=4))
    assert len(drawn) == paths.count[2]
    assert all(
        abs(n - 3000 / len(drawn)) < 5 * math.sqrt(3000 / len(drawn)) for n in drawn.values()
    )
    assert [t for t, _ in paths.sample(2, 9, seed=1)] == [t for t, _ in paths.sample(2, 9, seed=1)]


def test_a_thousand_blocks():
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Residual(nn.Linear(2, 2)) for _ in range(1000)))
    for parameter in model.parameters():
        parameter.data = parameter.data * 0.01
    x = tg.Tensor(np.ones((1, 2)), dtype=np.float32, requires_grad=True)
    loss = model(x).sum()
    paths = tg.gradient_paths(loss, wrt=x, max_length=3)
    assert paths.n_blocks == 1000
    assert paths.count[500] == math.comb(1000, 500)
    np.testing.assert_allclose(paths.total, tg.grad(loss, x).numpy(), rtol=1e-5)
    assert sum(paths.shares) + paths.left_out == pytest.approx(1)
    [(taken, _)] = paths.sample(500)
    assert sum(taken) == 500


def test_the_estimate_of_veit_holds_where_paths_do_not_cancel():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    paths = tg.gradient_paths(chain(4, x), wrt=x)  # all gradients point the same way
    assert paths.veit_estimate(samples=6) == pytest.approx(paths.norms)
    assert paths.single_norms(samples=6)[0] == pytest.approx(math.sqrt(3))


def test_a_lesion_of_the_block_that_holds_wrt_leaves_no_gradient():
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Residual(nn.Linear(SIZE, SIZE)) for _ in range(2)))
    loss = (model(tg.Tensor(np.ones((2, SIZE), np.float32))) ** 2).sum()
    lesion = tg.gradient_paths(loss, wrt=model[0].branch.weight).lesion(0)
    assert not lesion.gradient.any()
    assert lesion.gradient_change == 1


def test_a_block_is_named_by_any_whole_number():
    x = tg.Tensor(1.0, requires_grad=True)
    paths = tg.gradient_paths(tg.residual_add(x, 3 * x), wrt=x)
    assert paths.lesion(np.int64(-1)).loss == 1
    with pytest.raises(tg.errors.OptionError, match="blocks 0 to 0, got True"):
        paths.lesion(True)


@pytest.mark.parametrize("residual", [True, False])
def test_any_module_that_keeps_its_shape_can_be_skipped(residual):
    tg.manual_seed(0)
    model = tg.models.ResNet((2, 1), (4, 6), residual=residual)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32))
    state = model.state_dict()
    seen = []
    with tg.lesion(model, "layer1.1"), tg.trace() as t:
        seen.append(model.eval()(x).numpy())
    assert not any(event.scope.startswith("layer1.1") for event in t.forward_events)
    assert any(event.scope.startswith("layer1.0") for event in t.forward_events)
    assert not np.allclose(seen[0], model(x).numpy())
    assert "forward" not in vars(model.layer1[1])
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])


def test_skipping_a_residual_block_is_the_lesion_of_its_branch():
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Residual(nn.Linear(SIZE, SIZE)) for _ in range(3)))
    x = tg.Tensor(np.ones((2, SIZE), np.float32), requires_grad=True)
    paths = tg.gradient_paths((model(x) ** 2).sum(), wrt=x)
    with tg.lesion(model, "1"):
        assert (model(x) ** 2).sum().item() == paths.lesion(1).loss


def test_what_cannot_be_skipped_is_refused():
    model = tg.models.ResNet((1, 1), (4, 6))
    x = tg.Tensor(np.zeros((2, 1, 8, 8), np.float32))
    refused = pytest.raises(tg.errors.OptionError, match=r"no module 'layer2\.1' .*layer2\.0")
    with refused, tg.lesion(model, "layer2.1"):
        pass
    refused = pytest.raises(tg.errors.ShapeError, match=r"makes \(2, 6, 4, 4\) of \(2, 4, 8, 8\)")
    with tg.lesion(model, "layer2.0"), refused:
        model(x)
    assert model(x).shape == (2, 10)


def test_nonlinear_branches_do_not_add_up_forward():
    x = tg.Tensor([1.0], requires_grad=True, dtype=np.float64)
    h = tg.residual_add(x, x * x)
    expansion = tg.expand(tg.residual_add(h, h * h), x)
    assert [value.item() for _, value in expansion.paths] == [1, 1, 1, 1]
    assert expansion.difference == pytest.approx((6 - 4) / 6)


def test_a_bias_is_added_by_every_path():
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Residual(nn.Linear(SIZE, SIZE)) for _ in range(3)))
    x = tg.Tensor(np.ones((2, SIZE), np.float32))
    for layer in model:
        layer.branch.bias.data = np.zeros(SIZE, np.float32)
    assert tg.expand(model, x).difference < 1e-6
    model[2].branch.bias.data = np.ones(SIZE, np.float32)
    apart = tg.expand(model, x)
    np.testing.assert_allclose(apart.total - apart.output, 3, rtol=1e-5)  # 4 paths cross it


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda p: p.sample(4), "no path crosses 4 branches; there are paths of length 0 to 3"),
        (lambda p: p.sample(1, -1), "m must be a whole number"),
        (lambda p: p.lesion(3), "blocks 0 to 2, got 3"),
        (lambda p: p.single_norms(0), "at least 1"),
        (lambda p: tg.gradient_paths(p._loss, p._wrt, max_length=-1), "max_length must be"),
        (lambda p: tg.expand(p._loss, p._wrt, limit=2), r"3 blocks have up to 2\^3 paths"),
        (lambda p: tg.expand(nn.ReLU()), "give x"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(ask, said):
    x = tg.Tensor(np.ones(1), requires_grad=True)
    with pytest.raises(tg.errors.OptionError, match=said):
        ask(tg.gradient_paths(chain(3, x), wrt=x))
