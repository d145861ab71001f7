"""Checkpoints: a model, and the training it is in, in one safetensors file.

The model's tensors have the names and shapes that PyTorch would give them. Whatever else the
training needs has names that begin with ``training/``, or is JSON in the file's metadata.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..engine import defaults
from ..errors import DataError, DtypeError, OptionError, ShapeError, TinygradError
from ..models import build
from ..nn import Dropout, Module
from ..optim import Optimizer, Schedule
from .history import Epoch, History

Arrays = dict[str, np.ndarray[Any, Any]]
FilePath = str | os.PathLike[str]

_KEY = "tinygrad_cnn"  # of the metadata; one key alone, since safetensors keeps no order
_PICKLED = (b"PK", *(b"\x80" + bytes([n]) for n in range(2, 6)))  # how PyTorch's files begin
_TRAINING = "training/"  # a name of a module has no slash in it
_LOADER = ("seed", "batch_size", "shuffle", "drop_last")


def save(
    path: FilePath,
    model: Module,
    *,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    loader: Any = None,
    history: History | None = None,
) -> None:
    """Write a checkpoint: the model alone, or with all that its training needs to go on.

    The file is written beside its place and then moved there: a program or a machine that stops
    at any moment leaves the old file or the new one, whole.

    Args:
        path: the file, usually ``….safetensors``.
        model: whose parameters and buffers are saved.
        optimizer: options and memory.
        schedule: of the learning rate.
        loader: a `DataLoader`: which epoch comes next, and by what seed.
        history: of the training so far.

    The state of the random generator (`tg.manual_seed`) is always saved. PyTorch can load a model
    that was saved alone. From the file of a training it takes the model with ``strict=False``.

    Raises:
        DataError: the folder does not exist or is read-only, the path is one, or the disk is full.

    Example:
        >>> import tempfile
        >>> import tinygrad_cnn as tg
        >>> from tinygrad_cnn import checkpoint
        >>> model, other = tg.models.LeNet(), tg.models.LeNet()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     checkpoint.save(f"{folder}/lenet.safetensors", model)
        ...     history = checkpoint.load(f"{folder}/lenet.safetensors", other)
        >>> name = "features.conv1.bias"
        >>> bool((model.state_dict()[name] == other.state_dict()[name]).all())
        True
    """
    need_folder(path)
    training: dict[str, Any] = {"random": defaults.generator().bit_generator.state}
    if optimizer is not None:
        training["optimizer"] = optimizer.state_dict()
    if schedule is not None:
        training["schedule"] = schedule.state_dict()
    if loader is not None:
        training["loader"] = _loader_state(loader)
    if history is not None:
        training["history"] = dataclasses.asdict(history) | {"steps": np.array(history.steps)}
    arrays = model.state_dict()
    rest = _take_arrays(training, _TRAINING, arrays)
    data = getattr(loader, "dataset", None)
    about = {
        "model": type(model).__name__,
        "built_as": getattr(model, "built_as", None),
        "built_with": _plain(getattr(model, "built_with", {})),
        "layers": _layers(model),  # LeNet has the same tensors with ReLU and with sigmoid
        "data": getattr(data, "name", None),
        "classes": list(getattr(data, "classes", ())),
        "epochs": len(history.epochs) if history is not None else None,
    }
    _write(Path(path), arrays, {"about": about, "training": rest})


def load(
    path: FilePath,
    model: Module,
    *,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    loader: Any = None,
) -> History:
    """Set the model, and whatever else is given, to what a checkpoint holds.

    With an optimiser, for a training that goes on, the random generator is set as well. If anything
    does not fit, nothing is changed. A file that another program wrote can set the model, if its
    tensors have the model's names.

    Args:
        path: the file.
        model: whose parameters and buffers are set.
        optimizer, schedule, loader: of the same kinds as those that were saved. A loader must
            have the same data, by name, the same seed and batches.

    Returns:
        The history that was saved, for `tg.train.fit(history=…)`; empty if there was none.

    Raises:
        DataError: the file is missing or damaged.
        ShapeError: it is of another model; lists what is missing, unexpected, or of another shape.
        DtypeError: its tensors are of another dtype than the model's.
        OptionError: its tensors fit, but its model computes something else with them (ReLU in place
            of sigmoid, no shortcuts); or it has no state of what was given, or of another kind.
    """
    path = Path(path)
    weights, rest = _read(path)
    training = rest.get("training", {})
    for what, given in (("optimizer", optimizer), ("schedule", schedule), ("loader", loader)):
        if given is not None and what not in training:
            raise OptionError(f"{path}: holds no {what}'s state")
    set_up = [part for part in (model, optimizer, schedule) if part is not None]
    before = [part.state_dict() for part in set_up]
    try:
        _check_dtypes(model, weights)
        model.load_state_dict(weights)
        _check_layers(model, rest.get("about", {}).get("layers", {}))
        if optimizer is not None:
            optimizer.load_state_dict(training["optimizer"])
        if schedule is not None:
            schedule.load_state_dict(training["schedule"])
        if loader is not None:
            _set_loader(loader, training["loader"])
    except TinygradError as error:
        for part, state in zip(set_up, before, strict=True):
            part.load_state_dict(state)
        raise type(error)(f"{path}: {error}") from error
    if optimizer is not None:
        defaults.generator().bit_generator.state = training["random"]
    return _history(training.get("history"))


def restore(path: FilePath, name: str | None = None) -> Module:
    """The model that a checkpoint holds, built again as it was, with its weights.

    Args:
        path: the file.
        name: which of `tg.models.MODELS` it should be; needed for models that were not made by
            `tg.models.build`, whose name the file does not know.

    Returns:
        The model, in evaluation mode.

    Raises:
        DataError: the file is missing or damaged.
        ShapeError: it holds a model of another name, or tensors of another model.
        OptionError: it does not say its model's name, and none is given; or its model was made
            with options other than the default, and it does not say which.

    Example:
        >>> import tempfile
        >>> import tinygrad_cnn as tg
        >>> from tinygrad_cnn import checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model = tg.models.build("lenet", activation="relu")
        ...     checkpoint.save(f"{folder}/lenet.safetensors", model)
        ...     checkpoint.restore(f"{folder}/lenet.safetensors").features.act1
        ReLU()
    """
    known = about(path)
    saved = known.get("built_as")
    if saved is not None and name not in (None, saved):
        raise ShapeError(f"{path}: holds a {saved}, not a {name}")
    name = saved or name
    if name is None:
        raise OptionError(
            f"{path}: does not say which model it holds; give its name, or build it and use load"
        )
    model: Module = build(name, **known.get("built_with", {}))
    load(path, model)
    return model.eval()


def about(path: FilePath) -> dict[str, Any]:
    """What a checkpoint says of itself: model, built_as, built_with, layers, data, classes, epochs.

    `layers` maps dotted names to what `repr` shows of them. {} in a foreign file.

    Raises:
        DataError: the file is missing or damaged.
    """
    return dict(_read(Path(path))[1].get("about", {}))


def need_folder(path: FilePath) -> None:
    """Refuse a path that no file can be written to.

    Raises:
        DataError: its folder does not exist or is read-only, or the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder, and a file is needed")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"{path}: nothing may be written to the folder {path.parent}")


