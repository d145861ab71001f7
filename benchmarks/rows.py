"""What training reaches: one function for each row of the table in README.md.

A row takes a seed and returns what it reached, in words. Each is as large as its `Size` says:
MEASURED is what the table reports, SHIPPED the same code on the data that comes along, for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.data import DataLoader, Dataset, RandomFlip
from tinygrad_cnn.data.go_games import PLANES
from tinygrad_cnn.optim import SGD, Adam, CosineSchedule, Optimizer
from tinygrad_cnn.train import History, accuracy, fit, predict


@dataclass(frozen=True)
class Size:
    """How much of everything a run takes.

    Attributes:
        full: whether to use all of Fashion-MNIST, or only the images that come along.
        epochs: how many at most; None for as many as the row is made for.
        examples: how many at most in training; None for all.
        folds: how many splits of the sentences are measured.
    """

    full: bool = True
    epochs: int | None = None
    examples: int | None = None
    folds: int = 5

    def images(self, split: str) -> Dataset:
        """Fashion-MNIST."""
        return tg.data.load("fashion_mnist", split, full=self.full)

    def some(self, data: Dataset, n: int | None = None) -> Dataset:
        """The data, or at most n of its examples."""
        n = min(x for x in (n, self.examples, len(data)) if x is not None)
        return data if n == len(data) else data.subset(n, seed=0)


MEASURED = Size()
SHIPPED = Size(full=False, epochs=1, examples=128, folds=1)


def train(
    model: Any,
    data: Dataset,
    size: Size,
    seed: int,
    *,
    epochs: int,
    batch_size: int,
    optimizer: Callable[[Any], Optimizer],
    test: Dataset | None = None,
    cosine: bool = False,
    warmup: float = 0.0,
    augment: Any = (),
) -> History:
    """One training run; with `test`, accuracy on it after each epoch (no epoch is chosen by it)."""
    epochs = min(epochs, size.epochs or epochs)
    moved = optimizer(model.parameters())
    loader = DataLoader(data, min(batch_size, len(data)), seed=seed, augment=augment)
    schedule = CosineSchedule(moved, epochs, warmup=warmup * (epochs > 1)) if cosine else None
    return fit(model, loader, moved, epochs, held_out=test, schedule=schedule)


def xavier(name: str, seed: int, **options: Any) -> Any:
    """A fresh model with d2l.ai's initialisation."""
    tg.manual_seed(seed)
    return tg.nn.init.initialize(tg.models.build(name, **options), "xavier_uniform")


def curve(history: History) -> str:
    """Test accuracy after each epoch."""
    return " ".join(f"{e.held_out_accuracy:.3f}".lstrip("0") for e in history.epochs)


def last(history: History) -> float:
    """Test accuracy after the last epoch."""
    return history.epochs[-1].held_out_accuracy or 0.0


# --- LeNet, and batch norm -----------------------------------------------------------------------


def _lenet(name: str, lr: float, batch_size: int, seed: int, size: Size) -> tuple[Any, History]:
    model = xavier(name, seed)
    history = train(
        model, size.some(size.images("train")), size, seed, test=size.some(size.images("test")),
        epochs=10, batch_size=batch_size, optimizer=lambda p: SGD(p, lr),
    )  # fmt: skip
    return model, history


def lenet(seed: int, size: Size) -> str:
    """LeNet (sigmoid, average pooling), learning rate 0.9, batch 256, 10 epochs."""
    _, history = _lenet("lenet", 0.9, 256, seed, size)
    return f"{last(history):.3f}; by epoch {curve(history)}"


def lenet_plateau(seed: int, size: Size) -> str:
    """LeNet, learning rate 0.1, batch 128, 10 epochs: beside BN-LeNet's curve."""
    _, history = _lenet("lenet", 0.1, 128, seed, size)
    return f"{last(history):.3f}; by epoch {curve(history)}"


def bn_lenet(seed: int, size: Size) -> str:
    """BN-LeNet, learning rate 0.1, batch 128, 10 epochs; then batch norm at test time."""
    model, history = _lenet("bn_lenet", 0.1, 128, seed, size)
    test = size.some(size.images("test"))
    return f"{last(history):.3f}; by epoch {curve(history)}; {_at_test_time(model, size, test)}"


