"""Opening a page: nothing is printed, and the answer says whether a browser took it."""

import subprocess
import sys

import pytest

from viz.picture.browser import open_page


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="they open pages themselves")
@pytest.mark.parametrize(("code", "opened"), [(0, True), (3, False)])
def test_what_the_desktop_says_is_not_printed_but_believed(tmp_path, monkeypatch, code, opened):
    page, asked = tmp_path / "page.html", tmp_path / "asked"
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" > {asked}\necho no browser >&2\nexit {code}\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = (
        "import pathlib, sys; from viz.picture.browser import open_page\n"
        "print(open_page(pathlib.Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, page], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (f"{opened}\n", "")
    assert asked.read_text().strip() == page.as_uri()


def test_a_browser_that_stays_open_has_taken_the_page(tmp_path, monkeypatch):
    opener = tmp_path / "xdg-open"
    opener.write_text("#!/bin/sh\nsleep 5\n")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("viz.picture.browser.PATIENCE", 0.1)
    monkeypatch.setattr("sys.platform", "linux")
    assert open_page(tmp_path / "page.html")
