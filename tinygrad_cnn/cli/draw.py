"""`tinygrad-cnn draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..nn.modes import in_mode
from ..recording.trace import trace
from .batch import Asked, named_inputs
from .network import opened
from .options import ImageFile, InputShapes, ModelOptions, Seed, SomeWeights, Target


def draw(
    network: Target,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .svg, .png, .html, .dot or .json. [NETWORK.svg]"),
    ] = None,
    inputs: InputShapes = None,
    image: ImageFile = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Examples, where no --input says it. [1]")
    ] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Fold modules below this level.")] = None,
    weights: SomeWeights = None,
    option: ModelOptions = None,
    seed: Seed = 0,
) -> None:
    """Draw a network's computation graph, in evaluation mode."""
    from viz import draw as draw_graph

    asked = Asked(inputs or (), image, size=batch, seed=seed)
    found, given = opened(network, asked, options=option, weights=weights)
    with in_mode(found.model, training=False), trace(keep="statistics") as recorded:
        found.model(*named_inputs(given))
    path = out or Path(f"{found.stem}.svg")
    draw_graph(recorded, depth=depth).save(path)
    typer.echo(f"{path}: {found.name} on {given.about}")
