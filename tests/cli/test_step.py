"""`tinygrad-cnn step`: scripts, models and traces, as a page and in the terminal."""

import json
import re

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.data import fashion_mnist

from . import running

ADDS = """
import tinygrad_cnn as tg
a = tg.Scalar(2.0, name="a")
b = a + a
b.backward()
"""
TRACED = """
import sys
import tinygrad_cnn as tg
def main():
    x = tg.Tensor([1.0, -2.0], requires_grad=True, name="x")
    with tg.trace():
        (x.relu() * 2).sum().backward()
    tg.Scalar(1.0).exp().backward()
if __name__ == "__main__":
    main()
    sys.exit(0)
"""
FAILS = """
import tinygrad_cnn as tg
with tg.trace():
    tg.Tensor([[1.0, 2.0]]).exp() @ tg.Tensor([[1.0]])
"""


def run(*words, typed=""):
    return running.run("step", *words, typed=typed)


def steps_of(tmp_path, program):
    file = tmp_path / "program.py"
    file.write_text(program)
    out = tmp_path / "steps.json"
    result = run(file, "-o", out)
    return result, json.loads(out.read_text())


def test_a_script_that_calls_backward(tmp_path):
    result, data = steps_of(tmp_path, ADDS)
    assert result.exit_code == 0
    assert result.output.endswith("steps.json: 4 steps\n")
    assert data["title"] == "program.py"
    assert data["steps"][1]["caption"] == "b = a + a = 2 + 2 = 4."
    file, line = data["steps"][1]["source"]
    assert dict(data["sources"][file]["lines"])[line] == "b = a + a"


def test_a_script_with_a_trace_of_its_own(tmp_path):
    _, data = steps_of(tmp_path, TRACED)
    assert [s["op"] for s in data["steps"] if s["kind"] == "forward"] == ["relu", "multiply", "sum"]


def test_a_script_that_fails_is_shown_and_its_traceback_told(tmp_path):
    result, data = steps_of(tmp_path, FAILS)
    assert result.exit_code == 1
    assert data["steps"][-1]["kind"] == "error"
    assert result.stderr.startswith("Traceback")
    assert "program.py" in result.stderr
    assert "app.py" not in result.stderr


def test_a_model_on_one_example(tmp_path):
    out = tmp_path / "lenet.html"
    result = run("lenet", "--data", "fashion_mnist", "--index", 3, "-o", out, "--no-open")
    assert result.output == f"{out}: 28 steps\n"
    data = json.loads(re.search(r'id="data">(.*?)</script>', out.read_text("utf-8"), re.DOTALL)[1])
    assert data["title"] == "lenet on example 3 of Fashion-MNIST test"
    image = next(n for n in data["nodes"] if n["label"] == "images")
    pixels = fashion_mnist("test").inputs[3]
    assert data["arrays"][image["value"]]["statistics"]["mean"] == pytest.approx(pixels.mean())


def test_a_saved_trace(tmp_path):
    with tg.trace() as t:
        tg.Scalar(2.0).exp()
    t.save(tmp_path / "t.trace")
    assert run(tmp_path / "t.trace", "-o", tmp_path / "t.html", "--no-open").exit_code == 0
    assert "t.trace, step by step" in (tmp_path / "t.html").read_text("utf-8")


def test_the_terminal_walks_the_same_steps_at_80_columns(tmp_path):
    (tmp_path / "program.py").write_text(ADDS)
    shown = run(tmp_path / "program.py", "--text", typed="\n\n\n\n\n").stdout
    heads = re.findall(r"step (\d) of 4, (\w+)", shown)
    assert [int(k) for k, _ in heads] == [0, 1, 2, 3, 4]
    assert "1  +  1  =  2" in shown
    assert "no grad yet" in shown
    assert "▶    4  b = a + a" in shown
    assert "This was the last step." in shown
    shown = run("lenet", "--text", typed="/features.conv2\nb\n27\nnonsense\n/nothing\nq\n").stdout
    assert [int(k) for k in re.findall(r"step (\d+) of 28", shown)] == [0, 4, 3, 27]
    assert "There is no 'nonsense' here." in shown
    assert "There is no 'nothing' here." in shown
    lines = [line.rpartition("quits > ")[2] for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing.py",), "nothing.py: No such file"),
        (("lenett",), "unknown model 'lenett'"),
        (("lenet", "--index", 4000), "has 400 examples"),
        (("lenet", "--image", "none.png"), "none.png: there is no such file"),
        (("resnet18",), "takes images of"),
    ],
)
def test_what_cannot_be_stepped_through_is_one_sentence(words, said):
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_script_without_a_recording(tmp_path):
    (tmp_path / "none.py").write_text("x = 1\n")
    assert "recorded nothing" in run(tmp_path / "none.py").stderr
    (tmp_path / "wrong.py").write_text("x = (\n")
    assert "is no Python program" in run(tmp_path / "wrong.py").stderr
