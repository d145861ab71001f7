"""Tutorials as cells: read, run, written as a page and as a notebook, found from a wheel."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import tinygrad_cnn as tg
from tinygrad_cnn.cli.app import app
from tinygrad_cnn.errors import DataError, OptionError
from viz.tutorial import Cell, Session, Tutorial, find, listed, read, write_page
from viz.tutorial import cells as cells_module
from viz.tutorial.cells import cells_of
from viz.tutorial.notebook import notebook, write_notebook

ROOT = Path(__file__).parents[3]
SMALL = """\
# %% [markdown]
# # 7 · Small
#
# One *idea*, `code`, and a < b.

# %%
import tinygrad_cnn as tg
import viz

a = tg.Scalar(2.0, name="a")
print("printed <b>")
a.data + 1

# %%
graph_picture = viz.draw(a * a)
graph_picture

# %% [markdown]
# **Exercise 1.** Twice two?

# %% Exercise 1
answer = ...

# %%
print(answer is ...)
"""


@pytest.fixture
def small(tmp_path: Path) -> Tutorial:
    path = tmp_path / "07_small.py"
    path.write_text(SMALL, encoding="utf-8")
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / path.name).write_text("# %% Exercise 1\nanswer = 4\n")
    return read(path)


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


texts = st.text(st.sampled_from("ab ('#'%=\n"), max_size=30).map(lambda text: text.rstrip())


@given(st.lists(st.tuples(st.booleans(), texts.filter(str.strip)), min_size=1, max_size=5))
def test_cells_come_back_as_they_were_written(parts):
    parts = [(prose, text.replace("%%", "% %")) for prose, text in parts]  # %% starts a cell
    written = ""
    for prose, text in parts:
        lines = text.split("\n")
        body = [f"# {line}".rstrip() if prose else line for line in lines]
        written += ("# %% [markdown]\n" if prose else "# %%\n") + "\n".join(body) + "\n\n"
    wanted = [
        (prose, "\n".join(line.rstrip() for line in text.split("\n")) if prose else text)
        for prose, text in parts
    ]
    assert [(cell.prose, cell.source) for cell in cells_of(written)] == wanted


def test_a_tutorial_knows_its_title_its_lines_and_its_solutions(small):
    assert (small.name, small.title) == ("07_small", "7 · Small")
    assert small.solutions == {"Exercise 1": "answer = 4"}
    lines = SMALL.splitlines()
    for cell in small.cells:
        first = cell.source.splitlines()[0]
        assert lines[cell.line - 1] == (f"# {first}" if cell.prose else first)


def test_a_session_is_one_namespace_and_shows_last_expressions(small):
    session = Session(small)
    results = [session.run(cell) for cell in small.cells]
    assert results[1].text == "printed <b>\n3.0"
    assert results[2].picture is session.namespace["graph_picture"]
    assert (results[2].name, results[2].text) == ("graph_picture", "")
    session.answers["Exercise 1"] = "answer = 4"
    assert [session.run(cell).output for cell in small.cells[-2:]] == ["", "False\n"]


def test_a_failing_cell_is_told_with_its_own_line(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("# %%\nx = 1\n\n# %%\nassert x == 2  # two\n")
    tutorial = read(path)
    session = Session(tutorial)
    assert not session.run(tutorial.cells[0]).error
    error = session.run(tutorial.cells[1]).error
    assert 'bad.py", line 5' in error
    assert "assert x == 2  # two" in error
    assert "viz/tutorial" not in error
    assert "SyntaxError" in session.run(Cell("x = (")).error


def test_a_tutorial_that_needs_what_is_missing_ends_with_the_word_for_it(tmp_path):
    file = tmp_path / "needy.py"
    file.write_text(
        "# %% [markdown]\n# # Needy\n\n# %%\nfrom tinygrad_cnn.teaching import need\n"
        "need('numpy', 'no_such_package', extras='torch')\n\n# %%\nprint('reached')\n"
    )
    words = "Skipped: this needs no_such_package, which is not installed: pip install 'tinygrad_cnn"
    page, last = write_page(read(file), tmp_path)
    assert last.skipped.startswith(words)
    assert "reached" not in page.read_text()
    done = subprocess.run(
        [sys.executable, file], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(words)
    assert "reached" not in done.stdout


def test_a_trace_names_the_lines_of_the_file(tmp_path):
    path = tmp_path / "traced.py"
    path.write_text(
        "# %%\nimport tinygrad_cnn as tg\n\n"
        "# %%\nwith tg.trace() as t:\n    tg.exp(tg.Tensor([1.0]))\n"
    )
    tutorial = read(path)
    session = Session(tutorial)
    for cell in tutorial.cells:
        assert not session.run(cell).error
    assert [node.source for node in session.namespace["t"].graph.nodes if node.op] == [
        (str(path), 6)
    ]


class Page(HTMLParser):
    """Which tags a page has, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_has_prose_code_results_pictures_and_solutions(small, tmp_path):
    path, last = write_page(small, tmp_path / "new" / "out")
    assert not last.error
    page = Page(path.read_text(encoding="utf-8"))
    assert path.name == "07_small.html"
    for words in ("7 · Small", "a < b", 'a = tg.Scalar(2.0, name="a")', "printed <b>\n3.0", "True"):
        assert words in page.text
    tags = [tag for tag, _ in page.tags]
    assert tags.count("img") == tags.count("details") == 1
    assert "answer = 4" in page.text
    assert "script" not in tags
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert all(source.startswith("data:image/svg+xml") for source in sources)


