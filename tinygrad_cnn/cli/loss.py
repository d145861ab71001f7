"""One number to take the gradient of, for any network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..engine.tensor import Tensor
from ..errors import GraphError, OptionError
from ..nn.modes import in_mode
from ..ops.class_losses import cross_entropy
from .batch import Batch, named_inputs
from .network import Network


def run(network: Network, batch: Batch, training: bool | None) -> tuple[list[Tensor], Tensor, str]:
    """Run a network on a batch.

    Args:
        training: the mode; if None, training for fresh parameters and evaluation for others.

    Returns:
        Its inputs, of which floats require gradients; the loss; and what all that is, in words.

    Raises:
        GraphError: the network gives nothing that has a gradient.
        OptionError: labels for a network that gives no logits, or another number of classes.
    """
    train = (not network.trained) if training is None else training
    inputs = named_inputs(batch, requires_grad=True)
    with in_mode(network.model, train):
        loss, words = loss_of(network.model(*inputs), batch.labels, network.name)
    mode = "training" if train else "evaluation"
    return inputs, loss, f"{words}, on {batch.about} ({network.state}, {mode} mode)"


def input_of(inputs: Sequence[Tensor], network: Network, command: str) -> Tensor:
    """The first input that has a gradient.

    Raises:
        OptionError: none has.
    """
    found = next((x for x in inputs if x.requires_grad), None)
    if found is None:
        raise OptionError(
            f"{command}: {network.name} takes whole numbers, which have no gradient; for `paths`, "
            "--wrt names a module, whose output has one, or a parameter"
        )
    return found


def loss_of(outputs: Any, labels: Any, name: str) -> tuple[Tensor, str]:
    """A loss of what a network gives, and the words for it.

    With labels, cross entropy. Else what is one number already; the sum of the largest logits, one
    for each example; or, of other outputs, a sum with random weights, since an even sum may have no
    gradient at all (of a softmax, it has none).
    """
    found = [y for y in _leaves(outputs) if isinstance(y, Tensor) and y.requires_grad]
    if not found:
        raise GraphError(f"{name}: what it gives depends on nothing that requires a gradient")
    y = found[0]
    if labels is not None:
        if y.ndim != 2 or len(labels) != len(y):
            raise OptionError(
                f"{name} gives {y.shape}, and cross entropy with {len(labels)} "
                f"label{'s' * (len(labels) != 1)} needs logits of shape ({len(labels)}, classes)"
            )
        if max(labels) >= y.shape[1] or min(labels) < 0:
            raise OptionError(
                f"{name} tells {y.shape[1]} classes apart, 0 … {y.shape[1] - 1}; there is no class "
                f"{max(labels) if max(labels) >= y.shape[1] else min(labels)}"
            )
        return cross_entropy(y, labels), "cross entropy"
    if y.size == 1:
        return y.sum(), "the number that it gives"
    if y.ndim == 2 and y.shape[1] > 1:
        return y.max(axis=1).sum(), "the largest logit" + " of each" * (len(y) > 1)
    weights = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
    return (y * weights).sum(), "a sum of its outputs with random weights"


def _leaves(outputs: Any) -> Iterator[Any]:
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, Sequence) and not isinstance(outputs, str):
        for part in outputs:
            yield from _leaves(part)
    else:
        yield outputs
