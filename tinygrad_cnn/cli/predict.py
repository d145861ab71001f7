"""`tinygrad-cnn predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..data.image import read_image
from ..ops.softmax import softmax
from ..train import checkpoint
from ..train import predict as logits_of
from .options import Weights


def predict(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture: PNG, JPEG …")],
    model: Annotated[str, typer.Option("--model", "-m", help="A name that `models` lists.")],
    weights: Weights,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 5,
    invert: Annotated[
        bool, typer.Option("--invert", help="Make dark light: for dark things on a light ground.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Draw it too: .svg, .png, .html or .json.")
    ] = None,
) -> None:
    """Name the likeliest classes of an image.

    The image is made grey, if the model's images are, and resized to their size. Fashion-MNIST
    shows light things on a dark ground: --invert a usual photograph. What is transparent is white.
    """
    if out is not None:
        checkpoint.need_folder(out)
    network: Any = checkpoint.restore(weights, model)
    pixels = read_image(image, network.input_shape, model)
    if invert:
        pixels = 1 - pixels
    probabilities = softmax(logits_of(network, pixels[None])[0])
    classes = checkpoint.about(weights).get("classes") or []
    if len(classes) != len(probabilities):
        classes = [f"class {i}" for i in range(len(probabilities))]
    for i in np.argsort(-probabilities, kind="stable")[:top]:
        typer.echo(f"{probabilities[i]:7.2%}  {classes[i]}")
    if out is not None:
        from viz.plots.prediction import prediction

        prediction(pixels, probabilities, classes, top).save(out)
        typer.echo(f"{out}: the image as {model} sees it")