def _at_test_time(model: Any, size: Size, test: Dataset) -> str:
    """The accuracy for each kind of statistics, and whether folding changes a prediction."""
    moving = predict(model, test.inputs)
    folded = predict(folded_bn_lenet(model), test.inputs)
    agree = int((moving.argmax(1) == folded.argmax(1)).sum())
    by_batch = {n: batch_statistics_accuracy(model, test, n) for n in (128, 8)}
    moving_accuracy = accuracy(model, test)
    tg.nn.use_population_statistics(
        model, DataLoader(size.some(size.images("train")), min(128, size.examples or 128), seed=0)
    )
    return (
        f"statistics of the test batch (128) {by_batch[128]:.4f}, (8) {by_batch[8]:.4f}, "
        f"moving average {moving_accuracy:.4f}, population {accuracy(model, test):.4f}; "
        f"folded: {agree:,} of {len(test):,} predictions the same, logits differ by at most "
        f"{np.abs(moving - folded).max():.1e}"
    )


def batch_statistics_accuracy(model: Any, data: Dataset, batch_size: int) -> float:
    """Accuracy if each test batch is normalised by itself. Running statistics are not changed."""
    state = model.state_dict()
    model.train()
    with tg.no_grad():
        right = [
            (model(tg.Tensor(inputs)).data.argmax(1) == labels).sum()
            for inputs, labels in DataLoader(data, batch_size, shuffle=True)
        ]
    model.eval()
    model.load_state_dict(state)
    return float(sum(right) / len(data))


def folded_bn_lenet(model: Any) -> Any:
    """BN-LeNet with each batch norm folded into the layer before it."""
    parts = []
    for part in (model.features, model.classifier):  # in the order in which they run
        for layer in part:
            if isinstance(layer, tg.nn.BatchNorm1d | tg.nn.BatchNorm2d):
                parts[-1] = tg.nn.fold_batch_norm(parts[-1], layer)
            else:
                parts.append(layer)
    return tg.nn.Sequential(*parts).eval()


# --- larger networks, made smaller -----------------------------------------------------------


def _enlarged(data: Dataset) -> Dataset:
    """Each pixel as 3×3: AlexNet's first layers need images of 65×65 or more."""
    return replace(data, inputs=data.inputs.repeat(3, axis=2).repeat(3, axis=3))


def _eighth(model: Any, seed: int, size: Size, epochs: int, lr: float) -> str:
    data = _enlarged(size.some(size.images("train"), 20_000))
    test = _enlarged(size.some(size.images("test")))
    train(model, data, size, seed, epochs=epochs, batch_size=64, cosine=True, warmup=0.5,
          optimizer=lambda p: Adam(p, lr))  # fmt: skip
    return f"{accuracy(model, test):.3f}"


def alexnet(seed: int, size: Size) -> str:
    """AlexNet, an eighth as wide, 84×84 (enlarged), 20,000 images, 10 epochs."""
    tg.manual_seed(seed)
    return _eighth(tg.models.AlexNet(image_size=84, width=0.125), seed, size, 10, 1e-3)


def nin(seed: int, size: Size) -> str:
    """NiN, an eighth as wide, on the same images, 10 epochs."""
    tg.manual_seed(seed)
    model = tg.nn.init.initialize(tg.models.NiN(width=0.125), "he_normal")
    return _eighth(model, seed, size, 10, 2e-3)


def plain_and_residual(seed: int, size: Size) -> str:
    """Networks of 20 and 56 layers, 8-16-32 channels, on the 8×8 digits, 10 epochs."""
    data = tg.data.digits("train")
    data, test = size.some(data), size.some(tg.data.digits("test"))
    reached = []
    for n in (3, 9):
        for residual in (False, True):
            tg.manual_seed(seed)
            model = tg.models.ResNet((n, n, n), (8, 16, 32), shortcut="padding", residual=residual)
            history = train(model, data, size, seed, epochs=10, batch_size=64,
                            optimizer=lambda p: SGD(p, 0.05, momentum=0.9))  # fmt: skip
            kind = "residual" if residual else "plain"
            reached.append(
                f"{kind} {6 * n + 2}: training loss {history.epochs[-1].loss:.3f}, "
                f"test {accuracy(model, test):.3f}"
            )
    return "; ".join(reached)


