"""A ResNet-50 of torchvision's at 224×224: imported, run forward and backward, traced and drawn.

    python benchmarks/imported.py [NAME]

times each step beside PyTorch where it has one, in turn, and says how much memory the traced run
took. NAME is another classifier of torchvision's.
"""

from __future__ import annotations

import copy
import sys
import time
import tracemalloc
from statistics import median
from typing import Any

import numpy as np
import torch

import tinygrad_cnn as tg
import viz

ROUNDS = 7


def main(name: str = "resnet50") -> None:
    try:
        import torchvision
    except RuntimeError:  # beside another build of PyTorch its own kernels are missing
        for op in ("nms", "qnms"):
            torch.library.define(f"torchvision::{op}", "(Tensor d, Tensor s, float t) -> Tensor")
        import torchvision

    torch.manual_seed(0)
    module = getattr(torchvision.models, name)(weights=None).eval()
    x = torch.randn(1, 3, 224, 224)
    exported, export = timed(lambda: torch.export.export(module, (x,)))
    net, whole = timed(lambda: tg.from_torch(module, (x,)))
    _, beyond = timed(lambda: tg.from_torch(exported))
    print(f"{name}: torch.export {export:.2f} s; from_torch {whole:.2f} s;", end=" ")
    print(f"of an exported program {beyond:.2f} s")

    pixels = x.numpy()

    def theirs() -> Any:
        module.zero_grad()
        leaf = x.clone().requires_grad_()
        module(leaf).max().backward()
        return leaf.grad.numpy()

    def ours(traced: bool) -> Any:
        net.zero_grad()
        leaf = tg.Tensor(pixels, requires_grad=True)
        if not traced:
            net(leaf).max().backward()
            return leaf.grad.data
        with tg.trace(keep="statistics") as recorded:
            net(leaf).max().backward()
        return recorded

    error, own = errors(module, x, ours(False), theirs())
    print(f"gradient at the image, error against float64: ours {error:.1e}, PyTorch's {own:.1e}")
    tracemalloc.start()
    ours(True)
    print(f"a traced run holds up to {tracemalloc.get_traced_memory()[1] / 2**20:.0f} MB")
    tracemalloc.stop()
    times: dict[str, list[float]] = {"PyTorch": [], "ours": [], "ours, traced": []}
    for _ in range(ROUNDS):
        times["PyTorch"].append(timed(theirs)[1])
        times["ours"].append(timed(lambda: ours(False))[1])
        times["ours, traced"].append(timed(lambda: ours(True))[1])
    for who, seconds in times.items():
        ratio = median(seconds) / median(times["PyTorch"])
        print(f"{who}: forward and backward {1000 * median(seconds):.0f} ms, {ratio:.2f} × PyTorch")
    recorded = ours(True)
    print(f"folded drawing {timed(lambda: viz.draw(recorded).svg)[1]:.2f} s", end=", ")
    print(f"gradient flow {timed(lambda: viz.gradient_flow(recorded).svg)[1]:.2f} s")


def errors(module: Any, x: Any, *gradients: Any) -> list[float]:
    """How far each gradient is from PyTorch's in float64, in parts of the largest entry."""
    leaf = x.double().requires_grad_()
    copy.deepcopy(module).double()(leaf).max().backward()
    exact = leaf.grad.numpy()
    return [float(np.abs(g - exact).max() / np.abs(exact).max()) for g in gradients]


def timed(f: Any) -> tuple[Any, float]:
    """What a function gives, and the seconds that it takes."""
    begin = time.perf_counter()
    result = f()
    return result, time.perf_counter() - begin


if __name__ == "__main__":
    main(*sys.argv[1:])
