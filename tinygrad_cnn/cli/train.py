"""`tinygrad-cnn train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import data as datasets
from ..data import DataLoader
from ..engine import defaults
from ..errors import OptionError
from ..train import checkpoint, fit
from .options import DataName, Folder, Full, ModelName, ModelOptions, build_model
from .training_options import (
    OPTIMIZERS,
    SCHEDULES,
    data_of,
    describe_training,
    make_optimizer,
    make_schedule,
    resume_from,
    try_on,
)

INTERRUPTED = 130  # a shell's exit code for Ctrl-C


def train(
    model: ModelName,
    data: DataName = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data, in all.")] = 10,
    save: Annotated[
        Path | None, typer.Option("--save", "-s", help="File, written after every epoch.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the file, with the same options.")
    ] = False,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = "adam",
    lr: Annotated[
        float | None, typer.Option(help="Learning rate.  [default: 0.1 for sgd, else 0.003]")
    ] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd alone.  [default: 0.9]")] = None,
    weight_decay: Annotated[float, typer.Option(help="Pull of the weights towards 0.")] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Examples in a step.")] = 32,
    schedule: Annotated[str, typer.Option(help=f"One of {', '.join(SCHEDULES)}.")] = "constant",
    warmup: Annotated[float, typer.Option(help="Epochs in which the rate rises.")] = 0.0,
    clip_norm: Annotated[
        float | None, typer.Option(help="Scale larger gradients down to this norm.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many epochs that are no better.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="One seed repeats a run to the bit.")] = 0,
    option: ModelOptions = None,
    full: Full = False,
    folder: Folder = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train a model; measure it on validation data after each epoch.

    Fashion-MNIST and MNIST hold out a tenth of the training images for that; the test images are
    for `evaluate` alone.

    The file that --save names holds the model and all that --resume needs. Ctrl-C stops after
    the step that runs, with exit code 130.
    """
    if resume and save is None:
        raise OptionError("--resume needs --save FILE: the file to go on from")
    if save is not None:
        checkpoint.need_folder(save)
    defaults.manual_seed(seed)
    network: Any = build_model(model, option)
    name, options = data_of(model, data, full, folder, network.input_shape)
    training, held_out = datasets.load_training(name, **options)
    try_on(model, network, training)
    loader = DataLoader(training, batch_size, seed=seed)
    stepper = make_optimizer(optimizer, network, lr, momentum, weight_decay)
    rates = make_schedule(schedule, stepper, epochs, warmup)
    history = resume_from(save, network, stepper, rates, loader) if resume and save else None
    history = fit(
        network,
        loader,
        stepper,
        epochs,
        held_out=held_out,
        schedule=rates,
        clip_norm=clip_norm,
        patience=patience,
        checkpoint=save,
        history=history,
        progress=not quiet,
    )
    typer.echo(describe_training(model, history, held_out, save))
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)
