"""One sample of every kind of picture, on a page for a person to judge: `make gallery`.

A new kind of picture gets a function here and a line in `SAMPLES`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.data import fashion_mnist
from tinygrad_cnn.data.photographs import photographs

from .graphs.bars import gradient_bars
from .graphs.draw import draw
from .graphs.facts import SHOWN
from .graphs.flow import gradient_flow
from .layers.connectivity import connectivity
from .layers.distributions import histograms
from .layers.maps import feature_maps, filters
from .layers.normalising import batch_norm
from .layers.receptive import receptive_field
from .layers.textbook import architecture
from .paths import path_lengths, unroll
from .picture.gallery import Section, write_page
from .picture.picture import Picture
from .plots.confusions import confusion
from .plots.curves import training
from .plots.images import images
from .plots.jacobian import jacobian
from .plots.panels import panels
from .step import step
from .windows import (
    convolution,
    convolution_backward,
    pooling,
    pooling_backward,
    transposed_convolution,
)

# --- the programs that are drawn -----------------------------------------------------------------


@cache
def _run(name: str, batch: int = 8) -> tg.Trace:
    """A forward and a backward pass of a model, by its name, on real images where they fit."""
    tg.manual_seed(0)
    with_relu = name == "lenet with relu"
    return traced(tg.models.LeNet(activation="relu") if with_relu else tg.models.build(name), batch)


def traced(model: nn.Module, batch: int) -> tg.Trace:
    """A forward and a backward pass of a classifier of images."""
    data = fashion_mnist("test")
    x = tg.Tensor(data.inputs[:batch], requires_grad=True, name="images")
    with tg.trace() as t:
        tg.cross_entropy(model(x), data.labels[:batch]).backward()
    return t


def _scalar() -> tg.Scalar:
    a, b, c = (tg.Scalar(v, name=n) for v, n in ((2.0, "a"), (-3.0, "b"), (10.0, "c")))
    y = (a * b + c).tanh()
    y.node.name = "y"
    return y


class Recurrent(nn.Module):
    """The same block, twenty times over."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        self.head = nn.Linear(8, 2)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        for _ in range(20):
            x = self.block(x)
        return self.head(x)


def _deep(activation: type[nn.Module], depth: int = 8) -> tg.Trace:
    tg.manual_seed(0)
    layers = [nn.Sequential(dense=nn.Linear(16, 16), act=activation()) for _ in range(depth)]
    return traced(nn.Sequential(nn.Flatten(), nn.Linear(784, 16), *layers, nn.Linear(16, 10)), 8)


# --- one function for each kind ------------------------------------------------------------------


def _scalars() -> Iterator[Picture]:
    """Before a backward pass, after it, and with the graph of the backward pass."""
    y = _scalar()
    yield draw(y)
    y.backward()
    yield draw(y)
    a = tg.Scalar(3.0, name="a")
    square = a * a
    yield draw(square, gradients={"∂y/∂a": tg.grad(square, a, create_graph=True)})


def _one_element() -> Picture:
    x = tg.Tensor(np.arange(16.0).reshape(1, 1, 4, 4), requires_grad=True, name="x")
    w = tg.Tensor([[[[1.0, 2.0], [0.0, -1.0]]]], dtype=np.float64, requires_grad=True, name="w")
    return draw(tg.zoom(tg.conv2d(x, w), (0, 0, 1, 1)))


def _tensors() -> Iterator[Picture]:
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
    w = tg.Tensor([[1.0, 0.5], [-1.0, 2.0]], requires_grad=True, name="w")
    y = (tg.tanh(x @ w) * x).sum()
    gradients = dict(zip(["∂y/∂x", "∂y/∂w"], tg.grad(y, [x, w], create_graph=True), strict=True))
    yield draw(y, gradients=gradients)
    yield draw(y, gradients=gradients, beside=False)


def _any_text() -> Picture:
    names = [
        '<script>alert("x")</script>',
        "two\nlines \\n \\",
        "{a|<port>b}",
        "卷积核 😀",
        "&amp;",
    ]
    total = tg.Tensor([1.0], requires_grad=True, name="x")
    for name in names:
        with tg.scope(name.replace(".", "")):
            total = total * tg.Tensor([2.0], name=name) + 1.0
    return draw(total, direction="LR")


def _lenet() -> Iterator[Picture]:
    yield draw(tg.models.LeNet())
    yield draw(_run("lenet"), show=[name for name in SHOWN if name != "source"])


def _residual() -> Iterator[Picture]:
    yield draw(tg.models.build("resnet8"))
    yield draw(tg.models.build("resnet8"), depth=1)


def _folded() -> Iterator[Picture]:
    yield draw(tg.models.build("resnet152"))
    yield draw(Recurrent(), input_shape=(4, 8))


