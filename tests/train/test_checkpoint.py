"""Checkpoints: what was saved comes back to the bit, or an error says why not."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.train.runs import OPTIMIZERS, SCHEDULES, Run, assert_same, images, without_seconds
from tinygrad_cnn import nn
from tinygrad_cnn.data import RandomFlip
from tinygrad_cnn.engine.defaults import generator
from tinygrad_cnn.errors import DataError, DtypeError, OptionError, ShapeError, TinygradError
from tinygrad_cnn.train import checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def resume(path, run):
    return checkpoint.load(
        path, run.model, optimizer=run.optimizer, schedule=run.schedule, loader=run.loader
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_training_equals_uninterrupted_training(path, optimizer, schedule):
    options = {"held_out": images(20)}
    whole = Run(optimizer, schedule, augment=RandomFlip())
    at_once = whole.fit(4, **options)
    end = whole.state
    Run(optimizer, schedule, augment=RandomFlip()).fit(2, checkpoint=path, **options)
    run = Run(optimizer, schedule, seed=9, augment=RandomFlip())  # other weights, until it loads
    run.loader.seed = 0
    history = run.fit(4, history=resume(path, run), **options)
    assert_same(run.state, end)
    assert history.steps == at_once.steps
    assert without_seconds(history) == without_seconds(at_once)


def test_after_ctrl_c_the_file_goes_on_from_the_last_whole_epoch(path):
    def ctrl_c(step):
        if step.number == 5:  # the second of three in its epoch
            signal.raise_signal(signal.SIGINT)

    whole, stopped, resumed = (Run("adam", "cosine", seed=0) for _ in range(3))
    tg.manual_seed(0)
    whole.fit(3)
    end = whole.state
    tg.manual_seed(0)
    assert stopped.fit(3, checkpoint=path, hooks=[ctrl_c]).interrupted
    resumed.fit(3, history=resume(path, resumed))
    assert_same(resumed.state, end)


def test_weights_alone_leave_the_random_generator_as_it_is(path):
    run = Run()
    checkpoint.save(path, run.model)
    before = generator().bit_generator.state
    other = Run(seed=1)
    state = generator().bit_generator.state
    assert checkpoint.load(path, other.model).epochs == []
    assert generator().bit_generator.state == state != before
    assert_same(other.model.state_dict(), run.model.state_dict())


def test_a_file_says_what_it_is(path):
    Run().fit(2, checkpoint=path)
    about = checkpoint.about(path)
    assert about["model"] == "Sequential"
    assert about["data"] == "Fashion-MNIST train"
    assert about["classes"][9] == "ankle boot"
    assert about["epochs"] == 2


def test_the_same_state_makes_the_same_file(tmp_path):
    run = Run("adam")
    run.fit(1)
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, run.model, optimizer=run.optimizer, loader=run.loader)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- whole, whatever happens -----------------------------------------------------------------

WRITER = """
    import os, signal, sys
    import numpy as np
    from tinygrad_cnn import checkpoint, nn

    def die(*args):
        os.kill(os.getpid(), signal.SIGKILL)

    def die_half_written(handle):
        os.ftruncate(handle, os.fstat(handle).st_size // 2)
        die()

    replace = os.replace
    if sys.argv[2] == "writing":
        os.fsync = die_half_written
    elif sys.argv[2] == "written":
        os.replace = die
    else:
        os.replace = lambda a, b: (replace(a, b), die())
    model = nn.Linear(3, 2)
    for p in model.parameters():
        p.data = np.full(p.shape, 2.0)
    checkpoint.save(sys.argv[1], model)
"""


def test_killed_at_any_moment_the_old_file_or_the_new_one_is_whole(path):
    model = nn.Linear(3, 2)
    expected = {"writing": 1.0, "written": 1.0, "in place": 2.0}
    running = {}
    for moment in expected:
        for p in model.parameters():
            p.data = np.full(p.shape, 1.0)
        file = path.with_stem(moment)
        checkpoint.save(file, model)
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(file), moment]
        running[moment] = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    for moment, writer in running.items():
        assert writer.wait() == -signal.SIGKILL
        checkpoint.load(path.with_stem(moment), model)
        assert all((p.data == expected[moment]).all() for p in model.parameters()), moment


def test_what_cannot_be_written_leaves_the_old_file(path, monkeypatch):
    old, new = Run(), Run(seed=1)
    checkpoint.save(path, old.model)

    def full(handle):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"model\.safetensors: cannot be written: no space left"):
        checkpoint.save(path, new.model)
    monkeypatch.undo()
    checkpoint.load(path, new.model)
    assert_same(new.model.state_dict(), old.model.state_dict())
    assert os.listdir(path.parent) == [path.name]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A checkpoint, and its contents."""
    path = tmp_path_factory.mktemp("damaged") / "whole.safetensors"
    Run("adam").fit(1, checkpoint=path)
    return path, path.read_bytes()


@given(where=st.floats(0, 1), header=st.booleans(), bit=st.integers(0, 7))
def test_no_bit_is_flipped_unnoticed(file, where, header, bit):
    path, content = file
    length = 8 + int.from_bytes(content[:8], "little") if header else len(content)
    damaged = bytearray(content)
    damaged[min(int(where * length), length - 1)] ^= 1 << bit
    broken = path.with_name("broken.safetensors")
    broken.write_bytes(damaged)
    with pytest.raises(TinygradError, match=r"broken\.safetensors: "):
        resume(broken, Run("adam"))


@given(where=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_refused(file, where):
    path, content = file
    broken = path.with_name("short.safetensors")
    broken.write_bytes(content[: int(where * len(content))])
    with pytest.raises(DataError, match=r"short\.safetensors: damaged"):
        checkpoint.about(broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged, or no safetensors file"),
        (b"no such thing", "damaged, or no safetensors file"),
        (b"PK\x03\x04" + b"\0" * 100, "a pickle runs code when it is read"),  # torch.save's
        (pickle.dumps({"weight": 1.0}), "a pickle runs code when it is read"),
    ],
)
def test_another_kind_of_file_is_refused(path, content, message):
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"model\.safetensors: {message}"):
        checkpoint.load(path, Run().model)


