"""Options that several commands have, and the model that they name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OptionError, TinygradError
from ..models import build
from ..nn import Module

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A name that `models` lists.")]
Target = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A name that `models` lists; mynet.py:Net or mynet.py:make(3), of PyTorch or of this "
        "project; net.onnx; net.pt2.",
    ),
]
InputShapes = Annotated[
    list[str] | None,
    typer.Option(
        "--input", "-i", metavar="SIZES",
        help="An input's shape, as 1,3,224,224, or 1,16:int64 for whole numbers; once for each.",
    ),
]  # fmt: skip
ImageFile = Annotated[Path | None, typer.Option("--image", help="A picture as the input.")]
SomeWeights = Annotated[
    Path | None,
    typer.Option("--weights", "-w", help="A safetensors file: what `train` saved, a state dict."),
]
Label = Annotated[int | None, typer.Option(min=0, help="The class of the input.")]
TrainMode = Annotated[
    bool | None,
    typer.Option(
        "--train/--eval", help="Mode of the network.  [default: --train for fresh weights]"
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of fresh weights, and of inputs that are drawn.")]
Weights = Annotated[Path, typer.Option("--weights", "-w", help="A file that `train` saved.")]
DataName = Annotated[
    str | None, typer.Option("--data", help="Data set.  [default: the one that suits the model]")
]
Full = Annotated[bool, typer.Option("--full", help="All of the data, not what comes along.")]
Folder = Annotated[
    Path | None, typer.Option(help="Where the data set's own files are; implies --full.")
]
ModelOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-O", metavar="NAME=VALUE", help="Of the model: activation=relu; repeatable."
    ),
]


def sizes(text: str) -> tuple[int, ...]:
    """A shape, as the command line has it: 2,3,8,8; of one number, ''.

    Raises:
        OptionError: it is none.
    """
    try:
        shape = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise OptionError(f"--input: sizes such as 2,3,8,8 are needed, not {text!r}")
    return shape


def build_model(name: str, options: list[str] | None) -> Module:
    """The model of that name, with options as the command line has them."""
    given = dict(map(_option, options or []))
    try:
        model: Module = build(name, **given)
    except TinygradError:
        raise
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name}: cannot be built with {given} ({error})") from error
    return model


def _option(text: str) -> tuple[str, Any]:
    """Name and value of an option such as activation=relu, sizes=784,100,10 or fixed=true."""
    name, _, value = text.partition("=")
    if not (name.isidentifier() and value):
        raise OptionError(f"--option: NAME=VALUE is needed, such as width=0.25, not {text!r}")
    try:
        return name, ast.literal_eval(value.title() if value in ("true", "false") else value)
    except (ValueError, SyntaxError):
        return name, value
