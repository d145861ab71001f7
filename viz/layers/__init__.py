"""What a layer does and what is inside it: its maps, weights, distributions and field of view.

`textbook.py` draws a whole network as textbooks do, `connectivity.py` one map as a matrix.
"""

from .connectivity import connectivity
from .distributions import histograms
from .maps import feature_maps, filters
from .normalising import batch_norm
from .receptive import receptive_field
from .textbook import architecture

__all__ = [
    "architecture",
    "batch_norm",
    "connectivity",
    "feature_maps",
    "filters",
    "histograms",
    "receptive_field",
]
