"""PyTorch's own sample calls (OpInfo) in our words: a table, its name of an op → our function.

A function is called as the sample calls PyTorch's, with Tensors for tensors. It only renames and
reorders arguments; what our ops make of them is theirs, refusals included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_cnn as tg

Function = Callable[..., Any]
OURS: dict[str, Function] = {}
WITHOUT = {
    "nn.functional.batch_norm.without_cudnn": "batch_norm again",
    "nn.functional.silu.complex": "complex numbers",
    "norm.nuc": "a norm of a matrix",
    "round.decimals_neg_3": "refused as other decimals are",
    "unfold": "a method of tensors by that name, which does something else",
}
"""Ops of PyTorch's that have the name of one of ours, and the reason why they are not compared."""

RANDOM = object()
"""Stands for a result that is drawn, which cannot be compared."""


def plain(x: Any) -> Any:
    """The values of what has no gradient: an index, a mask, the numbers of a shape."""
    return x.numpy() if isinstance(x, tg.Tensor) else x


def same(names: str, prefix: str = "") -> None:
    """Functions whose arguments are PyTorch's; ``theirs=ours`` where the names differ."""
    for name in names.split():
        theirs, _, ours = name.partition("=")
        OURS[prefix + theirs] = getattr(tg, ours or theirs.partition(".")[0])


# --- elementwise, products -----------------------------------------------------------------------

same("""
    abs atan ceil cos cosh erf exp exp2 expm1 floor log log10 log1p log2 neg=negative reciprocal
    round round.decimals_0=round round.decimals_3=round rsqrt sigmoid sign sin sinh sqrt square tan
    tanh trunc fmod maximum max.binary=maximum minimum min.binary=minimum mul=multiply pow=power
    remainder true_divide=divide div.no_rounding_mode=divide clamp=clip
    matmul mm=matmul bmm=matmul mv=matmul dot=matmul outer
""")
same(
    """
    relu relu6 elu gelu hardsigmoid hardswish hardtanh leaky_relu logsigmoid=log_sigmoid mish prelu
    silu softplus linear
    """,
    "nn.functional.",
)
OURS |= {
    "add": lambda x, other, alpha=1: x + alpha * other,
    "sub": lambda x, other, alpha=1: x - alpha * other,
    "rsub": lambda x, other, alpha=1: other - alpha * x,
    "__radd__": lambda x, other: other + x,
    "__rsub__": lambda x, other: other - x,
    "__rmul__": lambda x, other: other * x,
    "__rdiv__": lambda x, other: other / x,
    "__rpow__": lambda x, other: other**x,
    "__rmatmul__": lambda x, other: other @ x,
    "eq": lambda x, other: x == other,
    "ne": lambda x, other: x != other,
    "lt": lambda x, other: x < other,
    "le": lambda x, other: x <= other,
    "gt": lambda x, other: x > other,
    "ge": lambda x, other: x >= other,
    "clamp_min": lambda x, low: tg.clip(x, min=low),
    "clamp_max": lambda x, high: tg.clip(x, max=high),
    "double": lambda x, **_: tg.astype(x, np.float64),
    "float": lambda x, **_: tg.astype(x, np.float32),
    "half": lambda x, **_: tg.astype(x, np.float16),
    "einsum": lambda operands, equation: tg.einsum(equation, *operands),
    "inner": lambda x, other: tg.matmul(x, other.T),
    "masked_fill": lambda x, mask, value: tg.masked_fill(x, plain(mask), value),
    "nn.functional.glu": lambda x, dim=-1: tg.glu(x, dim),
    "where": lambda x, condition, other: tg.where(condition, x, other),
}

# --- reductions ----------------------------------------------------------------------------------


def reduced(reduce: Function) -> Function:
    """With PyTorch's names; its empty list of axes is all of them, and a dtype is cast to first."""

    def call(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None, **more: Any) -> Any:
        x = x if dtype is None else tg.astype(x, dtype)
        axis = None if dim is None or (isinstance(dim, tuple | list) and not dim) else dim
        return reduce(x, axis=axis, keepdims=keepdim, **more)

    return call


def spread(measure: Function) -> Function:
    """var or std: PyTorch divides by n − 1 unless another correction is given."""

    def call(
        x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, **o: Any
    ) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        correction = o.pop("correction", None)
        ddof = int(unbiased) if correction is None else correction
        return reduced(measure)(x, dim, keepdim, ddof=ddof, **o)

    return call


