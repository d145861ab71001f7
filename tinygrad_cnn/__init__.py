"""tinygrad_cnn: an autograd engine that shows what is inside a convolutional network.

    import tinygrad_cnn as tg

    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                      # Tensor([2., 4.])

The pictures are in the package `viz`.
"""

from . import checkpoint, data, errors, models, nn, optim, train
from .anomaly import detect_anomaly
from .backward import backward, grad
from .context import no_grad, scope
from .defaults import manual_seed, set_default_dtype
from .description import Description, Statistics
from .functions import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .gradcheck import gradcheck
from .graph import Edge, Graph, Node
from .hooks import Hook
from .op import Op, constant, op
from .ops import OPS
from .ops.activation import elu, erf, gelu, leaky_relu, silu, softplus
from .ops.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from .ops.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .ops.dropout import dropout
from .ops.einsum import einsum, outer
from .ops.elementwise import (
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
from .ops.index import embedding
from .ops.layer_norms import group_norm, layer_norm
from .ops.linear import linear
from .ops.locally_connected import locally_connected2d, unfold2d
from .ops.loss import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss
from .ops.matmul import matmul
from .ops.moving import expand_dims, flip, moveaxis, pad, repeat, roll, split, squeeze, stack, take
from .ops.normalization import batch_norm, batch_norm_eval, batch_norm_train
from .ops.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    global_avg_pool,
    global_max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from .ops.reduce import max, mean, min, prod, sum
from .ops.residual import residual_add
from .ops.shape import astype, broadcast_to, concatenate, getitem, reshape, transpose
from .ops.softmax import log_softmax, softmax
from .ops.statistics import argmax, cumsum, logsumexp, norm, std, var
from .paths import GradientPaths, expand, gradient_paths, lesion
from .receptive import ReceptiveField, receptive_field
from .replay import Replay
from .scalar import Scalar
from .tensor import Tensor
from .trace import Event, Trace, trace
from .tracefile import load_trace
from .zoom import zoom

__version__ = "0.1.0"
abs = absolute

__all__ = [
    "OPS",
    "Description",
    "Edge",
    "Event",
    "GradientPaths",
    "Graph",
    "Hook",
    "Node",
    "Op",
    "ReceptiveField",
    "Replay",
    "Scalar",
    "Statistics",
    "Tensor",
    "Trace",
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
    "backward",
    "batch_norm",
    "batch_norm_eval",
    "batch_norm_train",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "checkpoint",
    "clip",
    "concatenate",
    "constant",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cos",
    "cross_entropy",
    "cumsum",
    "data",
    "detect_anomaly",
    "divide",
    "dropout",
    "einsum",
    "elu",
    "embedding",
    "erf",
    "errors",
    "exp",
    "expand",
    "expand_dims",
    "expm1",
    "flip",
    "gelu",
    "getitem",
    "global_avg_pool",
    "global_max_pool",
    "grad",
    "gradcheck",
    "gradient_paths",
    "group_norm",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "layer_norm",
    "leaky_relu",
    "lesion",
    "linear",
    "load_trace",
    "locally_connected2d",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "manual_seed",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "models",
    "moveaxis",
    "mse_loss",
    "multiply",
    "negative",
    "nll_loss",
    "nn",
    "no_grad",
    "norm",
    "op",
    "optim",
    "outer",
    "pad",
    "power",
    "prod",
    "receptive_field",
    "relu",
    "repeat",
    "reshape",
    "residual_add",
    "roll",
    "scope",
    "set_default_dtype",
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
    "trace",
    "train",
    "transpose",
    "unfold2d",
    "value_and_grad",
    "var",
    "vjp",
    "where",
    "zoom",
]
