"""From gradients to new parameters: optimisers, learning-rate schedules, gradient clipping.

`optimizer.py` has what all optimisers share, and so is the place to begin one of your own.
"""

from .adam import Adam, AdamW
from .clip import clip_grad_norm
from .optimizer import Optimizer
from .schedule import CosineSchedule, Schedule, StepSchedule
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineSchedule",
    "Optimizer",
    "Schedule",
    "StepSchedule",
    "clip_grad_norm",
]
