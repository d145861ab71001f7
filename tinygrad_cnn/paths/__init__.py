"""A gradient, split exactly over the paths of a network.

At a residual add, y = skip + branch, a cotangent goes on along both inputs. A *path* is the
sequence of choices, skip or branch, met on the way from the loss to `wrt`; its length is how often
it took the branch. Backward is linear in the cotangent, so the walk can carry the parts of a
gradient apart instead of their sum: by length (G_k, at most n+1 parts), or by path (2ⁿ of them).
In the place of branches, any parts of a network can be marked, and their crossings counted.

- `finding.py`: where a network chooses: residual adds, plain additions, concatenations.
- `selecting.py`: modules, names and nodes, as a caller names them.
- `naming.py`: what a branch is called.
- `gates.py`: the edges by which paths are told apart, and what crossing one multiplies by.
- `segments.py`: the graph condensed to its gates; counting and numbering paths.
- `split.py`: the split as one backward walk, with a polynomial in place of each cotangent.
- `edges.py`: what part of a gradient comes along each edge.
- `gradient.py`, `walk.py`, `result.py`: `gradient_paths()`, its walk, and what can be asked then.
- `lesion.py`: what deleting a part changes.
- `expand.py`: the forward pass unrolled, and whether its paths add up.

The split by length is Theorem 1 of Fagnou et al. 2025, "Highway backpropagation"; that few short
paths carry most of the gradient was seen by Veit, Wilber & Belongie 2016, "Residual networks behave
like ensembles of relatively shallow networks".
"""

from .expand import Expansion, expand
from .finding import Choice
from .gradient import gradient_paths
from .lesion import BlockLesion, lesion
from .result import GradientPaths

__all__ = [
    "BlockLesion",
    "Choice",
    "Expansion",
    "GradientPaths",
    "expand",
    "gradient_paths",
    "lesion",
]
