"""`Findings`: what a check measured, and how it becomes a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import diagnose
from .case import Case
from .jacobian import Numeric, moves
from .numeric import EPS
from .report import Entry, Kink, Report
from .subjects.base import Array

SHOWN = 6  # wrong entries in a report


@dataclass
class Findings:
    """Both Jacobians of each input, (outputs, inputs), and the entries where they disagree."""

    names: Sequence[str]
    inputs: Sequence[Array]
    here: Array  # the function's value
    analytic: list[Array]
    missing: list[bool]  # no gradient came back at all
    numeric: list[Numeric]
    wrong: list[Array]
    eps: float = EPS

    @property
    def any_wrong(self) -> bool:
        return any(bool(mask.any()) for mask in self.wrong)

    def report(self) -> Report:
        """A report of all measurements; "ok" so far, or "error" if a gradient is not finite."""
        report = Report("ok", "the gradient is right")
        for k, name in enumerate(self.names):
            shape = (*self.here.shape, *self.inputs[k].shape)
            report.analytic[name] = self.analytic[k].reshape(shape)
            report.numeric[name] = self.numeric[k].value.reshape(shape)
            report.bar[name] = self.numeric[k].bar.reshape(shape)
            report.wrong[name] = self.wrong[k].reshape(shape)
            report.kinks += self._kinks(k)
        bad = self._not_finite()
        if bad:
            report.verdict, report.pattern, report.diagnosis = "error", "not finite", bad
        return report

    def _entry(self, k: int, flat: int) -> Entry:
        i, j = np.unravel_index(flat, self.analytic[k].shape)
        return Entry(
            self.names[k],
            _index(j, self.inputs[k].shape),
            _index(i, self.here.shape),
            float(self.analytic[k][i, j]),
            float(self.numeric[k].value[i, j]),
            float(self.numeric[k].bar[i, j]),
        )

    def _kinks(self, k: int) -> list[Kink]:
        numeric = self.numeric[k]
        return [
            Kink(
                self.names[k],
                _index(j, self.inputs[k].shape),
                _index(i, self.here.shape),
                float(numeric.left[i, j]),
                float(numeric.right[i, j]),
                float(self.analytic[k][i, j]),
                1e-6 if self.eps <= EPS else self.eps**0.5,
            )
            for i, j in np.argwhere(numeric.kink)
        ]

    def _not_finite(self) -> str:
        for k, (a, n) in enumerate(zip(self.analytic, self.numeric, strict=True)):
            bad = np.flatnonzero(~np.isfinite(a) & ~(n.kink & ~np.isnan(a)))
            if bad.size:
                e = self._entry(k, int(bad[0]))
                return (
                    f"the gradient for '{e.input}' is {e.analytic} at {list(e.index)} "
                    f"(the numerical one is {e.numeric:.6g} ± {e.bar:.1g})"
                )
        return ""

    def explain(self, report: Report, elsewhere: Callable[[list[Array]], Any]) -> None:
        """Fill in that the gradient is wrong, where it is wrong, and which mistake explains it.

        Args:
            report: is filled in.
            elsewhere: returns both Jacobians at other inputs, or None if it cannot. Some
                patterns need them.
        """
        report.entries = self._worst()
        report.verdict, report.worst = "wrong", report.entries[0]
        numeric = self.numeric
        case = Case(
            names=self.names,
            inputs=list(self.inputs),
            output=self.here,
            analytic=self.analytic,
            numeric=[
                np.where(n.kink, a, n.value) for a, n in zip(self.analytic, numeric, strict=True)
            ],
            bar=[np.where(n.kink | ~np.isfinite(n.bar), 0.0, n.bar) for n in numeric],
            wrong=self.wrong,
            elsewhere=elsewhere,
        )
        report.pattern, report.diagnosis = diagnose.diagnose(case)
        report.where = diagnose.where(case)
        absent = [
            f"'{name}'"
            for name, gone, mask in zip(self.names, self.missing, self.wrong, strict=True)
            if gone and mask.any()
        ]
        if len(absent) == sum(bool(mask.any()) for mask in self.wrong):
            report.verdict, report.pattern = "error", "missing"
            report.diagnosis = (
                f"the gradient for {' and '.join(absent)} is missing: the vjp gave None, or the "
                "function left the graph (detach, .numpy())"
            )

    def _worst(self) -> list[Entry]:
        """The wrong entries with the largest errors, in units of their error bars."""
        ranked = []
        for k, (mask, n) in enumerate(zip(self.wrong, self.numeric, strict=True)):
            excess = np.abs(self.analytic[k] - n.value) / (n.bar + 1e-6 * n.largest + 1e-300)
            for flat in np.argsort(-np.where(mask, excess, -1), axis=None)[:SHOWN]:
                if mask.flat[flat]:
                    ranked.append((excess.flat[flat], k, int(flat)))
        ranked.sort(reverse=True)
        return [self._entry(k, flat) for _, k, flat in ranked[:SHOWN]]

    def judge_the_rest(self, report: Report) -> None:
        """Fill in the verdict if no entry is wrong: too wide an error bar, a kink, or ok."""
        report.unseen = [
            name
            for name, a, n in zip(self.names, self.analytic, self.numeric, strict=True)
            if a.size and not n.value.any() and not a.any()
        ]
        most = moves(self.numeric)
        uncertain = [n.too_wide(a, most) for a, n in zip(self.analytic, self.numeric, strict=True)]
        for name, wide in zip(self.names, uncertain, strict=True):
            report.uncertain[name] = wide.reshape(report.wrong[name].shape)
        for k, (n, wide) in enumerate(zip(self.numeric, uncertain, strict=True)):
            if wide.any():
                report.worst = self._entry(k, int(np.argmax(np.where(wide, n.bar, -1))))
                report.entries = [report.worst]
                report.verdict = "precision"
                report.diagnosis = (
                    f"the numerical derivative for '{report.worst.input}' is uncertain by "
                    f"± {report.worst.bar:.1g}, too much to judge by: inputs of a more moderate "
                    "size, or a function that rounds and cancels less inside, would help"
                )
                return
        if report.kinks:
            outside = sum(not kink.valid for kink in report.kinks)
            report.verdict = "kink"
            count = len({(kink.input, kink.index) for kink in report.kinks})
            places = f"{count} coordinate{'s' if count > 1 else ''}"
            report.diagnosis = f"the point lies on a kink in {places}; there the gradient " + (
                f"is outside the one-sided derivatives in {outside} "
                f"entr{'ies' if outside > 1 else 'y'}: no subgradient; it is right elsewhere"
                if outside
                else "is a valid subgradient, and it is right elsewhere"
            )


def _index(flat: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()
