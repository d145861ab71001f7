"""The tutorials run as scripts; their exercises accept the solutions, and explain mistakes."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parent.parent / "tutorials"
SCRIPTS = sorted(TUTORIALS.glob("[0-9][0-9]_*.py"))
CELL = re.compile(r"^# %%[ ]?(.*)\n", re.MULTILINE)

MISTAKES = {
    "01_one_number": {
        "Exercise 1": (
            "a_grad, b_grad = -3, -2",
            "a_grad: not yet. -3 is too small.",
            "b_grad: not yet. The size is right, the sign is not.",
        ),
        "Exercise 2": (
            "def tanh_derivative(x): return 1 - x**2",
            "tanh_derivative: not yet. tanh_derivative(-1.0) gives 0, and should give 0.419974.",
        ),
        "Exercise 3": (
            "number_of_paths, product_along_one_path, sum_over_all_paths = 3, [4], 'twelve'",
            "number_of_paths: right.",
            "product_along_one_path: not yet. This is an array of shape (1,), and should be a",
            "sum_over_all_paths: not yet. 'twelve' is not a number.",
        ),
    },
    "05_padding_and_stride": {
        "Exercise 1": (
            "lenet_first, lenet_second, alexnet_first = 28, ..., 54.75",
            "lenet_first: right.",
            "lenet_second: not filled in yet.",
            "alexnet_first: not yet. 54.75 is too large.",
        ),
        "Exercise 2": (
            "def output_size(n, k, p, s): return (n - k + p) // (s - 1) + 1",
            "output_size: not yet. output_size(1, 1, 0, 1) raised ZeroDivisionError",
        ),
        "Exercise 3": (
            "padding = 1",
            "padding: not yet. The shape is (1, 1, 4, 4), and should be (1, 1, 3, 3).",
        ),
        "Exercise 4": ("never_looked_at = 0", "never_looked_at: not yet. 0 is too small."),
    },
}
"""For each exercise, an answer that is not right, and what the checks must say to it."""

pytestmark = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def cells(path: Path) -> list[tuple[str, str]]:
    """The cells of a py:percent file: title and source of each."""
    _, *parts = CELL.split(path.read_text(encoding="utf-8"))
    return list(zip(parts[::2], parts[1::2], strict=True))


def exercises(path: Path) -> list[str]:
    return [title for title, _ in cells(path) if title.startswith("Exercise")]


def filled_in(script: Path, answers: Mapping[str, str]) -> str:
    """The tutorial's code up to the check of its last exercise, with answers put in."""
    source = cells(script)
    last = max(i for i, (title, _) in enumerate(source) if title in answers)
    return "\n".join(
        answers.get(title, body) for title, body in source[: last + 2] if title != "[markdown]"
    )


def run(*arguments: str | Path, folder: Path) -> str:
    """The output of a fresh Python that cannot import jupytext, and has no display."""
    (folder / "jupytext.py").write_text("raise ImportError('scripts do not need jupytext')")
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def verdicts(output: str) -> set[str]:
    return set(re.findall(r"^\w+: (right|not filled in|not yet)", output, re.MULTILINE))


@pytest.mark.slow
def test_it_runs_as_a_script(script: Path, tmp_path: Path) -> None:
    assert verdicts(run(script, folder=tmp_path)) == {"not filled in"}


def test_the_solutions_are_right(script: Path, tmp_path: Path) -> None:
    file = TUTORIALS / "solutions" / script.name
    assert exercises(file) == exercises(script)
    solutions = {title: body for title, body in cells(file) if title in exercises(file)}
    assert verdicts(run("-c", filled_in(script, solutions), folder=tmp_path)) == {"right"}


def test_mistakes_are_explained(script: Path, tmp_path: Path) -> None:
    mistakes = MISTAKES[script.stem]
    assert list(mistakes) == exercises(script)
    answers = {title: code for title, (code, *_) in mistakes.items()}
    output = run("-c", filled_in(script, answers), folder=tmp_path)
    for _, *expected in mistakes.values():
        for words in expected:
            assert f"\n{words}" in f"\n{output}"