def _flow() -> Iterator[Picture]:
    yield gradient_flow(_run("lenet"))
    yield gradient_flow(_run("resnet8"))


def _steps() -> Iterator[Picture]:
    """What their pages show before the first step."""
    yield step(_scalar())
    yield step(_run("lenet", 1))
    x, w = (tg.Tensor(np.ones(shape), name=n) for shape, n in (((2, 3), "x"), ((2, 3), "w")))
    with contextlib.suppress(tg.errors.ShapeError), tg.trace() as t:
        tg.relu(x) @ w
    yield step(t)


def _flow_folded() -> Picture:
    return gradient_flow(_run("resnet56", 2))


def _flow_marks() -> Picture:
    x = tg.Tensor([-1.0, -2.0], requires_grad=True, name="x")
    z = tg.Tensor([0.0, 1.0], requires_grad=True, name="z")
    data = tg.Tensor([1.0, 1.0], name="data")
    s = tg.Tensor([9.0, 9.0], requires_grad=True, name="s")
    with tg.trace() as t, np.errstate(divide="ignore"):
        (x.relu() + tg.log(z) * data + s.sigmoid()).sum().backward()
    return gradient_flow(t)


def _bars() -> Iterator[Picture]:
    yield gradient_bars({"sigmoid": _run("lenet"), "ReLU": _run("lenet with relu")})
    yield gradient_bars({"8 sigmoids": _deep(nn.Sigmoid), "8 ReLUs": _deep(nn.ReLU)})
    yield gradient_bars({"plain-20": _run("plain20", 2), "resnet-20": _run("resnet20", 2)})


def _bars_over_steps() -> Iterator[Picture]:
    tg.manual_seed(0)
    model = tg.models.LeNet(activation="relu")
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    steps = {}
    for k in range(16):
        model.zero_grad()
        steps[f"step {k}"] = traced(model, 8)
        optimizer.step()
    yield gradient_bars({name: steps[name] for name in ("step 0", "step 5", "step 15")})
    yield gradient_bars(steps)


def _paths() -> Iterator[Picture]:
    yield unroll(3)
    yield unroll(3, kind="tree")
    data = fashion_mnist("test")
    x = tg.Tensor(data.inputs[:4], requires_grad=True, name="images")
    for name in ("resnet8", "resnet20"):
        tg.manual_seed(0)
        loss = tg.cross_entropy(tg.models.build(name)(x), data.labels[:4])
        paths = tg.gradient_paths(loss, wrt=x)
        yield unroll(paths)
    yield path_lengths(paths)
    yield from _branches()


def _branches() -> Iterator[Picture]:
    """Two branches in turn, as in a transformer; and a concatenation."""
    rng = np.random.default_rng(0)
    x = tg.Tensor(rng.normal(size=(4, 8)), requires_grad=True, name="tokens")
    with tg.trace() as trace:
        h = x
        for i in range(3):
            for part in ("attention", "mlp"):
                with tg.scope(f"layers.{i}.{part}"):
                    f = tg.tanh(h @ nn.Parameter(rng.normal(size=(8, 8)) / 3))
                with tg.scope(f"layers.{i}"):
                    h = h + f
        loss = (h * h).mean()
        loss.backward()
    kinds = {"attention": "layers.*.attention", "mlp": "layers.*.mlp"}
    yield unroll(tg.gradient_paths(loss, x, through=kinds), "pairs")
    yield unroll(tg.gradient_paths(loss, x), "trellis")
    yield gradient_flow(trace, paths=tg.gradient_paths(loss, x), depth=3)
    joined = tg.concatenate([x, tg.tanh(x * 2)], axis=1)
    loss = tg.concatenate([joined, tg.exp(joined)], axis=1).sum()
    yield unroll(tg.gradient_paths(loss, x))


def _convolutions() -> Iterator[Picture]:
    x, w = np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2)
    yield convolution(x, w, padding=1, at=(0, 1))
    yield convolution(x, w, padding=1)  # an animation; the page shows its first frame
    pair = np.stack([w, w + 1])
    yield convolution(np.stack([x, x + 1]), np.stack([pair, pair + 1, pair + 2]), at=(1, 0, 1))
    yield convolution(np.arange(7.0), [1.0, 2.0], at=2)
    noise = np.random.default_rng(0).normal(size=(7, 7))
    yield convolution(noise, noise[:3, :3], dilation=2, padding=2, at=(0, 3))
    edges = [[-1.0, -1.0, -1.0], [-1.0, 8.0, -1.0], [-1.0, -1.0, -1.0]]
    yield convolution(photographs(grey=True)["camera"], edges, at=(60, 120))


