"""The size of a gradient: its norm, what that says, and the logarithmic scale that shows it.

Norms are Euclidean. Four things are told apart: a number, an exact zero (the gradient vanished),
NaN or infinity, and no gradient at all (none was needed, or none arrived).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn import Statistics
from tinygrad_cnn.errors import DtypeError, GraphError
from tinygrad_cnn.recording.trace import Trace

from ..picture.style import STEPS, on_ramp

# From a small gradient to a large one: darker and darker, distinct for the colour-blind.
_RAMP = ((252, 165, 10), (229, 92, 48), (147, 38, 103), (66, 10, 104))
_WIDTHS = (1.5, 7.0)  # pixels, of the smallest and the largest gradient


def norm(gradient: Any) -> float | None:
    """Euclidean norm of a gradient, or of several together, in float64; None for no gradient.

    Example:
        >>> norm(np.array([3e-200, 4e-200]))
        5e-200
    """
    parts = gradient if isinstance(gradient, tuple | list) else (gradient,)
    arrays = [np.ravel(_elements(part)) for part in parts if part is not None]
    if not arrays:
        return None
    values = np.concatenate(arrays)
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(values / largest))


def _elements(part: Any) -> Any:
    """An array with the same norm as `part`; for statistics, their norm itself."""
    return np.asarray(part.norm if isinstance(part, Statistics) else part, np.float64)


def state(size: float | None) -> str:
    """What a norm says: "none", "zero", "broken" (NaN or infinite) or "flows".

    Example:
        >>> [state(size) for size in (None, 0.0, float("nan"), 1e-9)]
        ['none', 'zero', 'broken', 'flows']
    """
    if size is None:
        return "none"
    if not math.isfinite(size):
        return "broken"
    return "flows" if size else "zero"


def log10(size: float) -> float:
    """The common logarithm, without the last digits, which are not the same on every platform.

    Example:
        >>> log10(1000.0), log10(0.01)
        (3.0, -2.0)
    """
    return round(math.log10(size), 9)


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale from 10^low to 10^high."""

    low: int
    high: int

    @classmethod
    def of(cls, sizes: list[float | None]) -> Scale:
        """The decades between which all sizes lie that are neither 0, NaN, infinite nor None."""
        logs = [log10(size) for size in sizes if size is not None and state(size) == "flows"]
        if not logs:
            return cls(-1, 0)
        low = math.floor(min(logs))
        return cls(low, max(math.ceil(max(logs)), low + 1))

    @property
    def decades(self) -> list[int]:
        """Exponents to label: all of them, or some if there are many."""
        step = max(1, math.ceil((self.high - self.low) / 6))
        return list(range(self.low, self.high + 1, step))

    def share(self, size: float) -> float:
        """Where a size lies, from 0 (low) to 1 (high)."""
        return (log10(size) - self.low) / (self.high - self.low)

    def mark(self, size: float) -> str:
        """A class for style sheets: "f0" for the smallest sizes to "f10" for the largest."""
        return f"f{round(min(max(self.share(size), 0.0), 1.0) * STEPS)}"

    def color(self, size: float) -> str:
        """The colour of a size; darker for larger ones."""
        return on_ramp(_RAMP, self.share(size))

    def width(self, size: float) -> float:
        """The width of an arrow for a size, in pixels."""
        thin, thick = _WIDTHS
        return thin + (thick - thin) * min(max(self.share(size), 0.0), 1.0)


def norm_text(size: float | None) -> str:
    """A norm in words: "1.2e-03", "0 (vanished)", "nan", "no grad"."""
    return {
        "none": "no grad",
        "zero": "0 (vanished)",
        "broken": f"{size}",
        "flows": f"{size:.1e}" if size is not None else "",
    }[state(size)]


def need_backward(trace: Any, what: str) -> None:
    """Refuse what is no trace, or lacks a forward or backward pass.

    Raises:
        DtypeError, GraphError: the message names the function `what`.
    """
    if not isinstance(trace, Trace):
        raise DtypeError(f"{what}: a Trace is needed, got {type(trace).__name__}")
    if not trace.backward_events:
        if trace.failure is not None:
            raise GraphError(
                f"{what}: the trace holds no backward pass, since the program raised an error "
                f"before: {trace.failure}; viz.draw and viz.step show how far it came"
            )
        raise GraphError(
            f"{what}: the trace holds no backward pass; call loss.backward() inside the block of "
            "`with tg.trace() as t:`"
        )
    if not trace.forward_events:
        raise GraphError(
            f"{what}: the trace holds no forward pass; compute the loss inside the block, too"
        )
