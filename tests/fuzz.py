"""`make fuzz`: search with fresh examples for what those of `make test` missed.

It runs rounds of all property tests until the time is over, and lets the last test finish. Each
round has a random order, a fresh seed and thirty times as many examples. Failures are listed with
their smallest example and the command that repeats them, and the exit code is then 1.

This file is both the command and the pytest plugin of each round.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT = 300  # seconds; a test that takes longer is stuck
PROFILE = "thorough"


def main() -> int:
    """Search until the time is over, or ctrl-C. Returns 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seconds", type=float)
    parser.add_argument("jobs", type=int)
    parser.add_argument("arguments", nargs="*", help="for pytest: which tests")
    given = parser.parse_args()
    until = time.time() + given.seconds
    environment = os.environ | {"HYPOTHESIS_PROFILE": PROFILE}
    failures: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "found")
        found.touch()
        code = 0
        while code in (0, 1) and time.time() < until:
            seed = random.getrandbits(32)
            command = [
                *(sys.executable, "-m", "pytest", "-p", "tests.fuzz", "-m", "hypothesis"),
                *("-n", str(given.jobs), "--dist=worksteal", "--max-worker-restart=1000"),
                *("-q", "--tb=short", "--no-summary", f"--hypothesis-seed={seed}"),
                *(f"--until={until}", f"--found={found}"),
                *(f"--deselect={failure['test']}" for failure in failures),
                *given.arguments,
            ]
            try:
                code = subprocess.run(command, env=environment).returncode
            except KeyboardInterrupt:
                code = 2
            failures = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
    for failure in failures:
        print(f"\n{failure['test']}\n{failure['example']}\n{failure['repeat']}")
    print(f"\n{len(failures)} failed.")
    if code not in (0, 1):
        print(f"The search broke off: pytest ended with {code}.")
    return 1 if failures else code


# --- the plugin ----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--until", type=float, help="when no further test is begun")
    parser.addoption("--found", type=Path, help="where failures are written, as they happen")


class Search:
    """Begins tests in random order while there is time, ends what is stuck, writes what failed."""

    def __init__(self, config: pytest.Config) -> None:
        self.until, self.found = config.getoption("until"), config.getoption("found")
        self.seed = config.getoption("hypothesis_seed")
        self.workers = not hasattr(config, "workerinput")  # else this is one of them

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        random.Random(self.seed).shuffle(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        return time.time() >= self.until or None  # True: it is done with

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        faulthandler.dump_traceback_later(LIMIT, exit=True, file=sys.__stderr__)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.workers:
            lines = report.longreprtext.splitlines()
            example = [line[4:] for line in lines if line.startswith("E ")]
            if "crashed while running" in report.longreprtext:
                example = [f"It crashed, or took more than {LIMIT} s."]
            python = os.path.relpath(sys.executable)
            command = [python, "-m", "pytest", report.nodeid, f"--hypothesis-seed={self.seed}"]
            failure = {
                "test": report.nodeid,
                "example": "\n".join(f"    {line}" for line in example or lines),
                "repeat": f"HYPOTHESIS_PROFILE={PROFILE} {shlex.join(command)}",
            }
            with self.found.open("a", encoding="utf-8") as file:
                file.write(json.dumps(failure) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("found"):
        config.pluginmanager.register(Search(config))


if __name__ == "__main__":
    sys.exit(main())
