"""What splitting a gradient over its paths costs, in ordinary backward passes of the same net.

python benchmarks/path_cost.py [WORD]

A row for each net whose name has WORD in it: the first split of a recorded program and a later
one, beside `loss.backward()` in the same run, in turn; and how much memory the split takes beyond
the recorded net. Times are of the processor, so that other work on the machine counts little; the
ratio of elapsed times stands beside them. The last lines are the exponents: how the cost of a
later split grows with the number of blocks.
"""

from __future__ import annotations

import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from path_lengths import pre_activation

import tinygrad_cnn as tg
from tinygrad_cnn import nn

Case = Callable[[int], tuple[Any, Any, dict[str, Any]]]
ROUNDS = 5


def images(channels: int, side: int) -> tg.Tensor:
    pixels = np.random.default_rng(0).standard_normal((8, channels, side, side))
    return tg.Tensor(pixels.astype(np.float32), requires_grad=True)


def resnet(n: int) -> tuple[Any, Any, dict[str, Any]]:
    """ResNet-110's kind on images of CIFAR-10's size."""
    model = tg.models.ResNet((n // 3,) * 3, in_channels=3)
    x = images(3, 32)
    return tg.cross_entropy(model(x), np.arange(8)), x, {}


def pre(n: int) -> tuple[Any, Any, dict[str, Any]]:
    """Pre-activation blocks of 16 channels."""
    blocks = [pre_activation(16, 16, 1) for _ in range(n)]
    head = [nn.GlobalAvgPool2d(), nn.Linear(16, 10)]
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *blocks, *head)
    x = images(3, 32)
    return tg.cross_entropy(model(x), np.arange(8)), x, {}


class Attention(nn.Module):
    """Self-attention of several heads, and nothing else."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        n, length, width = x.shape
        split = self.qkv(self.norm(x)).reshape(n, length, 3, self.heads, width // self.heads)
        q, k, v = (split[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        y = tg.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(0, 2, 1, 3).reshape(n, length, width))


class Layer(nn.Module):
    """A transformer's: x + attention, x + mlp."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = Attention(width, 4)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Any) -> Any:
        x = x + self.attention(x)
        return x + self.mlp(x)


def transformer(n: int) -> tuple[Any, Any, dict[str, Any]]:
    """n layers of width 128 on 64 tokens, batch 8: 2n choices."""
    model = nn.Sequential(*(Layer(128) for _ in range(n)))
    tokens = np.random.default_rng(0).standard_normal((8, 64, 128)).astype(np.float32)
    x = tg.Tensor(tokens, requires_grad=True)
    return (model(x) ** 2).mean(), x, {}


def mlp(n: int) -> tuple[Any, Any, dict[str, Any]]:
    """Blocks of width 32, batch 8, all lengths up to 20."""
    model = nn.Sequential(
        *(nn.Residual(nn.Sequential(nn.Linear(32, 32), nn.Tanh())) for _ in range(n))
    )
    x = tg.Tensor(np.random.default_rng(0).standard_normal((8, 32)), requires_grad=True)
    return (model.astype(np.float64)(x) ** 2).mean(), x, {"max_length": 20}


CASES: dict[str, tuple[Case, int, tuple[int, ...]]] = {
    "ResNet-110, 54 blocks, 8 images of 3×32×32": (resnet, 54, (9, 18, 36)),
    "54 pre-activation blocks, likewise": (pre, 54, (9, 18, 36)),
    "transformer, 12 layers, batch 8 of 64 tokens": (transformer, 12, (3, 6)),
    "MLP of 1,000 blocks, lengths to 20": (mlp, 1000, (125, 250, 500)),
}


class Row:
    """One net, recorded, and what its split costs."""

    def __init__(self, case: Case, n: int) -> None:
        tg.manual_seed(0)
        self.loss, self.x, self.options = case(n)
        self.loss.backward()
        self.first = self.split()[0]
        rounds = [(self.backward(), self.split()) for _ in range(ROUNDS)]
        self.ordinary, self.later = (
            tuple(median(r[i][which] for r in rounds) for which in (0, 1)) for i in (0, 1)
        )
        tracemalloc.start()
        self.split()
        self.megabytes = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()

    def backward(self) -> tuple[float, float]:
        return clocked(self.loss.backward)

    def split(self) -> tuple[float, float]:
        paths = tg.gradient_paths(self.loss, wrt=self.x, **self.options)
        return clocked(lambda: paths.by_length)


def clocked(f: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor, and by the clock."""
    begun = time.process_time(), time.perf_counter()
    f()
    return time.process_time() - begun[0], time.perf_counter() - begun[1]


def main(word: str = "") -> None:
    print("| net | backward (CPU s) | first split | a later one | by the clock | memory (MB) |")
    print("| --- | --- | --- | --- | --- | --- |")
    exponents = []
    for name, (case, n, smaller) in CASES.items():
        if word not in name:
            continue
        row = Row(case, n)
        base = row.ordinary[0]
        print(
            f"| {name} | {base:.3f} | {row.first / base:.1f} | {row.later[0] / base:.1f} | "
            f"{row.later[1] / row.ordinary[1]:.1f} | {row.megabytes:.0f} |",
            flush=True,
        )
        sizes = [*smaller, n]
        costs = [*(Row(case, m).later[0] for m in smaller), row.later[0]]
        slope = np.polyfit([math.log(m) for m in sizes], [math.log(c) for c in costs], 1)[0]
        exponents.append(f"{name}: n^{slope:.2f} for n from {sizes[0]} to {n}")
    print("\n".join(exponents))


if __name__ == "__main__":
    main(*sys.argv[1:])
