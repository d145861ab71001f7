"""The pytest plugin: the report is the failure's text, and a page has all checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import numpy as np
import pytest
import tinygrad_cnn as tg

cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * x**2)

def test_right(gradcheck):
    assert gradcheck(tg.tanh, np.ones(3)).verdict == "ok"

def test_wrong(gradcheck):
    gradcheck(tg.tanh, np.ones(2))
    gradcheck(cube, np.array([1.0, 2.0]), seed=3)

def test_unseen(gradcheck):
    gradcheck(tg.maximum, (np.full(2, 3.0), np.ones(2)))
"""


def run(folder: Path, *options: str) -> str:
    (folder / "test_layers.py").write_text(TESTS)
    plugin = ["-p", "tinygrad_cnn.gradcheck.pytest", "-p", "no:cacheprovider"]
    words = [sys.executable, "-m", "pytest", "-q", *plugin, *options, "test_layers.py"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "distributed"])
def test_the_report_is_the_failure(tmp_path: Path, workers: list[str]) -> None:
    if workers:
        pytest.importorskip("xdist")
    told = run(tmp_path, "--gradcheck-html", "checks.html", *workers)
    assert "1 failed, 2 passed" in told, told
    assert "the gradient for 'x' is off by a constant factor of 1/3" in told
    assert "To reproduce:" in told
    assert "judge(f, inputs" not in told  # no traceback of this project's
    page = (tmp_path / "checks.html").read_text()
    for name in ("test_right: ok", "test_wrong: ok", "test_wrong (2): wrong", "test_unseen: ok"):
        assert f"test_layers.py::{name}" in page


def test_what_a_check_could_not_see_may_fail(tmp_path: Path) -> None:
    told = run(tmp_path, "--gradcheck-unseen", "fail", "-k", "unseen or right")
    assert "1 failed, 1 passed" in told, told
    assert "'b' has no influence here" in told
