"""Run every tutorial as a script, each in a fresh process, and two of them as notebooks; time them.

    python scripts/run_tutorials.py          # `make tutorials`
    python scripts/run_tutorials.py 3 6      # some, as scripts: `make tutorials ARGS="3 6"`

It fails if a tutorial takes longer than `LIMIT` seconds, or a notebook does not show its pictures.
"""

import os
import subprocess
import sys
import time

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

from viz.tutorial import Tutorial, find, listed
from viz.tutorial.notebook import notebook

LIMIT = 120
NOTEBOOKS = ("3", "5")


def script(tutorial: Tutorial) -> None:
    """Run it as a reader would, without a display."""
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, tutorial.path],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=LIMIT,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{tutorial.path} failed")


def as_notebook(tutorial: Tutorial) -> None:
    """Execute it in a Jupyter kernel; each cell that ends in a picture must show it."""
    book = nbformat.from_dict(notebook(tutorial))
    nbformat.validate(book)
    transport = "ipc" if os.name == "posix" else "tcp"  # no port that others could listen at
    kernel = AsyncKernelManager(kernel_name="python3", transport=transport)
    NotebookClient(book, km=kernel, timeout=LIMIT).execute()
    for cell in book.cells:
        last = cell.source.rpartition("\n")[2]
        if cell.cell_type == "code" and last.endswith("_picture") and last.isidentifier():
            shown = [output.get("data", {}) for output in cell.outputs]
            if not any("image/svg+xml" in data for data in shown):
                sys.exit(f"{tutorial.path}: the notebook shows no {last}")


def timed(run, tutorial: Tutorial, kind: str) -> None:
    """Run a tutorial in one of the two ways, and say how long that took."""
    start = time.perf_counter()
    run(tutorial)
    print(f"{time.perf_counter() - start:5.1f} s  {kind:<8}  {tutorial.title}", flush=True)


start = time.perf_counter()
for tutorial in map(find, sys.argv[1:]) if sys.argv[1:] else listed():
    timed(script, tutorial, "script")
for number in () if sys.argv[1:] else NOTEBOOKS:
    timed(as_notebook, find(number), "notebook")
print(f"{time.perf_counter() - start:5.0f} s in all")
