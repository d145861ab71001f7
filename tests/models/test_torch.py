"""The same network in PyTorch, given our weights, gives our logits; and the other way round."""

from collections import OrderedDict

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models

torch = pytest.importorskip("torch")
nn = torch.nn


def sequential(**layers):
    return nn.Sequential(OrderedDict(layers))


class Twin(nn.Module):
    """Submodules that run one after another."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.order = list(parts)

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return x


def lenet():
    return Twin(
        features=sequential(
            conv1=nn.Conv2d(1, 6, 5, padding=2), s1=nn.Sigmoid(), p1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5), s2=nn.Sigmoid(), p2=nn.AvgPool2d(2),
        ),
        classifier=sequential(
            flatten=nn.Flatten(), dense1=nn.Linear(400, 120), s1=nn.Sigmoid(),
            dense2=nn.Linear(120, 84), s2=nn.Sigmoid(), dense3=nn.Linear(84, 10),
        ),
    )  # fmt: skip


def bn_lenet():
    return Twin(
        features=sequential(
            conv1=nn.Conv2d(1, 6, 5), bn1=nn.BatchNorm2d(6), s1=nn.Sigmoid(), p1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5), bn2=nn.BatchNorm2d(16), s2=nn.Sigmoid(), p2=nn.AvgPool2d(2),
        ),
        classifier=sequential(
            flatten=nn.Flatten(),
            dense1=nn.Linear(256, 120), bn1=nn.BatchNorm1d(120), s1=nn.Sigmoid(),
            dense2=nn.Linear(120, 84), bn2=nn.BatchNorm1d(84), s2=nn.Sigmoid(),
            dense3=nn.Linear(84, 10),
        ),
    )  # fmt: skip


class Block(nn.Module):
    """A residual block of 3×3 (basic) or 1×1, 3×3, 1×1 (bottleneck) convolutions."""

    def __init__(self, before, width, stride, expansion, bias, shortcut):
        super().__init__()
        after = expansion * width
        shapes = (
            [(before, width, 3, stride), (width, width, 3, 1)]
            if expansion == 1
            else [(before, width, 1, 1), (width, width, 3, stride), (width, after, 1, 1)]
        )
        self.depth = len(shapes)
        for i, (a, b, k, s) in enumerate(shapes, start=1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, k, s, padding=k // 2, bias=bias))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = nn.Identity()
        if stride != 1 or before != after:
            layers = [nn.Conv2d(before, after, 1, stride, bias=shortcut == "convolution")]
            if shortcut == "projection":
                layers.append(nn.BatchNorm2d(after))
            self.downsample = nn.Sequential(*layers)

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = torch.relu(y) if i < self.depth else y
        return torch.relu(self.downsample(x) + y)


def resnet(blocks, widths, expansion, bias, shortcut):
    layers, before = {}, widths[0]
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True), start=1):
        made = []
        for i in range(count):
            stride = 2 if stage > 1 and i == 0 else 1
            made.append(Block(before, width, stride, expansion, bias, shortcut))
            before = expansion * width
        layers[f"layer{stage}"] = nn.Sequential(*made)
    return Twin(
        conv1=nn.Conv2d(1, widths[0], 7, 2, padding=3, bias=bias),
        bn1=nn.BatchNorm2d(widths[0]),
        relu=nn.ReLU(),
        maxpool=nn.MaxPool2d(3, 2, padding=1),
        **layers,
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(before, 10),
    )


class TextTwin(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 6)
        self.constant_embedding = nn.Embedding(30, 6)
        self.convs = nn.ModuleList(nn.Conv1d(12, 5, width) for width in (2, 3))
        self.decoder = nn.Linear(10, 2)

    def forward(self, words):
        x = torch.cat((self.embedding(words), self.constant_embedding(words)), dim=2)
        maps = [torch.relu(conv(x.permute(0, 2, 1))) for conv in self.convs]
        return self.decoder(torch.cat([m.amax(dim=2) for m in maps], dim=1))


def images(*shape):
    return np.random.default_rng(1).standard_normal((4, *shape))


PAIRS = {
    "LeNet": (models.LeNet, lenet, images(1, 28, 28)),
    "BNLeNet": (models.BNLeNet, bn_lenet, images(1, 28, 28)),
    "ResNet-18": (
        models.resnet18,
        lambda: resnet((2, 2, 2, 2), (64, 128, 256, 512), 1, True, "convolution"),
        images(1, 32, 32),
    ),
    "bottleneck": (
        lambda: models.ResNet((1, 2), (4, 8), block="bottleneck", stem="large"),
        lambda: resnet((1, 2), (4, 8), 4, False, "projection"),
        images(1, 32, 32),
    ),
    "TextCNN": (
        lambda: models.TextCNN(30, 6, (2, 3), 5, fixed=True, dropout=0.0),
        TextTwin,
        np.random.default_rng(1).integers(0, 30, (4, 9)),
    ),
}


@pytest.fixture(params=PAIRS)
def pair(request):
    """Our network, PyTorch's twin and an input; in float64, so that they must agree closely."""
    make, make_twin, x = PAIRS[request.param]
    tg.manual_seed(0)
    torch.manual_seed(0)
    return make().astype(np.float64), make_twin().double(), x


@pytest.mark.parametrize("training", [False, True])
def test_our_weights_in_torch_give_our_logits(pair, training):
    model, twin, x = pair
    twin.load_state_dict({name: torch.tensor(v) for name, v in model.state_dict().items()})
    ours = model.train(training)(tg.Tensor(x)).numpy()
    theirs = twin.train(training)(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9)
    after = {name: v.numpy() for name, v in twin.state_dict().items()}
    for name, value in model.state_dict().items():  # batch norm's statistics have moved alike
        np.testing.assert_allclose(value, after[name], rtol=1e-8, atol=1e-10, err_msg=name)


def test_torchs_weights_in_ours_give_torchs_logits(pair):
    model, twin, x = pair
    model.load_state_dict({name: v.numpy() for name, v in twin.state_dict().items()})
    theirs = twin.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(model.eval()(tg.Tensor(x)).numpy(), theirs, rtol=1e-8, atol=1e-9)
