"""Which path lengths carry the gradient of a convolutional ResNet with 54 blocks, over seeds.

python benchmarks/path_lengths.py [--seeds 0 1 2] [--blocks post pre] [--epochs 2]

A row for each block kind, seed and state (fresh, trained): the shortest run of lengths that holds
90 % by the recipe of Veit, Wilber & Belongie 2016 (number of paths × mean gradient norm of sampled
single ones), by the exact norms ‖G_k‖, and by the signed shares ⟨G_k, g⟩/‖g‖². Real images: the
8×8 digits. For a single row of a fresh network: --seeds 1 --blocks pre --epochs 0.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from viz.paths.lengths import percent, window

CHANNELS, STAGES, BLOCKS_EACH = (8, 16, 32), 3, 18
HEAD = "| block | state | seed | test accuracy | Veit's recipe | norms | signed shares |"


def pre_activation(before: int, width: int, stride: int) -> nn.Module:
    """BN → ReLU → convolution, twice, and nothing after the addition (He et al. 2016)."""
    branch = nn.Sequential(
        nn.BatchNorm2d(before),
        nn.ReLU(),
        nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
    )
    if stride == 1 and before == width:
        return nn.Residual(branch)
    return nn.Residual(branch, nn.Conv2d(before, width, 1, stride=stride, bias=False))


def network(kind: str) -> nn.Module:
    """ResNet-110's 54 blocks, with half its channels. "post": BN on the branch, ReLU after."""
    if kind == "post":
        return tg.models.ResNet((BLOCKS_EACH,) * STAGES, CHANNELS)
    layers: list[nn.Module] = [nn.Conv2d(1, CHANNELS[0], 3, padding=1, bias=False)]
    before = CHANNELS[0]
    for stage, width in enumerate(CHANNELS):
        for block in range(BLOCKS_EACH):
            layers.append(pre_activation(before, width, 2 if stage and not block else 1))
            before = width
    layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.GlobalAvgPool2d(), nn.Linear(before, 10)]
    return nn.Sequential(*layers)


def train(model: nn.Module, epochs: int, seed: int) -> None:
    """A short training: SGD with momentum, batches of 64, float32."""
    digits, order = tg.data.load("digits", "train"), np.random.default_rng(seed)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(epochs):
        shuffled = order.permutation(len(digits))
        for first in range(0, len(digits) - 63, 64):
            batch = digits[shuffled[first : first + 64]]
            loss = tg.cross_entropy(model(tg.Tensor(batch.inputs)), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy(model: nn.Module) -> float:
    """The accuracy on the test digits, in evaluation mode."""
    digits = tg.data.load("digits", "test")
    with tg.no_grad():
        logits = model.eval()(tg.Tensor(digits.inputs)).numpy()
    return float(np.mean(logits.argmax(1) == digits.labels))


def measure(model: nn.Module, training: bool, images: int, samples: int) -> list[str]:
    """The three shortest runs, as "lengths (part of all paths)", measured in float64."""
    model.astype(np.float64)
    (model.train if training else model.eval)()
    digits = tg.data.load("digits", "test")[:images]
    x = tg.Tensor(digits.inputs, dtype=np.float64, requires_grad=True)
    paths = tg.gradient_paths(tg.cross_entropy(model(x), digits.labels), wrt=x)
    found = [
        held(values, paths.count)
        for values in (paths.veit_estimate(samples), paths.norms, paths.shares)
    ]
    model.astype(np.float32)
    return found


def held(values: Sequence[float], count: Sequence[int]) -> str:
    """The shortest run of lengths with 90 % of the sum, and the part of all paths in it."""
    first, last = window(values, 0.9)
    return f"{first}–{last} ({percent(sum(count[first : last + 1]) / sum(count))})"


def rows(
    kinds: Sequence[str], seeds: Sequence[int], epochs: int, images: int, samples: int
) -> Iterator[str]:
    """A table's rows, as they are measured."""
    for kind in kinds:
        for seed in seeds:
            tg.manual_seed(seed)
            model = network(kind)
            cells = measure(model, True, images, samples)
            yield f"| {kind} | fresh | {seed} | | {' | '.join(cells)} |"
            if epochs:
                train(model.train(), epochs, seed)
                right = accuracy(model)
                cells = measure(model, False, images, samples)
                yield f"| {kind} | trained | {seed} | {right:.2f} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, and print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", nargs="+", choices=("post", "pre"), default=["post", "pre"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=2, help="of training; 0 for none")
    parser.add_argument("--images", type=int, default=8, help="in the batch that is measured")
    parser.add_argument("--samples", type=int, default=5, help="single paths of each length")
    args = parser.parse_args()
    print(HEAD + "\n|" + " --- |" * (HEAD.count("|") - 1), flush=True)
    started = time.perf_counter()
    for row in rows(args.blocks, args.seeds, args.epochs, args.images, args.samples):
        print(row, flush=True)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
