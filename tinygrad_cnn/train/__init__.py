"""Training: a model, a loader, an optimiser and a loss, with a progress bar."""

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
