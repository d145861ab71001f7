"""What each step does, in a sentence: for any op from its formula, for the usual ones in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_cnn import Event
from tinygrad_cnn.recording.description import Description

from .formulas import filled, formula_of, gradient_of
from .numerals import numeral

Say = Callable[[Event], str]


class Letters(dict[str, Any]):
    """Fills a formula with letters: what has no value stands for itself."""

    def __missing__(self, name: str) -> str:
        return name


def letters(event: Event) -> Letters:
    """The words for a formula in letters: an op's options by value, its inputs by name."""
    options = event.node.options or {}
    words = Letters({k: v for k, v in options.items() if isinstance(v, int | float | str)})
    names = event.node.op.inputs if event.node.op else ()
    left_out = [n for n, x in zip(names, event.node.inputs, strict=False) if x is None]
    return Letters(words | dict.fromkeys(left_out, "none"))


def forward_caption(event: Event) -> str:
    """What an op computed: one or two sentences."""
    op = event.node.op
    assert op is not None
    say = _FORWARD.get(_family(op.name))
    said = say(event) if say and _known(event) else ""
    said = said or f"{op.name} computes {filled(formula_of(op).value, letters(event))}"
    return f"{said}. {_shapes(event)}"


def backward_caption(event: Event) -> str:
    """What an op's vjp handed back: one or two sentences."""
    op = event.node.op
    assert op is not None
    say = _BACKWARD.get(_family(op.name))
    said = say(event) if say and _known(event) else ""
    if not said:
        names = op.inputs or ("each input",)
        parts = [
            f"to {name} {filled(gradient_of(op, k), letters(event))}"
            for k, name in enumerate(names)
            if op.variadic or (k < len(event.gradients) and event.gradients[k] is not None)
        ]
        said = f"{op.name} hands back " + (", ".join(parts) or "nothing")
    return said + "." + _summed(event)


def _family(name: str) -> str:
    for family in ("conv_transpose", "conv", "max_pool", "avg_pool"):
        for beginning in ("", "adaptive_"):
            if name in {f"{beginning}{family}{n}d" for n in "123"}:
                return family
    return name


def _known(event: Event) -> bool:
    """Whether the arrays of an event were kept."""
    values = (*event.inputs, event.output, event.cotangent, *event.gradients)
    return not any(isinstance(value, Description) for value in values)


def _shapes(event: Event) -> str:
    shown = [_shape(value) for value in event.inputs if value is not None]
    outputs = event.output if isinstance(event.output, tuple) else (event.output,)
    return f"{', '.join(shown)} → {', '.join(map(_shape, outputs))}."


def _shape(value: Any) -> str:
    shape = np.shape(value) if not isinstance(value, Description) else value.shape
    return f"({','.join(map(str, shape))})" if shape else "one number"


def _summed(event: Event) -> str:
    """A word on inputs that were repeated: their gradients are sums."""
    op = event.node.op
    if op is None or not op.elementwise or isinstance(event.cotangent, tuple):
        return ""
    whole = np.shape(event.cotangent)
    names = [
        name
        for name, gradient in zip(op.inputs, event.gradients, strict=False)
        if gradient is not None and _shape_of(gradient) != whole
    ]
    if not names:
        return ""
    return (
        f" {' and '.join(names)} was repeated to fit, so its gradient is the sum over the repeats."
    )


def _shape_of(value: Any) -> tuple[int, ...]:
    return value.shape if isinstance(value, Description) else np.shape(value)


def _size(value: Any) -> int:
    return int(np.size(value))


def _option(event: Event, name: str, default: Any = None) -> Any:
    return (event.node.options or {}).get(name, default)


def _times(sizes: Any) -> str:
    return "×".join(map(str, sizes)) if isinstance(sizes, tuple | list) else str(sizes)


def _numbers(n: int) -> str:
    return f"{n:,} number{'s' * (n != 1)}"


def _given(event: Event, argument: int) -> bool:
    return len(event.gradients) > argument and event.gradients[argument] is not None


# --- forward -------------------------------------------------------------------------------------


def _convolution(event: Event) -> str:
    w = np.shape(event.inputs[1])
    said = f"{w[0]} kernel{'s' * (w[0] != 1)} of {_times(w[2:])}, over {w[1]} channel"
    said += f"{'s' * (w[1] != 1)} each, slide over the input: an output number is the sum of "
    said += f"{math.prod(w[1:]):,} products"
    return said + (", plus a bias" if event.inputs[2] is not None else "")


