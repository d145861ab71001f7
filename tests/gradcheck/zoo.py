"""Layers, and the mistakes that people plant in their gradients.

A layer is a pair of plain-array functions; its right gradient comes from the engine. A mistake
turns that gradient into a wrong one, wherever it can be made. `benchmarks/verdicts.py` counts how
often each mistake gets each diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_cnn as tg

Vjp = Callable[..., Any]


@dataclass
class Layer:
    """A layer and how to draw inputs for it; `draw(random)` returns arrays."""

    name: str
    f: Callable[..., Any]
    draw: Callable[[np.random.Generator], list[Any]]
    kind: str = ""
    names: tuple[str, ...] = ("x", "w", "b")

    def vjp(self, g: Any, *arrays: Any) -> list[Any]:
        """The right gradient."""
        tensors = [tg.Tensor(a, requires_grad=True) for a in arrays]
        return [t.numpy() for t in tg.grad(self.f(*tensors), tensors, grad_outputs=g)]

    def cotangent(self, arrays: list[Any]) -> Any:
        return np.random.default_rng(0).standard_normal(np.shape(self.f(*arrays)))

    def not_zero(self, arrays: list[Any]) -> list[int]:
        """How many elements of each gradient are not 0."""
        return [np.count_nonzero(d) for d in self.vjp(self.cotangent(arrays), *arrays)]


def _n(random: np.random.Generator, low: int = 2, high: int = 4) -> int:
    return int(random.integers(low, high))


def _image(random: np.random.Generator) -> Any:
    return random.standard_normal((_n(random), _n(random, 1), _n(random, 4, 6), _n(random, 3, 5)))


def _matrices(random: np.random.Generator) -> list[Any]:
    n = _n(random, 3)
    return [random.standard_normal((n, n)) for _ in range(2)]


def _linear(random: np.random.Generator) -> list[Any]:
    n, i, o = _n(random), _n(random), _n(random)
    return [random.standard_normal(s) for s in ((n, i), (i, o), (o,))]


def _convolution(random: np.random.Generator) -> list[Any]:
    x = random.standard_normal((2, _n(random, 1, 3), _n(random, 3, 5), _n(random, 3, 6)))
    o = _n(random)
    return [x, random.standard_normal((o, x.shape[1], 3, 3)), random.standard_normal(o)]


def _norm(random: np.random.Generator) -> list[Any]:
    x = random.standard_normal((_n(random), _n(random), 2, 3))
    return [x, random.standard_normal(x.shape[1]), random.standard_normal(x.shape[1])]


def _vectors(random: np.random.Generator) -> list[Any]:
    return [random.standard_normal((_n(random), _n(random, 3, 6)))]


def _of_both_signs(random: np.random.Generator) -> list[Any]:
    x = np.abs(_vectors(random)[0])
    x[:, 1::3] *= -1
    return [x]


def _residual(random: np.random.Generator) -> list[Any]:
    c = _n(random, 1, 3)
    return [
        random.standard_normal((2, c, 3, _n(random, 3, 5))),
        random.standard_normal((c, c, 3, 3)) / 3,
    ]


def residual(x: Any, w: Any) -> Any:
    return tg.residual_add(x, tg.tanh(tg.conv2d(x, w, padding=1)))


def _pairs(random: np.random.Generator) -> list[Any]:
    shape = (_n(random), _n(random, 2, 5))
    return [random.standard_normal(shape), random.standard_normal(shape)]


def _scaled(random: np.random.Generator) -> list[Any]:
    x = _image(random)
    return [x, random.standard_normal((x.shape[1], 1, 1))]


def _labels(x: Any) -> Any:
    return np.arange(x.shape[0]) * 2 % x.shape[1]


def sigmoid_loss(x: Any) -> Any:
    """The binary cross-entropy, from logits."""
    return (tg.log(1 + tg.exp(x)) - x * (np.arange(x.size).reshape(x.shape) % 2)).sum(axis=1)


_PICKED = np.array([0, 2, 2, 1, 2])


def soft_targets(x: Any) -> Any:
    """The cross-entropy of each row with targets of several classes."""
    target = np.linspace(1, 2, x.shape[1]) / np.linspace(1, 2, x.shape[1]).sum()
    return -(tg.log_softmax(x) * target).sum(axis=1)


LAYERS = [
    Layer("tanh", tg.tanh, lambda r: [_image(r)], "elementwise"),
    Layer("exp", tg.exp, lambda r: [_image(r)[:, 0]], "elementwise"),
    Layer("matmul", tg.matmul, _matrices),
    Layer("linear", lambda x, w, b: tg.matmul(x, w) + b, _linear, "bias"),
    Layer("conv2d", lambda x, w, b: tg.conv2d(x, w, b, padding=1), _convolution, "bias conv"),
    Layer("conv2d stride 2", lambda x, w, b: tg.conv2d(x, w, b, stride=2, padding=1),
          _convolution, "bias"),
    Layer("avg pool", lambda x: tg.avg_pool2d(x, kernel_size=2, stride=1), lambda r: [_image(r)]),
    Layer("max pool", lambda x: tg.max_pool2d(x, kernel_size=2), lambda r: [_image(r)]),
    Layer("batch norm", lambda x, w, b: tg.batch_norm_train(x, w, b)[0], _norm, "bias norm"),
    Layer("softmax", tg.softmax, _vectors, "softmax"),
    Layer("residual block", residual, _residual, "residual"),
    Layer("relu", tg.relu, lambda r: [_image(r)], "max"),
    Layer("maximum", tg.maximum, _pairs, "max"),
    Layer("max over rows", lambda x: tg.max(x, axis=1), _vectors, "max"),
    Layer("cross-entropy", lambda x: tg.cross_entropy(x, _labels(x)), _vectors, "loss"),
    Layer("soft targets", soft_targets, _vectors, "loss"),
    Layer("product", lambda x, w: x * w, _pairs, "product"),
    Layer("scale", lambda x, w: x * w, _scaled, "product"),
    Layer("sigmoid loss", sigmoid_loss, _vectors, "sigmoid loss"),
    Layer("dense, tanh", lambda x, w: tg.tanh(tg.matmul(x, w)), lambda r: _linear(r)[:2],
          "dense tanh"),
    Layer("conv2d, tanh", lambda x, w: tg.tanh(tg.conv2d(x, w)), lambda r: _convolution(r)[:2],
          "dense tanh"),
    Layer("dropout", lambda x: x * (2.0 * (np.arange(x.size).reshape(x.shape) % 3 > 0)),
          _vectors, "mask"),
    Layer("doubled relu", lambda x: tg.relu(x) * 2, _of_both_signs, "mask"),
    Layer("embedding", lambda w: w[:, _PICKED], lambda r: [r.standard_normal((_n(r), 3))],
          "gather"),
    Layer("gate", lambda x, w: tg.tanh(x) * w, _pairs, "product"),
]  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """`make(layer, arrays, random)` returns a wrong vjp, or None where it cannot be made."""

    name: str
    make: Callable[[Layer, list[Any], np.random.Generator], Vjp | None]
    patterns: tuple[str, ...]

    def plant(self, layer: Layer, arrays: list[Any], random: np.random.Generator) -> Vjp | None:
        """A wrong vjp, or None where it cannot be made or would be right.

        Nobody can tell a missing gradient from one that is 0, as that of max(a, b) for a where
        b > a throughout.
        """
        vjp = self.make(layer, arrays, random)
        if vjp is None:
            return None
        g = layer.cotangent(arrays)
        found, right = vjp(g, *arrays), layer.vjp(g, *arrays)
        made = [0 if part is None else part for part in found]
        return None if all(map(np.allclose, made, right)) else vjp


def _after(change: Callable[[Layer, list[Any], int], Any]) -> Any:
    """A mistake made on the right gradient of one input, drawn at random among those that fit.

    `change(layer, arrays, k)` returns a function of the gradient, or None where it does not fit.
    """

    def plant(layer: Layer, arrays: list[Any], random: np.random.Generator) -> Vjp | None:
        fitting = [
            (k, c) for k in range(len(arrays)) if (c := change(layer, arrays, k)) is not None
        ]
        if not fitting:
            return None
        k, changed = fitting[random.integers(len(fitting))]

        def vjp(g: Any, *inputs: Any) -> list[Any]:
            found = layer.vjp(g, *inputs)
            found[k] = changed(found[k])
            return found

        return vjp

    return plant


def _noise(layer: Layer, arrays: list[Any], k: int) -> Any:
    """A different factor for each element. A single element would have a constant factor."""
    if layer.not_zero(arrays)[k] < 2:
        return None
    return lambda d: d * (1 + 0.3 * np.cos(np.arange(d.size).reshape(d.shape)))


def _swapped(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    pairs = [
        (i, j) for i in range(len(arrays)) for j in range(i) if arrays[i].shape == arrays[j].shape
    ]
    if not pairs or not all(layer.not_zero(arrays)):
        return None  # swapped with a gradient of 0, it would be diagnosed as zero
    i, j = pairs[0]

    def vjp(g: Any, *inputs: Any) -> list[Any]:
        found = layer.vjp(g, *inputs)
        found[i], found[j] = found[j], found[i]
        return found

    return vjp


def _last_batch(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    if ("bias" not in layer.kind and len(arrays) > 1) or layer.name == "cross-entropy":
        return None
    k = int(random.integers(len(arrays)))

    def vjp(g: Any, *inputs: Any) -> list[Any]:
        last = np.zeros_like(g)
        last[-1] = g[-1]
        found = layer.vjp(g, *inputs)
        found[k] = layer.vjp(last, *inputs)[k]
        return found

    return vjp


def _bias(make: Callable[[Any], Any]) -> Any:
    """A mistake in summing the cotangent for a bias, the last input."""

    def plant(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
        if "bias" not in layer.kind:
            return None
        return lambda g, *inputs: [*layer.vjp(g, *inputs)[:-1], make(g)]

    return plant


def _axes(g: Any) -> tuple[int, ...]:
    return (0, *range(2, g.ndim))


def _border(layer: Layer, arrays: list[Any], k: int) -> Any:
    if (
        arrays[k].ndim < 4
        or k > 0
        or min(arrays[k].shape[2:]) < 3
        or "max" in layer.name + layer.kind
    ):
        return None  # few winners lie inside
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))

    def cut(gradient: Any) -> Any:
        made = 0.5 * gradient
        made[inside] = gradient[inside]
        return made

    return cut


def _square(arrays: list[Any], k: int) -> bool:
    shape = arrays[k].shape
    return len(shape) >= 2 and shape[-1] == shape[-2] > 1


def _correlated(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The input's gradient with the kernel not flipped."""
    if "conv" not in layer.kind:
        return None

    def vjp(g: Any, x: Any, w: Any, b: Any) -> list[Any]:
        return [layer.vjp(g, x, w[:, :, ::-1, ::-1].copy(), b)[0], *layer.vjp(g, x, w, b)[1:]]

    return vjp


