"""What a gradient check found, for a program (`report.verdict`) and for a reader (`str`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .snippet import Given

Array = np.ndarray[Any, Any]

VERDICTS = ("ok", "wrong", "kink", "precision", "nondeterministic", "error")
FEW_NAMES = 6  # how many inputs are listed


@dataclass(frozen=True)
class Entry:
    """One element of a Jacobian: the derivative of y[`output`] in the input's [`index`]."""

    input: str
    index: tuple[int, ...]
    output: tuple[int, ...]
    analytic: float
    numeric: float  # nan at a kink
    bar: float


@dataclass(frozen=True)
class Kink:
    """A coordinate at which the one-sided derivatives differ."""

    input: str
    index: tuple[int, ...]
    output: tuple[int, ...]
    left: float
    right: float
    analytic: float
    slack: float = 1e-6  # relative: what counts as between them

    @property
    def valid(self) -> bool:
        """Whether the analytic value lies between them: a subgradient."""
        low, high = sorted((self.left, self.right))
        slack = self.slack * max(abs(v) for v in (low, high, 0.0) if np.isfinite(v))
        return bool(low - slack <= self.analytic <= high + slack) or np.isnan(low)


@dataclass
class Report:
    """The result of `gradcheck`; true if the gradient is right.

    Attributes:
        verdict: ``ok``, ``wrong``, ``kink`` (right where a derivative exists, but the point lies
            on a kink), ``precision`` (the numerical derivative is too uncertain to judge by),
            ``nondeterministic`` or ``error``.
        diagnosis: one plain sentence.
        pattern: the name of the mistake that explains a wrong gradient; ``"none"`` if no known one
            does. It is empty if nothing is wrong. For an error, it says what the gradient does
            (``missing``, ``failed``, ``not finite``, ``modified``), or is empty if the function
            is at fault.
        worst: the entry with the largest error, in units of its error bar; or None.
        analytic, numeric, bar, wrong: both Jacobians, the error bar of the numerical one, and the
            mask of wrong entries: for each input name an array of shape output.shape + input.shape.
        uncertain: the same for a mask of the entries whose error bar is too wide to judge by.
        kinks: where one-sided derivatives differ; `numeric` is nan there.
        unseen: what these inputs could not show, such as an input that has no influence here.
        what_to_try: what would be right, or would show more, for what was recognised.
        notes: what was done on the way, e.g. casts.
        evaluations: how often the function was run.
        given: the inputs as the caller gave them, for the snippet.
    """

    verdict: str
    diagnosis: str
    function: str = ""
    names: Sequence[str] = ()
    inputs: dict[str, Array] = field(default_factory=dict)
    pattern: str = ""
    worst: Entry | None = None
    analytic: dict[str, Array] = field(default_factory=dict)
    numeric: dict[str, Array] = field(default_factory=dict)
    bar: dict[str, Array] = field(default_factory=dict)
    wrong: dict[str, Array] = field(default_factory=dict)
    uncertain: dict[str, Array] = field(default_factory=dict)
    kinks: list[Kink] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    what_to_try: str = ""
    notes: list[str] = field(default_factory=list)
    order: int = 1
    mode: str = "full"
    seed: int = 0
    evaluations: int = 0
    given: Given = field(default_factory=Given)
    call: str = ""
    command: str = ""

    def __bool__(self) -> bool:
        return self.verdict == "ok" or (
            self.verdict == "kink" and all(kink.valid for kink in self.kinks)
        )

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"gradcheck {self.function}: {self.verdict}", f"  {self.diagnosis}"]
        lines += [f"  not seen: {told}" for told in self.unseen if told not in self.diagnosis]
        lines += [f"  what to try: {self.what_to_try}"] if self.what_to_try else []
        if self.entries:
            lines += ["", *_table(self.entries)]
        lines += [f"  {line}" for line in self.where]
        if self.kinks:
            lines += ["", *_kink_table(self.kinks)]
        lines += [f"  note: {note}" for note in self.notes]
        lines.append(f"  {self._effort()}")
        if not self:
            lines += ["", "To reproduce:", *(f"    {line}" for line in self.snippet().splitlines())]
        return "\n".join(lines)

    def _effort(self) -> str:
        listed = [f"{n} {self.inputs[n].shape}" for n in self.names]
        more = f" and {len(listed) - FEW_NAMES} more" if len(listed) > FEW_NAMES else ""
        checked = ", ".join(listed[:FEW_NAMES]) + more
        order = "" if self.order == 1 else f", order {self.order}"
        return f"checked: {checked or 'nothing'}{order}; {self.evaluations} evaluations"

    def snippet(self) -> str:
        """Code that runs this check again; or the shell command that ran it."""
        if self.command:
            return self.command
        lines = ["import numpy as np", "import tinygrad_cnn as tg", *self.given.code(), self.call]
        return "\n".join(lines)

    def save(self, path: str) -> None:
        """Write the inputs to an .npz file, for the snippet of a check with large inputs."""
        np.savez(path, *self.given.arrays)


def _table(entries: Sequence[Entry]) -> list[str]:
    rows = [("input", "output", "analytic", "numerical", "± bar")]
    for e in entries:
        rows.append(
            (
                e.input + _at(e.index),
                "y" + _at(e.output),
                f"{e.analytic:.6g}",
                f"{e.numeric:.6g}",
                f"{e.bar:.1g}",
            )
        )
    return _aligned(rows)


def _kink_table(kinks: Sequence[Kink], most: int = 6) -> list[str]:
    rows = [("kink at", "output", "left", "right", "analytic")]
    for k in kinks[:most]:
        between = "" if k.valid else "  not between them"
        rows.append(
            (
                k.input + _at(k.index),
                "y" + _at(k.output),
                f"{k.left:.6g}",
                f"{k.right:.6g}",
                f"{k.analytic:.6g}{between}",
            )
        )
    more = [f"  and {len(kinks) - most} more"] if len(kinks) > most else []
    return _aligned(rows) + more


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _at(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""
