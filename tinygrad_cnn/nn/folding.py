"""Batch norm at test time: statistics of all the training data, and folding into weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.context import Watcher, mode, no_grad
from ..engine.node import Node
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..ops.normalization import batch_norm_train
from .convolution import Conv1d, Conv2d, Conv3d
from .linear import Linear
from .modes import in_mode
from .module import Module
from .normalization import BatchNorm


def fold_batch_norm(layer: Module, bn: BatchNorm) -> Module:
    """One layer that computes what `layer` followed by `bn` computes in evaluation mode.

        γ·(W x + b − μ)/√(σ²+ε) + β  =  W′ x + b′,    W′ = W·γ/√(σ²+ε),  b′ = (b − μ)·γ/√(σ²+ε) + β

    So at test time, batch norm before the activation costs nothing.

    Args:
        layer: a convolution, or Linear; it stays as it was.
        bn: its running statistics and its γ and β are used.

    Raises:
        OptionError: another kind of layer, or a batch norm of another number of channels.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> conv, bn = tg.nn.Conv2d(1, 4, 3), tg.nn.BatchNorm2d(4).eval()
        >>> x = tg.Tensor(np.random.default_rng(0).random((1, 1, 8, 8), np.float32))
        >>> folded = tg.nn.fold_batch_norm(conv, bn)
        >>> bool(np.allclose(folded(x).data, bn(conv(x)).data, atol=1e-6))
        True
    """
    if not isinstance(layer, Conv1d | Conv2d | Conv3d | Linear) or not isinstance(bn, BatchNorm):
        raise OptionError(
            "fold_batch_norm: a convolution or Linear and a BatchNorm are needed, got "
            f"{type(layer).__name__} and {type(bn).__name__}"
        )
    weight = layer.weight.data
    if len(weight) != bn.num_features:
        raise OptionError(
            f"fold_batch_norm: the layer puts out {len(weight)} channels, the batch norm takes "
            f"{bn.num_features}"
        )
    scale = 1 / np.sqrt(bn.running_var.data.astype(np.float64) + bn.eps)
    if bn.weight is not None:
        scale = scale * bn.weight.data
    before = 0.0 if layer.bias is None else layer.bias.data
    bias = (before - bn.running_mean.data) * scale
    if bn.bias is not None:
        bias = bias + bn.bias.data
    if isinstance(layer, Linear):
        folded: Any = Linear(layer.in_features, layer.out_features)
    else:
        folded = type(layer)(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )
    folded.astype(weight.dtype)
    folded.weight.data = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    folded.bias.data = bias
    return folded.train(layer.training)


def use_population_statistics(model: Module, batches: Iterable[Any]) -> Module:
    """Set all running statistics to those of the whole training data.

    The course's "solution 1" for batch norm at test time (Algorithm 2 of Ioffe & Szegedy 2015).
    The data runs through the model once in training mode; each batch norm's mean and variance
    are pooled exactly over all batches. The model is left in the mode in which it was.

    Args:
        model: holds batch norms; changed in place.
        batches: arrays of inputs, or (inputs, labels) pairs as a `DataLoader` gives them.

    Raises:
        OptionError: no batch norm in the model, or no batches.
    """
    norms = {name: m for name, m in model.named_modules() if isinstance(m, BatchNorm)}
    if not norms:
        raise OptionError("use_population_statistics: there is no batch norm in this model")
    tracked = {bn: bn.num_batches_tracked.data for bn in norms.values()}
    pooled = _Pooled()
    watched = mode(scope="", scopes={}, watchers=(pooled,))
    try:
        with in_mode(model, training=True), no_grad(), watched:
            for batch in batches:
                inputs = batch[0] if isinstance(batch, tuple | list) else batch
                model(Tensor(inputs, copy=False))
    finally:
        for bn, count in tracked.items():
            bn.num_batches_tracked.data = count
    if not pooled.sums:
        raise OptionError("use_population_statistics: there are no batches")
    for name, bn in norms.items():
        if name in pooled.sums:  # otherwise it did not run
            bn.running_mean.data, bn.running_var.data = pooled.statistics(name)
    return model


class _Pooled(Watcher):
    """Mean and variance over all batches, for each batch norm by its dotted name."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[int, Any, Any]] = {}  # count, Σ x, Σ x²

    def on_forward(self, node: Node, seconds: float) -> None:
        """Add the statistics of one batch."""
        if node.op is not batch_norm_train or node.inputs[0] is None:
            return
        _, mean, var = node.value
        x = node.inputs[0].value
        n = x.size // x.shape[1]
        mean, var = mean.astype(np.float64), var.astype(np.float64)
        count, total, squares = self.sums.get(node.scope, (0, 0.0, 0.0))
        self.sums[node.scope] = (count + n, total + n * mean, squares + n * (var + mean**2))

    def statistics(self, name: str) -> tuple[Any, Any]:
        """The mean, and the unbiased variance."""
        count, total, squares = self.sums[name]
        mean = total / count
        return mean, np.maximum(squares / count - mean**2, 0) * (count / max(count - 1, 1))


__all__ = ["fold_batch_norm", "use_population_statistics"]
