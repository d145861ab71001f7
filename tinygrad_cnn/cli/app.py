"""The command line as a whole: its commands in order, and how bad input is told."""

from __future__ import annotations

import textwrap
from typing import Any

import typer
from typer.core import TyperGroup

from ..errors import TinygradError
from .draw import draw
from .evaluate import evaluate
from .gradcheck import gradcheck
from .models import models
from .paths import paths
from .predict import predict
from .tour import tour
from .train import train
from .tutorial import tutorial

LONGEST_ERROR = 500  # characters; what a file lacks may be a hundred names
UsageError: Any = typer.BadParameter.__bases__[0]  # typer does not export it


class Commands(TyperGroup):
    """The commands. Bad input is one sentence on stderr, and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            sentence = error.format_message()
        except BrokenPipeError:
            raise
        except TinygradError as error:
            sentence = str(error)
        except OSError as error:
            sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sentence = textwrap.shorten(sentence, LONGEST_ERROR, placeholder=" …")
        typer.echo(f"tinygrad-cnn: {sentence}", err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=Commands,
    help="Autograd for convolutional networks, and pictures of what is inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for command in (train, evaluate, predict, models, gradcheck, tour, draw, paths, tutorial):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    app()