def with_mean(measure: Function) -> Function:
    def call(x: Any, dim: Any = None, *args: Any, **options: Any) -> Any:
        axis = None if isinstance(dim, bool) else dim
        kept = options.get("keepdim", False)
        return spread(measure)(x, dim, *args, **options), reduced(tg.mean)(x, axis, kept)

    return call


def norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, **more: Any) -> Any:
    more = more if p in (2, "fro", None) else {**more, "p": p}
    return reduced(tg.norm)(x, dim, keepdim, **more)


OURS |= {
    "sum": reduced(tg.sum),
    "mean": reduced(tg.mean),
    "prod": reduced(tg.prod),
    "amax": reduced(tg.max),
    "amin": reduced(tg.min),
    "max.reduction_with_dim": reduced(tg.max),
    "max.reduction_no_dim": reduced(tg.max),
    "min.reduction_with_dim": reduced(tg.min),
    "min.reduction_no_dim": reduced(tg.min),
    "argmax": reduced(tg.argmax),
    "logsumexp": reduced(tg.logsumexp),
    "var": spread(tg.var),
    "var.unbiased": spread(tg.var),
    "std": spread(tg.std),
    "std.unbiased": spread(tg.std),
    "var_mean": with_mean(tg.var),
    "var_mean.unbiased": with_mean(tg.var),
    "std_mean": with_mean(tg.std),
    "std_mean.unbiased": with_mean(tg.std),
    "norm": norm,
    "norm.fro": norm,
    "norm.inf": norm,
    "linalg.vector_norm": lambda x, ord=2, dim=None, keepdim=False, **o: norm(
        x, ord, dim, keepdim, **o
    ),
    "cumsum": lambda x, dim, dtype=None: tg.cumsum(
        x if dtype is None else tg.astype(x, dtype), dim
    ),
}

# --- shapes, indexing ----------------------------------------------------------------------------


def swapped(x: Any, a: int = -2, b: int = -1) -> Any:
    return x.swapaxes(a, b)


def along(x: Any, axis: int, index: Any) -> Any:
    """x[:, …, index] with the index along an axis."""
    axis = axis % x.ndim
    return x[(*(slice(None),) * axis, index)]


def split(x: Any, size: Any, dim: int = 0) -> Any:
    """PyTorch names the sizes of the parts, NumPy and we where they end."""
    n = x.shape[dim]
    ends = range(size, n, size) if isinstance(size, int) else np.cumsum(size)[:-1]
    return tg.split(x, [int(end) for end in ends], dim)


def narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    start = int(plain(start))
    start += x.shape[dim] * (start < 0)
    return along(x, dim, slice(start, start + length))


