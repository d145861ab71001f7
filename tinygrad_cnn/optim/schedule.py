"""Schedules: the learning rate as a function of how many epochs have passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ..errors import OptionError
from .optimizer import Optimizer


class Schedule:
    """A constant learning rate, after a warm-up if wanted; base of the other schedules.

    The base rate is the optimiser's when the schedule is made. During the warm-up the rate rises
    in a straight line from a tenth of what it would be to all of it.

    Args:
        optimizer: whose lr `move_to` sets.
        warmup: its length, in epochs; fractions are fine.

    Raises:
        OptionError: a negative warm-up.

    Example:
        >>> import tinygrad_cnn as tg
        >>> optimizer = tg.optim.SGD([tg.nn.Parameter([1.0])], lr=0.5)
        >>> schedule = tg.optim.Schedule(optimizer, warmup=2)
        >>> [round(schedule.at(epoch), 3) for epoch in (0, 1, 2, 3)]
        [0.05, 0.275, 0.5, 0.5]
    """

    options: ClassVar[tuple[str, ...]] = ()
    """The attributes that `state_dict` carries, besides base_lr and warmup."""

    def __init__(self, optimizer: Optimizer, warmup: float = 0.0) -> None:
        if not warmup >= 0:
            raise OptionError(f"{type(self).__name__}: warmup must be ≥ 0, got {warmup}")
        self.optimizer = optimizer
        self.base_lr = optimizer.lr
        self.warmup = warmup

    def factor(self, epoch: float) -> float:
        """What the base rate is multiplied by after so many epochs, warm-up aside."""
        return 1.0

    def at(self, epoch: float) -> float:
        """The learning rate after so many epochs, fractions included."""
        rate = self.base_lr * self.factor(epoch)
        return rate * (0.1 + 0.9 * epoch / self.warmup) if epoch < self.warmup else rate

    def move_to(self, epoch: float) -> None:
        """Give the optimiser the rate after so many epochs."""
        self.optimizer.lr = self.at(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Kind, base rate and options."""
        options = {name: getattr(self, name) for name in ("base_lr", "warmup", *self.options)}
        return {"kind": type(self).__name__, "options": options}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            OptionError: the state of another kind of schedule.
        """
        own = self.state_dict()
        if state["kind"] != own["kind"] or set(state["options"]) != set(own["options"]):
            raise OptionError(f"{type(self).__name__}: this is the state of {state['kind']}")
        for name, value in state["options"].items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        options = ", ".join(f"{k}={v}" for k, v in self.state_dict()["options"].items())
        return f"{type(self).__name__}({options})"


class StepSchedule(Schedule):
    """The rate is multiplied by gamma every `step_size` epochs.

    Args:
        optimizer: whose lr `move_to` sets.
        step_size: epochs between two steps down, counted from the start of training.
        gamma: what each multiplies the rate by.
        warmup: epochs of warm-up.

    Raises:
        OptionError: a step_size or a gamma that is not above 0, or a negative warm-up.

    Example:
        >>> import tinygrad_cnn as tg
        >>> optimizer = tg.optim.SGD([tg.nn.Parameter([1.0])], lr=0.8)
        >>> schedule = tg.optim.StepSchedule(optimizer, step_size=2, gamma=0.5)
        >>> [schedule.at(epoch) for epoch in range(5)]
        [0.8, 0.8, 0.4, 0.4, 0.2]
    """

    options = ("step_size", "gamma")

    def __init__(
        self, optimizer: Optimizer, step_size: float, gamma: float = 0.1, warmup: float = 0.0
    ) -> None:
        super().__init__(optimizer, warmup)
        self.step_size, self.gamma = step_size, gamma
        for name in self.options:
            if not getattr(self, name) > 0:
                raise OptionError(f"StepSchedule: {name} must be > 0, got {getattr(self, name)}")

    def factor(self, epoch: float) -> float:
        return self.gamma ** math.floor(epoch / self.step_size)


class CosineSchedule(Schedule):
    """The rate falls along half a cosine wave to a floor (Loshchilov, Hutter 2016).

    Args:
        optimizer: whose lr `move_to` sets.
        epochs: when the floor is reached, the warm-up included; it stays there.
        floor: the last rate, as a share of the base rate.
        warmup: epochs of warm-up; the wave begins after it.

    Raises:
        OptionError: a floor not in 0 … 1, or not 0 ≤ warmup < epochs.

    Example:
        >>> import tinygrad_cnn as tg
        >>> optimizer = tg.optim.SGD([tg.nn.Parameter([1.0])], lr=0.8)
        >>> schedule = tg.optim.CosineSchedule(optimizer, epochs=4)
        >>> [round(schedule.at(epoch), 3) for epoch in (0, 1, 2, 3, 4, 5)]
        [0.8, 0.683, 0.4, 0.117, 0.0, 0.0]
    """

    options = ("epochs", "floor")

    def __init__(
        self, optimizer: Optimizer, epochs: float, floor: float = 0.0, warmup: float = 0.0
    ) -> None:
        super().__init__(optimizer, warmup)
        if not 0 <= floor <= 1:
            raise OptionError(f"CosineSchedule: floor must be in 0 … 1, got {floor}")
        if not warmup < epochs:
            raise OptionError(
                f"CosineSchedule: warmup={warmup} must be shorter than epochs={epochs}"
            )
        self.epochs, self.floor = epochs, floor

    def factor(self, epoch: float) -> float:
        part = (epoch - self.warmup) / (self.epochs - self.warmup)
        wave = 0.5 * (1 + math.cos(math.pi * min(max(part, 0.0), 1.0)))
        return self.floor + (1 - self.floor) * wave
