"""Gradients of the operators that are put together from several ops, or have one of their own."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.interop.onnx import reading  # noqa: F401  (it fills the table)
from tinygrad_cnn.interop.onnx.table import find

random = np.random.default_rng(0)
ROWS = random.uniform(0.1, 0.9, (3, 4))
IMAGE = random.normal(size=(2, 4, 4, 4))
KERNEL = random.normal(size=(4, 2, 3, 3))

CASES = {
    "Asin": [ROWS],
    "Acos": [ROWS],
    "Asinh": [ROWS],
    "Acosh": [ROWS + 1],
    "Atanh": [ROWS],
    "Mod": [ROWS * 3, ROWS + 0.05],
    "HardSigmoid": [ROWS],
    "PRelu": [ROWS - 0.5, ROWS],  # more slopes than one for each channel
    "Selu": [ROWS - 0.5],
    "Celu": [ROWS - 0.5],
    "Softsign": [ROWS - 0.5],
    "Swish": [ROWS],
    "LpNormalization": [ROWS],
    "MeanVarianceNormalization": [IMAGE],
    "ReduceL1": [ROWS],
    "ReduceLogSum": [ROWS],
    "ReduceSumSquare": [ROWS],
}
WITH_OPTIONS = [
    ("LRN", [IMAGE], {"size": 3, "alpha": 0.5}),
    ("Shrink", [ROWS], {"lambd": 0.3, "bias": 0.1}),
    ("ThresholdedRelu", [ROWS], {"alpha": 0.4}),
    ("DepthToSpace", [IMAGE], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [IMAGE], {"blocksize": 2}),
    ("Col2Im", [ROWS[None, :, :3], [5], [3]], {"strides": [2], "pads": [1, 1]}),
    ("Attention", [IMAGE, IMAGE[:, :, :3] + 1, IMAGE[:, :, 1:]], {"softcap": 0.5}),
    ("ConvTranspose", [IMAGE, KERNEL], {"strides": [2, 2], "output_shape": [9, 8]}),
    ("LpPool", [IMAGE], {"kernel_shape": [2, 2], "p": 3}),
    ("AveragePool", [IMAGE], {"kernel_shape": [2, 2], "dilations": [2, 1], "pads": [1, 0, 0, 1]}),
    ("Resize", [IMAGE, None, [1, 1, 1.5, 2]], {"mode": "cubic"}),
    ("Resize", [IMAGE, None, [1, 1, 0.5, 2]], {"mode": "linear", "antialias": 1}),
    ("GatherElements", [ROWS, [[0, 2], [1, 1]]], {"axis": 1}),
    ("TopK", [ROWS, 2], {"outputs": 1}),
    ("GatherND", [ROWS, [[0, 2], [1, 1]]], {}),
    ("ScatterND", [ROWS, [[0, 2], [1, 1]], ROWS[0, :2]], {}),
    ("ScatterElements", [ROWS, [[0, 2], [1, 1]], ROWS[:2, :2]], {"reduction": "add"}),
    ("CumSum", [ROWS, 1], {"exclusive": 1, "reverse": 1}),
    ("Tile", [ROWS, [2, 3]], {}),
    ("Trilu", [ROWS], {}),
    ("GroupNormalization", [IMAGE, ROWS[0, :2], ROWS[1, :2]], {"num_groups": 2}),
]


@pytest.mark.parametrize(
    ("name", "inputs", "options"),
    [(name, inputs, {}) for name, inputs in CASES.items()] + WITH_OPTIONS,
)
def test_a_gradient_is_right(name, inputs, options):
    function = find(name, 18) or find(name, 24)
    arrays = [x for x in inputs if isinstance(x, np.ndarray)]

    def compute(*given):
        taken = iter(given)
        return function(
            *(next(taken) if isinstance(x, np.ndarray) else x for x in inputs), **options
        )

    assert tg.gradcheck(compute, arrays)


@pytest.mark.parametrize("reduction", ["mul", "max", "min"])
def test_a_gradient_is_not_lost_without_a_word(reduction):
    x = tg.Tensor(ROWS, requires_grad=True)
    scatter = find("ScatterND", 18)
    with pytest.raises(tg.errors.OptionError, match="has no gradient here"):
        scatter(x, [[0, 2]], ROWS[0, :1], reduction=reduction)
    with tg.no_grad():
        scatter(x, [[0, 2]], ROWS[0, :1], reduction=reduction)
