"""Functions of one number that ONNX and PyTorch have, and the project not as a built-in op."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.op import op
from ..ops.activation import elu
from ..ops.elementwise import sqrt


def selu(x: Any, alpha: float, gamma: float) -> Any:
    """gamma·elu(x, alpha)."""
    return elu(x, alpha) * gamma


def celu(x: Any, alpha: float) -> Any:
    """x for x > 0, else alpha·(e^(x/alpha) − 1)."""
    return elu(x / alpha, 1.0) * alpha


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (abs(x) + 1)


arcsin = op("arcsin", np.arcsin, lambda g, y, x: g / sqrt(1 - x * x), elementwise=True)
arccos = op("arccos", np.arccos, lambda g, y, x: -g / sqrt(1 - x * x), elementwise=True)
arcsinh = op("arcsinh", np.arcsinh, lambda g, y, x: g / sqrt(x * x + 1), elementwise=True)
arccosh = op("arccosh", np.arccosh, lambda g, y, x: g / sqrt(x * x - 1), elementwise=True)
arctanh = op("arctanh", np.arctanh, lambda g, y, x: g / (1 - x * x), elementwise=True)
