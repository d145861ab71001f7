"""A single example without a batch axis: an op that is declared on batches takes it as one of one.

The axis is added and removed by reshapes, which are recorded like any op. So nothing else needs to
know of it: not the op's forward, vjp or definition, nor whoever reads a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import TinygradError
from .node import Handle


class Batch(NamedTuple):
    """Which inputs of an op begin with a batch axis.

    Attributes:
        inputs: their places among the op's inputs.
        axes: how many axes the first of them has, the batch axis included.
    """

    inputs: tuple[int, ...]
    axes: int

    def is_lacking(self, values: Sequence[Any]) -> bool:
        """Whether these inputs are of a single example, without the batch axis."""
        return np.ndim(values[self.inputs[0]]) == self.axes - 1

    def of_one(self, op: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
        """What the op computes for a batch of this one example; the result loses its batch axis.

        A result without axes, such as a mean over the batch, stays as it is.
        """
        given = list(args)
        for i in self.inputs:
            x = args[i] if isinstance(args[i], Handle) else np.asarray(args[i])
            given[i] = x.reshape((1, *x.shape))
        try:
            y = op(*given, **options)
        except TinygradError as error:
            example = given[self.inputs[0]].shape[1:]
            raise type(error)(
                f"{error}; input {example} was taken as one example without a batch axis"
            ) from None
        return y.reshape(y.shape[1:]) if y.ndim else y
