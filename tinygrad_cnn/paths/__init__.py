"""The gradient of a residual network, split exactly over its 2ⁿ paths.

At a residual add, y = skip + branch, a cotangent goes on along both inputs. A *path* is the
sequence of choices, skip or branch, met on the way from the loss to `wrt`; its length is how often
it took the branch. Backward is linear in the cotangent, so the walk can carry the parts of a
gradient apart instead of their sum: by length (G_k, at most n+1 parts), or by path (2ⁿ of them).

- `choices.py`: the graph condensed to its residual adds; counting and numbering paths.
- `split.py`: the split by length, as one backward walk.
- `gradient.py`: `gradient_paths()`, which also lists and samples single paths.
- `lesion.py`: what deleting a block changes.
- `expand.py`: the forward pass unrolled, and whether its paths add up.

The split by length is Theorem 1 of Fagnou et al. 2025, "Highway backpropagation"; that few short
paths carry most of the gradient was seen by Veit, Wilber & Belongie 2016, "Residual networks behave
like ensembles of relatively shallow networks".
"""

from .expand import Expansion, expand
from .gradient import GradientPaths, gradient_paths
from .lesion import BlockLesion, lesion

__all__ = [
    "BlockLesion",
    "Expansion",
    "GradientPaths",
    "expand",
    "gradient_paths",
    "lesion",
]
