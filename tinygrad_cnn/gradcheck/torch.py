"""PyTorch's `gradcheck` and `gradgradcheck`, judged and told by this project's: change one import.

    from tinygrad_cnn.gradcheck.torch import gradcheck, gradgradcheck

The arguments and the error are PyTorch's, the text of the error is a `Report`. What differs:

- The numbers are compared within error bars that are measured, whatever the inputs' dtype. So
  ``eps`` is not used, and ``atol`` and ``rtol`` are allowed beyond the bars only if they are given.
- A kink is no mistake if the gradient lies between the slopes of its two sides.
- The parameters of a Module are checked, too.
- ``gradgradcheck`` checks the first derivatives before the second, unless it is given
  ``grad_outputs``.

What is not a matter of a Jacobian's numbers (undefined, batched and forward-mode gradients) is left
to PyTorch's own check, and so are inputs that are not dense.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from .check import gradcheck as judge
from .report import Report


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float | None = None,
    rtol: float | None = None,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Check gradients as ``torch.autograd.gradcheck`` does; the error says what is wrong.

    Args:
        func, inputs: as for PyTorch; only Tensors that require a gradient are checked.
        eps: is not used by this project's check, which measures at many steps.
        atol, rtol: allowed beyond the error bar; as in `tinygrad_cnn.gradcheck` by default.
        fast_mode: compare along random directions, not whole Jacobians.
        raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes, check_batched_grad,
        check_batched_forward_grad, check_forward_ad, check_backward_ad, masked: as for PyTorch.

    Returns:
        True if right; False if wrong and ``raise_exception`` is False.

    Raises:
        torch.autograd.gradcheck.GradcheckError: the gradient is wrong; with the report as its text.
        ValueError: no input requires a gradient.

    Example:
        >>> import torch  # doctest: +SKIP
        >>> x = torch.randn(3, requires_grad=True)  # doctest: +SKIP
        >>> gradcheck(torch.tanh, (x,))  # doctest: +SKIP
        True
    """
    theirs = importlib.import_module("torch.autograd.gradcheck")
    options = {"eps": eps, "nondet_tol": nondet_tol, "raise_exception": raise_exception}
    backward = {
        "check_undefined_grad": check_undefined_grad,
        "check_grad_dtypes": check_grad_dtypes,
        "check_batched_grad": check_batched_grad,
    }
    forward = {
        "check_forward_ad": check_forward_ad,
        "check_batched_forward_grad": check_batched_forward_grad,
        "check_backward_ad": False,
        "check_undefined_grad": False,
        "fast_mode": fast_mode,
    }
    own = _their_tolerances(atol, rtol) | {"masked": masked}
    if not _dense(inputs):
        options |= backward | own | {"fast_mode": fast_mode, "check_backward_ad": check_backward_ad}
        options |= {k: forward[k] for k in ("check_forward_ad", "check_batched_forward_grad")}
        return bool(theirs.gradcheck(func, inputs, **options))
    if check_forward_ad and not _quietly(
        theirs.gradcheck, func, inputs, **options, **own, **forward
    ):
        return False
    if not check_backward_ad:
        return bool(check_forward_ad) or _quietly(
            theirs.gradcheck, func, inputs, **options, **own, **forward
        )
    # first the numbers, since a report says more
    report = judge(
        func,
        inputs,
        mode="random" if fast_mode else "full",
        rtol=rtol,
        atol=atol,
        nondet_tol=nondet_tol,
    )
    if not _told(theirs, report, raise_exception):
        return False
    return _quietly(
        theirs.gradcheck, func, inputs, **options, **backward, **ANY_NUMBERS, masked=masked
    )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float | None = None,
    rtol: float | None = None,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check gradients of gradients as ``torch.autograd.gradgradcheck`` does.

    Args:
        func, inputs: as for PyTorch.
        grad_outputs: the cotangent at which second derivatives are checked; random by default.
        eps, atol, rtol, fast_mode: as in `gradcheck`.
        gen_non_contig_grad_outputs, raise_exception, nondet_tol, check_undefined_grad,
        check_grad_dtypes, check_batched_grad, check_fwd_over_rev, check_rev_over_rev, masked: as
        for PyTorch.

    Returns:
        True if right; False if wrong and ``raise_exception`` is False.

    Raises:
        torch.autograd.gradcheck.GradcheckError: a gradient is wrong; with the report as its text.
        ValueError: no input requires a gradient.
    """
    theirs = importlib.import_module("torch.autograd.gradcheck")
    options = {
        "eps": eps,
        "nondet_tol": nondet_tol,
        "raise_exception": raise_exception,
        "gen_non_contig_grad_outputs": gen_non_contig_grad_outputs,
        "check_undefined_grad": check_undefined_grad and check_rev_over_rev,
        "check_grad_dtypes": check_grad_dtypes,
        "check_batched_grad": check_batched_grad and check_rev_over_rev,
        "check_fwd_over_rev": check_fwd_over_rev,
        "check_rev_over_rev": check_rev_over_rev,
        "masked": masked,
    }
    if not (check_rev_over_rev and _dense(inputs)):
        options |= _their_tolerances(atol, rtol) | {"fast_mode": fast_mode}
        return _quietly(theirs.gradgradcheck, func, inputs, grad_outputs, **options)
    mode = "random" if fast_mode else "full"
    tolerances: dict[str, Any] = {"rtol": rtol, "atol": atol, "nondet_tol": nondet_tol}
    if grad_outputs is None:
        report = judge(func, inputs, order=2, mode=mode, **tolerances)
    else:
        first, cotangents = _listed(inputs), _listed(grad_outputs)
        slopes = _gradient(func, first, len(cotangents))
        report = judge(slopes, (*first, *cotangents), mode=mode, **tolerances)
        report.order = 2
    if not _told(theirs, report, raise_exception):
        return False
    if check_fwd_over_rev:
        only = {"check_rev_over_rev": False, "check_undefined_grad": False}
        only |= {"check_batched_grad": False, "fast_mode": fast_mode}
        told = options | only | _their_tolerances(atol, rtol)
        if not _quietly(theirs.gradgradcheck, func, inputs, grad_outputs, **told):
            return False
    told = options | {"check_fwd_over_rev": False} | ANY_NUMBERS
    return _quietly(theirs.gradgradcheck, func, inputs, grad_outputs, **told)


# PyTorch's check of everything but the numbers, which have been judged by then
ANY_NUMBERS = {"atol": math.inf, "rtol": math.inf, "fast_mode": True}


def _their_tolerances(atol: float | None, rtol: float | None) -> dict[str, Any]:
    return {"atol": 1e-5 if atol is None else atol, "rtol": 1e-3 if rtol is None else rtol}


def _quietly(check: Callable[..., Any], *given: Any, **options: Any) -> bool:
    """PyTorch's check without its warning that it needs float64, which this project's does not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not a double precision.*")
        return bool(check(*given, **options))


