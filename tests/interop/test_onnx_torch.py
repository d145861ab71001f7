"""What PyTorch's exporters write agrees with PyTorch, read here; and read and written again."""

import logging
import warnings

import numpy as np
import pytest

import tinygrad_cnn as tg

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnx", reason="the package onnx is not installed")
pytest.importorskip("onnxscript", reason="onnxscript, for PyTorch's exporter, is not installed")
F = torch.nn.functional
nn = torch.nn


class Block(nn.Module):
    """A residual block, with a projection where the channels differ."""

    def __init__(self, before, after):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.conv2(F.relu(self.norm1(self.conv1(x)))))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Block(4, 4), Block(4, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """A vision transformer of two blocks."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.cls = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 17, 8))
        self.layers = nn.ModuleList([Encoder(), Encoder()])
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])


class Mixed(nn.Module):
    """Upsampling, transposed convolution, padding, other norms, gates, and the largest."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(2, 8), nn.PReLU(8), nn.InstanceNorm2d(8)
        )
        self.up = nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1)
        self.gate = nn.Conv2d(4, 4, 1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        y = F.interpolate(self.down(x), scale_factor=2, mode="bilinear")
        y = F.pad(self.up(y), (1, 1, 0, 2), mode="reflect")
        y = y * F.hardsigmoid(F.adaptive_avg_pool2d(F.hardswish(self.gate(y)), 1))
        y = F.avg_pool2d(F.mish(self.shuffle(y)), 3, 2, 1)
        a, b = y.chunk(2, dim=2)
        return torch.topk((a.flatten(1).softmax(1) * b.flatten(1)).clamp(-1, 1), 4)[0]


MODELS = {"residual": ResNet, "transformer": Transformer, "mixed": Mixed}
COUNTS = {"residual": 2, "transformer": 4, "mixed": 0}


def exported(built, path, dynamo):
    images = torch.randn(2, 3, 16, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            if dynamo:
                shapes = ({0: torch.export.Dim("N")},)
                torch.onnx.export(
                    built, (images,), path, dynamo=True, dynamic_shapes=shapes, verbose=False
                )
            else:
                torch.onnx.export(
                    built,
                    (images,),
                    path,
                    dynamo=False,
                    opset_version=17,
                    input_names=["x"],
                    dynamic_axes={"x": {0: "N"}},
                )
        finally:
            logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True], ids=["script", "dynamo"])
@pytest.mark.parametrize("name", MODELS)
def test_what_is_exported_agrees(name, dynamo, tmp_path):
    torch.manual_seed(0)
    built = MODELS[name]().eval()
    path = tmp_path / "torch.onnx"
    exported(built, str(path), dynamo)
    read = tg.from_onnx(path)
    images = torch.randn(3, 3, 16, 16)  # another batch than the exported one
    wanted = built(images).detach().numpy()
    with tg.trace() as t:
        y = read(tg.Tensor(images.numpy()))
    np.testing.assert_allclose(y.data, wanted, 1e-4, 1e-5)
    ops = [event.node.op.name for event in t.events]
    assert ops.count("residual_add") == COUNTS[name]
    theirs = {n for n, _ in built.named_modules()}
    assert {event.node.scope for event in t.events} <= theirs


@pytest.mark.slow
def test_gradients_agree(tmp_path):
    torch.manual_seed(0)
    built = ResNet().eval()
    exported(built, str(tmp_path / "torch.onnx"), False)
    read = tg.from_onnx(tmp_path / "torch.onnx")
    images = torch.randn(3, 3, 16, 16, requires_grad=True)
    built(images).square().sum().backward()
    x = tg.Tensor(images.detach().numpy(), requires_grad=True)
    tg.square(read(x)).sum().backward()
    np.testing.assert_allclose(x.grad.data, images.grad.numpy(), 1e-4, 1e-5)
    ours = dict(read.named_parameters())
    for name, parameter in built.named_parameters():
        if name in ours:  # the exporter merges batch norms into convolutions
            np.testing.assert_allclose(ours[name].grad.data, parameter.grad.numpy(), 1e-3, 1e-4)
    assert {"head.weight", "head.bias", "stem.0.weight"} <= ours.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_it_is_written_again(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    torch.manual_seed(0)
    built = MODELS[name]().eval()
    exported(built, str(tmp_path / "torch.onnx"), False)
    images = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    tg.to_onnx(tg.from_onnx(tmp_path / "torch.onnx"), tmp_path / "ours.onnx", images)
    session = runtime.InferenceSession(str(tmp_path / "ours.onnx"))
    y = session.run(None, {"input": images[:1]})[0]
    np.testing.assert_allclose(y, built(torch.tensor(images[:1])).detach().numpy(), 1e-4, 1e-5)
