"""What ``tinygrad-cnn paths`` does: a model on images, its gradient split over its paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import checkpoint
from tinygrad_cnn.errors import OptionError

from . import unroll


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
) -> tuple[Path, tg.GradientPaths]:
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
        GraphError: a model without any way from the images to the loss.
    """
    tg.manual_seed(seed)
    network = tg.models.build(model)
    state = "fresh parameters, training mode"
    if weights is not None:
        network = checkpoint.restore(weights, model)
        state = f"parameters of {Path(weights).name}, evaluation mode"
    examples = tg.data.load(data or tg.models.MODELS[model].data, "test")[:batch]
    images, shape = examples.inputs, tg.models.MODELS[model].input_shape
    if images.dtype.kind != "f":
        raise OptionError(f"paths: {model} takes whole numbers, which have no gradient")
    if images.shape[1:] != shape:
        fitting = [
            name
            for name, known in tg.models.MODELS.items()
            if name.startswith("resnet") and known.input_shape == images.shape[1:]
        ]
        raise OptionError(
            f"paths: {model} takes images of {shape}, and {examples.name} has inputs of "
            f"{images.shape[1:]}; "
            + (f"take {' or '.join(fitting)}" if fitting else "take data of the model's shape")
        )
    x = tg.Tensor(images, dtype=np.float32, requires_grad=True, name="images")
    loss = tg.cross_entropy(network(x), examples.labels)
    paths = tg.gradient_paths(loss, wrt=x, max_length=max_length)
    path = Path(out or f"{model}-paths.html")
    note = f"Measured: {model} on {len(images)} images of {examples.name} ({state})."
    unroll(paths, kind, samples=samples, note=note).save(path)
    return path, paths
