"""Names: which submodule a node belongs to, and how the parts of a network may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..program import Imported, Program, Source

_DEEPEST = 60
"""Names with more dots are taken as one word: no network is nested so deeply."""

_TAKEN = frozenset(dir(Imported(Program(), {}, {})))


class Place(NamedTuple):
    """Where a node stands: its submodule, the classes of that and of those around it, its line."""

    module: str
    kinds: dict[str, str]
    source: Source | None


def dotted(name: str) -> str:
    """A dotted name whose parts may all be attributes of a module."""
    if not name:
        return ""
    parts = name.split(".")
    if len(parts) > _DEEPEST or "" in parts:
        parts = [name.replace(".", "/")]
    return ".".join(
        f"{part}_" if part in _TAKEN or part.startswith("_") else part for part in parts
    )


def place_of(node: Any, weights: Iterable[str]) -> Place:
    """Where a node stands, by what its exporter wrote, its name, or those of its weights."""
    facts = {entry.key: entry.value for entry in node.metadata_props}
    names = re.findall(r"'([^']*)'", facts.get("pkg.torch.onnx.name_scopes", ""))[:-1]
    source = None
    if lines := re.findall(
        r'File "([^"\n]+)", line (\d+)', facts.get("pkg.torch.onnx.stack_trace", "")
    ):
        source = lines[-1][0], int(lines[-1][1][:9])
    if names:
        classes = re.findall(r"'([^']*)'", facts.get("pkg.torch.onnx.class_hierarchy", ""))
        kinds = {
            dotted(name): kind.rpartition(".")[2]
            for name, kind in zip(names, classes, strict=False)
        }
        return Place(dotted(names[-1]), kinds, source)
    if "/" in node.name:
        return Place(_from_path(node.name), {}, source)
    return Place(_common([name.rpartition(".")[0] for name in weights]), {}, source)


def _from_path(name: str) -> str:
    """``/layer1/layer1.0/conv1/Conv`` is in layer1.0.conv1: a part may repeat the one before."""
    found: list[str] = []
    before = ""
    for part in name.strip("/").split("/")[:-1]:
        if before and part.startswith(f"{before}."):
            found[-1] = part
        else:
            found.append(part)
        before = part
    return dotted(".".join(found))


def _common(names: list[str]) -> str:
    """The dotted name that all begin with."""
    if not names:
        return ""
    found: list[str] = []
    for parts in zip(*(name.split(".") for name in names), strict=False):
        if len(set(parts)) > 1:
            break
        found.append(parts[0])
    return dotted(".".join(found))


def apart(names: Iterable[str], modules: set[str]) -> dict[str, str]:
    """For each name of a tensor one that no other has, no module, and no part of another.

    Args:
        names: as the file has them.
        modules: dotted names of the modules; those that the tensors are in are added.
    """
    wanted = {name: dotted(name) for name in names}
    for name in wanted.values():
        modules.update(parents(name))
    found: dict[str, str] = {}
    taken = set(modules)
    for name, own in wanted.items():
        while own in taken:
            own += "_"
        taken.add(own)
        found[name] = own
    return found


def parents(name: str) -> list[str]:
    """``a``, ``a.b`` of ``a.b.c``."""
    parts = name.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
