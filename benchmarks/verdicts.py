"""What gradcheck says: of every planted mistake in every layer, and of layers that are right.

python benchmarks/verdicts.py mistakes [SEEDS]
python benchmarks/verdicts.py right [LAYERS]

Prints Markdown tables; on stderr, each case that was not diagnosed as planted, or not called right.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cnn as tg

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.gradcheck.zoo import LAYERS, plantable


def mistakes(seeds: int) -> None:
    """Every mistake of the zoo in every layer that it can be made in, at sizes from each seed."""
    said: dict[str, Counter[str]] = {}
    planted: dict[str, set[str]] = {}
    meant: Counter[str] = Counter()
    for seed in range(seeds):
        for mistake, layer, arrays, vjp in plantable(seed):
            report = tg.gradcheck(layer.f, arrays, vjp=vjp)
            pattern = report.pattern or report.verdict
            said.setdefault(mistake.name, Counter())[pattern] += 1
            planted.setdefault(mistake.name, set()).add(layer.name)
            meant[mistake.name] += pattern in mistake.patterns
            if pattern not in mistake.patterns:
                shapes = [a.shape for a in arrays]
                complaint = f"seed {seed}: {mistake.name} in {layer.name} {shapes}"
                print(f"{complaint}: {report.diagnosis}", file=sys.stderr, flush=True)
    print("| mistake planted | layers | cases | diagnosed as planted | what was said |")
    print("| --- | --- | --- | --- | --- |")
    for name, counts in said.items():
        share = meant[name] / counts.total()
        listed = ", ".join(f"{pattern} {count}" for pattern, count in counts.most_common())
        print(f"| {name} | {len(planted[name])} | {counts.total()} | {share:.1%} | {listed} |")
    total = sum(counts.total() for counts in said.values())
    print(f"\n{meant.total()} of {total} as planted.")


def right(count: int) -> None:
    """Layers of the zoo that are right, at random sizes, scaled by up to 1e8 either way."""
    verdicts: Counter[str] = Counter()
    for seed in range(count):
        random = np.random.default_rng(seed)
        layer = LAYERS[random.integers(len(LAYERS))]
        arrays = layer.draw(random)
        factor = 10.0 ** random.uniform(-8, 8)
        single = random.random() < 0.25

        def scaled(*x: Any, f: Any = layer.f, factor: float = factor) -> Any:
            return f(*x) * factor

        report = tg.gradcheck(scaled, [a.astype(np.float32) if single else a for a in arrays])
        verdicts[report.verdict] += 1
        if report.verdict != "ok":
            complaint = f"seed {seed}: {layer.name}: {report.verdict}: {report.diagnosis}"
            print(complaint, file=sys.stderr, flush=True)
    print("| verdict on a right layer | times |\n| --- | --- |")
    for verdict, times in verdicts.most_common():
        print(f"| {verdict} | {times} |")


def main() -> None:
    """Count one of the two."""
    what = sys.argv[1] if len(sys.argv) > 1 else "mistakes"
    count, usual = {"mistakes": (mistakes, 30), "right": (right, 5000)}[what]
    count(int(sys.argv[2]) if len(sys.argv) > 2 else usual)


if __name__ == "__main__":
    main()
