"""The tutorials run as scripts; their exercises accept the solutions, and explain mistakes.

`mistakes/NN_name.py` has an answer that is not right to each exercise, and, in comments
``# says: …``, how lines of the check's output must begin.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from viz.tutorial import Session, Tutorial, listed
from viz.tutorial.cells import cells_of

MISTAKES = Path(__file__).parent / "mistakes"
AS_SCRIPTS = listed()[:3]  # `make tutorials` runs all


def named(tutorial: Tutorial) -> str:
    return tutorial.name


def verdicts(output: str) -> set[str]:
    return set(re.findall(r"^[^:\n]+: (right|not filled in|not yet)", output, re.MULTILINE))


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", AS_SCRIPTS, ids=named)
def test_it_runs_as_a_script(tutorial: Tutorial, tmp_path: Path) -> None:
    """In a fresh Python that cannot import jupytext, and has no display."""
    (tmp_path / "jupytext.py").write_text("raise ImportError('scripts do not need jupytext')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        [sys.executable, tutorial.path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == {"not filled in"}


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", listed(), ids=named)
def test_exercises_accept_solutions_and_explain_mistakes(tutorial: Tutorial) -> None:
    exercises = [cell.title for cell in tutorial.cells if cell.exercise]
    mistakes = {cell.title: cell.source for cell in cells_of(mistakes_of(tutorial))}
    assert exercises == list(tutorial.solutions) == list(mistakes)
    session = Session(tutorial)
    left = len(exercises)
    for cell, after in zip(tutorial.cells, [*tutorial.cells[1:], None], strict=True):
        if cell.exercise and after is not None:

            def judged(answer: str, cell=cell, after=after) -> str:
                session.answers[cell.title] = answer
                done = session.run(cell), session.run(after)
                assert not any(result.error for result in done), done
                return done[1].output

            said = judged(mistakes[cell.title])
            for words in re.findall(r"^# says: (.*)", mistakes[cell.title], re.MULTILINE):
                assert f"\n{words}" in f"\n{said}"
            assert verdicts(judged(tutorial.solutions[cell.title])) == {"right"}
            assert verdicts(judged(cell.source)) == {"not filled in"}
            left -= 1
        result = session.run(cell)
        if result.skipped:
            pytest.skip(result.skipped)
        assert not result.error, result.error
        if not left:
            break


def mistakes_of(tutorial: Tutorial) -> str:
    text = (MISTAKES / f"{tutorial.name}.py").read_text(encoding="utf-8")
    for part in text.split("# %%")[1:]:
        assert "# says: " in part
    return text


@pytest.mark.parametrize("tutorial", listed(), ids=named)
def test_the_list_of_tutorials_names_it(tutorial: Tutorial) -> None:
    readme = tutorial.path.parent / "README.md"
    lines = readme.read_text("utf-8").splitlines()
    row = next((line for line in lines if f"({tutorial.path.name})" in line), None)
    assert row, f"tutorials/README.md has no row for {tutorial.path.name}"
    for picture in re.findall(r'src="([^"]+)"', row):
        assert (readme.parent / picture).is_file()
