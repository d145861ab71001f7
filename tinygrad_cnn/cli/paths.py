"""`tinygrad-cnn paths`: a model on images, its gradient split over its paths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..data import load
from ..engine.defaults import manual_seed
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..models import MODELS, build
from ..ops.class_losses import cross_entropy
from ..paths import GradientPaths, gradient_paths
from ..train import checkpoint
from .options import DataName, ModelName


def paths(
    model: ModelName,
    data: DataName = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .html, .svg, .png or .json. [MODEL-paths.html]"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that the gradient is of.")] = 8,
    kind: Annotated[str | None, typer.Option(help="table, tree, path, trellis or lengths.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=0, help="Keep only paths of so many branches apart.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=0, help="Single paths of each length to measure.")
    ] = 10,
    weights: Annotated[
        Path | None, typer.Option("--weights", "-w", help="A file that `train` saved.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of fresh weights.")] = 0,
) -> None:
    """Split a residual network's gradient over its 2ⁿ paths; draw it."""
    path, found = draw_paths(
        model,
        data,
        out,
        batch=batch,
        kind=kind,
        max_length=max_length,
        samples=samples,
        weights=weights,
        seed=seed,
    )
    number, n = sum(found.count), found.n_blocks
    typer.echo(
        f"{path}: {number:,} path{'s' * (number != 1)} over {n} residual block{'s' * (n != 1)}"
    )


def draw_paths(
    model: str,
    data: str | None = None,
    out: str | Path | None = None,
    *,
    batch: int = 8,
    kind: str | None = None,
    max_length: int | None = None,
    samples: int = 10,
    weights: str | Path | None = None,
    seed: int = 0,
) -> tuple[Path, GradientPaths]:
    """Split the gradient at a batch of real images over the paths of a model, and draw it.

    Args:
        model: a name in `tinygrad_cnn.models.MODELS`.
        data: a data set that `tinygrad_cnn.data.load` knows, of which the first `batch` test
            examples are used; the model's own if None.
        out: the file to write: .html, .svg, .png, .pdf or .json; ``MODEL-paths.html`` if None.
        batch: number of images.
        kind: of the picture, as for `viz.unroll`.
        max_length: the longest paths to keep apart.
        samples: single paths of each length to measure.
        weights: a checkpoint of the model, which then runs in evaluation mode; if None, fresh
            parameters from `seed`, in training mode (batch norm takes the batch's statistics).
        seed: of fresh parameters.

    Returns:
        The file, and the paths.

    Raises:
        OptionError: no such model, data set or kind; or images that do not fit the model.
        GraphError: the loss does not depend on the images.
    """
    from viz.paths import unroll

    manual_seed(seed)
    network = build(model)
    state = "fresh parameters, training mode"
    if weights is not None:
        network = checkpoint.restore(weights, model)
        state = f"parameters of {Path(weights).name}, evaluation mode"
    examples = load(data or MODELS[model].data, "test")[:batch]
    images, shape = examples.inputs, MODELS[model].input_shape
    if images.dtype.kind != "f":
        raise OptionError(f"paths: {model} takes whole numbers, which have no gradient")
    if images.shape[1:] != shape:
        fitting = [
            name
            for name, known in MODELS.items()
            if name.startswith("resnet") and known.input_shape == images.shape[1:]
        ]
        raise OptionError(
            f"paths: {model} takes images of {shape}, and {examples.name} has inputs of "
            f"{images.shape[1:]}; "
            + (f"take {' or '.join(fitting)}" if fitting else "take data of the model's shape")
        )
    x = Tensor(images, dtype=np.float32, requires_grad=True, name="images")
    loss = cross_entropy(network(x), examples.labels)
    paths = gradient_paths(loss, wrt=x, max_length=max_length)
    path = Path(out or f"{model}-paths.html")
    note = f"Measured: {model} on {len(images)} images of {examples.name} ({state})."
    unroll(paths, kind, samples=samples, note=note).save(path)
    return path, paths
