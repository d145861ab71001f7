"""`fit`: it learns, repeats to the bit, ends when it should, and says what is wrong."""

import re
import signal
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.train.runs import Run, assert_same, images, without_seconds
from tinygrad_cnn.data import Dataset
from tinygrad_cnn.errors import DataError, GraphError, OptionError
from tinygrad_cnn.train import Epoch, GradientNorms, History, accuracy, predict


def test_it_learns():
    run = Run("adam")
    before = accuracy(run.model, run.loader.dataset)
    history = run.fit(12, held_out=run.loader.dataset)
    assert before < 0.3
    assert history.epochs[-1].held_out_accuracy > 0.8
    assert history.epochs[-1].loss < history.epochs[0].loss / 2


@pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
def test_one_seed_gives_the_same_numbers_bit_for_bit(optimizer):
    runs = [Run(optimizer, "cosine", seed=seed) for seed in (3, 3, 4)]
    ended = []
    for seed, run in zip((3, 3, 4), runs, strict=True):
        tg.manual_seed(seed)  # for dropout, since making the other models drew numbers
        history = run.fit(2, held_out=images(40))
        ended.append({**run.state, "steps": history.steps, "epochs": without_seconds(history)})
    assert_same(ended[0], ended[1])
    assert ended[0]["steps"] != ended[2]["steps"]


def test_an_epoch_is_the_mean_over_its_examples():
    run = Run(batch_size=40, data=images(100))
    history = run.fit(1, held_out=images(30))
    [epoch] = history.epochs
    assert epoch.loss == pytest.approx(np.average(history.steps, weights=[40, 40, 20]))
    assert epoch.held_out_accuracy == accuracy(run.model, images(30))
    assert not run.model.training


def test_training_goes_on_from_a_history():
    whole, parts = Run("adam", "cosine"), Run("adam", "cosine")
    tg.manual_seed(1)
    at_once = whole.fit(3)
    tg.manual_seed(1)
    first = parts.fit(1)
    continued = parts.fit(3, history=first)
    assert_same(parts.state, whole.state)
    assert continued.steps == at_once.steps
    assert without_seconds(continued) == without_seconds(at_once)
    assert len(first.epochs) == 1
    assert len(first.steps) == 3


# --- how it ends -----------------------------------------------------------------------------


def ctrl_c_at(number):
    def hook(step):
        if step.number == number:
            signal.raise_signal(signal.SIGINT)

    return hook


def test_ctrl_c_ends_after_the_step_that_runs():
    run, twin = Run(batch_size=10), Run(batch_size=10)
    handler = signal.getsignal(signal.SIGINT)
    tg.manual_seed(5)
    history = run.fit(4, hooks=[ctrl_c_at(13)])  # 10 steps an epoch
    assert history.interrupted
    assert len(history.steps) == 13
    assert len(history.epochs) == 1
    assert signal.getsignal(signal.SIGINT) is handler
    assert not run.model.training

    weights = {}

    def note(step):
        if step.number == 14:  # before its update: the weights that 13 steps made
            weights.update({n: p.data.copy() for n, p in step.model.named_parameters()})

    tg.manual_seed(5)
    assert not twin.fit(2, hooks=[note]).interrupted
    assert_same({name: run.model.state_dict()[name] for name in weights}, weights)


def test_ctrl_c_in_an_epochs_last_step_ends_with_the_epoch():
    history = Run().fit(3, hooks=[ctrl_c_at(3)], held_out=images(20))
    assert history.interrupted
    assert len(history.epochs) == 1
    assert not Run().fit(1, hooks=[ctrl_c_at(3)]).interrupted  # there was no more to do


def test_a_second_ctrl_c_ends_at_once():
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Run().fit(1, hooks=[ctrl_c_at(2), ctrl_c_at(2)])
    assert signal.getsignal(signal.SIGINT) is handler


def test_early_stop():
    run = Run()
    run.optimizer.lr = 0.0  # nothing can get better
    run.schedule = None
    history = run.fit(50, held_out=images(20), patience=2)
    assert history.stopped_early
    assert len(history.epochs) == 3
    assert history.best.epoch == 1


def epochs_of(accuracies):
    return [Epoch(i, 1.0, 0.5, a, 1.0) for i, a in enumerate(accuracies, 1)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 5))
def test_patience_runs_out_when_the_last_epochs_brought_nothing_better(accuracies, patience):
    history = History([], epochs_of(accuracies))
    assert history.best.epoch == 1 + accuracies.index(max(accuracies))
    before, last = accuracies[:-patience], accuracies[-patience:]
    assert history.has_run_out(patience) == (bool(before) and max(before) >= max(last))


def test_without_held_out_data_the_lowest_loss_is_best():
    history = History([], [Epoch(i, loss, 0.5, None, 1.0) for i, loss in enumerate([3, 1, 2], 1)])
    assert history.best.loss == 1
    assert History().best is None


# --- what a step does ------------------------------------------------------------------------


def test_the_schedule_sets_the_rate_of_every_step():
    run = Run("sgd", "cosine")
    rates = []
    run.fit(4, hooks=[lambda step: rates.append(run.optimizer.lr)])
    assert rates == [run.schedule.at(epoch + k / 3) for epoch in range(4) for k in range(3)]


