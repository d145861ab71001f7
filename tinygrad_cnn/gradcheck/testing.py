"""For test suites: check a layer over many shapes in one line. Needs `hypothesis`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import OptionError
from ..nn.module import Module
from .check import gradcheck
from .points import draw_inputs, spread_constants


def gradient_test(
    make: Callable[..., tuple[Any, ...]],
    order: int = 1,
    examples: int = 10,
    **sizes: tuple[int, int],
) -> Callable[[], None]:
    """A test function that checks a layer's gradient at sizes that hypothesis draws.

    A Module is checked in training and in evaluation mode. Noise is added first to parameters whose
    elements are all equal, such as a new norm's weight: a mistake may not show there.

    Args:
        make: called with sizes as keywords; returns the layer (a Module, an op, or a function of
            Tensors) and the shape of each input.
        order: as for `gradcheck`.
        examples: how many choices of sizes and inputs hypothesis tries.
        sizes: the (smallest, largest) value of a size. Sizes not given are drawn from 1 … 4.

    Raises:
        OptionError: a size that `make` does not take.

    Example:
        >>> import tinygrad_cnn as tg
        >>> from tinygrad_cnn.gradcheck.testing import gradient_test
        >>> test_linear = gradient_test(lambda n, c: (tg.nn.Linear(c, 3), (n, c)), n=(2, 5))
        >>> test_linear()
    """
    from hypothesis import Phase, given, settings
    from hypothesis import strategies as st

    names = list(inspect.signature(make).parameters)
    unknown = [name for name in sizes if name not in names]
    if unknown:
        raise OptionError(f"gradient_test: make takes {', '.join(names)}, not {unknown[0]}")
    drawn = {name: st.integers(*sizes.get(name, (1, 4))) for name in names}

    # shapes are shrunk; but hypothesis' own explanation is slow, and the report has a better one
    phases = [phase for phase in Phase if phase is not Phase.explain]

    @settings(max_examples=examples, deadline=None, phases=phases)
    @given(st.fixed_dictionaries(drawn), st.integers(0, 10**6))
    def test(chosen: dict[str, int], seed: int) -> None:
        layer, *shapes = make(**chosen)
        random = np.random.default_rng(seed)
        inputs = draw_inputs(shapes, random)
        if isinstance(layer, Module):
            spread_constants(layer, random)
        for training in (True, False) if isinstance(layer, Module) else (True,):
            if isinstance(layer, Module):
                layer.train(training)
            report = gradcheck(layer, inputs, order=order, seed=seed)
            assert report, f"at {chosen}, {'training' if training else 'evaluation'}:\n{report}"

    return test
