"""tinygrad_cnn: an autograd engine that shows what is inside a convolutional network.

    import tinygrad_cnn as tg

    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                      # Tensor([2., 4.])

The pictures are in the package `viz`.
"""

from . import data, errors, models, nn, optim, train
from .backward import backward, grad
from .context import no_grad, scope
from .defaults import manual_seed, set_default_dtype
from .graph import Edge, Graph, Node
from .op import Op, constant, op
from .ops import OPS
from .ops.convolution import conv1d, conv2d, conv3d
from .ops.dropout import dropout
from .ops.elementwise import (
    absolute,
    add,
    cos,
    divide,
    exp,
    log,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sin,
    sqrt,
    subtract,
    tanh,
    where,
)
from .ops.linear import linear
from .ops.loss import cross_entropy, log_softmax, softmax
from .ops.matmul import matmul
from .ops.normalization import batch_norm, batch_norm_eval, batch_norm_train
from .ops.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    global_avg_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from .ops.reduce import max, mean, sum
from .ops.residual import residual_add
from .ops.shape import astype, broadcast_to, concatenate, getitem, reshape, transpose
from .paths import GradientPaths, gradient_paths
from .scalar import Scalar
from .tensor import Tensor
from .trace import Trace, trace
from .zoom import zoom

__version__ = "0.1.0"
abs = absolute

__all__ = [
    "OPS",
    "Edge",
    "GradientPaths",
    "Graph",
    "Node",
    "Op",
    "Scalar",
    "Tensor",
    "Trace",
    "abs",
    "absolute",
    "add",
    "astype",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "backward",
    "batch_norm",
    "batch_norm_eval",
    "batch_norm_train",
    "broadcast_to",
    "concatenate",
    "constant",
    "conv1d",
    "conv2d",
    "conv3d",
    "cos",
    "cross_entropy",
    "data",
    "divide",
    "dropout",
    "errors",
    "exp",
    "getitem",
    "global_avg_pool",
    "grad",
    "gradient_paths",
    "linear",
    "log",
    "log_softmax",
    "manual_seed",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mean",
    "models",
    "multiply",
    "negative",
    "nn",
    "no_grad",
    "op",
    "optim",
    "power",
    "relu",
    "reshape",
    "residual_add",
    "scope",
    "set_default_dtype",
    "sigmoid",
    "sin",
    "softmax",
    "sqrt",
    "subtract",
    "sum",
    "tanh",
    "trace",
    "train",
    "transpose",
    "where",
    "zoom",
]
