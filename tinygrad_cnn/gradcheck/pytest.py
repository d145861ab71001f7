"""A pytest plugin, `-p tinygrad_cnn.gradcheck.pytest`: the fixture `gradcheck`.

    def test_my_layer(gradcheck):
        gradcheck(MyFunction.apply, (x, w))

The test fails if the gradient is wrong, and the report is the failure's text.
``--gradcheck-html PAGE.html`` writes a page with the Jacobians of all checks;
``--gradcheck-unseen fail`` lets a test fail, too, if the inputs could not show everything. With
pytest-xdist, the page has the checks of all workers.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .check import gradcheck as judge
from .report import Report

REPORTS = pytest.StashKey[dict[str, Report]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add this plugin's options."""
    group = parser.getgroup("gradcheck", "gradient checks")
    group.addoption(
        "--gradcheck-html", metavar="PATH", help="write a page with the Jacobians of all checks"
    )
    group.addoption(
        "--gradcheck-unseen",
        choices=("tell", "fail"),
        default="tell",
        help="what to do if a check's inputs could not show everything (default: tell)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin an empty list of reports."""
    config.stash[REPORTS] = {}


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """`tinygrad_cnn.gradcheck`, which fails the test if the gradient is wrong."""
    unseen_fails = request.config.getoption("--gradcheck-unseen") == "fail"
    reports = request.config.stash[REPORTS]

    def check(f: Callable[..., Any], inputs: Any, **options: Any) -> Report:
        __tracebackhide__ = True
        report = judge(f, inputs, **options)
        name = request.node.nodeid
        count = sum(known.split(" (")[0] == name for known in reports)
        reports[f"{name} ({count + 1})" if count else name] = report
        if not report:
            pytest.fail(str(report), pytrace=False)
        if unseen_fails and report.unseen:
            told = "it could not see everything, and --gradcheck-unseen=fail was given"
            pytest.fail(f"{report}\n  {told}", pytrace=False)
        return report

    return check


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page, or hand the reports of a worker to who distributed the tests."""
    config = session.config
    path, reports = config.getoption("--gradcheck-html"), config.stash[REPORTS]
    if not path:
        return
    if hasattr(config, "workeroutput"):
        plain = {name: _bare(report) for name, report in reports.items()}
        config.workeroutput["gradcheck"] = pickle.dumps(plain)
        return
    from viz.plots.checks import write_checks

    right = sum(map(bool, reports.values()))
    told = f"{len(reports)} checked: {right} right, {len(reports) - right} wrong or unclear."
    write_checks(Path(path), "Gradient checks", told, reports)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """Take the reports of a worker of pytest-xdist."""
    found = getattr(node, "workeroutput", {}).get("gradcheck")
    if found:
        node.config.stash[REPORTS].update(pickle.loads(found))


def _bare(report: Report) -> Report:
    """A report without the inputs as they were given, which may be of any kind."""
    report.command = report.snippet()
    report.given = type(report.given)()
    return report
