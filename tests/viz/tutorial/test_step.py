"""The step mode, driven through a pseudo-terminal as a reader would."""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")  # not on Windows

COMMAND = [sys.executable, "-c", "from tinygrad_cnn.cli import main; main()"]
TUTORIAL = """\
# %% [markdown]
# # 9 · Steps
#
# Some **prose**.

# %%
import viz
import tinygrad_cnn as tg

print("one", 1 + 0)

# %%
square_picture = viz.draw(tg.Scalar(3.0) ** 2)
square_picture

# %% [markdown]
# **Exercise 1.** Twice two?

# %% Exercise 1
answer = ...

# %%
print("answered", answer)
"""


class Terminal:
    """A command in a pseudo-terminal."""

    def __init__(self, *words: str, folder: Path, **environment: str) -> None:
        self.screen, other = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *words], cwd=folder, stdin=other, stdout=other, stderr=other,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1", **environment},
        )  # fmt: skip
        os.close(other)
        self.seen = ""

    def until(self, words: str, seconds: float = 60.0) -> str:
        """What appears, up to these words."""
        end = time.monotonic() + seconds
        while words not in self.seen:
            ready, _, _ = select.select([self.screen], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"waited for {words!r}, and saw:\n{self.seen}"
            try:
                new = os.read(self.screen, 4096)
            except OSError:  # the other side has closed
                new = b""
            assert new, f"ended before {words!r}:\n{self.seen}"
            text = new.decode(errors="replace").replace("\r", "")
            self.seen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.seen + text)
        before, self.seen = self.seen.split(words, 1)
        return before + words

    def type(self, line: str = "") -> None:
        self.until("> ")
        os.write(self.screen, line.encode() + b"\n")

    def end(self) -> int:
        code = self.process.wait(timeout=30)
        os.close(self.screen)
        return code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "09_steps.py").write_text(TUTORIAL, encoding="utf-8")
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "09_steps.py").write_text("# %% Exercise 1\nanswer = 2 + 2\n")
    return tmp_path


@pytest.fixture
def editor(tmp_path: Path) -> str:
    """An editor that writes the answer 5."""
    script = tmp_path / "editor.py"
    script.write_text("import sys; open(sys.argv[1], 'w').write('answer = 5\\n')")
    return f"{sys.executable} {script}"


@pytest.mark.slow
def test_a_reader_steps_back_quits_and_goes_on(folder: Path, editor: str) -> None:
    words = ("tutorial", "09_steps.py", "--step", "--out", "out")
    terminal = Terminal(*words, folder=folder, EDITOR=editor)
    first = terminal.until('print("one", 1 + 0)')
    assert "step 1 of 4" in first
    assert "Some prose." in first  # rendered
    terminal.type()
    terminal.until("one 1")
    terminal.until("step 2 of 4")
    terminal.type("b")
    assert "Some prose." in terminal.until("step 1 of 4") + terminal.until("1 + 0")
    terminal.type()  # shows what it gave, without running it again
    terminal.until("step 2 of 4")
    terminal.type("what?")
    terminal.until("There is no 'what?' here.")
    terminal.type()
    terminal.until("out/09_steps/002_square.svg")
    assert (folder / "out/09_steps/002_square.svg").read_text().startswith("<svg")
    terminal.until("answer = ...")
    terminal.type("s")
    terminal.until("answer = 2 + 2")
    terminal.type("e")
    terminal.until("answer = 5")
    terminal.type("q")
    terminal.until("Step 3 of 4 is where you go on.")
    assert terminal.end() == 0

    terminal = Terminal(*words, folder=folder)
    terminal.until("step 3 of 4")
    assert "answer = 5" in terminal.until("answer = 5")
    terminal.type()
    terminal.until("step 4 of 4")
    terminal.type()
    terminal.until("answered 5")
    terminal.until("This was the last step.")
    assert terminal.end() == 0
    assert not (folder / "out/09_steps/progress.json").exists()


@pytest.mark.slow
def test_a_step_that_fails_is_told_and_stays(folder: Path) -> None:
    (folder / "09_steps.py").write_text("# %%\nassert 1 == 2, 'unequal'\n\n# %%\n2\n")
    (folder / "out" / "09_steps").mkdir(parents=True)
    (folder / "out" / "09_steps" / "progress.json").write_text("{")
    words = ("tutorial", "09_steps.py", "--step", "--out", "out")
    terminal = Terminal(*words, folder=folder)
    terminal.until("is damaged; --restart ignores it")
    assert terminal.end() == 2

    terminal = Terminal(*words, "--restart", folder=folder)
    terminal.type()
    terminal.until("AssertionError: unequal")
    terminal.until("Enter runs it again")
    terminal.type("q")
    terminal.until("Step 1 of 2")
    assert terminal.end() == 0
