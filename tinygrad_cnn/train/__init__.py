"""Training: `fit` takes a model, a loader, an optimiser and a loss, and returns a `History`.

`evaluate.py` measures what was learned; `checkpoint.py` saves a training, and goes on with it.
"""

from .evaluate import accuracy, predict
from .fit import fit
from .history import Epoch, History
from .hooks import GradientNorms, Hook, Step

__all__ = [
    "Epoch",
    "GradientNorms",
    "History",
    "Hook",
    "Step",
    "accuracy",
    "fit",
    "predict",
]
