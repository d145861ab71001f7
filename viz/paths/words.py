"""Numbers and names as the pictures of paths print them."""

from __future__ import annotations

from decimal import Decimal

from tinygrad_cnn.engine.node import Node

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def power(base: int, exponent: int) -> str:
    """A power with a raised exponent.

    >>> power(2, 54)
    '2⁵⁴'
    """
    return f"{base}{str(exponent).translate(_SUPERSCRIPTS)}"


def subscript(number: int) -> str:
    """A number as a lowered index."""
    return str(number).translate(_SUBSCRIPTS)


def count_of(number: int, thing: str) -> str:
    """How many things there are; large numbers are rounded.

    >>> count_of(1, "path"), count_of(2**54, "path")
    ('1 path', '1.8·10¹⁶ paths')
    """
    return f"{whole(number)} {thing}{'s' * (number != 1)}"


def whole(number: int) -> str:
    """A whole number of any size: in full below a million, else with two digits."""
    if abs(number) < 1_000_000:
        return f"{number:,}"
    digits, exponent = f"{Decimal(number):.1e}".split("e+")
    return f"{digits}·{power(10, int(exponent))}"


def short(value: float) -> str:
    """A measured number with three digits.

    >>> short(7.9), short(-1.2345e-7), short(1234.5)
    ('7.90', '−1.23·10⁻⁷', '1,230')
    """
    if value == 0:
        return "0"
    text = f"{value:#.3g}".rstrip(".").replace("-", "−", 1 if value < 0 else 0)
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    if 0 <= int(exponent) <= 5:
        return f"{float(f'{value:.3g}'):,.0f}".replace("-", "−")
    return f"{digits}·{power(10, int(exponent))}"


def name_of(node: Node) -> str:
    """What pictures call the value that a gradient is taken at."""
    return node.name or ("x" if node.role == "input" else "wrt")
