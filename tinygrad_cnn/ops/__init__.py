"""The built-in ops, one file a family, and the registry `OPS` of all of them, by name.

Each op has a forward, a vjp, a check and a definition; `operators.py` gives Tensor and Scalar
their operators and methods.
"""

from . import (
    operators,  # noqa: F401  (gives Tensor and Scalar their operators)
    stacked,  # noqa: F401  (how each vjp takes a stack)
)
from .activation import elu, erf, gelu, leaky_relu, silu, softplus
from .adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from .attention import scaled_dot_product_attention
from .class_losses import cross_entropy, nll_loss
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
    atan,
    ceil,
    clip,
    cos,
    cosh,
    divide,
    exp,
    exp2,
    expm1,
    floor,
    fmod,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    reciprocal,
    relu,
    remainder,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
    where,
)
from .gates import glu, log_sigmoid, mish
from .index import embedding
from .layer_norms import group_norm, instance_norm, layer_norm, rms_norm
from .linear import linear
from .locally_connected import locally_connected2d, unfold2d
from .loss import binary_cross_entropy_with_logits, mse_loss
from .matmul import matmul
from .moving import expand_dims, flip, moveaxis, pad, repeat, roll, split, squeeze, stack, take
from .normalization import batch_norm, batch_norm_eval, batch_norm_train
from .piecewise import hardsigmoid, hardswish, hardtanh, prelu, relu6
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
from .resizing import interpolate, pixel_shuffle, pixel_unshuffle
from .response_norm import local_response_norm
from .selecting import gather, index_select, masked_fill, tile, unbind
from .shape import astype, broadcast_to, concatenate, getitem, reshape, transpose
from .softmax import log_softmax, softmax
from .statistics import argmax, cumsum, logsumexp, norm, std, var
from .unfolding import fold, unfold

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
    "atan",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "batch_norm_eval",
    "batch_norm_train",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "ceil",
    "clip",
    "concatenate",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cos",
    "cosh",
    "cross_entropy",
    "cumsum",
    "divide",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "erf",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "fmod",
    "fold",
    "gather",
    "gelu",
    "getitem",
    "global_avg_pool",
    "global_max_pool",
    "glu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "index_select",
    "instance_norm",
    "interpolate",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "locally_connected2d",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "masked_fill",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "moveaxis",
    "mse_loss",
    "multiply",
    "negative",
    "nll_loss",
    "norm",
    "outer",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "power",
    "prelu",
    "prod",
    "reciprocal",
    "relu",
    "relu6",
    "remainder",
    "repeat",
    "reshape",
    "residual_add",
    "rms_norm",
    "roll",
    "round",
    "rsqrt",
    "scaled_dot_product_attention",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
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
    "tan",
    "tanh",
    "tile",
    "transpose",
    "trunc",
    "unbind",
    "unfold",
    "unfold2d",
    "var",
    "where",
]
