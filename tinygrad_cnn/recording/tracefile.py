"""A recorded run as one file: `Trace.save` and `load_trace`.

The file is safetensors: every array once, and the rest as JSON in its header. Reading it runs no
code.
"""

from __future__ import annotations

import hashlib
import linecache
import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.node import Node
from ..engine.op import Cost
from ..errors import DataError, DtypeError
from .description import Description
from .event import Event, Failure
from .interchange import (
    Json,
    dumps,
    loads,
    nodes_from_json,
    nodes_to_json,
    value_from_json,
    value_to_json,
)

if TYPE_CHECKING:
    from .trace import Trace

FORMAT = "tinygrad_cnn trace 1"


class _Arrays:
    """The arrays of a file, by number. Equal ones are stored once."""

    def __init__(self) -> None:
        self.stored: dict[str, np.ndarray[Any, Any]] = {}
        self._names: dict[tuple[Any, ...], str] = {}

    def __call__(self, array: Any) -> Json:
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise DtypeError(f"save: the file cannot hold {array.dtype} arrays")
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        content = (array.shape, array.dtype, hashlib.sha256(array).digest())
        name = self._names.setdefault(content, str(len(self.stored)))
        self.stored[name] = array
        return {"array": name}


def write_trace(trace: Trace, path: str | os.PathLike[str]) -> None:
    """See `Trace.save`."""
    from safetensors.numpy import save_file

    arrays = _Arrays()
    nodes, failure = trace.nodes, trace.failure
    failed = failure.node if failure else None
    if failed is not None and failed not in nodes:
        nodes = [*nodes, *(p for p in failed.inputs if p is not None and p not in nodes), failed]
    ids = {node: i for i, node in enumerate(nodes)}
    files = _file_names(trace)
    stored_graph = nodes_to_json(nodes, trace.graph.outputs, arrays)
    for entry in stored_graph["nodes"]:
        if "source" in entry:
            entry["source"][0] = files[entry["source"][0]]
    sources = {name: trace.sources.get(name) or _text(file) for file, name in files.items()}
    events = [
        {
            "kind": event.kind,
            "node": ids[event.node],
            "source": event.source and [files[event.source[0]], event.source[1]],
            "seconds": event.seconds,
            "cost": list(event.cost),
            **{
                name: value_to_json(getattr(event, name), arrays)
                for name in ("inputs", "output", "cotangent", "gradients", "sums")
            },
        }
        for event in trace.events
    ]
    header = {
        "format": FORMAT,
        "keep": trace.keep,
        "graph": stored_graph,
        "computed": [ids[node] for node in trace.graph.nodes],
        "events": events,
        "sources": {name: text for name, text in sources.items() if text},
    }
    if failure is not None:
        header["failure"] = {
            "kind": failure.kind,
            "error": failure.error,
            "message": failure.message,
            "source": failure.source and [files[failure.source[0]], failure.source[1]],
            "node": None if failed is None else ids[failed],
            "cotangent": value_to_json(failure.cotangent, arrays),
        }
    save_file(arrays.stored, path, metadata={"trace": dumps(header)})


def read_trace(path: str | os.PathLike[str], of: Callable[..., Trace]) -> Trace:
    """The trace in a file, which `of` makes from its settings, nodes, events and sources.

    Raises:
        DataError: see `load_trace`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"load_trace: cannot read {os.fspath(path)}: {error}") from error
    data = loads(metadata.get("trace", "null"), "load_trace")
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise DataError(f"load_trace: {os.fspath(path)} holds no trace in the format {FORMAT!r}")

    def array(entry: Json) -> Any:
        if "array" in entry:
            return stored[entry["array"]]
        return Description(tuple(entry["shape"]), entry["dtype"])

    nodes, _ = nodes_from_json(data["graph"], array)
    try:
        computed = [nodes[i] for i in data["computed"]]
        events = [_event(entry, nodes, array) for entry in data["events"]]
        failure = _failure(data.get("failure"), nodes, array)
        if failure is not None and failure.kind == "forward":
            nodes = [node for node in nodes if node is not failure.node]
        return of(data["keep"], nodes, computed, events, data["sources"], failure)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise DataError(f"load_trace: this trace is damaged: {error!r}") from error


def _event(entry: Json, nodes: list[Node], array: Callable[[Json], Any]) -> Event:
    values = {
        name: value_from_json(entry[name], array)
        for name in ("inputs", "output", "cotangent", "gradients", "sums")
    }
    source = (entry["source"][0], entry["source"][1]) if entry["source"] else None
    node, cost = nodes[entry["node"]], Cost(*entry["cost"])
    return Event(entry["kind"], node, source, entry["seconds"], cost, **values)


def _failure(entry: Json, nodes: list[Node], array: Callable[[Json], Any]) -> Failure | None:
    if entry is None:
        return None
    return Failure(
        entry["kind"],
        entry["error"],
        entry["message"],
        (entry["source"][0], entry["source"][1]) if entry["source"] else None,
        None if entry["node"] is None else nodes[entry["node"]],
        value_from_json(entry["cotangent"], array),
    )


def _file_names(trace: Trace) -> dict[str, str]:
    """For each source file of a trace its name in the saved file, without directories."""
    names: dict[str, str] = {}
    for source in [
        *(node.source for node in trace.nodes),
        *(event.source for event in trace.events),
        trace.failure.source if trace.failure else None,
    ]:
        if source is not None and source[0] not in names:
            short = PurePath(source[0]).name
            taken = set(names.values())
            names[source[0]] = short if short not in taken else f"{short} ({len(taken)})"
    return names


def _text(file: str) -> str:
    return "".join(linecache.getlines(file))
