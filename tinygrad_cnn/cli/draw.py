"""`tinygrad-cnn draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import ModelOptions, build_model


def draw(
    model: Annotated[str, typer.Argument(help="A model's name; an unknown one lists them all.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .svg, .png, .html, .dot or .json. [MODEL.svg]"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch that is drawn.")] = 1,
    depth: Annotated[int | None, typer.Option(min=1, help="Fold modules below this level.")] = None,
    option: ModelOptions = None,
) -> None:
    """Draw a model's computation graph."""
    from viz import draw as draw_graph

    network: Any = build_model(model, option)
    shape = (batch, *network.input_shape)
    path = out or Path(f"{model}.svg")
    draw_graph(network, input_shape=shape, depth=depth).save(path)
    typer.echo(f"{path}: {model} on an input of shape {shape}")