def _linear(event: Event) -> str:
    w = np.shape(event.inputs[1])
    bias = ", plus a bias" if len(event.inputs) > 2 and event.inputs[2] is not None else ""
    return f"Each of the {w[0]} outputs is a weighted sum of the {w[1]} inputs{bias}"


def _matmul(event: Event) -> str:
    return (
        "Each output number is a row of a times a column of b: "
        f"the sum of {np.shape(event.inputs[0])[-1]} products"
    )


def _relu(event: Event) -> str:
    x = np.asarray(event.inputs[0])
    return (
        f"relu keeps what is positive, {int((x > 0).sum()):,} of {_numbers(x.size)}; the rest is 0"
    )


def _squashed(low: str, high: str) -> Say:
    return lambda event: f"{event.op} squeezes each number into {low} … {high}"


def _max_pool(event: Event) -> str:
    size = _option(event, "kernel_size")
    window = f"window of {_times(size)}" if size else "window"
    kept, of = _size(event.output), _size(event.inputs[0])
    return f"Of each {window} only the largest number stays: {kept:,} of {of:,}"


def _avg_pool(event: Event) -> str:
    size = _option(event, "kernel_size")
    window = f"window of {_times(size)}" if size else "window"
    return f"Of each {window} the mean stays: {_size(event.inputs[0]):,} → {_size(event.output):,}"


def _batch_norm(event: Event) -> str:
    shape = np.shape(event.inputs[0])
    over = math.prod(shape) // shape[1]
    whose = "its own" if event.op == "batch_norm_train" else "its running"
    return (
        f"Each of {shape[1]} channels ({_numbers(over)}) is shifted by {whose} mean and divided by "
        f"{whose} standard deviation, then scaled and shifted as learned"
    )


def _cross_entropy(event: Event) -> str:
    chances = _chances(event)
    if chances is None:
        return "cross_entropy measures how little probability the right classes get"
    if len(chances) == 1:
        p = float(chances[0])
        return f"The right class gets the probability {numeral(p)}; the loss is −log of it"
    return (
        f"The right classes of {len(chances)} examples get probabilities of "
        f"{numeral(float(chances.min()))} … {numeral(float(chances.max()))}; "
        "the loss is the mean of −log of them"
    )


def _chances(event: Event) -> Any:
    """The probability that each example's right class gets; None for other forms of target."""
    logits, target = np.asarray(event.inputs[0], np.float64), np.asarray(event.inputs[1])
    if logits.ndim != 2 or target.dtype.kind not in "iu" or target.ndim != 1:
        return None
    known = (target >= 0) & (target < logits.shape[1])
    if not known.all() or not logits.size:
        return None
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (grown / grown.sum(axis=1, keepdims=True))[np.arange(len(target)), target]


def _moved(event: Event) -> str:
    return f"{event.op} puts the same {_numbers(_size(event.output))} into another form"


def _dropout(event: Event) -> str:
    mask = np.asarray(event.inputs[1])
    return (
        f"dropout sets {int((mask == 0).sum()):,} of {_numbers(mask.size)} to 0, and scales the "
        "others up, so that the mean stays"
    )


def _reduced(word: str) -> Say:
    return lambda event: f"{event.op} {word} {_numbers(_size(event.inputs[0]))}"


_FORWARD: dict[str, Say] = {
    "conv": _convolution,
    "linear": _linear,
    "matmul": _matmul,
    "relu": _relu,
    "sigmoid": _squashed("0", "1"),
    "tanh": _squashed("−1", "1"),
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "batch_norm_train": _batch_norm,
    "batch_norm_eval": _batch_norm,
    "cross_entropy": _cross_entropy,
    "softmax": lambda e: "softmax makes positive numbers that sum to 1, the larger the larger",
    "residual_add": lambda e: "The two ways meet again: what was skipped, plus the branch",
    "sum": _reduced("adds up"),
    "mean": _reduced("takes the mean of"),
    "reshape": _moved,
    "transpose": _moved,
    "dropout_mask": _dropout,
}


# --- backward ------------------------------------------------------------------------------------


