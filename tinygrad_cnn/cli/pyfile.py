"""A Python file of the user's: run, and what a name in it stands for."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import DataError, OptionError

TARGET = re.compile(r"(?P<path>.+?\.py)(:(?P<name>.*))?", re.DOTALL)


def run_file(path: Path) -> ModuleType:
    """Run a file as a module, with its folder on the path for what it imports.

    Raises:
        DataError: there is no such file, or it raises.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DataError(f"{path}: is no Python file")
    file = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    hidden = sys.modules.get(name)
    sys.modules[name] = file  # dataclasses and pickles look a class's module up
    try:
        spec.loader.exec_module(file)
    except (Exception, SystemExit) as error:
        lines = [
            f.lineno
            for f in traceback.extract_tb(error.__traceback__)
            if Path(f.filename) == path.resolve()
        ]
        at = lines[-1] if lines else getattr(error, "lineno", None)
        line = f", line {at}" if at else ""
        raise DataError(f"{path}{line}: {said(error)}") from error
    finally:
        sys.path.pop(0)
        if hidden is not None:
            sys.modules[name] = hidden
    return file


def seed_torch(path: Path, seed: int) -> None:
    """Seed PyTorch's generator, if a file speaks of PyTorch."""
    if not path.is_file() or b"torch" not in path.read_bytes():
        return
    try:
        import torch
    except ImportError:  # the file will say so itself, if it needs PyTorch
        return
    torch.manual_seed(seed)


def named(path: Path, file: ModuleType, name: str) -> Any:
    """What a name in a file that was run stands for, or an expression such as ``make(3)``.

    Raises:
        OptionError: there is nothing of that name, or the expression raises.
    """
    if name.isidentifier() and name not in vars(file):
        public = [
            n
            for n, v in vars(file).items()
            if callable(v)
            and not n.startswith("_")
            and getattr(v, "__module__", "") == file.__name__
        ]
        near = difflib.get_close_matches(name, public, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(public) or 'none'}"
        raise OptionError(f"{path}: there is no {name!r}; {hint}")
    try:
        return eval(name, vars(file))  # an expression by the user, as is the file that was run
    except Exception as error:
        raise OptionError(f"{path}:{name}: {said(error)}") from error


def instance(path: Path, name: str, kind: type) -> Any:
    """An instance of a class that is called ``name``, made without arguments.

    Raises:
        OptionError: it needs some, or raises.
    """
    needed = [p.name for p in required(inspect.signature(kind))]
    if needed:
        raise OptionError(
            f"{name} needs {', '.join(needed)}: write it out, as in "
            f'"{path}:{name}({", ".join(f"{n}=…" for n in needed)})"'
        )
    try:
        return kind()
    except Exception as error:
        raise OptionError(f"{name}() failed: {said(error)}") from error


def required(signature: inspect.Signature) -> list[inspect.Parameter]:
    """The parameters that must be given."""
    varied = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        p for p in signature.parameters.values() if p.default is p.empty and p.kind not in varied
    ]


def said(error: BaseException) -> str:
    """An error's class and message, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
