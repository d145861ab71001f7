"""`tinygrad-cnn gradcheck`: what it checks in a file, exit codes, one sentence for what is bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from . import running

LAYERS = """
import numpy as np
import tinygrad_cnn as tg
from tinygrad_cnn import relu, nn

swish = tg.op("swish", lambda x: x / (1 + np.exp(-x)))
swish.vjp(lambda g, y, x: g * (tg.sigmoid(x) + y * (1 - tg.sigmoid(x))))
lazy = tg.op("lazy", lambda x: x / (1 + np.exp(-x)), lambda g, y, x: g * tg.sigmoid(x))
detached = tg.op("detached", lambda x: 2 * x, lambda g, y, x: None)
scale = tg.op("scale", lambda x, w: x * w)
scale.vjp(lambda g, y, x, w: g, lambda g, y, x, w: g * x)

class Swish(nn.Module):
    def forward(self, x):
        return swish(x)

class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(np.ones((channels, 1)))
    def forward(self, x):
        return scale(x, self.weight)

class Noisy(nn.Module):
    def forward(self, x):
        return tg.dropout(x, 0.5) if self.training else x

def distance(p, t):
    return ((p - t) ** 2).mean()

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mylayers.py"
    path.write_text(LAYERS)
    return path


def run(*words: Any) -> Any:
    return running.run("gradcheck", *words)


@pytest.mark.parametrize(
    ("name", "options", "code", "words"),
    [
        ("Swish", "--input 2,3", 0, "gradcheck Swish: ok"),
        ("swish", "--input 2,3 --order 2", 0, "order 2"),
        ("swish", "--input 50,60,70 --mode random", 0, "random directions"),
        ("lazy", "--input 2,3", 1, "only one factor is differentiated"),
        ("detached", "--input 2", 1, "missing"),
        ("Scale(3)", "--input 3,2", 1, "moved off its constant value first: weight"),
        ("Noisy", "--input 2,30", 2, "nondeterministic"),
        ("Noisy", "--input 2,30 --eval", 0, "ok"),
        ("distance", "-i 2,3 -i 2,3", 0, "ok"),
        ("Swish", "--input 200,300,40", 2, "too large"),
        ("lambda x: x.reshape(7)", "--input 2,3", 2, "reshape"),
    ],
)
def test_one_layer(file: Path, name: str, options: str, code: int, words: str) -> None:
    result = run(f"{file}:{name}", *options.split())
    assert result.exit_code == code, result.output
    assert words in result.output


def test_a_wrong_layer_is_reproduced_by_a_command(file: Path) -> None:
    said = run(f"{file}:Scale(3)", "--input", "3,2", "--seed", 4).stdout
    assert said.splitlines()[-1].strip() == (
        f"tinygrad-cnn gradcheck '{file}:Scale(3)' --input 3,2 --seed 4"
    )


def test_all_of_a_file(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "report.html"
    result = run(file, "--input", "2,3", "--html", page)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "swish: ok: the gradient is right" in lines
    assert any(line.startswith("scale: could not be checked: scale takes 2") for line in lines)
    assert any("Scale needs channels: write it out" in line for line in lines)
    assert "7 checked: 2 right, 2 wrong, 3 could not be checked" in lines
    assert "relu" not in result.stdout
    text = page.read_text()
    assert text.count("<figure>") == 4
    assert "<h2>2. lazy: wrong</h2>" in text
    assert "Scale needs channels" in text
    both = run(file, "--input", "2,3", "--input", "2,3")
    assert "scale: wrong" in both.stdout


@pytest.mark.parametrize(
    ("target", "shape", "words"),
    [
        ("mylayers.py:Swsh", "2", "there is no 'Swsh'; did you mean Swish?"),
        ("mylayers.py:number", "2", "an op, a Module or a function is needed, not int"),
        ("mylayers.py:Scale", "2", 'Scale needs channels: write it out, as in "mylayers.py:Scale('),
        ("mylayers.py:Scale(-1)", "2", "Scale(-1): ValueError"),
        ("mylayers.py:distance", "2", "distance takes 2 inputs (p, t), and 1 shape was given"),
        ("mylayers.py:swish", "2,x", "sizes such as 2,3,8,8 are needed, not '2,x'"),
        ("mylayers.py:swish", None, "give the shape of each input"),
        ("nothing.py", "2", "there is no such file"),
        ("mylayers:Swish", "2", "name a file"),
        ("raises.py", "2", "raises.py, line 2: ValueError: bad weights"),
        ("quits.py", "2", "quits.py, line 1: SystemExit: 3"),
        ("syntax.py", "2", "syntax.py, line 1: SyntaxError"),
        ("empty.py", "2", "has no op and no Module"),
    ],
)
def test_bad_input_is_one_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch, target: str, shape: str | None, words: str
) -> None:
    monkeypatch.chdir(file.parent)
    Path("raises.py").write_text("x = 1\nraise ValueError('bad\\nweights')\n")
    Path("quits.py").write_text("raise SystemExit(3)\n")
    Path("syntax.py").write_text("def f(:\n")
    Path("empty.py").write_text("import numpy as np\nx = 1\n")
    result = run(target, *(["--input", shape] if shape else []))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


TORCH = """
import torch
from torch import nn

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return w * x**2
    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w * x, g * x**2

class Scale(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1))
        self.linear = nn.Linear(2, 2)
    def forward(self, x):
        return Square.apply(self.weight, self.linear(x))

def distance(p, t):
    return ((p - t) ** 2).mean()
"""


@pytest.fixture
def torch_file(tmp_path: Path) -> Path:
    pytest.importorskip("torch")
    path = tmp_path / "torchlayers.py"
    path.write_text(TORCH)
    return path


@pytest.mark.parametrize(
    ("name", "options", "code", "words"),
    [
        ("Square", ["-i", "2,3", "-i", "3"], 1, "'x' is off by a constant factor of 1/2"),
        ("Square.apply", ["-i", "2,3", "-i", "3"], 1, "gradcheck Square.apply: wrong"),
        ("Scale", ["-i", "3,2"], 1, "linear.weight: right"),
        ("Scale(4)", ["-i", "4,2", "--eval"], 1, "moved off its constant value first: weight"),
        ("nn.BatchNorm1d(2)", ["-i", "4,2"], 0, "the gradient is right"),
        ("distance", ["-i", "2", "-i", "2", "--order", "3"], 0, "order 3"),
        ("Square", ["-i", "2,3"], 2, "takes 2 inputs (x, w)"),
        ("Sqare", ["-i", "2,3"], 2, "did you mean Square?"),
        ("Scale(5)", ["-i", "4,2"], 2, "the function failed"),
    ],
)
def test_layers_of_pytorch(
    torch_file: Path, name: str, options: list[str], code: int, words: str
) -> None:
    first, again = (run(f"{torch_file}:{name}", *options) for _ in range(2))
    assert first.exit_code == code, first.output
    assert words in " ".join((first.output + first.stderr).split()), first.output
    assert first.output == again.output


def test_all_layers_of_a_file_of_pytorch(torch_file: Path) -> None:
    result = run(torch_file, "-i", "3,2", "-i", "3,1")
    assert result.exit_code == 1
    assert "2 checked: 0 right, 2 wrong" in result.output, result.output
