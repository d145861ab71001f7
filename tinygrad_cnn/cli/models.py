"""`tinygrad-cnn models`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..models import MODELS
from ..recording.table import aligned
from .options import ModelOptions, build_model


def models(
    name: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show its layers.")] = None,
    option: ModelOptions = None,
) -> None:
    """List the models; or the layers, shapes and parameters of one."""
    if name is not None:
        network: Any = build_model(name, option)
        typer.echo(network.summary((1, *network.input_shape)))
        return
    rows = [("model", "input", "data", "")]
    rows += [
        (name, "×".join(map(str, entry.input_shape)), entry.data, entry.about)
        for name, entry in MODELS.items()
    ]
    for line in aligned(rows, left=len(rows[0])):
        typer.echo(line)
