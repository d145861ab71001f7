"""Every layer, made or called wrongly: it works, or an error of ours names it or its op."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError, TinygradError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
CELLS = {1: (2, 4, 5), 2: (2, 4, 5, 5), 3: (2, 4, 5, 5, 5)}
SPATIAL: dict[str, dict[str, Any]] = {
    "Conv": {"in_channels": 4, "out_channels": 2, "kernel_size": 2},
    "ConvTranspose": {"in_channels": 4, "out_channels": 2, "kernel_size": 2},
    "BatchNorm": {"num_features": 4}, "InstanceNorm": {"num_features": 4},
    "MaxPool": {"kernel_size": 2}, "AvgPool": {"kernel_size": 2},
    "AdaptiveMaxPool": {"output_size": 2}, "AdaptiveAvgPool": {"output_size": 2},
    "GlobalMaxPool": {}, "GlobalAvgPool": {},
}  # fmt: skip
RIGHT: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    **{f"{name}{d}d": (options, CELLS[d]) for name, options in SPATIAL.items() for d in CELLS},
    **{
        name: ({}, (2, 3))
        for name in (
            "Dropout", "ELU", "Flatten", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity",
            "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU", "ReLU6", "SiLU",
            "Sigmoid", "Softmax", "Softplus", "Tanh", "BCEWithLogitsLoss",
            "CrossEntropyLoss", "MSELoss", "NLLLoss",
        )
    },
    "Embedding": ({"num_embeddings": 5, "embedding_dim": 2}, (2, 3)),
    "Fold": ({"output_size": 4, "kernel_size": 2}, (2, 8, 9)),
    "Unfold": ({"kernel_size": 2}, CELLS[2]),
    "GLU": ({}, (2, 4)),
    "GroupNorm": ({"num_groups": 2, "num_channels": 4}, (2, 4, 3)),
    "LocalResponseNorm": ({"size": 3}, CELLS[2]),
    "RMSNorm": ({"normalized_shape": 3}, (2, 3)),
    "LayerNorm": ({"normalized_shape": 3}, (2, 3)),
    "Linear": ({"in_features": 3, "out_features": 2}, (2, 3)),
    "LocallyConnected2d": (
        {"in_channels": 4, "out_channels": 2, "input_size": 5, "kernel_size": 2}, CELLS[2],
    ),
    "PixelShuffle": ({"upscale_factor": 2}, CELLS[2]),
    "PixelUnshuffle": ({"downscale_factor": 1}, CELLS[2]),
    "Residual": ({"branch": nn.ReLU()}, (2, 3)),
    "Upsample": ({"scale_factor": 2}, CELLS[2]),
}  # fmt: skip
WITHOUT = {"Module", "Parameter", "Sequential"}  # tried in test_module
WRONG = [
    None, True, -1, 0, 7, 1.5, 1j, float("nan"), np.int64(2), np.array([2, 2]), "same", b"x", (),
    {}, (1,), (2, 2, 2, 2), ((1, 1), (1, 1)), (None, None), object(), slice(None), tg.Tensor(2.0),
]  # fmt: skip
INPUTS = [
    tg.Tensor(np.ones(shape, dtype))
    for shape in [(), (0,), (3,), (2, 3), (2, 4, 0), *CELLS.values(), (1,) * 6]
    for dtype in (np.float32, np.float64, np.int64)
]


def test_every_layer_is_tried():
    layers = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    assert layers == {*RIGHT, *WITHOUT}


def works_or_says_why(name: str, options: dict[str, Any], x: tg.Tensor) -> None:
    """The first word of an error is the layer, or the op that does its work."""
    others = []
    if name.endswith("Loss"):
        others = [np.zeros(2, int) if name in {"CrossEntropyLoss", "NLLLoss"} else x]
    said = ""
    try:
        getattr(nn, name)(**options)(x, *others)
    except TinygradError as error:
        said = str(error)
    speaker = said.partition(":")[0].replace("_", "").lower()
    known = {
        "BCEWithLogitsLoss": "binarycrossentropywithlogits",
        "Upsample": "interpolate",
    }.get(name, name.lower())
    assert not said or known.startswith(speaker.removesuffix("loss")), said


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_wrong_options(name):
    options, shape = RIGHT[name]
    x = tg.Tensor(np.ones(shape, np.int64 if name == "Embedding" else np.float32))
    for option in inspect.signature(getattr(nn, name)).parameters:
        for value in WRONG:
            works_or_says_why(name, {**options, option: value}, x)


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_wrong_inputs(name):
    for x in INPUTS:
        works_or_says_why(name, RIGHT[name][0], x)


def test_only_a_module_is_initialised():
    with pytest.raises(OptionError, match=r"^initialize: a Module is needed, got NoneType"):
        nn.init.initialize(None, "he_normal")
