"""The built-in ops, one file a family, and the registry `OPS` of all of them, by name.

Each op has a forward, a vjp, a check and a definition; `operators.py` gives Tensor and Scalar
their operators and methods.
"""

from . import operators  # noqa: F401  (gives Tensor and Scalar their operators)
from .activation import elu, erf, gelu, leaky_relu, silu, softplus
from .adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from .convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .dropout import dropout
from .einsum import einsum, outer
from .elementwise import (
    absolute,
    add,
    clip,
    cos,
    divide,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from .index import embedding
from .layer_norms import group_norm, layer_norm
from .linear import linear
from .locally_connected import locally_connected2d, unfold2d
from .loss import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from .matmul import matmul
from .moving import expand_dims, flip, moveaxis, pad, repeat, roll, split, squeeze, stack, take
from .normalization import batch_norm, batch_norm_eval, batch_norm_train
from .pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    global_avg_pool,
    global_max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from .reduce import max, mean, min, prod, sum
from .registry import OPS
from .residual import residual_add
from .shape import astype, broadcast_to, concatenate, getitem, reshape, transpose
from .softmax import log_softmax, softmax
from .statistics import argmax, cumsum, logsumexp, norm, std, var

abs = absolute

__all__ = [
    "OPS",
    "abs",
    "absolute",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "argmax",
    "astype",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "batch_norm_eval",
    "batch_norm_train",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "clip",
    "concatenate",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cos",
    "cross_entropy",
    "cumsum",
    "divide",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "erf",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "gelu",
    "getitem",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "layer_norm",
    "leaky_relu",
    "linear",
    "locally_connected2d",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "mse_loss",
    "multiply",
    "negative",
    "nll_loss",
    "norm",
    "outer",
    "pad",
    "power",
    "prod",
    "relu",
    "repeat",
    "reshape",
    "residual_add",
    "roll",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "take",
    "tanh",
    "transpose",
    "unfold2d",
    "var",
    "where",
]