def _relu_back(event: Event) -> str:
    x = np.asarray(event.inputs[0])
    return (
        "relu passes the gradient where its input was positive: "
        f"{int((x > 0).sum()):,} of {x.size:,}"
    )


def _max_pool_back(event: Event) -> str:
    g = np.asarray(event.gradients[0])
    return (
        "Each window hands its gradient to its largest number, which alone decided the result: "
        f"{int((g != 0).sum()):,} of {g.size:,} inputs get one"
    )


def _avg_pool_back(event: Event) -> str:
    return "Each window shares its gradient out evenly over its numbers"


def _slope(most: str) -> Say:
    def say(event: Event) -> str:
        before, after = (_norm(v) for v in (event.cotangent, event.gradients[0]))
        return (
            f"{event.op} multiplies the gradient by its slope, at most {most}: "
            f"‖g‖ goes from {numeral(before)} to {numeral(after)}"
        )

    return say


def _norm(value: Any) -> float:
    return float(np.linalg.norm(np.asarray(value, np.float64).ravel()))


def _shares(parts: tuple[tuple[int, str], ...]) -> Say:
    """Says only of the inputs that got a gradient what they got."""

    def say(event: Event) -> str:
        said = [words for argument, words in parts if _given(event, argument)]
        return ("; ".join(said))[:1].upper() + "; ".join(said)[1:]

    return say


def _cross_entropy_back(event: Event) -> str:
    chances = _chances(event)
    said = "Each logit gets its probability, the right class its probability − 1, over the examples"
    if chances is not None and len(chances) == 1:
        said = (
            "Each logit gets its probability, and the right one its probability − 1, "
            f"{numeral(float(chances[0]) - 1)}: up with it, down with the others"
        )
    return said


def _batch_norm_back(event: Event) -> str:
    if event.op == "batch_norm_eval":
        return "The statistics are fixed, so each channel's gradient is only scaled"
    return (
        "Mean and standard deviation depend on every number, so the gradient loses its mean, and "
        "its part along x̂; then it is scaled"
    )


def _winners(event: Event) -> str:
    parts = [
        f"{name} where it won, {int((np.asarray(g) != 0).sum()):,} of {_size(g):,}"
        for name, g in zip(("a", "b"), event.gradients, strict=False)
        if g is not None
    ]
    return f"{event.op} hands the gradient to " + ", and to ".join(parts)


_BACKWARD: dict[str, Say] = {
    "conv": _shares(
        (
            (0, "each gradient goes back through the kernel to the window that it came from"),
            (1, "each weight gets the numbers that it met, times the gradients they led to"),
            (2, "a bias gets the sum of its channel's gradients"),
        )
    ),
    "linear": _shares(
        (
            (0, "the inputs get the gradient through the same weights, transposed"),
            (1, "each weight gets its input times its output's gradient"),
            (2, "a bias gets its output's gradient"),
        )
    ),
    "matmul": _shares(((0, "a gets g @ bᵀ"), (1, "b gets aᵀ @ g"))),
    "relu": _relu_back,
    "sigmoid": _slope("¼"),
    "tanh": _slope("1"),
    "max_pool": _max_pool_back,
    "avg_pool": _avg_pool_back,
    "batch_norm_train": _batch_norm_back,
    "batch_norm_eval": _batch_norm_back,
    "cross_entropy": _cross_entropy_back,
    "residual_add": lambda e: (
        "An addition hands the gradient on as it is, to both: over the skip unhindered, and into "
        "the branch"
    ),
    "add": lambda e: "An addition hands the gradient on as it is, to both",
    "subtract": lambda e: "a gets the gradient as it is, b with the other sign",
    "multiply": lambda e: "Each factor gets the gradient times the other factor",
    "sum": lambda e: f"Each of the {_numbers(_size(e.inputs[0]))} gets the whole gradient",
    "mean": lambda e: (
        f"Each of the {_numbers(_size(e.inputs[0]))} gets its share of the gradient, "
        f"1/{_size(e.inputs[0]) // max(_size(e.output), 1):,}"
    ),
    "maximum": _winners,
    "minimum": _winners,
    "reshape": lambda e: "The gradient goes back into the old shape, number by number",
    "transpose": lambda e: "The gradient's axes go back into their old order",
    "dropout_mask": lambda e: (
        "The gradient passes where the number did, scaled alike; else it is 0"
    ),
}
