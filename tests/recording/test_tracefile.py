"""A trace as a file: what was saved is what is loaded."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DataError, GraphError

pytestmark = pytest.mark.filterwarnings("ignore:invalid value")
swish = tg.op("swish", lambda x: x / (1 + np.exp(-x)), lambda g, y, x: g * (y + 1))


def recorded(keep="values"):
    """A run with several outputs, an index, a mask, an op of one's own, and two backward passes."""
    rng = np.random.default_rng(0)
    tg.manual_seed(0)
    net = tg.nn.Sequential(tg.nn.Linear(6, 4), tg.nn.BatchNorm1d(4), tg.nn.Dropout(0.5))
    x = tg.Tensor(rng.normal(size=(5, 6)), np.float32, name="x")
    with tg.trace(keep=keep) as t:
        y = swish(net(x)[:, [0, 2, 2]])
        tg.cross_entropy(y, np.array([0, 1, 2, 0, 1])).backward()
        (y * np.inf).sum().backward()
    return t


def same(a, b):
    """Whether two values of events agree to the bit, NaN included."""
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray | np.generic):
        np.testing.assert_array_equal(a, b)
        return a.dtype == b.dtype and a.shape == b.shape
    return a == b or repr(a) == repr(b)


@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_what_was_saved_is_loaded(tmp_path, keep):
    t = recorded(keep)
    t.save(tmp_path / "run.safetensors")
    loaded = tg.load_trace(tmp_path / "run.safetensors")
    assert loaded.keep == keep
    assert len(t.events) == len(loaded.events)
    for a, b in zip(t.events, loaded.events, strict=True):
        assert (a.kind, a.op, a.scope, a.seconds, a.cost) == (
            b.kind, b.op, b.scope, b.seconds, b.cost,
        )  # fmt: skip
        for name in ("inputs", "output", "cotangent", "gradients", "sums"):
            assert same(getattr(a, name), getattr(b, name)), (a.op, name)
        if a.node in t.graph:
            assert t.graph.id(a.node) == loaded.graph.id(b.node)
    assert f"{t.summary()}" == f"{loaded.summary()}"
    assert t.graph.to_json() == loaded.graph.to_json().replace(
        '"test_tracefile.py"', json.dumps(__file__)
    )


def test_the_program_travels_without_its_directory(tmp_path):
    t = recorded()
    t.save(tmp_path / "run")
    loaded = tg.load_trace(tmp_path / "run")
    with open(__file__, encoding="utf-8") as file:
        assert loaded.sources == {"test_tracefile.py": file.read()}
    assert {event.source[0] for event in loaded.events} == {"test_tracefile.py"}
    loaded.save(tmp_path / "again")  # a loaded trace can be handed on
    assert tg.load_trace(tmp_path / "again").sources == loaded.sources
    with safe_open(tmp_path / "run", framework="numpy") as file:
        assert str(tmp_path.parent.parent) not in file.metadata()["trace"]


def test_an_array_is_stored_once(tmp_path):
    x = tg.Tensor(np.zeros(10_000), requires_grad=True)
    with tg.trace() as t:
        x.exp().sin().sum().backward()
    t.save(tmp_path / "run")
    arrays = 3 + 2 + 1  # x and two results; the gradients at them, one kept by the leaf
    assert (tmp_path / "run").stat().st_size < (arrays + 1) * 80_000


def test_a_loaded_run_computes_as_far_as_its_ops_are_known(tmp_path):
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    with tg.trace() as t:
        swish(x * 2)
    t.save(tmp_path / "run")
    graph = tg.load_trace(tmp_path / "run").graph
    doubled = graph.nodes[2]
    assert graph.subgraph([0, 1, 2]).replay({0: [5.0, 6.0]})[doubled].numpy().tolist() == [10, 12]
    with pytest.raises(GraphError, match="swish: this op was declared where the graph was recorde"):
        graph.replay({0: [5.0, 6.0]})


def test_what_is_no_trace(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(DataError, match=r"load_trace: cannot read .*file"):
        tg.load_trace(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="load_trace: cannot read"):
        tg.load_trace(path)
    save_file({"w": np.zeros(3)}, path)
    with pytest.raises(DataError, match="holds no trace in the format"):
        tg.load_trace(path)
    damaged = {"format": "tinygrad_cnn trace 1", "keep": "values", "graph": {}, "events": []}
    save_file({"w": np.zeros(3)}, path, metadata={"trace": json.dumps(damaged)})
    with pytest.raises(DataError, match="this is no graph in the format"):
        tg.load_trace(path)
