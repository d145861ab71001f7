"""The code that measures what training reaches, on the data that comes along."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tinygrad_cnn as tg

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
import rows  # noqa: E402

LARGER = replace(rows.SHIPPED, epochs=6, examples=None)
QUICK = ["lenet", "lenet_plateau", "alexnet", "nin", "resnet20"]


def numbers(text):
    return [float(x) for x in re.findall(r"(?<![\d.])0?\.\d+(?![\de])", text)]


@pytest.mark.parametrize("name", QUICK)
def test_a_row_runs_and_repeats_to_the_digit(name):
    once, again = (rows.ROWS[name](seed=0, size=rows.SHIPPED) for _ in range(2))
    assert once == again
    assert all(0 <= x <= 1 for x in numbers(once))


@pytest.mark.slow
def test_bn_lenet_learns_and_folding_changes_no_prediction():
    reached = rows.bn_lenet(0, LARGER)
    assert float(reached.split(";")[0]) > 0.6
    assert "folded: 400 of 400 predictions the same" in reached
    population = re.search(r"population (\S+);", reached)
    assert float(population[1]) > 0.6


def test_statistics_of_the_batch_leave_the_model_as_it_was():
    tg.manual_seed(0)
    model = tg.models.BNLeNet().eval()
    before = model.state_dict()
    data = tg.data.fashion_mnist("test")
    assert 0 <= rows.batch_statistics_accuracy(model, data, 100) <= 1
    np.testing.assert_equal(model.state_dict(), before)
    assert not model.training


@pytest.mark.slow
def test_plain_and_residual_are_told_apart():
    pytest.importorskip("sklearn")  # has the digits
    reached = rows.plain_and_residual(0, rows.SHIPPED)
    kinds = ["plain 20", "residual 20", "plain 56", "residual 56"]
    assert re.findall(r"(?:plain|residual) \d+", reached) == kinds


@pytest.mark.slow
def test_sentences_are_learned():
    reached = rows.textcnn(0, replace(LARGER, epochs=4))
    ours, bayes = (float(re.search(rf"{name} (\S+)", reached)[1]) for name in ("TextCNN", "Bayes"))
    assert ours > 0.7
    assert bayes > 0.8


def test_naive_bayes_is_scikit_learns():
    naive_bayes = pytest.importorskip("sklearn.naive_bayes")
    vocabulary = tg.data.sentence_vocabulary()
    data, test = (tg.data.sentences(s, vocabulary=vocabulary) for s in ("train", "test"))

    def counts(sentences):
        table = np.stack([np.bincount(s, minlength=len(vocabulary)) for s in sentences.inputs])
        return table[:, 1:]  # without padding

    theirs = naive_bayes.MultinomialNB().fit(counts(data), data.labels)
    expected = theirs.score(counts(test), test.labels)
    assert rows.naive_bayes_accuracy(data, test, len(vocabulary)) == pytest.approx(expected)


@pytest.mark.slow
def test_the_policy_beats_the_most_frequent_move():
    reached = rows.go(0, replace(LARGER, epochs=1, examples=4000))
    policy, frequent = (numbers(part) for part in reached.split("; "))
    assert policy[0] > frequent[0]
    assert policy[1] > frequent[1]


def test_an_unknown_row_is_refused():
    command = [sys.executable, FOLDER / "train.py", "vgg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"no row vgg; there are {', '.join(rows.ROWS)}\n"
