"""Functions that ONNX has as one operator and that are put together from our ops here.

Each stands in for an op of the project: where that is there, its line in the table calls the op.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.op import Op, constant, op
from ...ops.activation import elu, softplus
from ...ops.elementwise import clip, cos, exp, sin, sqrt, tanh, where
from ...ops.layer_norms import group_norm
from ...ops.matmul import matmul
from ...ops.moving import pad
from ...ops.pooling import avg_pool2d
from ...ops.shape import reshape, transpose
from ...ops.softmax import softmax
from . import without_gradient as steps
from .table import dtype_of, plain, shape_of

# --- arithmetic ------------------------------------------------------------------------------


def _modulo(name: str, forward: Any) -> Op:
    """The rest of a division; how often b fits into a does not move."""

    def at_b(g: Any, y: Any, a: Any, b: Any) -> Any:
        return -g * np.rint((constant(a) - constant(y)) / constant(b))

    return op(name, forward, lambda g, y, a, b: g, at_b, elementwise=True)


floored_mod = _modulo("mod", np.mod)  # with b's sign
truncated_mod = _modulo("fmod", np.fmod)  # with a's sign

# --- activations -----------------------------------------------------------------------------


def hard_sigmoid(x: Any, alpha: float, beta: float) -> Any:
    """alpha·x + beta, cut off at 0 and 1."""
    return clip(x * alpha + beta, 0.0, 1.0)


def hard_swish(x: Any) -> Any:
    """x·clip(x/6 + 1/2, 0, 1)."""
    return x * hard_sigmoid(x, 1 / 6, 0.5)


def mish(x: Any) -> Any:
    """x·tanh(softplus(x))."""
    return x * tanh(softplus(x))


def prelu(x: Any, slope: Any) -> Any:
    """x for x > 0, else slope·x; the slope broadcasts."""
    return where(steps.greater(x, 0), x, x * slope)


def selu(x: Any, alpha: float, gamma: float) -> Any:
    """gamma·elu(x, alpha)."""
    return elu(x, alpha) * gamma


def celu(x: Any, alpha: float) -> Any:
    """x for x > 0, else alpha·(e^(x/alpha) − 1)."""
    return elu(x / alpha, 1.0) * alpha


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (abs(x) + 1)


def tan(x: Any) -> Any:
    """sin x / cos x."""
    return sin(x) / cos(x)


def sinh(x: Any) -> Any:
    """(eˣ − e⁻ˣ)/2."""
    return (exp(x) - exp(-x)) * 0.5


def cosh(x: Any) -> Any:
    """(eˣ + e⁻ˣ)/2."""
    return (exp(x) + exp(-x)) * 0.5


arcsin = op("arcsin", np.arcsin, lambda g, y, x: g / sqrt(1 - x * x), elementwise=True)
arccos = op("arccos", np.arccos, lambda g, y, x: -g / sqrt(1 - x * x), elementwise=True)
arctan = op("arctan", np.arctan, lambda g, y, x: g / (1 + x * x), elementwise=True)
arcsinh = op("arcsinh", np.arcsinh, lambda g, y, x: g / sqrt(x * x + 1), elementwise=True)
arccosh = op("arccosh", np.arccosh, lambda g, y, x: g / sqrt(x * x - 1), elementwise=True)
arctanh = op("arctanh", np.arctanh, lambda g, y, x: g / (1 - x * x), elementwise=True)

# --- normalisation ---------------------------------------------------------------------------


def instance_norm(x: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Each channel of each example by its own mean and variance: a group norm of groups of one."""
    return group_norm(x, shape_of(x)[1], weight, bias, eps)


def local_response_norm(x: Any, size: int, alpha: float, beta: float, bias: float) -> Any:
    """x / (bias + alpha·mean of x² over `size` channels about each one)^beta; x: (N, C, …)."""
    n, c, *rest = shape_of(x)
    flat = reshape(x * x, (n, 1, c, math.prod(rest)))
    before = (size - 1) // 2
    padded = pad(flat, ((0, 0), (0, 0), (before, size - 1 - before), (0, 0)))
    means = reshape(avg_pool2d(padded, (size, 1), stride=1), (n, c, *rest))
    return x / (means * alpha + bias) ** beta


# --- images ----------------------------------------------------------------------------------


def depth_to_space(x: Any, block: int, blocks_first: bool) -> Any:
    """Channels as blocks of cells: (N, C·b², H, W) → (N, C, H·b, W·b).

    Unless `blocks_first`, channel c·b² + i goes to cell i of channel c's blocks: pixel_shuffle.
    """
    n, c, h, w = shape_of(x)
    c //= block * block
    if blocks_first:
        x = transpose(reshape(x, (n, block, block, c, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        x = transpose(reshape(x, (n, c, block, block, h, w)), (0, 1, 4, 2, 5, 3))
    return reshape(x, (n, c, h * block, w * block))


def space_to_depth(x: Any, block: int, blocks_first: bool) -> Any:
    """Blocks of cells as channels: (N, C, H·b, W·b) → (N, b²·C, H, W); undoes depth_to_space."""
    n, c, h, w = shape_of(x)
    x = reshape(x, (n, c, h // block, block, w // block, block))
    x = transpose(x, (0, 3, 5, 1, 2, 4) if blocks_first else (0, 1, 3, 5, 2, 4))
    return reshape(x, (n, c * block * block, h // block, w // block))


# --- attention -------------------------------------------------------------------------------


def attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    causal: bool,
    scale: float | None,
    softcap: float = 0.0,
) -> Any:
    """softmax(q·kᵀ·scale + mask)·v: (…, n, d), (…, m, d), (…, m, e) → (…, n, e).

    A mask of booleans lets through where it is true; another one is added. A row that lets nothing
    through gives 0. `softcap` bounds the products by softcap·tanh(products/softcap).
    """
    share = math.sqrt(shape_of(q)[-1] ** -0.5 if scale is None else scale)  # of q and of k
    rank = len(shape_of(k))
    scores = matmul(q * share, transpose(k * share, (*range(rank - 2), rank - 1, rank - 2)))
    if softcap:
        scores = tanh(scores / softcap) * softcap
    if mask is not None and dtype_of(mask).kind == "b":
        mask = where(mask, np.array(0, dtype_of(q)), np.array(-np.inf, dtype_of(q)))
    if mask is not None:
        scores = scores + mask
    if causal:
        allowed = np.tril(np.ones(shape_of(scores)[-2:], bool))
        scores = where(allowed, scores, np.array(-np.inf, dtype_of(q)))
    nothing = (plain(scores) == -np.inf).all(axis=-1, keepdims=True)
    if not nothing.any():
        return matmul(softmax(scores, -1), v)
    zero = np.array(0, dtype_of(q))
    return matmul(where(nothing, zero, softmax(where(nothing, zero, scores), -1)), v)
