"""Which mistake explains a wrong gradient: patterns tried against the numerical Jacobian.

Each pattern is a small function for one mistake. It gets the `Case` and the number k of a wrong
input, and makes the mistake on the numerical Jacobian. If the result is the analytic Jacobian, it
returns a sentence. Patterns are tried in the order of `PATTERNS`, the most specific first.
"""

from __future__ import annotations

import numpy as np

from . import factors, formulas, places, scaling
from .case import Case, Pattern

PATTERNS: dict[str, Pattern] = {
    "zero": scaling.zero,
    "sign": scaling.sign,
    "swapped": scaling.swapped,
    "transposed": places.transposed,
    "averaged": scaling.averaged,
    "constant factor": scaling.constant_factor,
    "last batch element": scaling.last_batch_element,
    "not summed": scaling.not_summed,
    "shifted": places.shifted,
    "flipped": places.flipped,
    "border": places.border,
    "winner ignored": factors.winner_ignored,
    "factor missing": factors.factor_missing,
    "target missing": factors.target_missing,
    "outer derivative missing": factors.outer_derivative_missing,
    "outputs lost": factors.outputs_lost,
    "output for input": formulas.output_for_input,
    "input for output": formulas.input_for_output,
    "statistic constant": formulas.statistic_constant,
    "term missing": formulas.term_missing,
    "constant missing": factors.constant_missing,
    "mask missing": factors.mask_missing,
}


def diagnose(case: Case) -> tuple[str, str]:
    """The name of the pattern that explains the wrong gradients, and a sentence about it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for k, mask in enumerate(case.wrong):
        if mask.any():
            name, sentence = _diagnose_input(case, k)
            found.setdefault(sentence, (name, []))[1].append(f"'{case.names[k]}'")
    sentences = []
    for sentence, (_, names) in found.items():
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        sentences.append(sentence.replace("@", listed))
    known = [name for name, _ in found.values() if name != "none"]
    return (known or ["none"])[0], "; ".join(dict.fromkeys(sentences))


def _diagnose_input(case: Case, k: int) -> tuple[str, str]:
    for name, pattern in PATTERNS.items():
        sentence = pattern(case, k)
        if sentence:
            return name, sentence
    mask = case.wrong[k]
    entries = f"{mask.sum()} of {mask.size} entries of the Jacobian"
    return "none", f"the gradient for @ is wrong in {entries}, by no known pattern"


def where(case: Case) -> list[str]:
    """Where the wrong entries are: in which inputs, how many, and at which indices of an axis."""
    lines = []
    for k, mask in enumerate(case.wrong):
        if not mask.any():
            if len(case.names) > 1:
                lines.append(f"{case.names[k]}: right")
            continue
        line = f"{case.names[k]}: {mask.sum()} of {mask.size} entries wrong"
        places = np.asarray(mask.any(axis=0)).reshape(case.inputs[k].shape)
        for axis, size in enumerate(places.shape):
            others = tuple(a for a in range(places.ndim) if a != axis)
            hit = np.flatnonzero(np.any(places, axis=others))
            if len(hit) < size and len(hit) <= 4:
                line += f"; only at index {', '.join(map(str, hit))} of axis {axis}"
        lines.append(line)
    return lines
