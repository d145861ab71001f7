"""What ``tinygrad-cnn train`` and ``evaluate`` do with their options."""

from __future__ import annotations

import inspect
import math
import sys
from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import optim
from ..data import DataLoader, Dataset
from ..engine.tensor import Tensor
from ..errors import OptionError, ShapeError, TinygradError
from ..models import MODELS
from ..nn import Module
from ..train import checkpoint
from ..train.evaluate import predict
from ..train.history import History

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine")


def data_of(
    model: str,
    name: str | None,
    full: bool = False,
    folder: Path | None = None,
    shape: tuple[int, ...] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The name of the data to use, and the options that it is loaded with.

    Images of a folder of the user's own become what the model takes: of that `shape`, or of the one
    that it is made for.
    """
    if name is not None and name.startswith(datasets.OF_FOLDER):
        if full or folder:
            raise OptionError(f"data {name!r} comes whole; --full and --folder are for others")
        shape = shape or MODELS[model].input_shape
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise OptionError(f"{model} takes inputs of shape {shape}, which no image has")
        return name, {"size": shape[1:], "channels": shape[0]}
    if name is None and MODELS[model].data not in datasets.DATASETS:
        raise OptionError(f"{model} has no data set of its own; name one by --data")
    name = name or MODELS[model].data
    options = ({"full": True} if full else {}) | ({"folder": folder} if folder else {})
    if name in datasets.DATASETS:
        possible = inspect.signature(datasets.DATASETS[name]).parameters
        for option in options:
            if option not in possible:
                raise OptionError(f"data {name!r} comes whole, and takes no --{option}")
        needed = [option for option, p in possible.items() if p.default is p.empty]
        if "folder" in needed and folder is None:
            raise OptionError(f"data {name!r} needs --folder: where its files are")
    return name, options


def try_on(name: str, network: Any, data: Dataset) -> None:
    """Refuse data that the network cannot take, before anything is trained or read.

    Images that are too small for it are enlarged by a whole factor when they reach it.
    """
    needed, found = network.input_shape, data.inputs.shape[1:]
    try:
        outputs = predict(network, data.inputs[:1]).shape[1]
    except TinygradError as error:
        times = needed[-1] // found[-1]
        if found == needed:
            raise OptionError(f"{name} cannot take {data.name!r}: {error}") from error
        if (*found[:-2], *(times * size for size in found[-2:])) != needed or len(needed) < 3:
            raise ShapeError(
                f"{name} is made for inputs of shape {needed}, and {data.name!r} has {found} "
                f"({error})"
            ) from error
        network.register_forward_pre_hook(lambda _, images: _enlarged(images[0], times))
        print(f"{data.name}: images enlarged {times} times, for {name}", file=sys.stderr)
        outputs = predict(network, data.inputs[:1]).shape[1]
    if len(data.classes) > outputs:
        raise OptionError(
            f"{name} tells {outputs} classes apart, and {data.name!r} has {len(data.classes)}"
        )


def _enlarged(images: Tensor, times: int) -> Tensor:
    """Images with each pixel repeated along height and width; they need no gradient."""
    return Tensor(images.data.repeat(times, axis=2).repeat(times, axis=3), copy=False)


def make_optimizer(
    name: str, network: Module, lr: float | None, momentum: float | None, weight_decay: float
) -> optim.Optimizer:
    """One of `OPTIMIZERS`; options that are None get its usual values."""
    params = network.parameters()
    if name == "sgd":
        rate, keep = 0.1 if lr is None else lr, 0.9 if momentum is None else momentum
        return optim.SGD(params, rate, keep, weight_decay)
    if name not in OPTIMIZERS:
        raise OptionError(f"unknown optimizer {name!r}; there are {', '.join(OPTIMIZERS)}")
    if momentum is not None:
        raise OptionError(f"--momentum is an option of sgd, and the optimizer is {name}")
    kind = optim.Adam if name == "adam" else optim.AdamW
    return kind(params, 0.003 if lr is None else lr, weight_decay=weight_decay)


def make_schedule(
    name: str, stepper: optim.Optimizer, epochs: int, warmup: float
) -> optim.Schedule:
    """One of `SCHEDULES`. "step" divides the rate by ten after each third of the epochs."""
    if name == "step":
        return optim.StepSchedule(stepper, epochs / 3, warmup=warmup)
    if name == "cosine":
        return optim.CosineSchedule(stepper, epochs, warmup=warmup)
    if name not in SCHEDULES:
        raise OptionError(f"unknown schedule {name!r}; there are {', '.join(SCHEDULES)}")
    return optim.Schedule(stepper, warmup)


def resume_from(
    path: Path,
    network: Module,
    stepper: optim.Optimizer,
    rates: optim.Schedule,
    loader: DataLoader,
) -> History:
    """Load a training, if it had the same options: loading would silently bring its own back."""

    def options() -> dict[str, Any]:
        return {**stepper.state_dict()["options"], "lr": None, **rates.state_dict()["options"]}

    asked = options()
    history = checkpoint.load(path, network, optimizer=stepper, schedule=rates, loader=loader)
    differ = [
        f"{option.removeprefix('base_').replace('_', '-')} {value}, not {asked[option]}"
        for option, value in options().items()
        if value != asked[option]
    ]
    if differ:
        raise OptionError(f"{path}: this training has {'; '.join(differ)}; give the same options")
    return history


def describe_training(model: str, history: History, held_out: Dataset, save: Path | None) -> str:
    """What came of a training, and what to do next, in a few lines."""
    done = len(history.epochs)
    lines = []
    if history.interrupted:
        lines.append(f"interrupted in epoch {done + 1}, step {len(history.steps)}")
    if history.stopped_early and history.best:
        lines.append(f"stopped early: epoch {history.best.epoch} was the best so far")
    if history.epochs:
        last = history.epochs[-1]
        lines.append(
            f"{model} after {done} epoch{'s' * (done != 1)}: loss {last.loss:.4f}, accuracy "
            f"{last.accuracy:.4f} in training and {last.held_out_accuracy:.4f} on {held_out.name}"
        )
        guessing = math.log(len(held_out.classes))
        if last.loss >= guessing:
            lines.append(
                f"guessing has loss {guessing:.4f}: nothing is learned yet; "
                "try more epochs, or another --lr"
            )
        if save is not None:
            hint = "; go on with --resume" if history.interrupted else ""
            lines.append(f"{save}: the model after epoch {done}{hint}")
    elif save is not None:
        lines.append(f"{save}: not written, since no epoch was finished")
    return "\n".join(lines)
