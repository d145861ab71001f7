"""What each op computes, and what it hands back, as formulas.

In a formula, {x} and {b} stand for the op's inputs, {y} for its output, {g} for the gradient that
arrived there, and other names for options. A comparison in brackets is 1 if it holds, else 0.
Filled with letters it is the op's formula, filled with names and numbers it is one step of a
program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tinygrad_cnn.engine.op import Op

_AT_HEAD = re.compile(r"(^|\()\((−[^() ]*)\)(?=[ ,]|$)")


class Formula(NamedTuple):
    """An op's value, and the gradient that goes to each input; "" if none does."""

    value: str
    gradients: tuple[str, ...]


def _f(value: str, *gradients: str) -> Formula:
    return Formula(value, gradients)


_SLOPES = {  # functions of one number: f(x), f′(x)
    "absolute": ("|{x}|", "{g} · sign({x})"),
    "exp": ("exp {x}", "{g} · {y}"),
    "log": ("log {x}", "{g} / {x}"),
    "expm1": ("exp {x} − 1", "{g} · ({y} + 1)"),
    "log1p": ("log(1 + {x})", "{g} / (1 + {x})"),
    "square": ("{x}²", "{g} · 2 · {x}"),
    "sqrt": ("√{x}", "{g} / (2 · {y})"),
    "rsqrt": ("1 / √{x}", "{g} · (−½) · {y}³"),
    "reciprocal": ("1 / {x}", "−{g} · {y}²"),
    "log2": ("log₂ {x}", "{g} / ({x} · log 2)"),
    "log10": ("log₁₀ {x}", "{g} / ({x} · log 10)"),
    "exp2": ("2^{x}", "{g} · {y} · log 2"),
    "sin": ("sin {x}", "{g} · cos {x}"),
    "cos": ("cos {x}", "−{g} · sin {x}"),
    "tan": ("tan {x}", "{g} · (1 + {y}²)"),
    "atan": ("atan {x}", "{g} / (1 + {x}²)"),
    "sinh": ("sinh {x}", "{g} · cosh {x}"),
    "cosh": ("cosh {x}", "{g} · sinh {x}"),
    "tanh": ("tanh {x}", "{g} · (1 − {y}²)"),
    "sigmoid": ("σ({x})", "{g} · {y} · (1 − {y})"),
    "relu": ("max({x}, 0)", "({x} > 0) × {g}"),
    "floor": ("⌊{x}⌋", "0"),
    "ceil": ("⌈{x}⌉", "0"),
    "trunc": ("{x} without its fraction", "0"),
    "round": ("{x}, rounded", "0"),
    "sign": ("sign({x})", "0"),
    "leaky_relu": (
        "{x} if {x} > 0, else {negative_slope} · {x}",
        "({x} > 0 ? 1 : {negative_slope}) × {g}",
    ),
    "gelu": ("{x} · Φ({x})", "{g} · (Φ({x}) + {x} · φ({x}))"),
    "elu": (
        "{x} if {x} > 0, else {alpha} · (exp {x} − 1)",
        "({x} > 0 ? 1 : {alpha} · exp {x}) × {g}",
    ),
    "silu": ("{x} · σ({x})", "{g} · (σ({x}) + {y} · (1 − σ({x})))"),
    "softplus": ("log(1 + exp({beta} · {x})) / {beta}", "{g} · σ({beta} · {x})"),
    "erf": ("erf {x}", "{g} · 2/√π · exp(−{x}²)"),
    "hardtanh": (
        "{x}, kept in {min_val} … {max_val}",
        "({min_val} < {x} < {max_val}) × {g}",
    ),
    "hardsigmoid": ("{x}/6 + ½, kept in 0 … 1", "(−3 < {x} < 3) × {g} / 6"),
    "hardswish": (
        "{x} · hardsigmoid({x})",
        "{g} · (hardsigmoid({x}) + {x}/6 between −3 and 3)",
    ),
    "log_sigmoid": ("log σ({x})", "{g} · (1 − σ({x}))"),
    "mish": (
        "{x} · tanh(softplus {x})",
        "{g} · (tanh(s) + {x} · σ({x}) · (1 − tanh²(s))), s = softplus {x}",
    ),
    "negative": ("−{x}", "{g} × (−1)"),
}
_SHAPES = {  # the same numbers in another place: what is done, and what is done backward
    "reshape": ("in another shape", "in the shape of x"),
    "transpose": ("with its axes in another order", "with the axes back in order"),
    "moveaxis": ("with axes moved", "with the axes moved back"),
    "expand_dims": ("with new axes of size 1", "without them"),
    "squeeze": ("without axes of size 1", "with them"),
    "flip": ("in reverse order", "in reverse order"),
    "roll": ("shifted in a circle", "shifted back"),
    "astype": ("in another dtype", "in the dtype of x"),
    "pixel_shuffle": ("channels laid out in space", "space laid out in channels"),
    "pixel_unshuffle": ("space laid out in channels", "channels laid out in space"),
    "broadcast_to": ("repeated along axes", "added up along these axes"),
    "repeat": ("each element repeated", "the repeated ones added up"),
    "pad": ("with more elements at its borders", "without the borders"),
    "getitem": ("[index]", "at [index], 0 elsewhere"),
    "take": ("[indices]", "added up at [indices], 0 elsewhere"),
    "unfold": ("its windows as columns", "each column back in its window, added up"),
    "unfold2d": ("its windows, one after the other", "each back in its window, added up"),
    "fold": ("columns put back as windows, added up", "its windows as columns"),
    "split": ("in parts", "the parts' gradients, joined"),
}
_REDUCED = {
    "sum": ("Σ x", "g, to every element"),
    "mean": ("Σ x / n", "g / n, to every element"),
    "prod": ("∏ x", "g · y / x, to every factor"),
    "max": ("max x", "g at the largest element, 0 elsewhere"),
    "min": ("min x", "g at the smallest element, 0 elsewhere"),
    "var": ("Σ (x − μ)² / (n − ddof)", "g · 2 (x − μ) / (n − ddof)"),
    "std": ("√(Σ (x − μ)² / (n − ddof))", "g · (x − μ) / ((n − ddof) · y)"),
    "norm": ("√Σ x²", "g · x / y"),
    "logsumexp": ("log Σ exp x", "g · softmax(x)"),
    "cumsum": ("yₖ = x₀ + … + xₖ", "the sum of g from each element on"),
}
_NORMALISED = "(x − μ) / √(σ² + ε) · weight + bias"
_AND_BACK = "weight / √(σ² + ε) · (g − mean(g) − x̂ · mean(g · x̂)), x̂ = (x − μ) / √(σ² + ε)"
_SCALES = ("Σ g · x̂", "Σ g")