def _poolings() -> Iterator[Picture]:
    x = np.arange(9.0).reshape(3, 3)
    yield pooling(x, 2, 1, at=(0, 1))
    yield pooling(x, 2, 1, 1, "mean", at=(0, 1))
    yield pooling([[3.0, 1.0, 3.0, np.nan], [0.0, 3.0, 2.0, 1.0]], 2, at=(0, 0))


def _backward_windows() -> Iterator[Picture]:
    x, w = np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2)
    yield transposed_convolution(x[:2, :2], w, at=(1, 0))
    yield transposed_convolution(x, w, [1.0], stride=2, padding=1, at=(1, 1))
    yield convolution_backward(x, w, stride=2, padding=1, at=(1, 2))
    yield convolution_backward(x, w, [[1.0, 2.0], [3.0, 4.0]], wrt="w", at=(0, 1))
    ties = [[3.0, 1.0, 3.0, 2.0], [0.0, 3.0, 2.0, 2.0], [1.0, 5.0, 0.0, 4.0], [2.0, 2.0, 4.0, 4.0]]
    yield pooling_backward(ties, 2)
    yield pooling_backward(ties, 3, 1, kind="mean", at=(0, 0))


def _receptive_fields() -> Iterator[Picture]:
    yield receptive_field(nn.Sequential(nn.Conv2d(1, 1, 2), nn.Conv2d(1, 1, 2)), (1, 1, 8, 8))
    tg.manual_seed(0)
    picture = fashion_mnist("test").inputs[3]
    lenet = tg.models.LeNet(activation="relu")
    yield receptive_field(lenet, layer="features.pool2", index=(0, 2, 2), image=picture)
    photograph = photographs(grey=True)["camera"][:, :224, :224]
    yield receptive_field(tg.models.AlexNet().features, index=(93, 2, 2), image=photograph)


def _connectivity() -> Iterator[Picture]:
    yield connectivity(7, 3)
    yield connectivity((3, 3), 2)
    yield connectivity(6, 3, filters=2)


@cache
def _lesson(activation: str = "relu", seed: int = 0) -> tuple[nn.Module, tg.train.History]:
    """A LeNet after a short training, and its history."""
    tg.manual_seed(seed)
    data, held_out = fashion_mnist("train").subset(256), fashion_mnist("test").subset(64)
    model = tg.models.LeNet(activation=activation)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loader = tg.data.DataLoader(data, batch_size=32, seed=seed)
    return model, tg.train.fit(model, loader, optimizer, 5, held_out=held_out, progress=False)


def _training() -> Iterator[Picture]:
    yield training(_lesson()[1])
    seeds = [_lesson("relu", seed)[1] for seed in range(3)]
    yield training({"ReLU": seeds, "sigmoid": _lesson("sigmoid")[1]})


def _architectures() -> Iterator[Picture]:
    yield architecture([tg.models.LeNet(), tg.models.AlexNet()])
    yield architecture({name: tg.models.build(name) for name in ("plain8", "resnet8")})
    yield architecture({name: tg.models.build(name) for name in ("resnet18", "resnet152")})


def _histograms() -> Iterator[Picture]:
    yield histograms(_run("lenet"))
    yield histograms(_deep(nn.ReLU))


def _batch_norm() -> Iterator[Picture]:
    tg.manual_seed(0)
    images = tg.Tensor(fashion_mnist("test").inputs[:16])
    maps = nn.Conv2d(1, 6, kernel_size=5, padding=2)(images)
    yield batch_norm(maps, np.linspace(0.5, 2, 6), np.linspace(-1, 1, 6))
    yield batch_norm(np.random.default_rng(0).normal(3, 2, (5, 3)))


def _images() -> Iterator[Picture]:
    model, _ = _lesson()
    held_out = fashion_mnist("test")
    shown = held_out.subset(20, seed=1)
    predicted = tg.train.predict(model, shown.inputs).argmax(axis=1)
    yield images(shown.inputs, shown.labels, predicted, shown.classes)
    photo = photographs()["astronaut"]
    broken = np.where(np.arange(photo.shape[-1]) == 9, np.nan, photo)
    yield images(np.stack([photo, photo[::-1], broken]), [0, 1, 0], classes=["RGB", "BGR"])


def _confusion() -> Iterator[Picture]:
    model, _ = _lesson()
    data = fashion_mnist("test")
    predicted = tg.train.predict(model, data.inputs).argmax(axis=1)
    yield confusion(data.labels, predicted, data.classes)
    yield confusion([0, 0, 1], [0, 1, 1], ["negative", "positive"])


def _maps() -> Iterator[Picture]:
    model, _ = _lesson()
    image = fashion_mnist("test").inputs[3]
    yield feature_maps(model, image)
    yield feature_maps(model, image, scale="shared", layers=["input", "features"])
    yield filters(model)
    tg.manual_seed(0)
    yield feature_maps(tg.models.build("textcnn"), np.arange(64), layers="convs")


