"""`Case`: the data from which a diagnosis finds the mistake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass
class Case:
    """The data that each pattern gets. Jacobians are (outputs, inputs), one for each input."""

    names: Sequence[str]
    inputs: list[Array]
    output: Array
    analytic: list[Array]
    numeric: list[Array]
    bar: list[Array]
    wrong: list[Array]
    elsewhere: Callable[[list[Array]], tuple[list[Array], list[Array]] | None]

    def same(self, k: int, made: Array, rtol: float = 1e-4) -> bool:
        """Whether the analytic Jacobian of input k equals `made`, within the error bars.

        `made` must also be much closer to it than the numerical Jacobian is. Otherwise the pattern
        does not explain the difference.
        """
        a, n = self.analytic[k], self.numeric[k]
        if made.shape != a.shape or np.abs(a - made).sum() > 0.1 * np.abs(a - n).sum():
            return False
        size = max(float(np.max(np.abs(n), initial=0.0)), float(np.max(np.abs(a), initial=0.0)))
        slack = 4 * float(np.max(self.bar[k], initial=0.0)) + 1e-7 * size
        return bool(np.all(np.abs(a - made) <= slack + rtol * np.abs(made)))

    def jacobian(self, k: int) -> Array:
        """The numerical Jacobian of input k, in the shapes of the output and the input."""
        return self.numeric[k].reshape((*self.output.shape, *self.inputs[k].shape))


Pattern = Callable[[Case, int], str | None]
