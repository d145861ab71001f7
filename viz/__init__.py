"""viz: pictures of what tinygrad_cnn recorded.

    import viz

    viz.draw(loss).save("graph.svg")

Each function returns a `Picture`, which a notebook shows.
"""

from .animation import Animation
from .bars import gradient_bars
from .confusions import confusion
from .connectivity import connectivity
from .curves import training
from .distributions import histograms
from .flow import gradient_flow
from .graph import draw
from .jacobian import jacobian
from .maps import feature_maps, filters
from .normalising import batch_norm
from .panels import panels
from .paths import path_lengths, unroll
from .picture import Picture
from .plots import images
from .receptive import receptive_field
from .summary import summary_page
from .textbook import architecture
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
    "summary_page",
    "training",
    "transposed_convolution",
    "unroll",
]