def _panels() -> Iterator[Picture]:
    photographs = tg.data.photographs()
    yield panels(photographs)
    kernel = np.array([[1.0, 0.0, -1.0]] * 3)
    step = np.repeat([[10.0] * 4 + [0.0] * 4], 8, axis=0)
    edges = tg.conv2d(step[None, None], kernel[None, None])
    yield panels({"X": step, "W": kernel, "X ⊗ W": edges}, signed=True)
    yield panels(dict(zip("abc", np.eye(27).reshape(3, 9, 27), strict=True)), scale="shared")


def _jacobians() -> Iterator[Picture]:
    """An op with a mistake and a kink, a wrong and a right convolution, and many inputs."""
    random = np.random.default_rng(0)
    steep = tg.op("steep", lambda x: np.maximum(x, 0) * x.sum())
    steep.vjp(lambda g, y, x: g * (x > 0) * x.sum())
    x = np.array([0.5, -1.0, 0.0, 2.0, 1.5])

    def convolution(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return tg.conv2d(tg.Tensor(x), tg.Tensor(w), padding=1).numpy()

    def turned(g: np.ndarray, x: np.ndarray, w: np.ndarray) -> list[np.ndarray]:
        leaf, weight = tg.Tensor(x, requires_grad=True), tg.Tensor(w, requires_grad=True)
        y = tg.conv2d(leaf, weight[:, :, ::-1, ::-1], padding=1)
        by_x = tg.grad(y, [leaf], grad_outputs=tg.Tensor(g))[0]
        by_w = tg.grad(tg.conv2d(leaf, weight, padding=1), [weight], grad_outputs=tg.Tensor(g))[0]
        return [by_x.numpy(), by_w.numpy()]

    arrays = [random.standard_normal(s) for s in ((2, 2, 6, 7), (3, 2, 3, 3))]
    tg.manual_seed(0)
    block = nn.Sequential(
        nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1)
    )
    yield jacobian(tg.gradcheck(steep, x))
    yield jacobian(tg.gradcheck(convolution, arrays, vjp=turned))
    yield jacobian(tg.gradcheck(block, random.standard_normal((2, 2, 4, 4))))


SAMPLES: list[tuple[str, Callable[[], Picture | Iterator[Picture]]]] = [
    ("Scalars: before backward, after it, and with the graph of backward", _scalars),
    ("One element of a convolution, as arithmetic", _one_element),
    ("Tensors, with the graph of backward beside the forward one, and under it", _tensors),
    ("Any text in a label", _any_text),
    ("LeNet; and all that its boxes can show", _lenet),
    ("A residual network; and closed at depth 1", _residual),
    ("ResNet-152, folded; and twenty times the same block", _folded),
    ("Gradient flow", _flow),
    ("Gradient flow, folded", _flow_folded),
    ("Gradient flow: what has a mark", _flow_marks),
    ("Step by step: the pages' graphs, the last of a program that raised an error", _steps),
    ("Gradients layer by layer, side by side", _bars),
    ("Gradients layer by layer, over steps of training", _bars_over_steps),
    ("Architectures, as in a textbook", _architectures),
    ("Values and gradients of each layer, as histograms", _histograms),
    ("Batch normalisation: before, normalised, scaled", _batch_norm),
    ("Paths of residual networks", _paths),
    ("Convolution: one output cell as arithmetic", _convolutions),
    ("Pooling: one output cell", _poolings),
    ("Transposed convolution; backward of convolution and pooling", _backward_windows),
    ("Receptive fields", _receptive_fields),
    ("Training: one run; several, some over seeds", _training),
    ("Images with label and prediction; in colour, some of it broken", _images),
    ("Which classes are taken for which", _confusion),
    ("Feature maps and filters", _maps),
    ("Fully connected, locally connected, convolution", _connectivity),
    ("Gradient checks: Jacobians beside each other", _jacobians),
    ("Arrays side by side", _panels),
]
"""The title of each kind, and the function that draws its pictures."""


def sections() -> Iterator[Section]:
    """Draw the samples."""
    for title, function in SAMPLES:
        drawn = function()
        pictures = [drawn] if isinstance(drawn, Picture) else list(drawn)
        sizes = ", ".join(f"{p.size[0]:.0f} × {p.size[1]:.0f}" for p in pictures)
        yield Section(title, f"In pixels: {sizes}.", pictures)


def main(path: str = "gallery/kinds.html") -> Path:
    """Write the page, and return its path."""
    introduction = "Every kind of picture, to be looked at: in light and in dark, wide and narrow."
    return write_page(path, "All kinds of pictures", introduction, list(sections()))


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
