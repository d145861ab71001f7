"""Numbers and names as the pictures of paths print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.paths import GradientPaths

from ..picture.numbers import power
from ..picture.svg import fit, text_width

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(number: int) -> str:
    """A number as a lowered index."""
    return str(number).translate(_SUBSCRIPTS)


def count_of(number: int, thing: str) -> str:
    """How many things there are; large numbers are rounded.

    >>> count_of(1, "path"), count_of(2**54, "path"), count_of(3, "branch")
    ('1 path', '1.8·10¹⁶ paths', '3 branches')
    """
    return f"{whole(number)} {thing if number == 1 else plural(thing)}"


def plural(thing: str) -> str:
    """What several of them are called."""
    return f"{thing}{'es' if thing.endswith('ch') else 's'}"


@dataclass(frozen=True)
class Things:
    """What paths are told apart by, in words.

    Attributes:
        number: how many there are.
        one: "residual block", "branch" (also of other additions, and of concatenations), or "marked
            part".
        place: where paths part: "block", "addition", "concatenation".
        kinds: how many parts there are of each kind, where kinds were named.
    """

    number: int
    one: str = "residual block"
    place: str = "block"
    kinds: str = ""

    @classmethod
    def of(cls, paths: GradientPaths) -> Things:
        """What `gradient_paths` was asked for."""
        if paths.kinds != ("",) or any(part.choice is None for part in paths.parts):
            numbers = Counter(paths.kinds[part.kind] for part in paths.parts)
            kinds = ", ".join(f"{numbers[kind]} {kind}" for kind in paths.kinds if kind)
            return cls(paths.n_blocks, "marked part", "part", kinds)
        places = {choice.kind for choice in paths.choices}
        if not places - {"residual add"}:
            return cls(paths.n_blocks)
        joins = sorted(
            {"concatenation" if kind == "concatenation" else "addition" for kind in places}
        )
        return cls(paths.n_blocks, "branch", " or ".join(joins))

    @property
    def told(self) -> str:
        """How many there are of what."""
        return f"{count_of(self.number, self.one)}{f' ({self.kinds})' * bool(self.kinds)}"

    @property
    def marked(self) -> bool:
        """Whether they were marked, instead of found."""
        return self.one == "marked part"

    @property
    def crossed_one(self) -> str:
        """What a path's length counts."""
        return "part" if self.marked else "branch"

    @property
    def crossed(self) -> str:
        """The same, of several."""
        return plural(self.crossed_one)


def told_apart(names: Sequence[str], width: float, size: float) -> list[str]:
    """Dotted names, cut so that they fit into a width, and alike: what all begin with goes first.

    >>> told_apart(["net.layers.layer_1.attention", "net.layers.layer_2.mlp"], 150, 10)
    ['…layer_1.attention', '…layer_2.mlp']
    >>> told_apart(["net.layers.layer_1.attention", "net.layers.layer_2.mlp"], 90, 10)
    ['…1.attention', '…2.mlp']
    """
    cut = _common_parts(names)
    ways = [list(names), [name[cut:] for name in names]]
    ways.append([name[_common_letters(ways[1]) :] for name in ways[1]])
    for way in ways:
        shown = [way[i] if way[i] == name else f"…{way[i]}" for i, name in enumerate(names)]
        if all(text_width(name, size) <= width for name in shown):
            return shown
    return [fit(name, width, size) for name in shown]


def _common_parts(names: Sequence[str]) -> int:
    """How many letters the parts between dots have that all names begin with."""
    heads = [name.split(".")[:-1] for name in names]
    common = 0
    for parts in zip(*heads, strict=False):
        if len(set(parts)) > 1:
            break
        common += len(parts[0]) + 1
    return common


def _common_letters(names: Sequence[str]) -> int:
    """How many letters the first parts begin with in common, up to a number that differs."""
    firsts = [name.partition(".")[0].rstrip("0123456789") for name in names]
    numbered = all(
        name[len(first) :][:1].isdigit() for name, first in zip(names, firsts, strict=True)
    )
    return len(firsts[0]) if firsts and numbered and len(set(firsts)) == 1 else 0


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
    return node.name or ("x" if node.role == "input" else str(node.scope) or "wrt")