def _told(theirs: Any, report: Report, raise_exception: bool) -> bool:
    if not report and raise_exception:
        raise theirs.GradcheckError(str(report))
    return bool(report)


def _listed(inputs: Any) -> tuple[Any, ...]:
    return tuple(inputs) if isinstance(inputs, Sequence) else (inputs,)


def _dense(inputs: Any) -> bool:
    """Whether all Tensors are dense.

    Raises:
        ValueError: none requires a gradient, PyTorch's own error.
    """
    torch = importlib.import_module("torch")
    tensors = [x for x in _listed(inputs) if isinstance(x, torch.Tensor)]
    if not any(x.requires_grad for x in tensors):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    return all(x.layout == torch.strided for x in tensors)


def _gradient(
    func: Callable[..., Any], inputs: tuple[Any, ...], outputs: int
) -> Callable[..., Any]:
    """The function of inputs and cotangents whose values are func's gradients."""
    torch = importlib.import_module("torch")
    asking = [i for i, x in enumerate(inputs) if isinstance(x, torch.Tensor) and x.requires_grad]

    def slopes(*arguments: Any) -> Any:
        given = arguments[:-outputs]
        values = _listed(func(*given))
        values = tuple(v for v in values if v.requires_grad)
        found = torch.autograd.grad(
            values,
            [given[i] for i in asking],
            arguments[-outputs:],
            create_graph=True,
            allow_unused=True,
        )
        # as one tensor, so that a part which left the graph counts
        parts = [g for g in found if g is not None]
        parts = [torch.view_as_real(g) if g.is_complex() else g for g in parts]
        return torch.cat([g.reshape(-1) for g in parts])

    return slopes
