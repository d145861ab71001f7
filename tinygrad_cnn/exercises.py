"""How tutorials check answers, under the name by which they import it: see `teaching`."""

from .teaching.exercises import check, check_function, check_gradient, explain

__all__ = ["check", "check_function", "check_gradient", "explain"]
