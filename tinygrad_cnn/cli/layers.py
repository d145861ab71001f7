"""What ``tinygrad-cnn gradcheck`` does: the layers of a file, each checked at random inputs."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..engine import defaults
from ..engine.op import Op
from ..errors import OptionError, TinygradError
from ..gradcheck.check import gradcheck
from ..gradcheck.points import draw_inputs, spread_constants
from ..gradcheck.report import Report
from ..gradcheck.subjects.base import positional
from ..ops.registry import OPS
from .libraries import as_library, is_function, is_module, library_of
from .pyfile import TARGET, instance, named, run_file, seed_torch

RIGHT, WRONG, UNCHECKED = 0, 1, 2  # exit codes


@dataclass
class Checked:
    """One layer: its report, or why there is none."""

    name: str
    report: Report | None = None
    problem: str = ""

    @property
    def exit_code(self) -> int:
        """0 right, 1 wrong, 2 could not be checked."""
        if self.report is None:
            return UNCHECKED
        if self.report:
            return RIGHT
        at_fault = self.report.verdict in ("wrong", "kink") or self.report.pattern
        return WRONG if at_fault else UNCHECKED

    @property
    def line(self) -> str:
        """What was found, on one line."""
        if self.report is None:
            return f"{self.name}: could not be checked: {self.problem}"
        return f"{self.name}: {self.report.verdict}: {self.report.diagnosis}"

    def __str__(self) -> str:
        return self.line if self.report is None else str(self.report)


def check_file(
    target: str,
    shapes: Sequence[tuple[int, ...]],
    *,
    order: int = 1,
    evaluation: bool = False,
    mode: str = "full",
    seed: int = 0,
) -> list[Checked]:
    """Check the layer that `target` names, or every op and Module of a file.

    Args:
        target: ``FILE.py``, or ``FILE.py:NAME``, where NAME is an op, a Module, its class, a
            function of Tensors, or an expression such as ``Scale(3)``. Modules and autograd
            Functions may be PyTorch's. So may functions, and JAX's, of a file that imports this
            library and not the project.
        shapes: of the inputs, which are drawn from the standard normal distribution. Where a whole
            file is checked, each layer takes as many of them as it has inputs.
        order, mode: as for `gradcheck`.
        evaluation: Modules run in evaluation mode; else in training mode.
        seed: of the inputs, and of whatever the file draws.

    Returns:
        What was found, in the order of the file.

    Raises:
        DataError: the file is not there, or raises.
        OptionError: no such name, nothing to check, a class that needs arguments, or a number of
            shapes that does not fit the layer's inputs.
    """
    found = TARGET.fullmatch(target)
    if found is None:
        raise OptionError(
            f"gradcheck: name a file, as in layers.py or layers.py:Swish, not {target}"
        )
    path, name = Path(found["path"]), found["name"]
    if not shapes:
        raise OptionError("gradcheck: give the shape of each input, as in --input 2,3,8,8")
    defaults.manual_seed(seed)
    seed_torch(path, seed)
    file = run_file(path)

    def check(shown: str, value: Any) -> Checked:
        defaults.manual_seed(seed)
        seed_torch(path, seed)
        layer: Any = _layer(path, shown, value)
        wanted = _shapes(shown, layer, shapes, whole_file=name is None)
        random = np.random.default_rng(seed)
        note = []
        if is_module(layer):
            layer.train(not evaluation)
            moved = spread_constants(layer, random)
            note = [f"moved off its constant value first: {', '.join(moved)}"] if moved else []
        inputs = as_library(library_of(layer, file), draw_inputs(wanted, random))
        report = gradcheck(layer, inputs, order=order, mode=mode, seed=seed)
        report.notes = [*note, *report.notes]
        report.command = _command(f"{path}:{shown}", wanted, order, evaluation, mode, seed)
        return Checked(shown, report)

    if name is not None:
        return [check(name, named(path, file, name))]
    checked = []
    for shown, value in layers(file).items():
        try:
            checked.append(check(shown, value))
        except TinygradError as error:
            checked.append(Checked(shown, problem=str(error)))
    if not checked:
        raise OptionError(
            f"{path}: has no op and no Module of its own; name a function, as in {path}:f"
        )
    return checked


def layers(file: ModuleType) -> dict[str, Any]:
    """The ops and Modules that a file defines, by name; a class only without an instance."""
    found: dict[str, Any] = {}
    known = {id(op) for op in OPS.values()}
    values = {n: v for n, v in vars(file).items() if not n.startswith("_")}
    instances = {type(value) for value in values.values() if is_module(value)}
    for name, value in values.items():
        if isinstance(value, Op):
            mine = id(value) not in known
        elif is_function(value):
            mine = value.__module__ == file.__name__
        elif isinstance(value, type) and is_module(value):
            mine = value.__module__ == file.__name__ and value not in instances
            mine = mine and not any(value in kind.__mro__[1:] for kind in instances)
        else:
            mine = is_module(value)
        if mine and not any(value is other for other in found.values()):
            found[name] = value
    return found


def _layer(path: Path, name: str, value: Any) -> Callable[..., Any]:
    """What the name stands for, ready to be called: of a class, an instance."""
    if is_function(value):
        return value.apply
    if isinstance(value, type) and is_module(value):
        return instance(path, name, value)
    if not callable(value) or isinstance(value, type):
        kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise OptionError(f"{path}:{name}: an op, a Module or a function is needed, not {kind}")
    return value


def _shapes(
    name: str, layer: Callable[..., Any], shapes: Sequence[tuple[int, ...]], whole_file: bool
) -> Sequence[tuple[int, ...]]:
    """The shapes for a layer's inputs.

    Raises:
        OptionError: there are too few or too many.
    """
    forward = layer.forward if isinstance(layer, Op) else layer
    if isinstance(forward, np.ufunc):
        inputs = list(layer.inputs) if isinstance(layer, Op) else []
        least = most = forward.nin
    else:
        parameters = positional(forward)
        inputs = [p.name for p in parameters]
        least = sum(p.default is p.empty for p in parameters)
        most = len(parameters)
        signature = inspect.signature(getattr(forward, "forward", forward))
        if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()) and not inputs:
            most = max(most, len(shapes))
    if len(shapes) < least or (len(shapes) > most and not whole_file):
        takes = f"{most} input{'s' * (most != 1)}" if least == most else f"{least} to {most} inputs"
        raise OptionError(
            f"{name} takes {takes} ({', '.join(inputs)}), and {len(shapes)} shape"
            f"{'s were' if len(shapes) != 1 else ' was'} given: give an --input for each"
        )
    return shapes[: max(least, min(most, len(shapes)))]


def _command(
    target: str,
    shapes: Sequence[tuple[int, ...]],
    order: int,
    evaluation: bool,
    mode: str,
    seed: int,
) -> str:
    words = ["tinygrad-cnn", "gradcheck", shlex.quote(target)]
    for shape in shapes:
        words += ["--input", ",".join(map(str, shape)) or "''"]
    words += ["--order", str(order)] if order != 1 else []
    words += ["--eval"] if evaluation else []
    words += ["--mode", mode] if mode != "full" else []
    return " ".join([*words, "--seed", str(seed)])


def summary(checked: Sequence[Checked]) -> str:
    """How many were right, wrong, and could not be checked."""
    codes = [c.exit_code for c in checked]
    return (
        f"{len(codes)} checked: {codes.count(RIGHT)} right, {codes.count(WRONG)} wrong, "
        f"{codes.count(UNCHECKED)} could not be checked"
    )


def exit_code(checked: Sequence[Checked]) -> int:
    """1 if something is wrong; else 2 if something could not be checked; else 0."""
    codes = {c.exit_code for c in checked}
    return WRONG if WRONG in codes else UNCHECKED if UNCHECKED in codes else RIGHT
