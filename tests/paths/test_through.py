"""Paths of any network: choices that are found, parts that are marked, held against gates.

The second implementation knows nothing of the first: the program is written with a gate z on each
marked edge (the value times z, its gradient times z), run at several z, and the polynomial through
the gradients is the split.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

SIZE = 3


def gate(x, z):
    """x, unchanged; what flows back through it is multiplied by z."""
    if z is None:
        return x
    return tg.op("gate", lambda x: x, lambda g, y, x: g * z)(x)


class Program:
    """A random program of plain adds, residual adds and concatenations, nested and side by side.

    Attributes:
        scopes: the modules that its branches are written in.
    """

    def __init__(self, draw):
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.count = 0
        self.plan = [self._block(draw, 2) for _ in range(draw(st.integers(1, 3)))]

    def _block(self, draw, depth):
        join = draw(st.sampled_from(["add", "swapped", "residual", "cat", "projected"]))
        nested = [self._block(draw, depth - 1)] if depth and draw(st.booleans()) else []
        shared = draw(st.booleans())
        number, self.count = self.count, self.count + 1
        weights = [tg.Tensor(self.rng.standard_normal((SIZE, SIZE))) for _ in range(3)]
        wide = tg.Tensor(self.rng.standard_normal((2 * SIZE, SIZE)))
        return join, nested, shared, number, weights, wide

    def run(self, x, zs=None):
        """The output; `zs` gives the z of each block, by its number."""
        for block in self.plan:
            x = self._run(block, x, zs)
        return x

    def _run(self, block, x, zs):
        join, nested, shared, number, (w, u, p), wide = block
        z = None if zs is None else zs[number]
        with tg.scope(f"branch{number}"):
            f = tg.tanh(x @ w) @ u
            if shared:  # the same value goes on in two ways inside
                f = f * tg.exp(-f)
        for inner in nested:
            f = self._run(inner, f, zs)
        f = gate(f, z)
        if join == "add":
            return x + f
        if join == "swapped":
            return f + x
        if join == "residual":
            return tg.residual_add(x, f)
        if join == "projected":
            return x @ p + f
        return tg.concatenate([x, f], axis=1) @ wide


@st.composite
def programs(draw):
    return Program(draw)


def start(program):
    x = tg.Tensor(program.rng.standard_normal((2, SIZE)), requires_grad=True)
    return x, np.random.default_rng(1).standard_normal((2, SIZE))


def by_interpolation(gradient, degree):
    """The coefficients of the polynomial z → gradient(z), from its values at degree + 1 points."""
    points = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    values = np.array([gradient(z) for z in points])
    powers = np.vander(points, increasing=True)
    return np.linalg.solve(powers, values.reshape(degree + 1, -1)).reshape(values.shape)


@given(programs())
def test_choices_that_are_found_split_as_gates_do(program):
    x, c = start(program)
    paths = tg.gradient_paths(program.run(x), wrt=x, cotangent=c)
    kinds = {"add", "swapped", "residual", "cat", "projected"}
    assert len(paths.choices) == program.count
    assert {choice.kind for choice in paths.choices} <= {
        "addition", "residual add", "concatenation",
    }  # fmt: skip
    assert kinds
    expected = by_interpolation(
        lambda z: tg.grad(program.run(x, [z] * program.count), x, c).numpy(), program.count
    )
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(paths.by_length, expected, rtol=1e-7, atol=1e-9 * scale)
    np.testing.assert_allclose(
        paths.total, tg.grad(program.run(x), x, c).numpy(), rtol=1e-9, atol=1e-9 * scale
    )
    listed = [np.zeros_like(c) for _ in paths.by_length]
    counted = [0] * len(paths.count)
    for taken, gradient in paths.paths():
        listed[sum(taken)] += gradient
        counted[sum(taken)] += 1
    assert counted == paths.count
    np.testing.assert_allclose(listed, expected, rtol=1e-7, atol=1e-9 * scale)


@given(programs(), st.data())
def test_two_kinds_split_as_gates_do(program, data):
    x, c = start(program)
    first = data.draw(st.sets(st.integers(0, program.count - 1), min_size=1), label="first kind")
    rest = set(range(program.count)) - first
    kinds = {"first": [f"branch{n}" for n in first]}
    if rest:
        kinds["rest"] = [f"branch{n}" for n in rest]

    def gradient(a, b):
        zs = [a if n in first else b for n in range(program.count)]
        return tg.grad(marked_run(program, x, zs), x, c).numpy()

    def marked_run(program, x, zs):
        return Marked(program, zs).run(x)

    paths = tg.gradient_paths(program.run(x), wrt=x, through=kinds, cotangent=c)
    n, m = len(first), len(rest)
    table = by_interpolation(lambda a: by_interpolation(lambda b: gradient(a, b), m), n)
    scale = max(1.0, np.abs(table).max())
    found = np.zeros_like(table)
    for powers, part in paths.by_crossings.items():
        found[powers if rest else (*powers, 0)] = part
    np.testing.assert_allclose(found, table, rtol=1e-6, atol=1e-8 * scale)
    single = tg.gradient_paths(program.run(x), wrt=x, through=kinds["first"], cotangent=c)
    for a, b in zip(paths.margin("first"), single.by_length, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * scale)
    assert paths.table("count").sum() == sum(paths.count)
    if np.linalg.norm(paths.total) > 1e-6:
        assert paths.table().sum() == pytest.approx(1)


class Marked:
    """The same program with the gate where its marked module is left, not where it is added."""

    def __init__(self, program, zs):
        self.program, self.zs = program, zs

    def run(self, x):
        for block in self.program.plan:
            x = self._run(block, x)
        return x

    def _run(self, block, x):
        join, nested, shared, number, (w, u, p), wide = block
        f = tg.tanh(x @ w) @ u
        if shared:
            f = f * tg.exp(-f)
        f = gate(f, self.zs[number])
        for inner in nested:
            f = self._run(inner, f)
        if join == "cat":
            return tg.concatenate([x, f], axis=1) @ wide
        return (x @ p if join == "projected" else x) + f


@given(programs(), st.data())
def test_what_exceeds_the_most_is_one_part(program, data):
    x, c = start(program)
    kinds = {"even": [], "odd": []}
    for n in range(program.count):
        kinds["odd" if n % 2 else "even"].append(f"branch{n}")
    kinds = {name: names for name, names in kinds.items() if names}
    limits = {name: data.draw(st.integers(0, 3)) for name in kinds}
    y = program.run(x)
    whole = tg.gradient_paths(y, x, through=kinds, cotangent=c)
    limited = tg.gradient_paths(y, x, limits, through=kinds, cotangent=c)
    most = tuple(limits.values())
    kept = {p for p in whole.by_crossings if all(a <= b for a, b in zip(p, most, strict=True))}
    assert limited.by_crossings.keys() == kept
    for powers in kept:
        np.testing.assert_allclose(
            limited.by_crossings[powers], whole.by_crossings[powers], rtol=1e-9, atol=1e-10
        )
    np.testing.assert_allclose(limited.total, whole.total, rtol=1e-9, atol=1e-10)


# --- what is a choice ----------------------------------------------------------------------------


def choices(y, x, **options):
    return tg.gradient_paths(y, x, cotangent=np.ones(y.shape), **options).choices


def test_the_skip_is_what_the_other_was_computed_from_or_has_fewer_ops_behind_it():
    x = tg.Tensor(np.ones((2, 4)), requires_grad=True)
    h, f = x * 1.0, None
    f = tg.tanh(h) * 2
    for y in (h + f, f + h):
        (choice,) = choices(y, x)
        assert choice.skip_node is h.node
        assert choice.branch_nodes == (f.node,)
    projected = h * 3
    (choice,) = choices(f + projected, x)
    assert choice.skip_node is projected.node
    (choice,) = choices(tg.concatenate([f, h]), x)
    assert (choice.kind, choice.skip) == ("concatenation", 1)
    (choice,) = choices(f + projected, x, branch=projected)
    assert choice.skip_node is f.node
    assert "addition" in repr(choice)


def test_what_has_nothing_in_common_is_no_choice():
    x = tg.Tensor(np.ones((2, 4)), requires_grad=True)
    bias, position = nn.Parameter(np.ones(4)), tg.Tensor(np.ones((2, 4)), requires_grad=True)
    squeezed = tg.sigmoid(x.mean(axis=1, keepdims=True))
    for y in (x @ np.ones((4, 4)) + bias, x + position, x + 1.0, x * squeezed, x + x, x - 0.5):
        assert choices(y, x) == []
    shared = tg.tanh(x @ np.ones((4, 4)) * bias) + tg.exp(position * bias)
    assert choices(shared, x) == []  # a parameter in common
    (choice,) = choices(tg.concatenate([position, x, x * 2]), x)
    assert (choice.skip, choice.branches) == (1, (2,))


def test_pieces_of_one_value_are_no_choice():
    x = tg.Tensor(np.ones((2, 4)), requires_grad=True)
    h = tg.tanh(x)
    assert choices(tg.concatenate([h[:, 2:], h[:, :2]], axis=1), x) == []
    assert len(choices(tg.concatenate([h[:, 2:], tg.exp(h[:, :2])], axis=1), x)) == 1


def test_a_place_can_be_ignored():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    with tg.scope("gelu"):
        h = x + tg.tanh(x)
    y = h + tg.exp(h)
    paths = tg.gradient_paths(y.sum(), x)
    assert paths.count == [1, 2, 1]
    for ignored in ("gelu", h, lambda node: node is h.node, ["gelu"]):
        assert tg.gradient_paths(y.sum(), x, ignore=ignored).count == [1, 1]
    assert tg.gradient_paths(y.sum(), x, ignore=lambda node: True).count == [1]


# --- marked parts --------------------------------------------------------------------------------


class Block(nn.Module):
    """What a transformer's block is to paths: two branches in turn."""

    def __init__(self):
        super().__init__()
        self.attention = nn.Sequential(nn.Linear(SIZE, SIZE), nn.Tanh())
        self.mlp = nn.Sequential(nn.Linear(SIZE, SIZE), nn.Tanh())

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.mlp(x)


