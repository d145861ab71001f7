"""Numbers as the step-through page writes them. `web/data.js` has the same rule, in `numeral`."""

from __future__ import annotations

import math

MINUS = "−"


def numeral(x: float) -> str:
    """A number to four digits; whole ones below 100,000 with all of theirs.

    Example:
        >>> [numeral(x) for x in (2.0, -3.14159, 12345.6, 1234567.0, 0.00001, -0.0, float("nan"))]
        ['2', '−3.142', '12346', '1.235e6', '1e−5', '0', 'NaN']
    """
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else f"{MINUS}∞"
    size = abs(x)
    if size == 0:
        return "0"
    if not 1e-4 <= size < 99999.5:
        digits, _, exponent = f"{size:.3e}".partition("e")
        power = str(int(exponent)).replace("-", MINUS)
        text = f"{_short(digits)}e{power}"
    else:
        whole = math.floor(math.log10(size))
        text = _short(f"{size:.{max(0, 3 - whole)}f}")
    return MINUS + text if x < 0 else text


def operand(x: float) -> str:
    """A number inside a formula: a negative one in brackets.

    Example:
        >>> f"2 × {operand(-3.0)}"
        '2 × (−3)'
    """
    text = numeral(x)
    return f"({text})" if text.startswith(MINUS) else text


def _short(text: str) -> str:
    """Without zeros at its end."""
    return text.rstrip("0").rstrip(".") if "." in text else text
