"""The errors that this package raises: each says what was wrong and what would fit.

All derive from `TinygradError`, and each also from the built-in exception that a Python reader
expects, so both `except tg.errors.TinygradError` and `except ValueError` work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.node import Node


class TinygradError(Exception):
    """Base of every error raised on purpose by this package."""


class ShapeError(TinygradError, ValueError):
    """Sizes, ranks or axes that do not fit together."""


class DtypeError(TinygradError, TypeError):
    """A dtype, or a type of argument, that an op cannot take."""


class OptionError(TinygradError, ValueError):
    """An option (stride, padding, a model's name ...) with a value that means nothing here."""


class GraphError(TinygradError, RuntimeError):
    """A backward pass or a query that the recorded graph cannot answer."""


class AnomalyError(TinygradError, FloatingPointError):
    """A value or a gradient became NaN or infinite, inside `detect_anomaly`.

    Attributes:
        node: the op that was the first; ``viz.draw(tg.Graph.of(error.node))`` shows where.
    """

    def __init__(self, message: str, node: Node | None = None) -> None:
        super().__init__(message)
        self.node = node


class DataError(TinygradError, ValueError):
    """A data file that is missing, damaged or of another kind."""