# --- what does not fit -----------------------------------------------------------------------


def test_another_models_file_lists_what_differs(path):
    checkpoint.save(path, nn.Sequential(a=nn.Linear(3, 2), b=nn.Linear(2, 2, bias=False)))
    other = nn.Sequential(a=nn.Linear(4, 2), c=nn.Linear(2, 2, bias=False))
    before = other.state_dict()
    with pytest.raises(ShapeError) as caught:
        checkpoint.load(path, other)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "missing: c.weight" in message
    assert "unexpected: b.weight" in message
    assert "of another shape: a.weight (2, 3), the model has (2, 4)" in message
    assert_same(other.state_dict(), before)


def test_a_model_that_computes_something_else_with_the_tensors_is_refused(path):
    lenet = tg.models.LeNet
    checkpoint.save(path, lenet(activation="relu"))
    other = lenet(pooling="max")
    before = other.state_dict()
    message = r"file's features\.act1 is ReLU\(\), the model's Sigmoid\(\) \(and 5 more\)"
    with pytest.raises(OptionError, match=message):
        checkpoint.load(path, other)
    assert_same(other.state_dict(), before)
    checkpoint.load(path, lenet(activation="relu"))


def test_a_model_is_restored_as_it_was_built_if_the_file_knows_how(path):
    vectors = np.ones((9, 4))  # no option that a file can carry, nor needed
    model = tg.models.build(
        "textcnn", vocabulary=9, dimensions=4, widths=(2,), filters=3, vectors=vectors
    )
    checkpoint.save(path, model)
    assert_same(checkpoint.restore(path).state_dict(), model.state_dict())
    with pytest.raises(ShapeError, match="holds a textcnn, not a lenet"):
        checkpoint.restore(path, "lenet")
    checkpoint.save(path, tg.models.LeNet())
    with pytest.raises(OptionError, match="does not say which model it holds"):
        checkpoint.restore(path)
    assert isinstance(checkpoint.restore(path, "lenet"), tg.models.LeNet)


