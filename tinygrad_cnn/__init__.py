"""tinygrad_cnn: an autograd engine that shows what is inside a convolutional network.

    import tinygrad_cnn as tg

    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                      # Tensor([2., 4.])

The pictures are in the package `viz`.
"""

from . import checkpoint, data, errors, interop, models, nn, optim, train
from .engine import (
    Hook,
    Node,
    Op,
    Scalar,
    Tensor,
    backward,
    constant,
    detect_anomaly,
    grad,
    manual_seed,
    no_grad,
    op,
    scope,
    set_default_dtype,
)
from .functions import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .gradcheck import gradcheck
from .interop import from_onnx, from_torch, to_onnx
from .ops import *  # noqa: F403
from .ops import __all__ as _ops
from .paths import GradientPaths, expand, gradient_paths, lesion
from .receptive import ReceptiveField, receptive_field
from .recording import (
    Description,
    Edge,
    Event,
    Failure,
    Graph,
    Replay,
    Statistics,
    Trace,
    load_trace,
    trace,
    zoom,
)

__version__ = "0.1.0"

__all__ = [
    "Description",
    "Edge",
    "Event",
    "Failure",
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
    "backward",
    "checkpoint",
    "constant",
    "data",
    "detect_anomaly",
    "errors",
    "expand",
    "from_torch",
    "from_onnx",
    "grad",
    "gradcheck",
    "gradient_paths",
    "hessian",
    "hvp",
    "interop",
    "jacobian",
    "jvp",
    "lesion",
    "load_trace",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "op",
    "optim",
    "receptive_field",
    "scope",
    "set_default_dtype",
    "to_onnx",
    "trace",
    "train",
    "value_and_grad",
    "vjp",
    "zoom",
    *_ops,
]


def __dir__() -> list[str]:
    return sorted(__all__)
