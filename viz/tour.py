"""The tour: the whole project once, on real images, ending in a page of pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.data import DataLoader, Dataset, fashion_mnist

from .graphs.bars import gradient_bars
from .graphs.draw import draw
from .graphs.flow import gradient_flow
from .paths import unroll
from .picture.gallery import Section, write_page
from .plots.curves import training
from .plots.images import images
from .step import step

INTRODUCTION = (
    "A convolutional network trained on photographs of clothes, and what is inside it: the graph "
    "that was recorded, the gradients that flowed back through it, the paths that they took, and "
    "the verdict on a gradient written by hand."
)


def tour(folder: str | os.PathLike[str] = "gallery", epochs: int = 30) -> Path:
    """Train, trace, draw, split over paths, gradient-check; write the pictures and a page.

    Args:
        folder: where the pictures and ``index.html`` go.
        epochs: of training LeNet; 30 take about 20 seconds on two cores.

    Returns:
        The path of the page.
    """
    say = Console(highlight=False)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tg.manual_seed(0)
    train_data, held_out = fashion_mnist("train"), fashion_mnist("test")
    lenet = _lenet()
    sections = [
        *_train(say, lenet, train_data, held_out, epochs),
        *_trace(say, lenet, held_out, target),
        _split_into_paths(say, train_data),
        _check_gradients(say),
    ]
    for number, section in enumerate(sections, 1):
        for i, picture in enumerate(section.pictures):
            picture.save(target / f"{number}{'abcdef'[i]}.svg")
    written = write_page(target / "index.html", "A tour of tinygrad_cnn", INTRODUCTION, sections)
    say.print(f"\nThe pictures are on one page: [bold]{written}[/bold]")
    return written


def _lenet() -> tg.models.LeNet:
    """LeNet with ReLU and max pooling, which needs far fewer images than the 1998 form."""
    return tg.models.LeNet(activation="relu", pooling="max")


def _train(
    say: Console, lenet: nn.Module, train_data: Dataset, held_out: Dataset, epochs: int
) -> list[Section]:
    say.rule("1  LeNet learns to tell clothes apart")
    say.print(
        f"{len(train_data)} training and {len(held_out)} held-out images of Fashion-MNIST, "
        f"{sum(p.size for p in lenet.parameters()):,} parameters"
    )
    optimizer = tg.optim.SGD(lenet.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(train_data, batch_size=32, seed=0)
    history = tg.train.fit(lenet, loader, optimizer, epochs, held_out=held_out)
    if history.interrupted:
        raise KeyboardInterrupt
    reached = history.epochs[-1].held_out_accuracy
    say.print(f"Accuracy on the {len(held_out)} held-out images: [bold]{reached:.3f}[/bold]")
    shown = held_out.subset(20, seed=1)
    predicted = tg.train.predict(lenet, shown.inputs).argmax(axis=1)
    return [
        Section(
            "LeNet learns to tell clothes apart",
            "Loss and accuracy over the epochs, on the images that it learns from and on images "
            f"held out (at the end {reached:.1%} of them are right). Where the two curves part, "
            "the network has begun to learn its training images by heart.",
            [training(history)],
        ),
        Section(
            "What it sees, and what it says",
            "Twenty held-out images, each with its label and, below, the network's answer. Look at "
            "the mistakes: would you have told the two things apart, at 28 × 28 pixels?",
            [images(shown.inputs, shown.labels, predicted, shown.classes)],
        ),
    ]


def _trace(say: Console, lenet: nn.Module, data: Dataset, target: Path) -> list[Section]:
    say.rule("2  One forward and one backward pass, recorded")
    lenet.zero_grad()
    with tg.trace() as trace:
        loss = tg.cross_entropy(lenet(tg.Tensor(data.inputs[:32])), data.labels[:32])
        loss.backward()
    table = trace.summary()
    say.print(table, markup=False, soft_wrap=True)
    with tg.trace() as single:
        tg.cross_entropy(lenet(tg.Tensor(data.inputs[:1])), data.labels[:1]).backward()
    steps = step(single, title="LeNet on one image").save(target / "lenet-steps.html")
    return [
        Section(
            "The graph that was recorded",
            "Every box is an op, with its parameters and the shape of its output; every arrow is "
            "an array that one op hands to the next. The frames are the network's modules.",
            [draw(trace)],
            table,
            [(steps.name, "Step through LeNet on one image, op by op, forward and backward")],
        ),
        Section(
            "The gradient that flowed back",
            "The same graph; an arrow is the wider and darker, the larger the gradient that "
            "passed along it on the way back. Follow it from the loss to the image and see where "
            "it thins out.",
            [gradient_flow(trace), gradient_bars(trace)],
        ),
    ]


def residual_net(width: int = 8, blocks: int = 3) -> nn.Sequential:
    """A small residual CNN: x + F(x), three times, with batch norm in each branch."""

    def block() -> nn.Residual:
        return nn.Residual(
            nn.Sequential(
                conv1=nn.Conv2d(width, width, 3, padding=1, bias=False),
                bn1=nn.BatchNorm2d(width),
                act=nn.ReLU(),
                conv2=nn.Conv2d(width, width, 3, padding=1, bias=False),
                bn2=nn.BatchNorm2d(width),
            )
        )

    return nn.Sequential(
        stem=nn.Conv2d(1, width, 3, stride=2, padding=1),
        **{f"block{i + 1}": block() for i in range(blocks)},
        pool=nn.GlobalAvgPool2d(),
        dense=nn.Linear(width, 10),
    )


def _split_into_paths(say: Console, data: Dataset) -> Section:
    say.rule("3  Three residual blocks are eight paths")
    model = residual_net().astype(np.float64)
    x = tg.Tensor(data.inputs[:16], dtype=np.float64, requires_grad=True, name="images")
    loss = tg.cross_entropy(model(x), data.labels[:16])
    loss.backward()
    paths = tg.gradient_paths(loss, wrt=x)
    ordinary = x.grad.numpy()  # type: ignore[union-attr]
    each = dict(paths.paths())
    difference = float(np.abs(sum(each.values()) - ordinary).max())
    relative = difference / float(np.abs(ordinary).max())
    for path, gradient in each.items():
        route = " ".join(f"F{i + 1}" if taken else "──" for i, taken in enumerate(path))
        say.print(f"  {route}   ‖gradient‖ = {np.linalg.norm(gradient):.3e}")
    verdict = (
        f"The {len(each)} paths add up to the ordinary gradient: largest difference "
        f"{difference:.1e}, or {relative:.1e} of its largest entry."
    )
    if not relative < 1e-10:
        raise AssertionError(f"the paths do not add up to the gradient: off by {relative:.1e}")
    say.print(verdict, soft_wrap=True)
    return Section(
        "Three residual blocks are eight paths",
        "At each block the gradient can skip (dashed) or go through the branch F, so three blocks "
        "make 2 × 2 × 2 = 8 paths, each with a gradient of its own. " + verdict,
        [unroll(paths)],
    )


def _swish() -> tuple[Any, Any]:
    """The op x·sigmoid(x), once with the right gradient and once with a mistake in it."""

    def forward(x: Any) -> Any:
        return x / (1 + np.exp(-x))

    @tg.op("swish", forward).vjp
    def right(g: Any, y: Any, x: Any) -> Any:
        s = tg.sigmoid(x)
        return g * (s + y * (1 - s))

    @tg.op("forgetful_swish", forward).vjp
    def wrong(g: Any, y: Any, x: Any) -> Any:
        return g * tg.sigmoid(x)  # the product rule's second term is missing

    return right, wrong


def _check_gradients(say: Console) -> Section:
    say.rule("4  Is a gradient written by hand right?")
    x = np.random.default_rng(0).standard_normal((2, 3))
    texts = []
    for layer in _swish():
        report = tg.gradcheck(layer, x)
        say.print(f"\n[bold]{layer.name}[/bold]: {report.verdict}")
        say.print(str(report), markup=False, soft_wrap=True)
        texts.append(f"{layer.name}\n{report}")
    return Section(
        "Is a gradient written by hand right?",
        "Two layers of our own compute x·sigmoid(x); the second one's gradient forgets a term of "
        "the product rule. The check compares both with numerical derivatives and says what is "
        "wrong.",
        output="\n\n".join(texts),
    )
