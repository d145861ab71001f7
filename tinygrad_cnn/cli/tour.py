"""`tinygrad-cnn tour`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tour(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and their page.")] = Path(
        "gallery"
    ),
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training LeNet.")] = 30,
) -> None:
    """Train, trace, draw, split over paths, gradient-check: one page."""
    from viz.tour import tour as run

    run(out, epochs)
