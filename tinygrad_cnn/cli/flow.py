"""`tinygrad-cnn flow`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ..paths import gradient_paths
from ..recording.trace import trace
from .batch import Asked
from .loss import input_of, run
from .network import opened
from .options import (
    DataName,
    ImageFile,
    InputShapes,
    Label,
    ModelOptions,
    Seed,
    SomeWeights,
    Target,
    TrainMode,
)

SAID = 5  # drops that are printed; the picture has them all


def flow(
    network: Target,
    data: DataName = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .html, .svg, .png or .json. [NETWORK-flow.html]"),
    ] = None,
    inputs: InputShapes = None,
    image: ImageFile = None,
    label: Label = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Examples, where no --input says it. [8 of data]")
    ] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Fold modules below this level.")] = None,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="Draw parameters as boxes of their own.")
    ] = False,
    shares: Annotated[
        bool,
        typer.Option("--shares", help="Say on each arrow what part of the gradient comes along."),
    ] = False,
    train: TrainMode = None,
    weights: SomeWeights = None,
    option: ModelOptions = None,
    seed: Seed = 0,
) -> None:
    """Draw the gradient of one batch as it flows through a network.

    The gradient is that of the cross entropy where labels are known (by --data or --label); else
    of the largest logit. With --shares, each arrow says which part of the gradient at the input
    comes along it: at a residual addition, along the shortcut and through the branch.
    """
    from viz import gradient_flow

    asked = Asked(inputs or (), image, data, batch, label, seed)
    found, given = opened(
        network, asked, options=option, weights=weights, training=bool(train), examples=True
    )
    with trace(keep="statistics") as recorded:
        variables, loss, words = run(found, given, train)
        loss.backward()
    paths = gradient_paths(loss, input_of(variables, found, "flow --shares")) if shares else None
    picture = gradient_flow(recorded, depth=depth, parameters=parameters, paths=paths)
    path = out or Path(f"{found.stem}-flow.html")
    picture.save(path)
    typer.echo(f"{path}: {found.name}: the gradient of {words}")
    drops = picture.data["drops"]
    for drop in drops[:SAID]:
        where = f" in {drop['scope']}" if drop["scope"] else ""
        part = f"1/{drop['factor']:.0f}" if math.isfinite(drop["factor"]) else "nothing"
        typer.echo(f"  {drop['op']}{where} passes on {part} of the norm that arrives")
    if len(drops) > SAID:
        typer.echo(f"  and {len(drops) - SAID} more that pass on less than a tenth")
