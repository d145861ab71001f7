"""What records a computation and differentiates it, for a single number and for a tensor.

An op (`op.py`) computes a value and records a node (`node.py`), which Tensors and Scalars hold;
the reverse walk (`backward.py`) takes a gradient back through the nodes.
"""

from .anomaly import detect_anomaly
from .backward import backward, grad
from .context import no_grad, scope
from .defaults import manual_seed, set_default_dtype
from .hooks import Hook
from .node import Handle, Node
from .op import Op, constant, op
from .scalar import Scalar
from .tensor import Tensor

__all__ = [
    "Handle",
    "Hook",
    "Node",
    "Op",
    "Scalar",
    "Tensor",
    "backward",
    "constant",
    "detect_anomaly",
    "grad",
    "manual_seed",
    "no_grad",
    "op",
    "scope",
    "set_default_dtype",
]
