"""`gradcheck`: is a gradient right, and if not, what is wrong with it?"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import OptionError
from ..nn.module import Module
from . import diagnose
from .analytic import gradients, jacobians
from .directions import check_directions
from .jacobian import Numeric, Tolerance, numerical_jacobian
from .report import Entry, Kink, Report
from .subject import Array, EngineSubject, Pull, Subject, prepare

MOST_ENTRIES = 20_000_000


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    vjp: Callable[..., Any] | None = None,
    order: int = 1,
    mode: str = "full",
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
) -> Report:
    """Compare a gradient with numerical derivatives that come with their own error bars.

    Everything is computed in float64, whatever the inputs are. A gradient is called wrong only
    when it is off by more than the numerical derivative is uncertain; then the report says which
    mistake explains the difference. Nothing is changed: parameters, running statistics and
    gradients are left as they were.

    Args:
        f: a function of Tensors, an op, or a Module (whose parameters are checked, too, in the
            mode, training or evaluation, that it is in). With `vjp`, a function of plain arrays.
        inputs: a Tensor, array or float, or a sequence of them. All floating ones are checked;
            if some Tensor asks for a gradient, only those that do.
        vjp: for plain-array functions: ``vjp(cotangent, *arrays)`` returns the gradient for each
            array (a tuple; None for one without).
        order: 2 checks the gradient of the gradient, too.
        mode: "full" compares whole Jacobians. "random" compares slopes along random directions,
            one in each input and parameter, for large functions: a whole network in seconds. A
            report then has no Jacobians; `analytic` holds the gradients of ⟨cotangent, f⟩.
        seed: of the random cotangents.
        rtol, atol: a difference of ``rtol · |numeric| + atol`` is allowed beyond the error bar;
            by default 1e-6 and 1e-12 of the input's largest derivative.

    Returns:
        A `Report`: true if right, with `.verdict`, `.diagnosis`, `.worst` and the Jacobians.

    Raises:
        OptionError: an argument that means nothing here. A wrong gradient never raises.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.array([0.5, -1.0, 2.0])
        >>> bool(tg.gradcheck(tg.tanh, x))
        True
        >>> cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * 2 * x**2)
        >>> tg.gradcheck(cube, x).diagnosis
        "the gradient for 'x' is off by a constant factor of 2/3"
    """
    if order not in (1, 2):
        raise OptionError(f"gradcheck: order must be 1 or 2, got {order!r}")
    if mode not in ("full", "random"):
        raise OptionError(f"gradcheck: mode must be 'full' or 'random', got {mode!r}")
    if order == 2 and vjp is not None:
        raise OptionError("gradcheck: order=2 needs a function of Tensors; leave vjp out")
    with np.errstate(all="ignore"), prepare(f, inputs, vjp) as subject:
        tolerance = Tolerance(1e-6 if rtol is None else rtol, atol)
        check = _Check(subject, np.random.default_rng(seed), tolerance, mode)
        report = check.run()
        if order == 2 and report.verdict in ("ok", "kink"):
            assert isinstance(subject, EngineSubject)
            v = np.random.default_rng(seed).standard_normal(check.shape)
            first, check = report, _Check(subject.gradient(v), check.random, tolerance, mode)
            report = check.run()
            report.evaluations += first.evaluations
            if report.verdict != "ok":
                report.diagnosis = f"second order: {report.diagnosis}"
        report.notes = [*subject.notes, *report.notes]
    report.function, report.order, report.mode, report.seed = _name(f), order, mode, seed
    report.call = _call(f, vjp, order, mode, seed)
    return report


RANDOM = (
    "two runs with the same inputs gave different values: fix the seed inside the function, or "
    "check it in evaluation mode"
)


FLOAT32 = 1e-3  # relative to an input's largest element: so far may a float32 gradient be off


class _Stop(Exception):
    """The check ends early; carries the report."""

    def __init__(self, verdict: str, diagnosis: str) -> None:
        super().__init__(diagnosis)
        self.report = Report(verdict, diagnosis)


class _Check:
    """One subject's check, step by step."""

    def __init__(
        self, subject: Subject, random: np.random.Generator, tolerance: Tolerance, mode: str
    ) -> None:
        self.subject, self.random, self.tolerance, self.mode = subject, random, tolerance, mode
        self.pristine = [array.copy() for array in subject.arrays]
        self.evaluations = 0
        self.shape: tuple[int, ...] = ()

    def run(self) -> Report:
        try:
            report = self._run()
        except _Stop as stop:
            report = stop.report
        report.names = self.subject.names
        report.inputs = dict(zip(self.subject.names, self.pristine, strict=True))
        report.evaluations = self.evaluations
        return report

    def _run(self) -> Report:
        here, pull = self._values()
        if self.mode == "random":
            return self._run_directions(here, pull)
        if here.size * sum(a.size for a in self.subject.arrays) > MOST_ENTRIES:
            inputs = sum(a.size for a in self.subject.arrays)
            raise OptionError(
                f"gradcheck: a Jacobian of {here.size} × {inputs} is too large to compare whole: "
                "use mode='random', or give smaller inputs"
            )
        try:
            claimed = jacobians(self.subject, pull, here.size)
        except Exception as error:
            raise _Stop("error", f"the backward pass failed: {_message(error)}") from error
        self._unmodified("the backward pass")
        numeric = self._numeric(here, claimed.jacobians)
        return self._judge(here, claimed.jacobians, claimed.missing, numeric, pull)

    def _run_directions(self, here: Array, pull: Pull) -> Report:
        cotangent = self.random.standard_normal(here.size)
        try:
            claimed = gradients(self.subject, pull, cotangent.copy())
        except Exception as error:
            raise _Stop("error", f"the backward pass failed: {_message(error)}") from error
        self._unmodified("the backward pass")
        for name, gradient in zip(self.subject.names, claimed, strict=True):
            if gradient is not None and not np.isfinite(gradient).all():
                raise _Stop("error", f"the gradient for '{name}' is not finite")
        return check_directions(
            self.subject.names,
            self.subject.arrays,
            self.evaluate,
            here.reshape(-1),
            claimed,
            cotangent,
            self.tolerance,
            self.random,
        )

    def _numeric(self, here: Array, claimed: list[Array]) -> list[Numeric]:
        return [
            numerical_jacobian(
                self.evaluate, array.reshape(-1), here.reshape(-1), c, self.tolerance, self.random
            )
            for array, c in zip(self.subject.arrays, claimed, strict=True)
        ]

    # --- before any derivative -----------------------------------------------------------------

    def evaluate(self) -> Array:
        self.evaluations += 1
        return self.subject.value().reshape(-1)

    def _values(self) -> tuple[Array, Pull]:
        try:
            here, pull = self.subject.record()
            self._unmodified("the function")
            again = self.subject.value()
        except _Stop:
            raise
        except Exception as error:
            raise _Stop("error", f"the function failed: {_message(error)}") from error
        self.evaluations += 2
        self.shape = here.shape
        if not np.isfinite(here).all():
            at = tuple(map(int, np.argwhere(~np.isfinite(here))[0]))
            raise _Stop("error", f"the function's value is {here[at]} at output {list(at)}")
        if again.shape != here.shape or not np.allclose(here, again, rtol=1e-12, atol=0):
            raise _Stop("nondeterministic", RANDOM)
        return here, pull

    def _unmodified(self, what: str) -> None:
        for name, array, before in zip(
            self.subject.names, self.subject.arrays, self.pristine, strict=True
        ):
            if not np.array_equal(array, before, equal_nan=True):
                array[...] = before
                raise _Stop("error", f"{what} modified its input '{name}' in place")

    # --- the verdict -----------------------------------------------------------------------------

    def _judge(
        self,
        here: Array,
        analytic: list[Array],
        missing: list[bool],
        numeric: list[Numeric],
        pull: Pull,
    ) -> Report:
        subject = self.subject
        wrong = [self.tolerance.wrong(a, n) for a, n in zip(analytic, numeric, strict=True)]
        report = Report("ok", "the gradient is right")
        for k, name in enumerate(subject.names):
            shape = (*here.shape, *subject.arrays[k].shape)
            report.analytic[name] = analytic[k].reshape(shape)
            report.numeric[name] = numeric[k].value.reshape(shape)
            report.bar[name] = numeric[k].bar.reshape(shape)
            report.wrong[name] = wrong[k].reshape(shape)
            report.kinks += self._kinks(k, here, analytic[k], numeric[k])
        bad = self._not_finite(here, analytic, numeric)
        absent = [
            name
            for name, gone, mask in zip(subject.names, missing, wrong, strict=True)
            if gone and mask.any()
        ]
        if bad:
            report.verdict, report.diagnosis = "error", bad
        elif any(mask.any() for mask in wrong) and not np.allclose(
            self.evaluate(), here.reshape(-1), rtol=1e-12, atol=0
        ):
            report.verdict, report.diagnosis = "nondeterministic", RANDOM
        elif any(mask.any() for k, mask in enumerate(wrong) if not missing[k]):
            self._explain(report, here, analytic, numeric, wrong)
        elif absent:
            self._explain(report, here, analytic, numeric, wrong)
            listed = " and ".join(f"'{name}'" for name in absent)
            report.verdict, report.pattern = "error", "missing"
            report.diagnosis = (
                f"the gradient for {listed} is missing: the vjp gave None, or the function left "
                "the graph (detach, .numpy())"
            )
        else:
            self._contract(report, pull, analytic, numeric)
            if report.verdict == "ok":
                self._unjudged(report, here, numeric, analytic)
                self._compare_float32(report, here.size, pull)
        return report

    def _entry(self, k: int, flat: int, here: Array, analytic: Array, numeric: Numeric) -> Entry:
        i, j = np.unravel_index(flat, analytic.shape)
        return Entry(
            self.subject.names[k],
            _index(j, self.pristine[k].shape),
            _index(i, here.shape),
            float(analytic[i, j]),
            float(numeric.value[i, j]),
            float(numeric.bar[i, j]),
        )

    def _kinks(self, k: int, here: Array, analytic: Array, numeric: Numeric) -> list[Kink]:
        return [
            Kink(
                self.subject.names[k],
                _index(j, self.pristine[k].shape),
                _index(i, here.shape),
                float(numeric.left[i, j]),
                float(numeric.right[i, j]),
                float(analytic[i, j]),
            )
            for i, j in np.argwhere(numeric.kink)
        ]

    def _not_finite(self, here: Array, analytic: list[Array], numeric: list[Numeric]) -> str:
        for k, (a, n) in enumerate(zip(analytic, numeric, strict=True)):
            bad = np.flatnonzero(~np.isfinite(a) & ~(n.kink & ~np.isnan(a)))
            if bad.size:
                e = self._entry(k, int(bad[0]), here, a, n)
                return (
                    f"the gradient for '{e.input}' is {e.analytic} at {list(e.index)} "
                    f"(the numerical one is {e.numeric:.6g} ± {e.bar:.1g})"
                )
        return ""

    def _explain(
        self,
        report: Report,
        here: Array,
        analytic: list[Array],
        numeric: list[Numeric],
        wrong: list[Array],
    ) -> None:
        ranked = []
        for k, mask in enumerate(wrong):
            excess = np.abs(analytic[k] - numeric[k].value) / (
                numeric[k].bar + 1e-6 * numeric[k].largest + 1e-300
            )
            for flat in np.argsort(-np.where(mask, excess, -1), axis=None)[:4]:
                if mask.flat[flat]:
                    ranked.append((excess.flat[flat], k, int(flat)))
        ranked.sort(reverse=True)
        report.entries = [
            self._entry(k, flat, here, analytic[k], numeric[k]) for _, k, flat in ranked[:6]
        ]
        report.verdict, report.worst = "wrong", report.entries[0]
        case = diagnose.Case(
            names=self.subject.names,
            inputs=self.pristine,
            output=here,
            analytic=analytic,
            numeric=[np.where(n.kink, a, n.value) for a, n in zip(analytic, numeric, strict=True)],
            bar=[np.where(n.kink | ~np.isfinite(n.bar), 0.0, n.bar) for n in numeric],
            wrong=wrong,
            elsewhere=self._elsewhere,
        )
        report.pattern, report.diagnosis = diagnose.diagnose(case)
        report.where = diagnose.where(case)

    def _elsewhere(self, arrays: list[Array]) -> tuple[list[Array], list[Array]] | None:
        """Both Jacobians at another point (a diagnosis compares); None if they fail there."""
        before = [array.copy() for array in self.subject.arrays]
        try:
            for array, value in zip(self.subject.arrays, arrays, strict=True):
                array[...] = value
            here, pull = self.subject.record()
            claimed = jacobians(self.subject, pull, here.size).jacobians
            found = [n.value for n in self._numeric(here, claimed)]
        except Exception:
            return None
        finally:
            for array, value in zip(self.subject.arrays, before, strict=True):
                array[...] = value
        return claimed, found

    def _unjudged(
        self, report: Report, here: Array, numeric: list[Numeric], analytic: list[Array]
    ) -> None:
        """Say so if some error bar is too wide, or what kinks there are."""
        for k, n in enumerate(numeric):
            wide = n.too_wide(analytic[k])
            if wide.any():
                flat = int(np.argmax(np.where(wide, n.bar, -1)))
                report.worst = self._entry(k, flat, here, analytic[k], n)
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
                f"is outside the one-sided derivatives {outside} times; it is right elsewhere"
                if outside
                else "is a valid subgradient, and it is right elsewhere"
            )

    def _contract(
        self, report: Report, pull: Pull, analytic: list[Array], numeric: list[Numeric]
    ) -> None:
        """Backward is a linear map of the cotangent, and the same each time."""
        size = analytic[0].shape[0]
        v = self.random.standard_normal(size)
        try:
            once, twice = (gradients(self.subject, pull, v.copy()) for _ in range(2))
            zero = gradients(self.subject, pull, np.zeros(size))
        except Exception as error:
            report.verdict = "error"
            report.diagnosis = f"the backward pass failed: {_message(error)}"
            return
        for k, (name, g, h, z) in enumerate(
            zip(self.subject.names, once, twice, zero, strict=True)
        ):
            if g is None or h is None:
                continue
            finite = np.isfinite(analytic[k]).all(axis=0)
            rows = np.where(finite, analytic[k], 0.0)
            natural = numeric[k].size / numeric[k].scale
            rounding = np.abs(v) @ (1e-5 * np.abs(rows) + 1e-11 * np.nan_to_num(natural))
            if not np.allclose(g, h, rtol=1e-10, atol=0, equal_nan=True):
                report.verdict = "nondeterministic"
                report.diagnosis = f"two backward passes gave different gradients for '{name}'"
            elif (np.abs(g.reshape(-1) - v @ rows) > rounding)[finite].any():
                report.verdict, report.pattern = "wrong", "not linear"
                report.diagnosis = (
                    f"the gradient for '{name}' is not linear in the cotangent: each output alone "
                    "is right, but a sum of outputs does not get the sum of their gradients"
                )
            elif z is not None and np.any(z.reshape(-1)[finite]):
                report.verdict, report.pattern = "wrong", "not linear"
                report.diagnosis = (
                    f"a zero cotangent gives a gradient for '{name}' that is not zero"
                )

    def _compare_float32(self, report: Report, size: int, pull: Pull) -> None:
        """Note where float32, in which networks train, gives another gradient than float64."""
        if not isinstance(self.subject, EngineSubject):
            return
        v = self.random.standard_normal(size)
        rounded = self.subject.gradient_in_float32(v)
        if rounded is None:
            return
        for name, exact, single in zip(self.subject.names, pull(v), rounded, strict=True):
            if exact is None or single is None or not np.isfinite(exact).all():
                continue
            largest = float(np.max(np.abs(exact), initial=0.0))
            off = float(np.max(np.abs(single - exact), initial=0.0))
            if not np.isfinite(single).all():
                report.notes.append(f"in float32 the gradient for '{name}' is not finite")
            elif off > FLOAT32 * largest and largest > 1e-30:
                report.notes.append(
                    f"in float32 the gradient for '{name}' is off by {off / largest:.1g} of its "
                    "largest element: the function is sensitive to rounding"
                )


def _index(flat: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _name(f: Any) -> str:
    if isinstance(f, Module):
        return type(f).__name__
    return getattr(f, "__name__", None) or getattr(f, "name", None) or type(f).__name__


def _call(f: Any, vjp: Any, order: int, mode: str, seed: int) -> str:
    """The line of code that runs this check."""
    shown, comment = _name(f), ""
    if shown == "<lambda>":
        code = inspect.unwrap(f).__code__
        shown = "f"
        comment = (
            f"  # f is the lambda at {code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno}"
        )
    elif isinstance(f, Module):
        shown, comment = "module", f"  # module is your {shown}, with the same parameters"
    extra = f", vjp={_name(vjp)}" if vjp is not None else ""
    extra += f", order={order}" if order != 1 else ""
    extra += f", mode={mode!r}" if mode != "full" else ""
    return f"print(tg.gradcheck({shown}, inputs{extra}, seed={seed})){comment}"
