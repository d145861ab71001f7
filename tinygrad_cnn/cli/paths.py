"""`tinygrad-cnn paths`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..engine.tensor import Tensor
from ..errors import OptionError
from ..paths import gradient_paths
from .batch import Asked
from .loss import input_of, run
from .network import Network, opened
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
    through: Annotated[
        list[str] | None,
        typer.Option(
            "--through",
            metavar="[KIND=]NAMES",
            help="Modules to tell paths apart by, as layers.* (* is a name between dots, ** any); "
            "repeatable. attention=layers.*.attention makes a kind of its own.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="NAMES",
            help="Modules whose additions and concatenations are no choice; repeatable.",
        ),
    ] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option(
            "--branch",
            metavar="NAMES",
            help="Modules that compute branches, where the shortcut was taken for one; repeatable.",
        ),
    ] = None,
    wrt: Annotated[
        str | None,
        typer.Option(
            "--wrt",
            metavar="NAME",
            help="What the gradient is at: an input, a parameter, or a module, for its output. "
            "[the first input of floats]",
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="table, tree, path, trellis, lengths or pairs.")
    ] = None,
    values: Annotated[
        str, typer.Option(help="What pairs show: shares, norms or count.")
    ] = "shares",
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
    """Split a network's gradient over its paths; draw it.

    The page says in words, too, what was found. Paths part at residual blocks, at additions
    h + f(h) and at concatenations of that kind; or, by --through, at any modules. The gradient is
    that of the cross entropy where labels are known (by --data or --label); else of the largest
    logit.
    """
    from viz.paths import found_in_words, in_words, unroll

    asked = Asked(inputs or (), image, data, batch, label, seed)
    found, given = opened(
        network, asked, options=option, weights=weights, training=bool(train), examples=True
    )
    variables, loss, words = run(found, given, train)
    split = gradient_paths(
        loss,
        _end(wrt, variables, found),
        max_length,
        through=_marked(through),
        branch=branch or None,
        ignore=ignore or None,
    )
    path = out or Path(f"{found.stem}-paths.html")
    note = f"Measured: {found.name}: {words}."
    unroll(split, kind, values=values, samples=samples, note=note).save(path)
    typer.echo(f"{path}: {in_words(split)}")
    for sentence in found_in_words(split):
        typer.echo(f"  {sentence}")


def _end(name: str | None, variables: Sequence[Tensor], network: Network) -> Tensor | str:
    """What the gradient is taken at: by name an input, a parameter or a module."""
    if name is None:
        return input_of(variables, network, "paths")
    named: dict[str, Tensor] = dict(network.model.named_parameters())
    named |= {x.name: x for x in variables if x.name and x.requires_grad}
    return named.get(name, name)


def _marked(through: Sequence[str] | None) -> list[str] | dict[str, list[str]] | None:
    """What --through marks: names alone, or, with KIND=, by kind.

    Raises:
        OptionError: some have a kind and some have none.
    """
    if not through:
        return None
    pairs = [text.rpartition("=")[::2] for text in through]
    if not any("=" in text for text in through):
        return [names for _, names in pairs]
    kinds: dict[str, list[str]] = {}
    for kind, names in pairs:
        if not kind or not names:
            raise OptionError(
                "--through: give each a kind, as in attention=layers.*.attention, or none of them"
            )
        kinds.setdefault(kind, []).append(names)
    return kinds