def resnet20(seed: int, size: Size) -> str:
    """ResNet-20 with 8-16-32 channels, flips, Adam with a cosine schedule, 6 epochs."""
    tg.manual_seed(seed)
    model = tg.models.ResNet((3, 3, 3), (8, 16, 32), shortcut="padding")
    test = size.some(size.images("test"))
    history = train(
        model, size.some(size.images("train")), size, seed, test=test, epochs=6, batch_size=128,
        cosine=True, warmup=0.5, augment=RandomFlip(), optimizer=lambda p: Adam(p, 0.01),
    )  # fmt: skip
    return f"{last(history):.3f}; by epoch {curve(history)}"


# --- sentences and Go ------------------------------------------------------------------------


def textcnn(seed: int, size: Size) -> str:
    """TextCNN (50 dimensions, widths 3, 4, 5, 50 filters each) and naive Bayes, five splits."""
    ours, bayes = [], []
    for fold in range(size.folds):
        vocabulary = tg.data.sentence_vocabulary(fold)
        data, test = (tg.data.sentences(s, fold, vocabulary=vocabulary) for s in ("train", "test"))
        bayes.append(naive_bayes_accuracy(data, test, len(vocabulary)))
        tg.manual_seed(seed)
        model = tg.models.TextCNN(len(vocabulary), dimensions=50, filters=50)
        train(model, size.some(data), size, seed, epochs=10, batch_size=50,
              optimizer=lambda p: Adam(p, 2e-3))  # fmt: skip
        ours.append(accuracy(model, test))
    wins = sum(a > b for a, b in zip(ours, bayes, strict=True))
    winner = "TextCNN" if np.mean(ours) > np.mean(bayes) else "naive Bayes"
    return (
        f"TextCNN {np.mean(ours):.3f} ({_list(ours)}), naive Bayes {np.mean(bayes):.3f} "
        f"({_list(bayes)}): {winner} wins on average; TextCNN on {wins} of {len(ours)} splits"
    )


def naive_bayes_accuracy(data: Dataset, test: Dataset, words: int) -> float:
    """Accuracy of a multinomial naive Bayes on word counts, with Laplace smoothing."""
    padding = tg.data.Vocabulary.PAD
    counts = np.ones((2, words))
    for label in (0, 1):
        counts[label] += np.bincount(data.inputs[data.labels == label].ravel(), minlength=words)
    evidence = np.log(counts[:, 1:] / counts[:, 1:].sum(axis=1, keepdims=True))
    evidence = np.insert(evidence, padding, 0.0, axis=1)
    score = evidence[:, test.inputs].sum(axis=2) + np.log(np.bincount(data.labels))[:, None]
    return float((score.argmax(axis=0) == test.labels).mean())


def go(seed: int, size: Size) -> str:
    """Go policy, 9×9, 32 channels, 5 layers, 4 epochs; moves of 50 games that it has not seen."""
    data, test = tg.data.go_games("train"), size.some(tg.data.go_games("test"))
    legal = test.inputs[:, PLANES.index("legal")].reshape(len(test), -1)
    frequency = np.bincount(data.labels, minlength=81)
    tg.manual_seed(seed)
    model = tg.models.go_policy_9x9()
    train(model, size.some(data), size, seed, epochs=4, batch_size=64, cosine=True,
          optimizer=lambda p: Adam(p, 2e-3))  # fmt: skip
    scores = {
        "policy": np.where(legal > 0, predict(model, test.inputs), -np.inf),
        "most frequent legal move": np.where(legal > 0, frequency, -1.0),
    }
    return "; ".join(
        f"{name}: top-1 {top(1, score, test):.3f}, top-5 {top(5, score, test):.3f}"
        for name, score in scores.items()
    )


def top(k: int, scores: Any, data: Dataset) -> float:
    """How often the label is among the k highest scores."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == data.labels[:, None]).any(axis=1).mean())


def _list(numbers: list[float]) -> str:
    return " ".join(f"{number:.3f}".lstrip("0") for number in numbers)


ROWS: dict[str, Callable[[int, Size], str]] = {
    row.__name__: row
    for row in (
        lenet, lenet_plateau, bn_lenet, resnet20, alexnet, nin, plain_and_residual, textcnn, go,
    )
}  # fmt: skip