FORMULAS: dict[str, Formula] = {
    **{name: _f(*both) for name, both in _SLOPES.items()},
    **{name: _f(f"x, {a}" if a[0] != "[" else f"x{a}", f"g, {b}" if b[:2] != "at" else f"g {b}")
       for name, (a, b) in _SHAPES.items()},
    **{name: _f(*both) for name, both in _REDUCED.items()},
    "add": _f("{a} + {b}", "{g} × 1", "{g} × 1"),
    "subtract": _f("{a} − {b}", "{g} × 1", "{g} × (−1)"),
    "multiply": _f("{a} × {b}", "{g} × {b}", "{g} × {a}"),
    "divide": _f("{a} / {b}", "{g} / {b}", "−{g} × {y} / {b}"),
    "power": _f("{a}^{b}", "{g} × {b} × {a}^({b} − 1)", "{g} × {y} × log {a}"),
    "where": _f("{a} if {condition}, else {b}", "", "({condition} ≠ 0) × {g}",
                "({condition} = 0) × {g}"),
    "maximum": _f("max({a}, {b})", "({a} ≥ {b}) × {g}", "({b} > {a}) × {g}"),
    "minimum": _f("min({a}, {b})", "({a} ≤ {b}) × {g}", "({b} < {a}) × {g}"),
    "clip": _f("{x}, kept in {min} … {max}", "({min} ≤ {x} ≤ {max}) × {g}",
               "({x} < {min}) × {g}", "({max} < {x}) × {g}"),
    "remainder": _f("{a} − ⌊{a}/{b}⌋ · {b}", "{g}", "−{g} · ⌊{a}/{b}⌋"),
    "fmod": _f("{a} − trunc({a}/{b}) · {b}", "{g}", "−{g} · trunc({a}/{b})"),
    "prelu": _f("x if x > 0, else weight · x", "g if x > 0, else weight · g",
                "Σ g · x where x ≤ 0"),
    "concatenate": _f("the inputs, one after the other", "its part of g"),
    "stack": _f("the inputs, along a new axis", "its part of g"),
    "scatter_add": _f("zeros, with g added at [index]", "the gradient at [index]"),
    "embedding": _f("weight[indices]", "", "g added up at the rows that were looked up"),
    "glu": _f("a · σ(b), x = [a, b]", "[g · σ(b), g · y · (1 − σ(b))]"),
    "masked_fill": _f("value where mask, else x", "0 where mask, else g", ""),
    "dropout_mask": _f("x · mask / (1 − p)", "g · mask / (1 − p)", ""),
    "matmul": _f("a @ b", "g @ bᵀ", "aᵀ @ g"),
    "linear": _f("x @ wᵀ + b", "g @ w", "gᵀ @ x", "Σ g over the examples"),
    "outer": _f("yᵢⱼ = aᵢ · bⱼ", "g @ b", "gᵀ @ a"),
    "einsum": _f("Σ of products over the axes not in the output",
                 "Σ g · the other inputs, over the axes not in this one"),
    "softmax": _f("exp xᵢ / Σⱼ exp xⱼ", "y · (g − Σ g · y)"),
    "log_softmax": _f("xᵢ − log Σⱼ exp xⱼ", "g − softmax(x) · Σ g"),
    "scaled_dot_product_attention": _f(
        "P V, P = softmax(scale · Q Kᵀ + bias)", "scale · dS K", "scale · dSᵀ Q", "Pᵀ g",
        "", "dS = P · (g Vᵀ − Σ g · y)", ""),
    "cross_entropy": _f("mean of −log softmax(logits)[target]",
                        "g · (softmax(logits) − one-hot(target)) / n",
                        "−g · log softmax(logits) / n, if it gives probabilities"),
    "nll_loss": _f("mean of −log p[target]", "−g / n at the target, 0 elsewhere", ""),
    "binary_cross_entropy_with_logits": _f(
        "mean of −(t log σ(x) + (1 − t) log(1 − σ(x)))", "g · (σ(x) − t) / n",
        "−g · x / n"),
    "mse_loss": _f("mean of (x − target)²", "g · 2 (x − target) / n", "g · 2 (target − x) / n"),
    "unpool": _f("g, at each window's largest element", "its elements there", ""),
    "take_winners": _f("x at the winners", "g, at the winners", ""),
    "interpolate": _f("weighted means of the cells nearby", "g, shared out by these weights"),
    "interpolate_input_grad": _f("g, shared out by the weights", "weighted means of the cells"),
    "batch_norm_train": _f(_NORMALISED, _AND_BACK, *_SCALES),
    "batch_norm_eval": _f(
        "(x − mean) / √(var + ε) · weight + bias", "g · weight / √(var + ε)",
        "−Σ g · weight / √(var + ε)", "−½ Σ g · weight · (x − mean) / (var + ε)^1.5", *_SCALES),
    "layer_norm": _f(_NORMALISED, _AND_BACK, *_SCALES),
    "group_norm": _f(_NORMALISED, _AND_BACK, *_SCALES),
    "instance_norm": _f(_NORMALISED, _AND_BACK, *_SCALES),
    "rms_norm": _f("x / √(mean x² + ε) · weight",
                   "weight / r · (g − x̂ · mean(g · x̂)), x̂ = x / r, r = √(mean x² + ε)",
                   "Σ g · x̂"),
    "local_response_norm": _f("x / (k + α/size · Σ x²)^β, over neighbouring channels",
                              "g / d^β − 2αβ/size · x · Σ g · y / d, d = k + α/size · Σ x²"),
    "residual_add": _f("skip + branch", "g", "g"),
    "locally_connected2d": _f("Σ w · window + b, another w at each place",
                              "each g times the kernel of its place, added up",
                              "g · window", "Σ g over the examples"),
}  # fmt: skip
for _n in "123":
    FORMULAS |= {
        f"conv{_n}d": _f("x ⋆ w + b", "g, transposed convolution with w",
                         "x ⋆ g: the windows times g, added up", "Σ g over examples and places"),
        f"conv_transpose{_n}d": _f(
            "each input element times w, added up where they overlap, + b", "g ⋆ w",
            "g ⋆ x: the windows of g times x, added up", "Σ g over examples and places"),
        f"conv{_n}d_weight_grad": _f("x ⋆ g", "g, transposed convolution with the gradient",
                                     "x ⋆ the gradient"),
        f"max_pool{_n}d": _f("the largest of each window",
                             "each g to the largest element of its window"),
        f"adaptive_max_pool{_n}d": _f("the largest of each window",
                                      "each g to the largest element of its window"),
        f"avg_pool{_n}d": _f("the mean of each window",
                             "each g / n to the n elements of its window"),
        f"adaptive_avg_pool{_n}d": _f("the mean of each window",
                                      "each g / n to the n elements of its window"),
        f"avg_pool{_n}d_input_grad": _f("each g / n to the n elements of its window",
                                        "the mean of each window"),
    }  # fmt: skip


def formula_of(op: Op) -> Formula:
    """The formula of an op; of one that is not built in, its name and its inputs."""
    if op.name in FORMULAS:
        return FORMULAS[op.name]
    given = ", ".join(f"{{{name}}}" for name in op.inputs) if op.inputs else "the inputs"
    vjp = f"vjp of {op.name}, of {{g}}"
    return Formula(f"{op.name}({given})", (vjp,) * max(1, len(op.inputs)))


def gradient_of(op: Op, argument: int) -> str:
    """The formula of the gradient that goes to one input."""
    gradients = formula_of(op).gradients
    return gradients[0] if op.variadic else gradients[argument]


def filled(formula: str, words: Mapping[str, Any]) -> str:
    """A formula with words in place of its names. A negative number at its head needs no brackets.

    Example:
        >>> filled("{g} × {b}", {"g": "(−1)", "b": "(−3)"})
        '−1 × (−3)'
    """
    return _AT_HEAD.sub(r"\1\2", formula.format_map(words))
