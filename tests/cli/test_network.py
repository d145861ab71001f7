"""Commands on networks of one's own: in a Python file, of PyTorch or ours, in .onnx or in .pt2."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import tinygrad_cnn as tg
from tinygrad_cnn.train import checkpoint

from .running import run, said

OURS = """
from tinygrad_cnn import nn, residual_add

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.block = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        x = self.stem(x).relu()
        x = residual_add(x, self.block(x))
        return self.head(x.mean(axis=(2, 3)))

def make(width):
    return Net(width)

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(2, 3)

    def forward(self, words, numbers):
        return self.embedding(words).sum(axis=1) + numbers
"""
PYTORCH = """
import torch

class Net(torch.nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, width, 3, padding=1)
        self.block = torch.nn.Conv2d(width, width, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(width)
        self.head = torch.nn.Linear(width, 5)

    def forward(self, x):
        x = self.stem(x).relu()
        x = x + self.norm(self.block(x))
        return self.head(x.mean((2, 3)))
"""
SIZES = ("--input", "2,3,12,12")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.py").write_text(OURS)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(pixels).save("photo.png")
    return tmp_path


def refused(*words):
    """What a command says that it cannot carry out."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def explained(*network):
    """Try every command on a network with one residual block; its paths' picture as data."""
    said("draw", *network, "-o", "graph.json")
    graph = json.loads(Path("graph.json").read_text())
    assert {"stem", "block", "head"} <= {box["tag"] for box in graph["boxes"]}
    assert "the gradient of the largest logit" in said("flow", *network, "-o", "flow.json")
    assert json.loads(Path("flow.json").read_text())["edges"]
    printed = said("paths", *network, "-o", "paths.json")
    assert "paths.json: 2 paths over 1 residual block" in printed
    assert " steps" in said("step", *network, "--no-open", "-o", "steps.json")
    printed = said("receptive", *network, "--layer", "block", "-o", "field.svg")
    assert "a field of 5 × 5" in printed
    return json.loads(Path("paths.json").read_text())


def test_a_network_of_ours(folder):
    explained("ours.py:Net", *SIZES)
    explained("ours.py:make(3)", "--image", "photo.png")
    assert "photo.png" in said("draw", "ours.py:Net", "--image", "photo.png")
    assert (folder / "Net.svg").exists()
    printed = said("flow", "ours.py:Net", *SIZES, "--label", 2, "--train")
    assert "of cross entropy, on an input of shape (2, 3, 12, 12)" in printed
    assert "training mode" in printed
    said("flow", "ours.py:Words", "--input", "2,7:int64", "--input", "2,3")


BLOCKS = """
from tinygrad_cnn import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.mlp = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        x = x + self.mix(x).tanh()
        return x + self.mlp(x).tanh()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.head = nn.Sequential(Block(), Block()), nn.Linear(3, 4)

    def forward(self, x):
        return self.head(self.layers(x))
"""


def test_paths_through_parts_that_are_named(folder):
    (folder / "blocks.py").write_text(BLOCKS)
    net = ("paths", "blocks.py:Net", "--input", "2,3")
    printed = said(*net)
    assert "Net-paths.html: 16 paths over 4 branches" in printed
    assert "4 additions, from layers.0.mix to layers.1.mlp" in printed
    assert "What was found" in Path("Net-paths.html").read_text(encoding="utf-8")
    assert "4 paths over 2 marked parts" in said(*net, "--through", "layers.*.mlp")
    both = ("--through", "layers.*.mlp", "--through", "**.mix")
    assert "16 paths over 4 marked parts" in said(*net, *both)
    kinds = ("--through", "mix=**.mix", "--through", "mlp=layers.0.mlp", "--through", "mlp=*.1.mlp")
    printed = said(*net, *kinds, "--kind", "pairs", "--values", "norms", "-o", "pairs.json")
    assert "16 paths over 4 marked parts (2 mix, 2 mlp)" in printed
    pairs = json.loads(Path("pairs.json").read_text())
    assert (pairs["kinds"], pairs["what"]) == (["mix", "mlp"], "norms")
    assert "4 paths over 2 branches" in said(*net, "--ignore", "layers.0")
    assert "4 paths over 2 branches" in said(*net, "--wrt", "layers.0")
    assert "between weight and the loss" in said(*net, "--wrt", "layers.0.mix.weight").lower()
    assert "give each a kind" in refused(*net, "--through", "a=*.mix", "--through", "*.mlp")
    assert "names nothing" in refused(*net, "--through", "layer.*")


def test_paths_to_what_has_a_gradient(folder):
    assert "takes whole numbers" in refused("paths", "textcnn")
    printed = said("paths", "textcnn", "--wrt", "embedding")
    assert "Between embedding and the loss: 1 concatenation with 2 branches" in printed
    assert "from convs.1 to convs.2" in printed


def test_the_flow_says_what_part_comes_along(folder):
    (folder / "blocks.py").write_text(BLOCKS)
    said("flow", "blocks.py:Net", "--input", "2,3", "--shares", "-o", "flow.json")
    edges = json.loads(Path("flow.json").read_text())["edges"]
    assert sum(edge.get("share", 0) == pytest.approx(1) for edge in edges) >= 2
    assert "takes whole numbers" in refused("flow", "textcnn", "--shares")


def test_weights_of_another_program(folder):
    model = tg.models.build("resnet8")
    state = {name: array + 1 for name, array in model.state_dict().items()}
    state = {n: a for n, a in state.items() if not n.endswith("num_batches_tracked")}
    save_file(state, "foreign.safetensors")
    checkpoint.load("foreign.safetensors", model)
    assert "parameters of foreign.safetensors, evaluation" in said(
        "flow", "resnet8", "--weights", "foreign.safetensors"
    )
    save_file({"stem.weight": np.ones((4, 3, 3, 3), np.float32)}, "part.safetensors")
    assert "this state is not Net's: missing: stem.bias" in refused(
        "draw", "ours.py:Net", *SIZES, "-w", "part.safetensors"
    )


def test_images_of_ones_own(folder):
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        for i in range(10):
            Image.new("L", (9, 7), 20 * i).save(folder / "pets" / name / f"{i}.png")
    saved = ("--save", "pets.safetensors")
    said(
        "train", "resnet8", "--data", "folder:pets", "--epochs", 1, "--batch-size", 7, "-q", *saved
    )
    assert "on pets test: accuracy" in said(
        "evaluate", "resnet8", "--data", "folder:pets", "--weights", "pets.safetensors"
    )
    assert "cross entropy, on 4 images of pets test" in said(
        "flow", "ours.py:Net", "--data", "folder:pets", "--input", "8,3,12,12"
    )


def test_a_network_of_pytorchs(folder):
    torch = pytest.importorskip("torch")
    (folder / "theirs.py").write_text(PYTORCH)
    explained("theirs.py:Net", *SIZES)
    printed = said("flow", "theirs.py", *SIZES, "--train", "--label", 0)
    assert "of cross entropy, on an input of shape (2, 3, 12, 12)" in printed
    module = {}
    exec(PYTORCH, module)
    module = module["Net"]().eval()
    batch = {0: torch.export.Dim("batch")}
    example = (torch.randn(2, 3, 12, 12),)
    program = torch.export.export(module, example, dynamic_shapes=(batch,))
    torch.export.save(program, "net.pt2")
    explained("net.pt2")
    assert "(5, 3, 12, 12)" in said("draw", "net.pt2", "--batch", 5)
    torch.save(module.state_dict(), "net.pt")
    for message in (
        refused("draw", "theirs.py", *SIZES, "--weights", "net.pt"),
        refused("draw", "net.pt"),
    ):
        assert "net.pt: a pickle runs code when it is read, so it is refused" in message


def test_a_network_of_onnx(folder):
    pytest.importorskip("onnx")
    sys.path.insert(0, str(folder))
    try:
        from ours import Net
    finally:
        sys.path.remove(str(folder))
    tg.to_onnx(Net(), "net.onnx", tg.Tensor(np.zeros((2, 3, 12, 12), np.float32)))
    explained("net.onnx")


WRONG = {
    "ours.py": "ours.py: has several networks (Net, Words); name one, as in ours.py:Net",
    "ours.py:Net": "of which shape is its input? Give --input 1,3,224,224",
    "ours.py:Bet -i 1,3": "there is no 'Bet'; did you mean Net?",
    "ours.py:make": "is a function; write the call out, as in make()",
    "ours.py:nn": "a network of PyTorch or of tinygrad_cnn is needed, not module",
    "ours.py:Net -i 1,three": "--input: sizes such as 2,3,8,8 are needed, not '1,three'",
    "ours.py:Net -i 1,3:word": "--input: a dtype such as float32 or int64 is needed, not 'word'",
    "ours.py:Net -i 1,3,8,8 --batch 2": "--batch: the batch size is in --input already",
    "ours.py:Net -i 2,3,8,8 --image photo.png": "--image is one image, of shape (1, 1 or 3",
    "ours.py:Net -i 1,3,8,8 -O width=3": "--option is for the models that `models` lists",
    "lenet -i 1,1,28,28 -i 1": "lenet has 1 inputs, and 2 shapes are given",
    "none.py:Net -i 1,3": "none.py: there is no such file",
    "none.onnx": "none.onnx: cannot be read",
    "photo.png": "unknown model 'photo.png'; there are mlp",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(words, folder):
    if ".onnx" in words:
        pytest.importorskip("onnx")
    assert WRONG[words] in refused("draw", *words.split())


def test_a_loss_that_a_network_does_not_have(folder):
    (folder / "odd.py").write_text(
        "from tinygrad_cnn import nn, Tensor\n"
        "class Constant(nn.Module):\n"
        "    def forward(self, x): return Tensor(1.0)\n"
        "class Map(nn.Module):\n"
        "    def forward(self, x): return {'map': x * 2}\n"
    )
    assert "depends on nothing that requires a gradient" in refused(
        "flow", "odd.py:Constant", *SIZES
    )
    assert "a sum of its outputs with random weights" in said("flow", "odd.py:Map", *SIZES)
    assert "needs logits of shape (2, classes)" in refused(
        "flow", "odd.py:Map", *SIZES, "--label", 1
    )
    assert "tells 5 classes apart, 0 … 4; there is no class 7" in refused(
        "flow", "ours.py:Net", *SIZES, "--label", 7
    )
    assert "takes whole numbers" in refused("paths", "textcnn")
