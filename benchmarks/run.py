"""Run all benchmarks (or those whose name holds a given word) and print a table.

python benchmarks/run.py [WORD]
"""

from __future__ import annotations

import platform
import sys

import numpy as np
from cases import CASES, torch
from timing import side_by_side, table


def main() -> None:
    """Time the cases, and print what was measured and on what."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if torch:
        torch.set_num_threads(2)
    results = {}
    for name, (case, rounds) in CASES.items():
        if word in name:
            print(f"{name} ...", file=sys.stderr)
            results[name] = side_by_side(case(), rounds)
    versions = [f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    versions += [f"PyTorch {torch.__version__}, 2 threads"] if torch else ["no PyTorch"]
    print(", ".join(versions) + "\n\n" + table(results))


if __name__ == "__main__":
    main()
