"""The command line, `tinygrad-cnn`. The only file here that imports `viz`, inside its commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .errors import TinygradError

app = typer.Typer(
    help="Autograd for convolutional networks, and pictures of what is inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def tour(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and their page.")] = Path(
        "gallery"
    ),
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training LeNet.")] = 30,
) -> None:
    """Train on real images, trace, draw, split over paths, gradient-check; write a page."""
    from viz.tour import tour as run

    run(out, epochs)


@app.command()
def draw(
    model: Annotated[str, typer.Argument(help="A model's name; an unknown one lists them all.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .svg, .png, .html, .dot or .json. [MODEL.svg]"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch that is drawn.")] = 1,
    depth: Annotated[int | None, typer.Option(min=1, help="Fold modules below this level.")] = None,
) -> None:
    """Draw a model's computation graph."""
    from viz import draw as draw_graph

    from .models import build

    network = build(model)
    shape = (batch, *network.input_shape)
    path = out or Path(f"{model}.svg")
    draw_graph(network, input_shape=shape, depth=depth).save(path)
    typer.echo(f"{path}: {model} on an input of shape {shape}")


def main() -> None:
    """Run the command line. Bad input is one line on stderr, and exit code 2."""
    try:
        app()
    except (TinygradError, OSError) as error:
        print(f"tinygrad-cnn: {error}", file=sys.stderr)
        sys.exit(2)