# --- state as plain data ---------------------------------------------------------------------


def _loader_state(loader: Any) -> dict[str, Any]:
    names = [name for name in ("epoch", *_LOADER) if hasattr(loader, name)]
    changes = [
        repr(change) if dataclasses.is_dataclass(change) else type(change).__name__
        for change in getattr(loader, "augment", ())
    ]
    state = {name: getattr(loader, name) for name in names}
    data = getattr(getattr(loader, "dataset", None), "name", None)
    return state | {"data": data, "batches": len(loader), "augment": changes}


def _set_loader(loader: Any, state: Mapping[str, Any]) -> None:
    now = _loader_state(loader)
    names = ("data", *_LOADER, "batches", "augment")
    differ = [name for name in names if now.get(name) != state.get(name)]
    if differ:
        then_, now_ = (
            ", ".join(f"{name}={values.get(name)}" for name in differ) for values in (state, now)
        )
        raise OptionError(f"DataLoader: the training had {then_}, and this loader has {now_}")
    if "epoch" in state:
        loader.epoch = state["epoch"]


def _history(state: Mapping[str, Any] | None) -> History:
    if state is None:
        return History()
    epochs = [Epoch(**epoch) for epoch in state["epochs"]]
    return History(**{**state, "steps": state["steps"].tolist(), "epochs": epochs})


