"""`tinygrad-cnn paths`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import OptionError
from ..paths import gradient_paths
from .batch import Asked
from .loss import run
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


def paths(
    network: Target,
    data: DataName = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .html, .svg, .png or .json. [NETWORK-paths.html]"),
    ] = None,
    inputs: InputShapes = None,
    image: ImageFile = None,
    label: Label = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Examples, where no --input says it. [8 of data]")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="table, tree, path, trellis or lengths.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=0, help="Keep only paths of so many branches apart.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=0, help="Single paths of each length to measure.")
    ] = 10,
    train: TrainMode = None,
    weights: SomeWeights = None,
    option: ModelOptions = None,
    seed: Seed = 0,
) -> None:
    """Split a residual network's gradient over its 2ⁿ paths; draw it.

    The gradient is that of the cross entropy where labels are known (by --data or --label); else
    of the largest logit; with respect to the images, or the first input of floats.
    """
    from viz.paths import unroll

    asked = Asked(inputs or (), image, data, batch, label, seed)
    found, given = opened(
        network, asked, options=option, weights=weights, training=bool(train), examples=True
    )
    variables, loss, words = run(found, given, train)
    wrt = next((x for x in variables if x.requires_grad), None)
    if wrt is None:
        raise OptionError(f"paths: {found.name} takes whole numbers, which have no gradient")
    split = gradient_paths(loss, wrt=wrt, max_length=max_length)
    path = out or Path(f"{found.stem}-paths.html")
    unroll(split, kind, samples=samples, note=f"Measured: {found.name}: {words}.").save(path)
    number, n = sum(split.count), split.n_blocks
    typer.echo(
        f"{path}: {number:,} path{'s' * (number != 1)} over {n} residual block{'s' * (n != 1)}"
    )
