"""What is timed: for each case, one training step (or one graph) for each engine that is there."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import gradchecks
import numpy as np
from micrograd_style import Value
from timing import Step

import tinygrad_cnn as tg

OPS_IN_CHAIN = 2000


def _peer(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch = _peer("torch")
autograd = _peer("autograd")
mygrad = _peer("mygrad")
micrograd = _peer("micrograd.engine")


def _our_step(model: tg.nn.Module, x: Any, labels: Any, momentum: float) -> Step:
    optimizer = tg.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)

    def step() -> None:
        optimizer.zero_grad()
        loss = tg.cross_entropy(model(tg.Tensor(x, copy=False)), labels)
        loss.backward(free_graph=True)
        optimizer.step()

    return step


def _torch_step(model: Any, x: Any, labels: Any, momentum: float) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(labels)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    return step


def _images(batch: int, *shape: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((batch, *shape), np.float32), rng.integers(0, 10, batch)


def lenet() -> dict[str, Step]:
    """LeNet (sigmoid, average pooling), batch 128, forward + backward + SGD."""
    x, labels = _images(128, 1, 28, 28)
    engines = {"ours": _our_step(tg.models.LeNet(), x, labels, 0.0)}
    if torch:
        n = torch.nn
        model = n.Sequential(
            n.Conv2d(1, 6, 5, padding=2), n.Sigmoid(), n.AvgPool2d(2),
            n.Conv2d(6, 16, 5), n.Sigmoid(), n.AvgPool2d(2), n.Flatten(),
            n.Linear(400, 120), n.Sigmoid(), n.Linear(120, 84), n.Sigmoid(), n.Linear(84, 10),
        )  # fmt: skip
        engines["PyTorch"] = _torch_step(model, x, labels, 0.0)
    return engines


def resnet20() -> dict[str, Step]:
    """ResNet-20 with 1×1 shortcuts, batch 32, 3×32×32, forward + backward + SGD with momentum."""
    x, labels = _images(32, 3, 32, 32)
    model = tg.models.ResNet((3, 3, 3), (16, 32, 64), in_channels=3)
    engines = {"ours": _our_step(model, x, labels, 0.9)}
    if torch:
        engines["PyTorch"] = _torch_step(_torch_resnet20(), x, labels, 0.9)
    return engines


def _torch_resnet20() -> Any:
    n = torch.nn

    class Block(n.Module):  # type: ignore[name-defined, misc]
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.branch = n.Sequential(
                n.Conv2d(before, width, 3, stride, 1, bias=False), n.BatchNorm2d(width), n.ReLU(),
                n.Conv2d(width, width, 3, 1, 1, bias=False), n.BatchNorm2d(width),
            )  # fmt: skip
            self.shortcut = n.Identity()
            if stride != 1 or before != width:
                self.shortcut = n.Sequential(
                    n.Conv2d(before, width, 1, stride, bias=False), n.BatchNorm2d(width)
                )

        def forward(self, x: Any) -> Any:
            return torch.relu(self.shortcut(x) + self.branch(x))

    layers = [n.Conv2d(3, 16, 3, padding=1, bias=False), n.BatchNorm2d(16), n.ReLU()]
    before = 16
    for stage, width in enumerate((16, 32, 64)):
        for block in range(3):
            layers.append(Block(before, width, 2 if stage and not block else 1))
            before = width
    return n.Sequential(*layers, n.AdaptiveAvgPool2d(1), n.Flatten(), n.Linear(64, 10))


def chain() -> dict[str, Step]:
    """2,000 ops on ten numbers, forward + backward."""
    start = np.ones(10, np.float32)

    def run(x: Any) -> Any:
        y = x
        for _ in range(OPS_IN_CHAIN // 2):
            y = y * 0.999
            y = y + x
        return y.sum()

    def ours() -> None:
        run(tg.Tensor(start, requires_grad=True)).backward()

    engines: dict[str, Step] = {"ours": ours}
    if torch:
        engines["PyTorch"] = lambda: run(torch.tensor(start, requires_grad=True)).backward()
    if autograd:
        numpy = importlib.import_module("autograd.numpy")
        gradient = autograd.grad(lambda x: numpy.sum(_chain_for_autograd(x)))
        engines["autograd"] = lambda: gradient(start)
    if mygrad:
        engines["mygrad"] = lambda: run(mygrad.tensor(start)).backward()
    return engines


def _chain_for_autograd(x: Any) -> Any:
    y = x
    for _ in range(OPS_IN_CHAIN // 2):
        y = y * 0.999
        y = y + x
    return y


def scalars() -> dict[str, Step]:
    """2,000 operations on single numbers, forward + backward."""

    def run(number: Callable[[float], Any]) -> None:
        x = number(0.5)
        y = x
        for _ in range(OPS_IN_CHAIN // 2):
            y = y * 0.999
            y = y + x
        y.backward()

    return _scalar_engines(run)


def _scalar_engines(run: Callable[[Callable[[float], Any]], None]) -> dict[str, Step]:
    engines = {"ours": lambda: run(tg.Scalar), "micrograd style": lambda: run(Value)}
    if micrograd:
        engines["micrograd"] = lambda: run(micrograd.Value)
    return engines


def scalar_mlp() -> dict[str, Step]:
    """A 2-16-16-1 network of single numbers on 8 points, forward + backward."""
    rng = np.random.default_rng(0)
    sizes = (2, 16, 16, 1)
    weights = [rng.standard_normal((o, i)).tolist() for i, o in itertools.pairwise(sizes)]
    points = rng.standard_normal((8, 2)).tolist()

    def run(number: Callable[[float], Any]) -> None:
        layers = [[[number(w) for w in row] for row in layer] for layer in weights]
        loss = number(0.0)
        for point in points:
            h: list[Any] = [number(p) for p in point]
            for layer in layers:
                rows = []
                for row in layer:
                    total = number(0.0)
                    for w, value in zip(row, h, strict=True):
                        total = total + w * value
                    rows.append(total.relu())
                h = rows
            loss = loss + h[0] * h[0]
        loss.backward()

    return _scalar_engines(run)


CASES: dict[str, tuple[Callable[[], dict[str, Step]], int]] = {
    "LeNet step, batch 128": (lenet, 15),
    "ResNet-20 step, batch 32": (resnet20, 7),
    "chain of 2,000 ops": (chain, 15),
    "2,000 ops on Scalars": (scalars, 15),
    "2-16-16-1 network on Scalars, 8 points": (scalar_mlp, 9),
    "gradcheck of a convolution": (gradchecks.convolution, 9),
    "gradcheck of a batch norm": (gradchecks.batch_norm, 9),
    "gradcheck of a residual block": (gradchecks.residual_block, 9),
    "gradcheck of a larger block": (gradchecks.larger_block, 3),
}