def test_gradient_norms_of_every_layer():
    norms, every_second, seen = GradientNorms(), GradientNorms(every=2), []

    def look(step):
        seen.append({n: p.grad.data.copy() for n, p in step.model.named_parameters()})

    Run().fit(2, hooks=[norms, every_second, look], clip_norm=1e-3)
    assert list(norms.layers) == ["conv", "bn", "dense"]
    for layer, values in norms.layers.items():
        by_hand = [
            np.linalg.norm(np.concatenate([g[f"{layer}.{p}"].ravel() for p in ("weight", "bias")]))
            for g in seen
        ]
        np.testing.assert_allclose(values, by_hand, rtol=1e-5)
        assert every_second.layers[layer] == values[::2]
    assert norms.steps == [1, 2, 3, 4, 5, 6]
    assert every_second.steps == [1, 3, 5]


def test_clipped_gradients_make_small_steps():
    run = Run("sgd")
    before = np.concatenate([p.data.ravel() for p in run.model.parameters()])
    run.fit(1, clip_norm=0.01)
    after = np.concatenate([p.data.ravel() for p in run.model.parameters()])
    assert 0 < np.linalg.norm(after - before) <= 3 * 0.05 * 0.01 * 1.001  # three steps of lr 0.05


def test_the_bar_shows_loss_accuracy_and_speed(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # to fit in a few, some versions of tqdm cut it
    Run().fit(1, held_out=images(20), progress=True)
    shown = capsys.readouterr().err
    assert re.search(r"epoch 1/1.*loss \d\.\d{3}, accuracy 0\.\d{3}, [\d,]+ images/s", shown)
    assert "held out 0." in shown
    Run().fit(1)
    assert capsys.readouterr() == ("", "")


# --- predictions -----------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_predict_is_evaluation_whatever_the_mode(training):
    run, data = Run(), images(21)
    run.fit(1)
    run.model.train(training)
    logits = predict(run.model, data.inputs, batch_size=8)
    assert run.model.training is training
    by_hand = run.model.eval()(tg.Tensor(data.inputs)).data
    np.testing.assert_allclose(logits, by_hand, rtol=1e-5, atol=1e-6)
    assert accuracy(run.model, data) == (by_hand.argmax(axis=1) == data.labels).mean()


def test_predict_leaves_each_layer_in_its_own_mode():
    run = Run()
    modules = [module for _, module in run.model.named_modules()]
    run.model.train()
    modules[-1].eval()  # as one freezes a layer
    predict(run.model, images().inputs)
    assert [module.training for module in modules] == [True] * (len(modules) - 1) + [False]


# --- errors ----------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_and_names_the_step():
    data = images()
    inputs = data.inputs.copy()
    inputs[70] = np.nan  # in the third batch of 32
    run = Run(data=Dataset(inputs, data.labels), shuffle=False)
    twin = Run(data=Dataset(data.inputs[:64], data.labels[:64]), shuffle=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tg.manual_seed(2)
        with pytest.raises(GraphError, match="the loss became nan in epoch 1, step 3"):
            run.fit(2)
    tg.manual_seed(2)
    twin.fit(1)
    for (name, p), q in zip(run.model.named_parameters(), twin.model.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data, err_msg=name)


def test_a_step_that_is_much_too_long_is_told_in_words():
    run = Run()
    run.optimizer.lr = 1e30
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(GraphError, match=r"the loss became .* step \d+; try a smaller"):
            run.fit(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epochs": 1, "clip_norm": 0.0}, "clip_norm must be above 0"),
        ({"epochs": 1, "patience": 0}, "patience must be at least 1, got 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Run().fit(**options)


def test_a_data_set_is_no_loader():
    run = Run()
    run.loader = run.loader.dataset
    with pytest.raises(OptionError, match=r"use tg\.data\.DataLoader"):
        run.fit(1)


def test_parts_that_do_not_belong_together_are_refused():
    run, other = Run("sgd", "cosine"), Run("sgd", "cosine")
    for parts, message in (
        ({"optimizer": other.optimizer}, "the SGD moves no parameter of the Sequential"),
        ({"schedule": other.schedule}, "the schedule is of another optimizer"),
        ({"held_out": run.loader}, "held_out must be a Dataset, got DataLoader"),
    ):
        options = {"optimizer": run.optimizer, "epochs": 1, "progress": False} | parts
        with pytest.raises(OptionError, match=message):
            tg.train.fit(run.model, run.loader, **options)


def test_a_label_out_of_range_is_named():
    data = images()
    labels = data.labels.copy()
    labels[5] = 10
    with pytest.raises(OptionError, match="class 10 in target, but the logits have 10 classes"):
        Run(data=Dataset(data.inputs, labels)).fit(1)


def test_a_checkpoint_that_could_not_be_written_is_refused_before_training(tmp_path):
    run = Run()
    with pytest.raises(DataError, match="there is no folder"):
        run.fit(1, checkpoint=tmp_path / "nowhere" / "a.safetensors")
    assert run.loader.epoch == 0


def test_no_inputs_give_no_prediction():
    with pytest.raises(OptionError, match="at least 1 input"):
        predict(Run().model, images().inputs[:0])