def padded(x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """PyTorch lists (before, after) pairs of the last axes, the last axis first."""
    pairs = [tuple(pad[i : i + 2]) for i in range(0, len(pad), 2)][::-1]
    width = ((0, 0),) * (x.ndim - len(pairs)) + tuple(pairs)
    more = {} if value is None else {"constant_values": value}
    return tg.pad(x, width, {"replicate": "edge", "circular": "wrap"}.get(mode, mode), **more)


def gathered(x: Any, index: Any, dim: int | None = None) -> Any:
    """take_along_dim: `gather`, once the axes other than `dim` are broadcast."""
    if dim is None:
        return tg.gather(x.flatten(), 0, plain(index).ravel())
    axis, shapes = dim % x.ndim, [list(x.shape), list(index.shape)]
    for shape in shapes:
        shape[axis] = 1
    both = np.broadcast_shapes(*map(tuple, shapes))
    wide = [(*both[:axis], n, *both[axis + 1 :]) for n in (x.shape[axis], index.shape[axis])]
    places = np.broadcast_to(plain(index), wide[1])
    return tg.gather(tg.broadcast_to(x, wide[0]), axis, places)


OURS |= {
    "reshape": lambda x, shape: tg.reshape(x, shape),
    "view": lambda x, shape: tg.reshape(x, shape),
    "reshape_as": lambda x, other: tg.reshape(x, other.shape),
    "view_as": lambda x, other: tg.reshape(x, other.shape),
    "ravel": lambda x: x.flatten(),
    "permute": lambda x, dims: tg.transpose(x, dims),
    "transpose": swapped,
    "mT": swapped,
    "T": lambda x: x.T,
    "t": lambda x: x.T,
    "broadcast_to": lambda x, shape: tg.broadcast_to(x, shape),
    "expand_as": lambda x, other: tg.broadcast_to(x, other.shape),
    "unsqueeze": lambda x, dim: tg.expand_dims(x, dim),
    "squeeze": lambda x, dim=None: tg.squeeze(x, dim),
    "squeeze.multiple": lambda x, dim: tg.squeeze(x, dim),
    "movedim": lambda x, source, destination: tg.moveaxis(x, source, destination),
    "cat": lambda arrays, dim=0: tg.concatenate(arrays, dim),
    "stack": lambda arrays, dim=0: tg.stack(arrays, dim),
    "split": split,
    "split.list_args": split,
    "split_with_sizes": split,
    "tensor_split": lambda x, at, dim=0: tg.split(x, np.asarray(plain(at)).tolist(), dim),
    "unbind": lambda x, dim=0: tg.unbind(x, dim),
    "tile": lambda x, dims: tg.tile(x, dims),
    "repeat": lambda x, repeats: tg.tile(x, repeats),
    "repeat_interleave": lambda x, repeats, dim=None, output_size=None: tg.repeat(
        x, plain(repeats), dim
    ),
    "roll": lambda x, shifts, dims=None: tg.roll(x, shifts, None if dims == () else dims),
    "flip": lambda x, dims: tg.flip(x, dims),
    "fliplr": lambda x: tg.flip(x, 1),
    "flipud": lambda x: tg.flip(x, 0),
    "constant_pad_nd": lambda x, pad, value=0.0: padded(x, pad, "constant", value),
    "gather": lambda x, dim, index, **_: tg.gather(x, dim, plain(index)),
    "index_select": lambda x, dim, index: tg.index_select(x, dim, plain(index)),
    "take": lambda x, index: tg.take(x, plain(index)),
    "take_along_dim": gathered,
    "__getitem__": lambda x, index: x[index],
    "narrow": narrow,
    "select": lambda x, dim, index: along(x, dim, index),
    "slice": lambda x, dim=0, start=None, end=None, step=1: along(x, dim, slice(start, end, step)),
    "nn.functional.embedding": lambda weight, indices, **o: tg.embedding(
        plain(indices), weight, **o
    ),
}
for _mode in ("constant", "reflect", "replicate", "replicate_negative", "circular"):
    OURS[f"nn.functional.pad.{_mode}"] = padded

# --- layers --------------------------------------------------------------------------------------

same(
    """
    mse_loss cross_entropy nll_loss binary_cross_entropy_with_logits
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    batch_norm group_norm instance_norm layer_norm rms_norm local_response_norm
    scaled_dot_product_attention pixel_shuffle pixel_unshuffle unfold
    upsample_nearest=interpolate
    """,
    "nn.functional.",
)


def max_pool(pool: Function) -> Function:
    """Without the indices, which PyTorch returns as well if it is asked."""
    return lambda x, *args, return_indices=False, **options: pool(x, *args, **options)


def adaptive_max_pool(pool: Function) -> Function:
    return lambda x, output_size, return_indices=False: pool(x, output_size)


for _d in (1, 2, 3):
    OURS[f"nn.functional.max_pool{_d}d"] = max_pool(getattr(tg, f"max_pool{_d}d"))
    OURS[f"nn.functional.adaptive_max_pool{_d}d"] = adaptive_max_pool(
        getattr(tg, f"adaptive_max_pool{_d}d")
    )


def interpolate(x: Any, *args: Any, recompute_scale_factor: Any = None, **options: Any) -> Any:
    if recompute_scale_factor:
        options["recompute_scale_factor"] = True
    return tg.interpolate(x, *args, **options)


_MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area")
INTERPOLATIONS = " ".join(f"nn.functional.interpolate.{mode}" for mode in _MODES)
OURS |= dict.fromkeys(INTERPOLATIONS.split(), interpolate)


def softmax(f: Function) -> Function:
    return lambda x, dim, dtype=None: f(x if dtype is None else tg.astype(x, dtype), dim)


def dropout(x: Any, p: float = 0.5, training: bool = True, **_: Any) -> Any:
    if training and 0 < p < 1:
        return RANDOM
    return tg.dropout(x, p, training)


def attention(*args: Any, dropout_p: float = 0.0, **options: Any) -> Any:
    if dropout_p:
        return RANDOM
    return tg.scaled_dot_product_attention(*args, **options)


OURS |= {
    "softmax": softmax(tg.softmax),
    "softmax.with_dtype": softmax(tg.softmax),
    "log_softmax": softmax(tg.log_softmax),
    "log_softmax.with_dtype": softmax(tg.log_softmax),
    "nn.functional.dropout": dropout,
    "nn.functional.scaled_dot_product_attention": attention,
    "nn.functional.upsample_bilinear": lambda x, **o: tg.interpolate(
        x, mode="bilinear", align_corners=True, **o
    ),
}


# --- refused on purpose --------------------------------------------------------------------------


class Refusal(NamedTuple):
    """Samples that our function refuses.

    Attributes:
        why: the reason.
        says: what the error's message holds, a regular expression.
        names: PyTorch's names of the ops.
    """

    why: str
    says: str
    names: frozenset[str]


def refusal(why: str, says: str, names: str) -> Refusal:
    return Refusal(why, says, frozenset(names.split()))


REFUSED: list[Refusal] = [
    # as in NumPy
    refusal(
        "an array without axes has no axis 0 or −1",
        "axis (0|-1) is out of range for an input of 0 axes",
        """
        amax amin argmax cumsum gather index_select linalg.vector_norm log_softmax
        log_softmax.with_dtype logsumexp max.reduction_with_dim mean min.reduction_with_dim norm
        prod softmax softmax.with_dtype squeeze squeeze.multiple sum transpose
        """,
    ),
    refusal("matmul is of arrays with axes", "inputs need an axis; use \\* for numbers", "inner"),
    refusal("an axis of size 1 alone is removed", "has size 5, not 1", "squeeze squeeze.multiple"),
    refusal("all parts have one size", "is not 3 equal parts", "tensor_split"),
    refusal("an empty array has axes too", r"axis 1 is out of range for shapes \[\(0,\)", "cat"),
    refusal(
        "padding does not cut off: index",
        "pad_width must be an int ≥ 0",
        """
        constant_pad_nd nn.functional.pad.constant nn.functional.pad.reflect
        nn.functional.pad.replicate nn.functional.pad.replicate_negative nn.functional.pad.circular
        """,
    ),
    # options that our ops have not
    refusal("the Euclidean norm alone", "unknown option 'p'", "linalg.vector_norm norm norm.inf"),
    refusal("to whole numbers", "unknown option 'decimals'", "round.decimals_0 round.decimals_3"),
    refusal("give a size", "unknown option 'recompute_scale_factor'", INTERPOLATIONS),
    refusal(
        "adaptive_avg_pool does it", "mode 'area' is not nearest", "nn.functional.interpolate.area"
    ),
    refusal("where takes two arrays", "value must be a number, got Tensor", "masked_fill"),
    refusal(
        "an index counts from the front",
        r"index -5 … -1 is not in 0 … 4",
        "take_along_dim",
    ),
    refusal("an index has the axes of the input", r"index \(2, 0\) must have the axes", "gather"),
    # values without a meaning
    refusal(
        "more than all elements to divide by",
        "ddof must be a number ≥ 0, got -",
        "std std_mean var var_mean",
    ),
    refusal(
        "the root of a negative number",
        "eps must be a number ≥ 0, got -0.5",
        "nn.functional.group_norm nn.functional.layer_norm nn.functional.rms_norm",
    ),
    refusal(
        "a running mean is a mean",
        "momentum must be a number in 0 … 1, got -1",
        "nn.functional.batch_norm nn.functional.instance_norm",
    ),
    refusal("no channels", r"input must be \(N, C\) .* got \(0,\)", "nn.functional.batch_norm"),
    refusal("a mean of the other sign", "must be an int ≥ 1, got -2", "nn.functional.avg_pool3d"),
    refusal(
        "one size for two axes", r"or 2 of them, .*got \((1,|2,)?\)", "nn.functional.avg_pool2d"
    ),
    refusal(
        "a border that no kernel reaches",
        "output_padding .* must be smaller than stride",
        "nn.functional.conv_transpose2d nn.functional.conv_transpose3d",
    ),
]
