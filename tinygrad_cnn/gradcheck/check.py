"""`gradcheck`: whether a gradient is right, and what is wrong with it if not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import OptionError
from ..kernels.heap import keep_freed_memory
from .analytic import Analytic, gradients, jacobians
from .arguments import check_options
from .contract import breach, float32_notes
from .directions import check_directions
from .findings import Findings
from .jacobian import Numeric, Tolerance, moves, numerical_jacobian
from .report import Report
from .snippet import Given, call, name_of
from .subjects import prepare
from .subjects.base import Array, Pull, Subject
from .unseen import tell_unseen

MOST_ENTRIES = 20_000_000
MANY_ENTRIES = 100_000


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    vjp: Callable[..., Any] | None = None,
    order: int = 1,
    mode: str = "full",
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    nondet_tol: float = 0.0,
) -> Report:
    """Compare a gradient with numerical derivatives that come with their own error bars.

    Everything is computed in float64, whatever the dtype of the inputs. A gradient is called wrong
    only if it differs by more than the error bar of the numerical derivative. The report then says
    which mistake explains the difference. Parameters, running statistics and gradients are left as
    they were.

    Args:
        f: a function of Tensors, an op, or a Module. The parameters of a Module are checked, too;
            it stays in its mode, training or evaluation. With `vjp`, a function of plain arrays.
            Also a function, an ``autograd.Function.apply`` or a Module of PyTorch, and a function
            of JAX: the inputs tell which. If such a function refuses float64, it is checked in its
            inputs' dtype, by the error bar that this allows, and a note says so.
        inputs: a Tensor, array or float, or a sequence of them (of PyTorch and JAX, also nested).
            All floating ones are checked. But if any Tensor has ``requires_grad=True``, only such
            Tensors are.
        vjp: for plain-array functions: ``vjp(cotangent, *arrays)`` returns the gradient for each
            array (a tuple; None for one without).
        order: 2 checks the gradient of the gradient, too; 3 and more the gradients of that.
        mode: "full" compares whole Jacobians. "random" is for large functions: it compares slopes
            along one random direction in each input and parameter, and checks a whole network in
            seconds. Its report has no Jacobians; `analytic` holds the gradients of ⟨cotangent, f⟩.
        seed: seeds the random cotangents and directions.
        rtol, atol: a difference of ``rtol · |numeric| + atol`` is allowed beyond the error bar.
            By default rtol is 1e-6, and atol is 1e-12 times the input's largest derivative; for a
            function that refuses float64, √eps and 100 eps of its dtype.
        nondet_tol: how far two runs, or two backward passes, may differ.

    Returns:
        A `Report`: true if right, with `.verdict`, `.diagnosis`, `.worst` and the Jacobians.

    Raises:
        OptionError: an argument is invalid. A wrong gradient never raises an error.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.array([0.5, -1.0, 2.0])
        >>> bool(tg.gradcheck(tg.tanh, x))
        True
        >>> cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * 2 * x**2)
        >>> tg.gradcheck(cube, x).diagnosis
        "the gradient for 'x' is off by a constant factor of 2/3"

        A layer written by hand on plain arrays, with its gradient as `vjp`:

        >>> w = np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]])
        >>> def linear(x, w): return x @ w
        >>> def linear_vjp(g, x, w): return g @ w.T, x.T @ g
        >>> bool(tg.gradcheck(linear, [np.ones((4, 3)), w], vjp=linear_vjp))
        True

        A function of PyTorch's or JAX's is checked as it is: ``tg.gradcheck(Square.apply, x)`` for
        a ``torch.autograd.Function``, ``tg.gradcheck(module, x)``, ``tg.gradcheck(jax_function,
        (x, w))``, where the inputs are Tensors of PyTorch or arrays of JAX.
    """
    check_options(f, inputs, vjp, order, mode, seed, rtol, atol, nondet_tol)
    given = Given.of(inputs)
    with np.errstate(all="ignore"), prepare(f, inputs, vjp) as subject:
        tolerance = Tolerance.of(rtol, atol, subject.eps, nondet_tol)
        random = np.random.default_rng(seed)
        check = _Check(subject, random, tolerance, mode)
        report, notes, evaluations = check.run(), subject.notes, 0
        if report:
            first = check

            def again() -> Report:
                return _Check(first.subject, random, tolerance, mode).run()

            tell_unseen(report, subject, check.evaluate, again)
            report.evaluations = check.evaluations
        unseen, to_try = report.unseen, report.what_to_try
        for k in range(2, order + 1):
            if report.verdict not in ("ok", "kink"):
                break
            # the gradient of the gradient so far, along a random cotangent
            v = np.random.default_rng(seed + k - 2).standard_normal(check.shape)
            subject = subject.gradient(v, "cotangent" if k == 2 else f"cotangent {k - 1}")
            evaluations += report.evaluations
            check = _Check(subject, random, tolerance, mode)
            report = check.run()
            if report.verdict != "ok":
                report.diagnosis = f"{_ordinal(k)} order: {report.diagnosis}"
            elif unseen:
                report.diagnosis = f"right as far as it goes: {unseen[0]}"
            report.unseen, report.what_to_try = unseen, report.what_to_try or to_try
        report.evaluations += evaluations
        report.notes = [*notes, *report.notes]
    report.function, report.order, report.mode, report.seed = name_of(f), order, mode, seed
    report.given = given
    report.call = call(f, vjp, order=order, mode=mode, seed=seed, rtol=rtol, atol=atol)
    return report


def _ordinal(k: int) -> str:
    known = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return known.get(k, f"{k}th")


RANDOM = (
    "two runs with the same inputs gave different values: fix the seed inside the function, or "
    "check it in evaluation mode"
)


class _Stop(Exception):
    """The check ends early; carries the report."""

    def __init__(self, verdict: str, diagnosis: str, pattern: str = "") -> None:
        super().__init__(diagnosis)
        self.report = Report(verdict, diagnosis, pattern=pattern)


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
        inputs = sum(a.size for a in self.subject.arrays)
        if here.size * inputs > MOST_ENTRIES:
            raise OptionError(
                f"gradcheck: a Jacobian of {here.size} × {inputs} is too large to compare whole: "
                "use mode='random', or give smaller inputs"
            )
        if here.size * inputs > MANY_ENTRIES:
            # The comparison allocates and frees dozens of arrays of that size. Without this call, a
            # check of a block of 576 outputs takes 1.15 times as long.
            keep_freed_memory()
        try:
            claimed = jacobians(self.subject, pull, here.size)
        except Exception as error:
            raise _Stop(
                "error", f"the backward pass failed: {_message(error)}", "failed"
            ) from error
        self._unmodified("the backward pass")
        return self._judge(self._compare(here, claimed), pull)

    def _compare(self, here: Array, claimed: Analytic) -> Findings:
        numeric = self._numeric(here, claimed.jacobians)
        wrong = [
            self.tolerance.wrong(a, n) for a, n in zip(claimed.jacobians, numeric, strict=True)
        ]
        if any(mask.any() for mask in wrong):
            most = moves(numeric)[:, None]
            for mask, a, n in zip(wrong, claimed.jacobians, numeric, strict=True):
                mask &= ~(np.abs(a - n.value) <= self.tolerance.left * most / n.scale)
        return Findings(
            self.subject.names, self.pristine, here, *claimed, numeric, wrong, self.subject.eps
        )

    def _run_directions(self, here: Array, pull: Pull) -> Report:
        cotangent = self.random.standard_normal(here.size)
        try:
            claimed = gradients(self.subject, pull, cotangent.copy())
        except Exception as error:
            raise _Stop(
                "error", f"the backward pass failed: {_message(error)}", "failed"
            ) from error
        self._unmodified("the backward pass")
        for name, gradient in zip(self.subject.names, claimed, strict=True):
            if gradient is not None and not np.isfinite(gradient).all():
                raise _Stop("error", f"the gradient for '{name}' is not finite", "not finite")

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
                self.evaluate, a.reshape(-1), here.reshape(-1), c, self.tolerance, self.random
            )
            for a, c in zip(self.subject.arrays, claimed, strict=True)
        ]

    def evaluate(self) -> Array:
        self.evaluations += 1
        try:
            return self.subject.value().reshape(-1)
        except Exception as error:
            raise _Stop(
                "error", f"the function failed at a point close by: {_message(error)}"
            ) from error

    # --- before any derivative -----------------------------------------------------------------

    def _values(self) -> tuple[Array, Pull]:
        for name, array in zip(self.subject.names, self.subject.arrays, strict=True):
            if not np.isfinite(array).all():
                at = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
                raise _Stop("error", f"the input '{name}' is {array[at]} at {list(at)}")
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
        if again.shape != here.shape or not self._equal(here, again):
            raise _Stop("nondeterministic", RANDOM)
        return here, pull

    def _unmodified(self, what: str) -> None:
        for name, array, before in zip(
            self.subject.names, self.subject.arrays, self.pristine, strict=True
        ):
            if not np.array_equal(array, before, equal_nan=True):
                array[...] = before
                raise _Stop("error", f"{what} modified its input '{name}' in place", "modified")

    def _equal(self, one: Array, other: Array) -> bool:
        return np.allclose(one, other, rtol=1e-12, atol=self.tolerance.repeated)

    # --- the verdict -----------------------------------------------------------------------------

    def _judge(self, found: Findings, pull: Pull) -> Report:
        report = found.report()
        if report.verdict != "ok":
            return report
        if found.any_wrong and not self._equal(self.evaluate(), found.here.reshape(-1)):
            raise _Stop("nondeterministic", RANDOM)
        try:
            breached = breach(self.subject, pull, found, self.random, self.tolerance.repeated)
        except Exception as error:
            raise _Stop(
                "error", f"the backward pass failed: {_message(error)}", "failed"
            ) from error
        if breached:
            report.verdict, report.pattern, report.diagnosis = breached
        elif found.any_wrong:
            found.explain(report, self._elsewhere)
        else:
            found.judge_the_rest(report)
            report.notes += float32_notes(self.subject, pull, found, self.random)
        return report

    def _elsewhere(self, arrays: list[Array]) -> tuple[list[Array], list[Array]] | None:
        """Both Jacobians at another point, for a diagnosis; None if the function fails there."""
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


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
