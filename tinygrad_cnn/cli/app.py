"""The command line as a whole: its commands in order, and how bad input is reported."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import TinygradError
from .draw import draw
from .evaluate import evaluate
from .flow import flow
from .gradcheck import gradcheck
from .models import models
from .paths import paths
from .predict import predict
from .receptive import receptive
from .step import step
from .tour import tour
from .train import train
from .tutorial import tutorial

LONGEST_ERROR = 500  # characters; an error may list a hundred names
UsageError: Any = typer.BadParameter.__bases__[0]  # typer does not export it


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Bad input is one sentence on stderr, and exit code 2."""
    try:
        yield
        return
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


class Commands(TyperGroup):
    """The commands; without one, how they are called."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        with _one_sentence():
            return super().parse_args(ctx, args or ["--help"])

    def invoke(self, ctx: Any) -> Any:
        with _one_sentence():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)

COMMANDS = (
    train, evaluate, predict, models, gradcheck, tour, draw, flow, paths, receptive, step, tutorial,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tinygrad-cnn {__version__}")
        raise typer.Exit


@app.callback()
def _(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Autograd for convolutional networks, and pictures of what is inside them."""


def main() -> None:
    """Run the command line."""
    app()