def test_dropout_may_differ(path):
    checkpoint.save(path, nn.Sequential(drop=nn.Dropout(0.5), dense=nn.Linear(3, 2)))
    checkpoint.load(path, nn.Sequential(drop=nn.Dropout(0.1), dense=nn.Linear(3, 2)))


def test_another_dtype_is_not_cast(path):
    checkpoint.save(path, nn.Linear(3, 2).astype(np.float64))
    model = nn.Linear(3, 2)
    with pytest.raises(DtypeError, match=r"weight is float64, the model's float32: use model.asty"):
        checkpoint.load(path, model)
    checkpoint.load(path, model.astype(np.float64))


def test_a_file_without_training_cannot_be_gone_on_with(path):
    run = Run()
    checkpoint.save(path, run.model)
    with pytest.raises(OptionError, match="holds no optimizer's state"):
        checkpoint.load(path, run.model, optimizer=run.optimizer)


def test_another_loader_or_optimizer_is_refused(path):
    Run("adam").fit(1, checkpoint=path)
    wrong = {
        "the training had batch_size=32, batches=3, and this loader has batch_size=24, batches=4":
            Run("adam", batch_size=24),
        "the training had seed=0, and this loader has seed=1": Run("adam", seed=1),
        "had data=Fashion-MNIST train, and this loader has data=shoes":
            Run("adam", data=replace(images(), name="shoes")),
        "augment=": Run("adam", augment=RandomFlip()),
        "SGD: this is the state of Adam": Run("sgd"),
    }  # fmt: skip
    for message, run in wrong.items():
        before = run.state
        with pytest.raises(OptionError, match=message):
            resume(path, run)
        assert_same(run.state, before)


def test_paths_that_lead_nowhere_are_named(tmp_path):
    model = nn.Linear(2, 2)
    with pytest.raises(DataError, match=r"none\.safetensors: there is no such file"):
        checkpoint.load(tmp_path / "none.safetensors", model)
    with pytest.raises(DataError, match="is a folder, and a file is needed"):
        checkpoint.load(tmp_path, model)
    with pytest.raises(DataError, match="there is no folder"):
        checkpoint.save(tmp_path / "none" / "a.safetensors", model)
    with pytest.raises(DataError, match="is a folder, and a file is needed"):
        checkpoint.save(tmp_path, model)


# --- other programs --------------------------------------------------------------------------


def test_a_foreign_file_loads_if_its_names_are_ours(path):
    from safetensors.numpy import save_file

    source, model = Run().model, Run(seed=1).model
    save_file(source.state_dict(), path)
    checkpoint.load(path, model)
    assert_same(model.state_dict(), source.state_dict())
    assert checkpoint.about(path) == {}


def test_the_weights_load_into_torch_and_come_back(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    twin = torch.nn.Sequential()
    for name, layer in {
        "conv": torch.nn.Conv2d(1, 4, 5, stride=3),
        "bn": torch.nn.BatchNorm2d(4),
        "act": torch.nn.ReLU(),
        "flatten": torch.nn.Flatten(),
        "drop": torch.nn.Dropout(0.3),
        "dense": torch.nn.Linear(256, 10),
    }.items():
        twin.add_module(name, layer)
    twin.eval()
    run = Run("adam")
    run.fit(2, checkpoint=path)
    tensors = load_file(path)
    twin.load_state_dict({name: t for name, t in tensors.items() if "/" not in name})
    x = images(8).inputs
    ours = tg.train.predict(run.model, x)
    np.testing.assert_allclose(twin(torch.tensor(x)).detach().numpy(), ours, rtol=1e-4, atol=1e-5)

    with torch.no_grad():
        for p in twin.parameters():
            p.mul_(0.5)
    save_file(twin.state_dict(), path)
    checkpoint.load(path, run.model)
    theirs = twin(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(tg.train.predict(run.model, x), theirs, rtol=1e-4, atol=1e-5)