def network(n=3):
    tg.manual_seed(0)
    model = nn.Sequential(*(Block() for _ in range(n))).astype(np.float64)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((2, SIZE)), requires_grad=True)
    return model, x, (model(x) ** 2).sum()


def test_modules_by_name_by_object_and_by_a_predicate():
    model, x, loss = network()
    named = tg.gradient_paths(loss, x, through="*.attention")
    given = tg.gradient_paths(loss, x, through=[block.attention for block in model])
    assert named.count == given.count == [1, 3, 3, 1]
    np.testing.assert_array_equal(named.by_length, given.by_length)
    assert [part.name for part in named.parts] == ["0.attention", "1.attention", "2.attention"]
    tanh = tg.gradient_paths(loss, x, through=lambda n: n.op is tg.tanh)
    both = tg.gradient_paths(loss, x, through=["*.attention", "*.mlp"])
    found = tg.gradient_paths(loss, x)
    np.testing.assert_allclose(tanh.by_length, found.by_length, rtol=1e-12)
    np.testing.assert_allclose(both.by_length, found.by_length, rtol=1e-12)


def test_a_table_and_its_margins():
    _, x, loss = network()
    paths = tg.gradient_paths(loss, x, through={"attention": "*.attention", "mlp": "*.mlp"})
    counts = [[math.comb(3, j) * math.comb(3, k) for k in range(4)] for j in range(4)]
    assert paths.kinds == ("attention", "mlp")
    assert paths.table("count").tolist() == counts
    for kind in paths.kinds:
        single = tg.gradient_paths(loss, x, through=f"*.{kind}")
        np.testing.assert_allclose(paths.margin(kind), single.by_length, rtol=1e-10, atol=1e-15)
    assert len(paths.sample((1, 2), 4)) == 4
    assert all(sum(taken) == 3 for taken, _ in paths.sample((1, 2), 4))