def test_the_page_links_to_pictures_that_move(tmp_path):
    path = tmp_path / "08_moving.py"
    path.write_text(
        "# %%\nimport numpy as np\nimport viz\n\n"
        "moving_picture = viz.convolution(np.eye(3), np.eye(2))\nmoving_picture\n"
    )
    page = Page(write_page(read(path), tmp_path)[0].read_text(encoding="utf-8"))
    (link,) = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert "see it move" in page.text
    assert "<script" in (tmp_path / link).read_text(encoding="utf-8")


def test_the_page_stops_at_an_error(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("# %%\n1 / 0\n\n# %%\nprint('never')\n")
    result = run("tutorial", path, "--out", tmp_path, "--no-open")
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.output
    page = (tmp_path / "bad.html").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in page
    assert "never" not in page


def test_the_notebook_is_valid_and_never_overwritten(small, tmp_path):
    book = notebook(small)
    kinds = [(cell["cell_type"], cell["metadata"].get("tags")) for cell in book["cells"]]
    assert kinds == [
        ("markdown", None), ("code", None), ("code", None), ("markdown", None),
        ("code", ["exercise"]), ("markdown", ["solution"]), ("code", None),
    ]  # fmt: skip
    pytest.importorskip("nbformat").validate(book)
    path = write_notebook(small, tmp_path)
    with pytest.raises(OptionError, match="is there already"):
        write_notebook(small, tmp_path)
    assert path.name == "07_small.ipynb"


@pytest.mark.parametrize("tutorial", listed(), ids=lambda tutorial: tutorial.name)
def test_jupytext_reads_the_same_cells(tutorial):
    jupytext = pytest.importorskip("jupytext")
    theirs = [
        (cell.cell_type == "markdown", cell.source) for cell in jupytext.read(tutorial.path).cells
    ]
    assert [(cell.prose, cell.source) for cell in tutorial.cells] == theirs


def test_the_command_lists_finds_and_writes(tmp_path):
    listing = run("tutorial").stdout
    assert all(tutorial.title in listing for tutorial in listed())
    assert find("5") == find("05") == find("05_padding_and_stride")
    result = run("tutorial", 99)
    assert result.exit_code == 2
    assert "there is no tutorial '99'; there are 1" in result.stderr
    assert run("tutorial", 5, "--notebook", "--out", tmp_path).exit_code == 0
    assert (tmp_path / "05_padding_and_stride.ipynb").exists()


def test_a_file_that_is_no_tutorial_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "none.py")
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(DataError, match="no cells"):
        read(tmp_path / "empty.py")


def test_a_wheel_has_them_inside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "tinygrad_cnn"
    (package / "_tutorials").mkdir(parents=True)
    (package / "_tutorials" / "03_three.py").write_text("# %% [markdown]\n# # 3 · Three\n")
    monkeypatch.setattr(cells_module.tinygrad_cnn, "__file__", str(package / "__init__.py"))
    assert [tutorial.title for tutorial in listed()] == ["3 · Three"]
    assert tg.Tensor is not None


@pytest.mark.browser
def test_a_page_of_steps_works_inside_the_tutorials_page(browser, tmp_path):
    file = tmp_path / "01_steps.py"
    file.write_text(
        "# %%\nimport tinygrad_cnn as tg, viz\na = tg.Scalar(2.0, name='a')\n"
        "steps_picture = viz.step(a + a)\nsteps_picture\n"
    )
    path, _ = write_page(read(file), tmp_path / "out")
    browser.open(path)
    browser.evaluate("document.querySelector('iframe').scrollIntoView(); 0")
    with browser.frame():
        count = browser.evaluate("document.getElementById('count').textContent")
    assert count == "step 0 of 4, forward"
    assert browser.complaints == []
    link = browser.evaluate("document.querySelector('.steps a').getAttribute('href')")
    assert (tmp_path / "out" / link).read_text(encoding="utf-8").count("<script") == 2