def _check_dtypes(model: Module, weights: Arrays) -> None:
    for name, own in model.state_dict().items():
        if name in weights and weights[name].dtype != own.dtype:
            raise DtypeError(
                f"{name} is {weights[name].dtype}, the model's {own.dtype}: "
                f"use model.astype(np.{weights[name].dtype}) first"
            )


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that JSON can hold. An array, such as the vectors of an embedding, it cannot."""

    def is_plain(value: Any) -> bool:
        if isinstance(value, list | tuple):
            return all(map(is_plain, value))
        return value is None or isinstance(value, bool | int | float | str)

    return {name: value for name, value in options.items() if is_plain(value)}


def _layers(model: Module) -> dict[str, str]:
    """What each layer computes, as far as its line in `repr` says.

    Dropout, which changes training alone, is left out.
    """
    return {
        name: f"{type(layer).__name__}({layer.describe()})"
        for name, layer in model.named_modules()
        if name and not isinstance(layer, Dropout)
    }


def _check_layers(model: Module, saved: Mapping[str, str]) -> None:
    """Refuse layers that have the file's tensors, and compute something else with them."""
    own = _layers(model)
    differ = [name for name in own if saved.get(name, own[name]) != own[name]]
    if differ:
        first, more = differ[0], f" (and {len(differ) - 1} more)" if len(differ) > 1 else ""
        raise OptionError(
            f"the file's {first} is {saved[first]}, the model's {own[first]}{more}: "
            "build the model with the options that the file's was built with"
        )


def _take_arrays(tree: Any, prefix: str, arrays: Arrays) -> Any:
    """The nested dicts without their arrays, which go to `arrays` under their path."""
    rest = {}
    for key, value in tree.items():
        if isinstance(value, np.ndarray):
            arrays[prefix + key] = value
        else:
            is_dict = isinstance(value, dict)
            rest[key] = _take_arrays(value, f"{prefix}{key}/", arrays) if is_dict else value
    return rest


def _put_arrays(tree: Any, prefix: str, arrays: Arrays) -> None:
    """Undo `_take_arrays`."""
    for path in [path for path in arrays if path.startswith(prefix)]:
        *way, last = path.removeprefix(prefix).split("/")
        place = tree
        for key in way:
            place = place[key]
        place[last] = arrays.pop(path)


# --- the file --------------------------------------------------------------------------------


def _write(path: Path, arrays: Arrays, rest: dict[str, Any]) -> None:
    from safetensors.numpy import save as to_bytes

    text = json.dumps(rest)
    metadata = {_KEY: json.dumps({"checksum": _checksum(arrays, text), "rest": text})}
    place = path.resolve()  # for a link, the file that it leads to
    beside = place.with_name(f".{place.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(beside, "xb") as file:
            file.write(to_bytes(arrays, metadata))
            file.flush()
            os.fsync(file.fileno())  # the content is on the disk before the file has its name
        os.replace(beside, place)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name too
        finally:
            os.close(folder)


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """The model's arrays, and what `save` put beside them; {} in a foreign file."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        what = "is a folder, and a file is needed" if path.is_dir() else "there is no such file"
        raise DataError(f"{path}: {what}")
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        if _KEY not in metadata:
            return arrays, {}
        header = json.loads(metadata[_KEY])
        rest, checksum = header["rest"], header["checksum"]
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        with path.open("rb") as file:
            if file.read(2) in _PICKLED:
                raise DataError(
                    f"{path}: a pickle runs code when it is read, so it is refused. In PyTorch, "
                    f"load a state dict by torch.load({path.name!r}, weights_only=True), and save "
                    "it by safetensors.torch.save_file(state, 'net.safetensors')"
                ) from error
        raise DataError(f"{path}: damaged, or no safetensors file ({error})") from error
    if _checksum(arrays, rest) != checksum:
        raise DataError(f"{path}: damaged: its contents do not have the checksum that it names")
    beside = json.loads(rest)
    _put_arrays(beside["training"], _TRAINING, arrays)
    return arrays, beside


def _checksum(arrays: Arrays, text: str) -> str:
    """A checksum of all that a file holds; safetensors itself has none."""
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()
