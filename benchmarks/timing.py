"""Time several engines side by side: interleaved rounds in one run, medians, ratios.

Machines are noisy, and their speed drifts; so each round runs every engine once, and what is
compared is the median over rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

Step = Callable[[], object]


def side_by_side(engines: dict[str, Step], rounds: int, warm_up: int = 2) -> dict[str, float]:
    """The median seconds of one call, by engine."""
    for step in engines.values():
        for _ in range(warm_up):
            step()
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, step in engines.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    return {name: median(times) for name, times in seconds.items()}


def table(results: dict[str, dict[str, float]], unit: str = "ms") -> str:
    """A Markdown table: a row per case, the time of each engine, and ours ÷ theirs."""
    engines = list(dict.fromkeys(name for times in results.values() for name in times))
    peers = [name for name in engines if name != "ours"]
    head = ["case", "ours (ms)", *(f"{p} (ms)" for p in peers), *(f"ours ÷ {p}" for p in peers)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for case, times in results.items():
        cells = [case, f"{1e3 * times['ours']:.2f}"]
        cells += [f"{1e3 * times[p]:.2f}" if p in times else "" for p in peers]
        cells += [f"{times['ours'] / times[p]:.2f}" if p in times else "" for p in peers]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
