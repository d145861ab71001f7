"""Train, and say what was reached: one row of the table in README.md for each name.

python benchmarks/train.py             # lists the rows
python benchmarks/train.py lenet       # measures one
python benchmarks/train.py lenet --seed 1 --shipped    # another seed; the data that comes along
"""

from __future__ import annotations

import argparse
import sys
import time

from rows import MEASURED, ROWS, SHIPPED


def main() -> None:
    """Measure the rows that are asked for, and print them as the table has them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="; ".join(ROWS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shipped", action="store_true", help="small, on what comes along")
    asked = parser.parse_args()
    if unknown := [name for name in asked.rows if name not in ROWS]:
        sys.exit(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    for name in asked.rows:
        start = time.perf_counter()
        reached = ROWS[name](asked.seed, SHIPPED if asked.shipped else MEASURED)
        minutes = (time.perf_counter() - start) / 60
        print(
            f"| `{name}` | {ROWS[name].__doc__} | {asked.seed} | {reached} | {minutes:.1f} |",
            flush=True,
        )
    if not asked.rows:
        for name, row in ROWS.items():
            print(f"{name:<16} {row.__doc__}")


if __name__ == "__main__":
    main()