def _at_output(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    if layer.kind not in ("elementwise", "softmax", "residual"):
        return None
    return lambda g, x, *rest: [
        layer.vjp(g, layer.f(x, *rest), *rest)[0],
        *layer.vjp(g, x, *rest)[1:],
    ]


_FROM_OUTPUT: dict[str, Callable[[Any, Any], Any]] = {
    "tanh": lambda g, y: g * (1 - y * y),
    "exp": lambda g, y: g * y,
    "softmax": lambda g, y: y * (g - (g * y).sum(axis=-1, keepdims=True)),
}


def _from_input(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The formula for the output y, applied to the input x."""
    formula = _FROM_OUTPUT.get(layer.name)
    return None if formula is None else lambda g, x: [formula(g, x)]


def _frozen(statistic: str) -> Any:
    def plant(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
        if "norm" in layer.kind and statistic != "sum of exponentials":

            def vjp(g: Any, x: Any, w: Any, b: Any) -> list[Any]:
                right = layer.vjp(g, x, w, b)
                scale = w.reshape(1, -1, 1, 1) / np.sqrt(x.var(axis=_axes(x), keepdims=True) + 1e-5)
                right[0] = {
                    "mean": right[0] + scale * g.mean(axis=_axes(g), keepdims=True),
                    "variance": scale * (g - g.mean(axis=_axes(g), keepdims=True)),
                    "mean and variance": scale * g,
                }[statistic]
                return right

            return vjp
        if "softmax" in layer.kind and statistic == "sum of exponentials":
            return lambda g, x: [g * layer.f(x)]
        return None

    return plant


def _term(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    if layer.kind == "residual":  # the skip is forgotten
        return lambda g, *a: [layer.vjp(g, *a)[0] - g, *layer.vjp(g, *a)[1:]]
    if layer.name in ("conv2d", "conv2d stride 2", "matmul"):  # one kernel element is forgotten
        k = 0

        def vjp(g: Any, x: Any, w: Any, *b: Any) -> list[Any]:
            part = w.copy()
            part[..., 0, 0] = 0
            return [layer.vjp(g, x, part, *b)[k], *layer.vjp(g, x, w, *b)[1:]]

        return vjp
    return None


def _all_win(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The gradient of a maximum goes to all elements, not only to the winner."""
    if layer.name == "max pool":

        def vjp(g: Any, x: Any) -> list[Any]:
            made = np.zeros_like(x)
            spread = g.repeat(2, axis=2).repeat(2, axis=3)
            made[:, :, : spread.shape[2], : spread.shape[3]] = spread
            return [made]

        return vjp
    if layer.kind != "max" or (layer.name == "relu" and (arrays[0] > 0).all()):
        return None
    if layer.name == "max over rows":
        return lambda g, x: [np.broadcast_to(g[:, None], x.shape).copy()]
    return lambda g, *inputs: [g.copy() for _ in inputs]


def _shared(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The gradient of a maximum is divided equally among all elements."""
    if layer.name not in ("max pool", "max over rows"):
        return None
    every = _all_win(layer, arrays, random)
    assert every is not None
    k = 4 if layer.name == "max pool" else arrays[0].shape[1]
    return lambda g, x: every(g / k, x)


def _outer(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The gradient of a dense or convolutional layer without that of the tanh behind it."""
    if layer.kind != "dense tanh" or (layer.f(*arrays) ** 2 == 1).any():
        return None
    return lambda g, x, w: layer.vjp(g / (1 - layer.f(x, w) ** 2), x, w)


def _no_mask(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    if layer.kind != "mask" or not (layer.f(*arrays) == 0).any():
        return None
    return lambda g, x: [g * 2]


def _lost(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """Cotangents that meet at one element overwrite one another."""
    if layer.kind != "gather":
        return None

    def vjp(g: Any, w: Any) -> list[Any]:
        made = np.zeros_like(w)
        made[:, _PICKED] = g
        return [made]

    return vjp


def _no_target(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    if "loss" not in layer.kind:
        return None

    if layer.name == "sigmoid loss":
        return lambda g, x: [g[:, None] / (1 + np.exp(-x))]

    def vjp(g: Any, x: Any) -> list[Any]:
        each = np.broadcast_to(g / (x.shape[0] if g.ndim == 0 else 1), x.shape[:1])
        return [tg.softmax(x) * each[:, None]]

    return vjp


def _no_factor(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The gradient for the first input, as if the second were 1 or the identity."""
    if layer.kind not in ("product", "bias norm") and layer.name != "matmul":
        return None
    if arrays[1].size == 1:
        return None  # a constant factor

    def vjp(g: Any, x: Any, w: Any, *rest: Any) -> list[Any]:
        one = np.eye(len(w)) if layer.name == "matmul" else np.ones_like(w)
        return [layer.vjp(g, x, one, *rest)[0], *layer.vjp(g, x, w, *rest)[1:]]

    return vjp


def _passed_on(layer: Layer, arrays: list[Any], random: Any) -> Vjp | None:
    """The bare cotangent for the last input, where it should be multiplied by a derivative."""
    if layer.kind not in ("product", "elementwise") or layer.name == "scale":
        return None
    return lambda g, *inputs: [*layer.vjp(g, *inputs)[:-1], g.copy()]


MISTAKES = [
    Mistake("sign", _after(lambda layer, a, k: lambda d: -d), ("sign",)),
    Mistake("factor 2", _after(lambda layer, a, k: lambda d: 2 * d), ("constant factor",)),
    Mistake(
        "divided by batch size",
        _after(lambda layer, a, k: (lambda d: d / a[0].shape[0]) if k < 2 else None),
        ("constant factor", "averaged"),
    ),
    Mistake("zero", _after(lambda layer, a, k: lambda d: 0 * d), ("zero",)),
    Mistake("missing", _after(lambda layer, a, k: lambda d: None), ("missing",)),
    Mistake("swapped", _swapped, ("swapped",)),
    Mistake(
        "transposed",
        _after(
            lambda layer, a, k: (
                (lambda d: np.swapaxes(d, -1, -2).copy()) if _square(a, k) else None
            )
        ),
        ("transposed",),
    ),
    Mistake("last batch element", _last_batch, ("last batch element",)),
    Mistake("averaged", _bias(lambda g: g.mean(axis=_axes(g))), ("averaged",)),
    Mistake(
        "not summed",
        _bias(lambda g: g[0].sum(axis=tuple(range(1, g.ndim - 1)))),
        ("not summed",),
    ),
    Mistake(
        "flipped",
        _after(
            lambda layer, a, k: (
                (lambda d: d[:, :, ::-1, ::-1].copy()) if "conv" in layer.name and k == 1 else None
            )
        ),
        ("flipped",),
    ),
    Mistake("kernel not turned", _correlated, ("flipped",)),
    Mistake(
        "shifted",
        _after(
            lambda layer, a, k: (
                (lambda d: np.roll(d, 1, -1)) if a[k].ndim > 2 and a[k].shape[-1] > 1 else None
            )
        ),
        ("shifted",),
    ),
    Mistake("border", _after(_border), ("border",)),
    Mistake("output for input", _at_output, ("output for input",)),
    Mistake("input for output", _from_input, ("input for output",)),
    Mistake("mean frozen", _frozen("mean"), ("statistic constant",)),
    Mistake("variance frozen", _frozen("variance"), ("statistic constant",)),
    Mistake("both frozen", _frozen("mean and variance"), ("statistic constant",)),
    Mistake("sum frozen", _frozen("sum of exponentials"), ("statistic constant",)),
    Mistake("term", _term, ("term missing",)),
    Mistake("all win", _all_win, ("winner ignored",)),
    Mistake("no target", _no_target, ("target missing", "constant missing")),
    Mistake("shared by all", _shared, ("winner ignored",)),
    Mistake("outer derivative", _outer, ("outer derivative missing",)),
    Mistake("no mask", _no_mask, ("mask missing", "winner ignored")),
    Mistake("overwritten", _lost, ("outputs lost",)),
    Mistake("no factor", _no_factor, ("factor missing",)),
    Mistake("passed on", _passed_on, ("factor missing",)),
    Mistake("noise", _after(_noise), ("none",)),
]  # fmt: skip


def plantable(seed: int) -> list[tuple[Mistake, Layer, list[Any], Vjp]]:
    """Every mistake in every layer that it can be made in, at sizes drawn from the seed."""
    random = np.random.default_rng(seed)
    found = []
    for layer in LAYERS:
        arrays = layer.draw(random)
        for mistake in MISTAKES:
            vjp = mistake.plant(layer, arrays, random)
            if vjp is not None:
                found.append((mistake, layer, arrays, vjp))
    return found
