"""How tutorials check an answer, under the name that they import: see `teaching`."""

from .teaching.exercises import check, check_function, check_gradient, explain

__all__ = ["check", "check_function", "check_gradient", "explain"]
