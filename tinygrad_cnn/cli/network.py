"""The network that a command is about: one of the project's by name, or your own in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import defaults
from ..errors import OptionError
from ..interop import InputType, from_onnx, from_torch, input_types
from ..interop.program import Imported
from ..models import MODELS
from ..nn import Module
from ..train import checkpoint
from .batch import Asked, Batch
from .libraries import is_module
from .options import build_model
from .pyfile import TARGET, instance, named, run_file, seed_torch

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")
Types = Sequence[InputType | None]


@dataclass
class Network:
    """A network, ready to run.

    Attributes:
        name: as the command line has it.
        stem: what files about it are called.
        model: the Module.
        types: of its inputs, as far as they are known.
        state: where its parameters are from, in words.
        trained: whether they were given, so that it runs in evaluation mode if nobody asks.
        data: the data set that suits it, if one does.
    """

    name: str
    stem: str
    model: Module
    types: Types
    state: str
    trained: bool
    data: str | None = None


def opened(
    target: str,
    asked: Asked,
    *,
    options: list[str] | None = None,
    weights: Path | None = None,
    training: bool = False,
    examples: bool = False,
) -> tuple[Network, Batch]:
    """The network that ``target`` names, and what it is to run on.

    Args:
        target, options, weights, training: as for `open_network`.
        asked: what the command line says of the inputs.
        examples: whether the data set that suits the network is taken if it says nothing.
    """

    def example(name: str, dtype: np.dtype[Any]) -> Sequence[Any]:
        return asked.batch(name, (), dtype).arrays

    found = open_network(
        target, example, options=options, weights=weights, training=training, seed=asked.seed
    )
    return found, asked.batch(found.name, found.types, default=found.data if examples else None)


def open_network(
    target: str,
    example: Callable[[str, np.dtype[Any]], Sequence[Any]],
    *,
    options: list[str] | None = None,
    weights: Path | None = None,
    training: bool = False,
    seed: int = 0,
) -> Network:
    """The network that ``target`` names.

    Args:
        target: a name in `tinygrad_cnn.models.MODELS`; ``FILE.py:NAME``, where NAME is a network,
            its class or a call such as ``make(3)``, of PyTorch or of this project; a .onnx file;
            a .pt2 file.
        example: gives the arrays that a network of PyTorch's is recorded with, for the network's
            name and dtype.
        options: NAME=VALUE, of a network that is named.
        weights: a safetensors file: what `train` saved, or the state dict of another program.
        training: the mode that a network of PyTorch's is recorded in.
        seed: of fresh parameters.

    Raises:
        OptionError: no such network, or options for one that takes none.
        DataError: a file that is missing, damaged, or of another kind; calls that are not known.
        ShapeError: weights of another network.
    """
    defaults.manual_seed(seed)
    suffix = Path(target).suffix.lower()
    if target in MODELS:
        return _of_the_project(target, options, weights)
    if options:
        raise OptionError(f"--option is for the models that `models` lists, not for {target}")
    if suffix == ".onnx":
        model: Module = from_onnx(target)
    elif suffix == ".pt2" or suffix in PICKLES:
        model = from_torch(target, training=training)
    elif TARGET.fullmatch(target):
        model = _of_a_file(target, example, training, seed)
    else:
        raise OptionError(
            f"unknown model {target!r}; there are {', '.join(MODELS)}, and your own: FILE.py:NAME, "
            "a .onnx file, a .pt2 file"
        )
    if weights is not None:
        checkpoint.load(weights, model)
    state = "its own parameters" if weights is None else f"parameters of {weights.name}"
    found = TARGET.fullmatch(target)
    name = (found["name"] or "") if found else ""
    stem = name if name.isidentifier() else Path(found["path"] if found else target).stem
    return Network(target, stem, model, _types(model), state, trained=True)


def _of_the_project(name: str, options: list[str] | None, weights: Path | None) -> Network:
    if weights is None:
        model, state = build_model(name, options), "fresh parameters"
    elif options:
        raise OptionError(f"{weights}: knows the model's options; --option is for a fresh one")
    else:
        model, state = checkpoint.restore(weights, name), f"parameters of {weights.name}"
    data = MODELS[name].data
    known = weights is not None
    return Network(name, name, model, _types(model), state, known, None if data == "none" else data)


def _of_a_file(target: str, example: Any, training: bool, seed: int) -> Module:
    found = TARGET.fullmatch(target)
    assert found is not None
    path, name = Path(found["path"]), found["name"]
    seed_torch(path, seed)
    file = run_file(path)
    if name is None:
        names = [
            n
            for n, value in vars(file).items()
            if is_module(value) and (not isinstance(value, type) or _is_of(value, file))
        ]
        if len(names) != 1:
            has = f"several networks ({', '.join(names)})" if names else "no network"
            raise OptionError(f"{path}: has {has}; name one, as in {path}:Net")
        (name,) = names
    value = named(path, file, name)
    if isinstance(value, type) and is_module(value):
        value = instance(path, name, value)
    elif callable(value) and not isinstance(value, type) and not is_module(value):
        raise OptionError(f"{path}:{name}: is a function; write the call out, as in {name}()")
    if isinstance(value, Module):
        return value
    if not is_module(value) or isinstance(value, type):
        kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise OptionError(
            f"{path}:{name}: a network of PyTorch or of tinygrad_cnn is needed, not {kind}"
        )
    import torch

    dtype = next((p.dtype for p in value.parameters()), torch.float32)
    arrays = example(target, torch.zeros((), dtype=dtype).numpy().dtype)
    return from_torch(value, tuple(map(torch.from_numpy, arrays)), training=training)


def _is_of(kind: type, file: Any) -> bool:
    return kind.__module__ == file.__name__


def _types(model: Module) -> Types:
    if isinstance(model, Imported):
        return input_types(model)
    shape = getattr(model, "input_shape", None)
    own = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    dtype = np.dtype(getattr(model, "input_dtype", own))
    return [InputType((None, *shape), dtype)] if shape else []
