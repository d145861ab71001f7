"""`tinygrad-cnn receptive`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import OptionError
from ..receptive import receptive_field
from .batch import Asked
from .network import opened
from .options import ImageFile, InputShapes, ModelOptions, Seed, SomeWeights, Target


def receptive(
    network: Target,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File: .svg, .png, .html or .json. [NETWORK-receptive.svg]"
        ),
    ] = None,
    inputs: InputShapes = None,
    image: ImageFile = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="A module's name, of whose output the element is. [the last with places]"
        ),
    ] = None,
    index: Annotated[
        str | None, typer.Option(help="The element's place, as 3,3. [the middle]")
    ] = None,
    weights: SomeWeights = None,
    option: ModelOptions = None,
    seed: Seed = 0,
) -> None:
    """Show what one element of a network sees of an image."""
    from viz import receptive_field as draw_field

    asked = Asked(inputs or (), image, seed=seed)
    found, given = opened(network, asked, options=option, weights=weights)
    if len(given.arrays) != 1:
        raise OptionError(f"receptive: {found.name} has {len(given.arrays)} inputs; one is needed")
    shape = given.arrays[0].shape
    field = receptive_field(found.model, shape, _place(index), layer)
    typer.echo(field)
    path = out or Path(f"{found.stem}-receptive.svg")
    draw_field(field, image=given.image).save(path)
    typer.echo(f"{path}: {found.name} on {given.about}")


def _place(text: str | None) -> tuple[int, ...] | None:
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--index: whole numbers such as 3,3 are needed, not {text!r}") from None