def test_each_call_of_a_shared_module_is_crossed():
    tg.manual_seed(0)
    shared = nn.Linear(SIZE, SIZE)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = shared

        def forward(self, x):
            return self.layer(self.layer(x)) + x

    x = tg.Tensor(np.ones((1, SIZE), np.float32), requires_grad=True)
    paths = tg.gradient_paths(Twice()(x).sum(), x, through="layer")
    assert paths.count == [1, 0, 1]
    assert paths.n_blocks == 2


def test_a_marked_node_is_passed_only_between_the_ends():
    x = tg.Tensor(np.ones(2), requires_grad=True)
    h = tg.tanh(x)
    y = tg.tanh(h)
    every = lambda node: node.op is tg.tanh  # noqa: E731
    assert tg.gradient_paths(y.sum(), x, through=every).count == [0, 0, 1]
    assert tg.gradient_paths(y.sum(), h, through=every).count == [0, 1]
    to_both = tg.gradient_paths(y, [x, h], through=every, cotangent=np.ones(2))
    assert [paths.count for paths in to_both] == [[0, 0, 1], [0, 1]]
    for paths, wrt in zip(to_both, (x, h), strict=True):
        np.testing.assert_allclose(paths.total, tg.grad(y, wrt, np.ones(2)).numpy())
    assert to_both[1].norms[0] == 0


