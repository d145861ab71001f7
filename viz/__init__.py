"""viz: pictures of what tinygrad_cnn recorded, and of what its layers compute.

    import viz

    viz.draw(loss).save("graph.svg")

Each function returns a `Picture`, which a notebook shows.
"""

from .graphs import draw, gradient_bars, gradient_flow, summary_page
from .layers import (
    architecture,
    batch_norm,
    connectivity,
    feature_maps,
    filters,
    histograms,
    receptive_field,
)
from .paths import path_lengths, unroll
from .picture import Animation, Picture
from .plots import confusion, images, jacobian, panels, training
from .step import Steps, step
from .windows import (
    convolution,
    convolution_backward,
    pooling,
    pooling_backward,
    transposed_convolution,
)

__all__ = [
    "Animation",
    "Picture",
    "Steps",
    "architecture",
    "batch_norm",
    "confusion",
    "connectivity",
    "convolution",
    "convolution_backward",
    "draw",
    "feature_maps",
    "filters",
    "gradient_bars",
    "gradient_flow",
    "histograms",
    "images",
    "jacobian",
    "panels",
    "path_lengths",
    "pooling",
    "pooling_backward",
    "receptive_field",
    "step",
    "summary_page",
    "training",
    "transposed_convolution",
    "unroll",
]


def __dir__() -> list[str]:
    return sorted(__all__)
