"""Numbers as pictures print them: powers and percentages."""

from __future__ import annotations

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power(base: int, exponent: int) -> str:
    """A power with a raised exponent.

    >>> power(2, 54)
    '2⁵⁴'
    """
    return f"{base}{str(exponent).translate(_SUPERSCRIPTS)}"


def percent(part: float) -> str:
    """A part as a percentage.

    >>> percent(0.954), percent(0.00012), percent(1e-9)
    ('95 %', '0.012 %', '1·10⁻⁷ %')
    """
    value = 100 * part
    if abs(value) >= 1 or value == 0:
        text = f"{value:.0f}"
    elif abs(value) >= 1e-3:
        text = f"{value:.2g}"
    else:
        digits, exponent = f"{value:.0e}".split("e")
        text = f"{digits}·{power(10, int(exponent))}"
    return f"{text.replace('-', '−')} %"
