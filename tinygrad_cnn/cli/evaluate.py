"""`tinygrad-cnn evaluate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .. import data as datasets
from ..engine.tensor import Tensor
from ..ops.class_losses import cross_entropy
from ..train import checkpoint, predict
from .options import DataName, Folder, Full, ModelName, Weights
from .training_options import data_of, try_on


def evaluate(
    model: ModelName,
    weights: Weights,
    data: DataName = None,
    split: Annotated[str, typer.Option(help="Which part of the data.")] = "test",
    full: Full = False,
    folder: Folder = None,
) -> None:
    """Measure a trained model's accuracy and loss."""
    network: Any = checkpoint.restore(weights, model)
    name, options = data_of(model, data, full, folder, network.input_shape)
    examples = datasets.load(name, split, **options)
    try_on(model, network, examples)
    logits = predict(network, examples.inputs)
    right = int((logits.argmax(axis=1) == examples.labels).sum())
    loss = cross_entropy(Tensor(logits), examples.labels).item()
    typer.echo(
        f"{model} on {examples.name}: accuracy {right / len(examples):.4f} "
        f"({right:,} of {len(examples):,} right), loss {loss:.4f}"
    )
