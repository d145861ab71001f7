"""The kinds of ops and their colours, and the colours of gradients that are zero, NaN or missing.

The fills follow Okabe and Ito's palette for colour-blind readers, tinted so that their lightness
differs too: in a grey print, neighbouring kinds can still be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tinygrad_cnn.engine.node import Node


class Kind(NamedTuple):
    """How boxes of one kind look."""

    label: str
    fill: str
    ink: str = "#1a1a1a"
    edge: str = "#4b5563"


KINDS = {
    "input": Kind("input", "#ffffff"),
    "value": Kind("value", "#ffffff"),
    "parameter": Kind("parameter", "#f3f4f6", edge="#9ca3af"),
    "constant": Kind("constant", "#f3f4f6", edge="#9ca3af"),
    "convolution": Kind("convolution", "#0067a3", ink="#ffffff", edge="#004c78"),
    "linear": Kind("linear", "#56b4e9", edge="#2b7fae"),
    "normalization": Kind("normalization", "#009e73", edge="#006b4e"),
    "activation": Kind("activation", "#f0e442", edge="#a39a1c"),
    "pooling": Kind("pooling", "#dfa6c6", edge="#a8648a"),
    "residual": Kind("residual addition", "#f9c65c", edge="#a87400"),
    "loss": Kind("loss", "#d55e00", edge="#8f3f00"),
    "reduction": Kind("reduction", "#c3c9d1", edge="#6b7280"),
    "elementwise": Kind("elementwise", "#e2e5ea", edge="#7c8594"),
    "shape": Kind("shape", "#f7f7f2", edge="#9a9a86"),
    "module": Kind("module", "#dbe7f3", edge="#42647f"),
    "other": Kind("other op", "#efe3d3", edge="#8a6d45"),
    "failed": Kind("raised an error", "#b3261e", ink="#ffffff", edge="#7a1410"),
}
"""The kinds, in the order in which legends list them."""

STEPS = 10
"""How many steps dark pages have between the colours of a small and of a large gradient."""

MARKS = {"zero": "#2563eb", "broken": "#d1004b", "none": "#b6bcc6"}
"""The colour of a gradient that is exactly zero, of NaN or infinity, and of none at all."""

_NAMED = {
    "activation": "relu sigmoid tanh softmax leaky_relu elu gelu silu swish softplus hardtanh "
    "hardsigmoid hardswish prelu glu mish log_sigmoid",
    "loss": "cross_entropy nll_loss mse_loss l1_loss binary_cross_entropy huber_loss log_softmax",
    "linear": "outer matmul linear einsum tensordot dot scaled_dot_product_attention "
    "interpolate interpolate_input_grad",
    "residual": "residual_add",
    "reduction": "cumsum sum mean max min var std prod logsumexp norm",
    "shape": "reshape transpose broadcast_to concatenate astype getitem scatter_add flatten pad "
    "repeat stack split squeeze expand_dims swapaxes moveaxis permute flip roll embedding take "
    "unfold2d unfold fold pixel_shuffle pixel_unshuffle",
    "normalization": "layer_norm group_norm instance_norm rms_norm local_response_norm",
    "elementwise": "dropout_mask masked_fill",
}
_KIND_OF = {name: kind for kind, names in _NAMED.items() for name in names.split()}
_BEGINNINGS = {
    "conv": "convolution",
    "locally_connected": "convolution",
    "binary_cross_entropy": "loss",
    "batch_norm": "normalization",
    "max_pool": "pooling",
    "avg_pool": "pooling",
    "adaptive_": "pooling",
    "global_": "pooling",
    "unpool": "pooling",
    "take_winners": "pooling",
}


def kind_of(node: Node) -> str:
    """The kind (a key of `KINDS`) of a leaf, or of the op that computed a node."""
    if node.op is None:
        return (
            node.role if node.role in KINDS else "parameter" if node.role == "buffer" else "input"
        )
    name = node.op.name
    if name in _KIND_OF:
        return _KIND_OF[name]
    for beginning, kind in _BEGINNINGS.items():
        if name.startswith(beginning):
            return kind
    return "elementwise" if node.op.elementwise else "other"


WARM = ((255, 247, 236), (253, 187, 132), (215, 48, 31), (90, 0, 20))
COLD = ((239, 246, 255), (147, 197, 253), (37, 99, 235), (12, 30, 90))
"""Heat maps: from nothing to the largest value; of negative values, likewise."""


def heat(part: float) -> tuple[str, str]:
    """The colour of a value in a heat map, and a class for dark pages: "f" and "n" with a step.

    Args:
        part: the value, divided by the largest absolute one: −1 … 1.
    """
    strength = min(abs(part), 1.0) ** 0.6  # small ones stay visible
    ramp, letter = (COLD, "n") if part < 0 else (WARM, "f")
    return on_ramp(ramp, strength), f"{letter}{round(strength * STEPS)}"


def on_ramp(ramp: Sequence[tuple[int, int, int]], part: float) -> str:
    """The colour at a part, from 0 to 1, of the way along a ramp of RGB colours.

    Example:
        >>> on_ramp([(0, 0, 0), (0, 0, 255), (255, 255, 255)], 0.25)
        '#000080'
    """
    at = min(max(part, 0.0), 1.0) * (len(ramp) - 1)
    i = min(int(at), len(ramp) - 2)
    mixed = (round(a + (b - a) * (at - i)) for a, b in zip(ramp[i], ramp[i + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