@given(programs())
def test_several_ends_in_one_walk_are_as_each_by_itself(program):
    x, c = start(program)
    h = tg.tanh(x * 0.5)
    y = program.run(h)
    together = tg.gradient_paths(y, [x, h], cotangent=c)
    for paths, wrt in zip(together, (x, h), strict=True):
        alone = tg.gradient_paths(y, wrt, cotangent=c)
        assert paths.count == alone.count
        np.testing.assert_allclose(paths.by_length, alone.by_length, rtol=1e-12)
        np.testing.assert_allclose(paths.trellis, alone.trellis, rtol=1e-12)


def test_the_output_of_a_module_and_an_element_of_the_output():
    model, x, _ = network(2)
    y = model(x)
    paths = tg.gradient_paths(y, "0")
    with pytest.raises(ShapeError, match="gradient of that shape is needed"):
        paths.norms  # noqa: B018
    one = paths.of((1, 2))
    assert one.count == [1, 2, 1]
    c = np.zeros(y.shape)
    c[1, 2] = 1
    np.testing.assert_allclose(one.total, tg.gradient_paths(y, "0", cotangent=c).total)


def test_a_lesion_of_a_marked_part_and_of_a_branch_of_a_concatenation():
    model, x, loss = network()
    paths = tg.gradient_paths(loss, x, through="*.mlp")
    last = model[2].mlp[0]
    lesion = paths.lesion(2)
    for parameter in (last.weight, last.bias):
        parameter.data = np.zeros_like(parameter.data)  # tanh(0) = 0
    assert lesion.loss == pytest.approx((model(x) ** 2).sum().item())
    h = tg.tanh(x)
    f = h * 3
    y = (tg.concatenate([h, f], axis=1) ** 2).sum()
    assert tg.gradient_paths(y, x).lesion(0).loss == pytest.approx((h * h).sum().item())


# --- errors --------------------------------------------------------------------------------------

WRONG = [
    ({"through": "*.atention"}, OptionError, r"names nothing.*there are .*0\.attention"),
    ({"through": {}}, OptionError, "marks nothing"),
    ({"through": 3}, DtypeError, "not int"),
    ({"through": "*.mlp", "ignore": "0"}, OptionError, "without through"),
    ({"ignore": "3"}, OptionError, "ignore: '3' names nothing"),
    ({"max_length": {"a": 1}}, OptionError, "max_length has 'a'"),
    ({"wrt": "0.mlpp"}, OptionError, "wrt: '0.mlpp' names nothing"),
    ({"wrt": "*.mlp"}, OptionError, "gives 3 values"),
    ({"wrt": []}, DtypeError, "wrt must be one Tensor or Scalar, got list"),
    ({"cotangent": np.ones(2)}, ShapeError, "shape"),
]


@pytest.mark.parametrize(("options", "error", "said"), WRONG)
def test_what_cannot_be_asked_is_refused(options, error, said):
    _, x, loss = network()
    with pytest.raises(error, match=said):
        tg.gradient_paths(loss, **{"wrt": x, **options})


def test_a_table_that_is_not_there():
    _, x, loss = network()
    paths = tg.gradient_paths(loss, x)
    with pytest.raises(OptionError, match="'shares', 'norms' or 'count'"):
        paths.table("sum")
    with pytest.raises(OptionError, match="margin: the kinds are"):
        paths.margin("mlp")
    with pytest.raises(OptionError, match="no path crosses 9 branches; there are paths of length"):
        paths.sample(9)
    with pytest.raises(OptionError, match=r"of: the output has shape \(\)"):
        paths.of(3)
