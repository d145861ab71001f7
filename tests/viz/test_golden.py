"""Pictures from several folders of `viz`, and so beside these: they must not change by a byte.

`GOLDEN=write pytest tests/viz/test_golden.py` writes them anew. Look at them before a commit.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_cnn as tg
import viz

FOLDER = Path(__file__).parent / "golden"


def scalar() -> viz.Picture:
    a, b = tg.Scalar(2.0, name="a"), tg.Scalar(-3.0, name="b")
    y = (a * b + a * a) * 0.5
    y.backward()
    return viz.draw(y)


def folded() -> viz.Picture:
    block = tg.nn.Sequential(conv=tg.nn.Conv2d(2, 2, 3, padding=1), act=tg.nn.ReLU())
    blocks = [tg.nn.Residual(tg.nn.Conv2d(2, 2, 1)) for _ in range(3)]
    model = tg.nn.Sequential(stem=block, stages=tg.nn.Sequential(*blocks), flat=tg.nn.Flatten())
    return viz.draw(model, input_shape=(1, 2, 4, 4), fold=True)


def flow() -> viz.Picture:
    """Numbers that are exact in binary, so that no platform rounds them otherwise."""
    x = tg.Tensor([4.0, 0.0, 0.0], requires_grad=True, name="x")
    w = tg.Tensor([0.015625, 0.0, 0.0], requires_grad=True, name="w")
    dead = tg.Tensor([-1.0, -1.0, -1.0], requires_grad=True, name="dead")
    mask = tg.Tensor([1.0, 0.0, 0.0], name="mask")
    with tg.trace() as t:
        ((x * w + dead.relu()) * mask).sum().backward()
    return viz.gradient_flow(t)


def backward() -> viz.Picture:
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
    y = (x * x).sum()
    return viz.draw(y, gradients={"∂y/∂x": tg.grad(y, x, create_graph=True)})


def bars() -> viz.Picture:
    layer = tg.nn.Linear(3, 2)
    with tg.trace() as t:
        layer(tg.Tensor([[1.0, 2.0, 4.0]])).sum().backward()
    return viz.gradient_bars({"one": t, "two": t})


def window() -> viz.Picture:
    x = np.arange(9.0).reshape(3, 3)
    return viz.convolution(x, np.arange(4.0).reshape(2, 2), [0.5], padding=1, at=(0, 1))


def winners() -> viz.Picture:
    return viz.pooling_backward(np.arange(9.0).reshape(3, 3), 2, 1)


def shared() -> viz.Picture:
    return viz.connectivity(5, 3)


PICTURES = [scalar, folded, flow, backward, bars, window, winners, shared]


@pytest.mark.parametrize("draw", PICTURES, ids=lambda f: f.__name__)
def test_pictures_are_as_they_were(draw):
    picture = draw()
    file = FOLDER / f"{draw.__name__}.svg"
    svg = re.sub(r"(test_golden\.py):\d+", r"\1", picture.svg)  # lines of this file may move
    if os.environ.get("GOLDEN") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(svg, encoding="utf-8")
    assert svg == file.read_text(encoding="utf-8")
