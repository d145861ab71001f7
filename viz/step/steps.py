"""Every step of a program as plain data: what a page shows, decided without drawing.

A dict that JSON holds, in this format, which others can write, too:

- `format`: "tinygrad_cnn steps 1"; `title`: a few words.
- `nodes`: each value of the program, after what it was computed from: `label`, `op` (None for what
  was given), `role`, `scope` (the dotted name of its module), `shape`, `dtype`, `value` (the number
  of an array, or None), `needs_grad`. Other parts name nodes by their place in this list.
- `edges`: [producer, consumer, argument].
- `arrays`: see `arrays.py`. Values and gradients below are places in this list, or None.
- `sources`: files, each with `name` and `lines`, [number, text].
- `steps`: in the order in which they happened. Each has `kind`, `node`, `op`, `scope`, `source`
  ([file, line] or None) and `caption`, and by its kind:
  - "start": what was given, before the first op: `given`, nodes.
  - "forward": an op ran. `formula` (in letters), `numbers` (with numbers put in, "" for tensors),
    `inputs`: [{node, argument, value}], `outputs`: [{node, value}].
  - "seed": a backward pass begins, with the gradient `arrived` at `node`.
  - "backward": a vjp ran: `arrived` (one for each output), `inputs` and `outputs` as above, and
    `sends`: for each input {node, argument, edge (place in `edges`), formula, numbers, gradient
    (None: nothing is sent, and `why`), before and sum (at this input, without it and with it; None:
    no gradient yet), part and of (this is the part-th of so many that meet there)}.
  - "end": all gradients have arrived: `gradients`: [{node, gradient, parts}] at what was given.
  - "error": the program raised an error: `during` ("forward", "backward" or "program"), `error`,
    `message`, `inputs`.
- `ticks`: [step, label] where a module begins.

Scalars' steps also have a `template` beside `numbers`, in which {a}, {x}, {y} and {g} stand for
numbers, the `names` of the inputs in it, and their nodes the `options` of the op: a page that
changes the numbers computes and fills in anew.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_cnn import Event, Statistics
from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT

from ..graphs.words import argument_name
from ..picture.picture import plain
from .arrays import Arrays
from .captions import backward_caption, forward_caption, letters
from .formulas import filled, formula_of, gradient_of
from .labels import labels_of
from .numerals import numeral
from .recording import Recording
from .scalars import ScalarWords, kept
from .sources import Sources

FORMAT = "tinygrad_cnn steps 1"
MOST_TICKS = 24
Step = dict[str, Any]


def steps_of(recording: Recording) -> dict[str, Any]:
    """The steps of a recording, in the format described above.

    Example:
        >>> import tinygrad_cnn as tg
        >>> from viz.step.recording import recording_of
        >>> a = tg.Scalar(2.0, name="a")
        >>> b = a + a
        >>> b.node.name = "b"
        >>> data = steps_of(recording_of(b))
        >>> [step["kind"] for step in data["steps"]]
        ['start', 'forward', 'seed', 'backward', 'end']
        >>> for send in data["steps"][3]["sends"]:
        ...     print(send["formula"], send["numbers"], [send["part"], send["of"]])
        ∂b/∂b × 1 1 × 1 [1, 2]
        ∂b/∂b × 1 1 × 1 [2, 2]
    """
    return _Steps(recording).data()


class _Steps:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.graph = recording.graph
        self.sources = Sources(recording.sources)
        self.labels = labels_of(recording, self.sources)
        self.arrays = Arrays()
        self.words = ScalarWords(self.graph, self.labels, self.arrays)
        self.edges = self.graph.edges
        self.edge = {(e.consumer, e.argument): i for i, e in enumerate(self.edges)}
        self.result = "result"  # what the gradients are of
        self.values: dict[Node, Any] = {}
        self.sums: dict[Node, Any] = {}  # at each node, in this backward pass
        self.parts: dict[Node, list[Step]] = defaultdict(list)
        self.totals: dict[Node, Any] = {}  # at what was given, over all backward passes
        self.counts: dict[Node, int] = defaultdict(int)
        self.steps: list[Step] = []

    def data(self) -> dict[str, Any]:
        self._start()
        for event in self.recording.events:
            if event.kind == "forward":
                self._forward(event)
            else:
                self._backward(event)
        self._close_pass()
        if self.recording.failure is not None:
            self._error()
        elif self.totals:
            self._end()
        nodes = [self._node(i) for i in range(len(self.graph))]
        return {
            "format": FORMAT,
            "title": self.recording.title,
            "nodes": nodes,
            "edges": [list(edge) for edge in self.edges],
            "steps": self.steps,
            "ticks": ticks_of(self.steps),
            "sources": self.sources.plain(),
            "arrays": self.arrays.plain(),
        }

    def _node(self, i: int) -> dict[str, Any]:
        node = self.graph.nodes[i]
        value = self.values.get(node, None if type(node.value) is tuple else node.value)
        failure = self.recording.failure
        if failure is not None and failure.kind == "forward" and failure.node is node:
            value = None
        scalar = type(node.value) is float
        return {
            "label": self.labels[i],
            "op": node.op.name if node.op else None,
            "role": node.role,
            "scope": node.scope,
            "shape": list(node.shape),
            "dtype": node.dtype,
            "value": self.arrays(value),
            "needs_grad": node.needs_grad,
            **({"options": plain(node.options)} if scalar and node.options else {}),
        }

    def _add(self, kind: str, node: Node | None, caption: str, **more: Any) -> None:
        op = node.op if node is not None else None
        step = {
            "kind": kind,
            "node": None if node is None else self.graph.id(node),
            "op": op.name if op else "",
            "scope": node.scope if node is not None else "",
            "source": self.sources(node.source) if node is not None else None,
            "caption": caption,
        }
        self.steps.append(step | more)

    def _label(self, node: Node) -> str:
        return self.labels[self.graph.id(node)]

    # --- the kinds of steps --------------------------------------------------------------------

    def _start(self) -> None:
        given = [node for node in self.graph.nodes if node.op is None and node.role != "constant"]
        learned = sum(node.role in {"parameter", "buffer"} for node in given)
        words = []
        if len(given) - learned:
            words.append(_count(len(given) - learned, "input"))
        if learned:
            words.append(_count(learned, "parameter"))
        said = f"{' and '.join(words) or 'Nothing'} given. Nothing is computed yet."
        self._add("start", None, said, given=[self.graph.id(node) for node in given])

    def _forward(self, event: Event) -> None:
        node = event.node
        if node.op is OUTPUT:
            self.values[node] = event.output
            return
        if not isinstance(event.output, tuple):
            self.values[node] = event.output
        op = node.op
        assert op is not None
        template = formula_of(op).value
        caption, more = forward_caption(event), {}
        formula = f"{'y' if op.inputs else 'output'} = {filled(template, letters(event))}"
        numbers = ""
        if self._is_scalar(event):
            label, names = self._label(node), self.words.names(event, self.result)
            value = numeral(event.output)
            formula = f"{label} = {filled(template, names)}"
            put_in = filled(template, self.words.put_in(event))
            numbers = f"{put_in} = {value}"
            caption = f"{formula} = {numbers}."
            left = filled(template, kept(event))
            more = {"template": f"{left} = {{y}}", "names": list(op.inputs)}
        self._add(
            "forward",
            node,
            caption,
            formula=formula,
            numbers=numbers,
            inputs=self._inputs(event),
            outputs=self._outputs(event),
            **more,
        )
        self.steps[-1]["source"] = self.sources(event.source)

    def _backward(self, event: Event) -> None:
        node = event.node
        if node not in self.parts and not (
            node.op is not OUTPUT and any(part in self.parts for part in self._picked(node))
        ):
            self._seed(event)
        if node.op is OUTPUT:
            return
        arrived = event.cotangent if isinstance(event.cotangent, tuple) else (event.cotangent,)
        scalar = self._is_scalar(event)
        sends = [
            self._send(event, argument, parent, scalar)
            for argument, parent in enumerate(node.inputs)
            if parent is not None
        ]
        caption = (
            self.words.caption(event, sends, self.result) if scalar else backward_caption(event)
        )
        self._add(
            "backward",
            node,
            caption,
            result=self.result,
            arrived=[self.arrays(g) for g in arrived],
            inputs=self._inputs(event),
            outputs=self._outputs(event),
            sends=sends,
            **({"names": list(node.op.inputs)} if scalar and node.op else {}),
        )
        self.steps[-1]["source"] = self.sources(event.source)
        for send in sends:
            if not scalar and send["part"]:
                send["step"] = self.steps[-1]
        summed = self.sums.get(node)
        if summed is not None and not scalar and not _same(summed, event.cotangent):
            self.steps[-1]["caption"] += " A hook has changed the gradient that arrived."

    def _send(self, event: Event, argument: int, parent: Node, scalar: bool) -> Step:
        node, gradient = event.node, event.gradients[argument]
        op = node.op
        assert op is not None
        template = gradient_of(op, argument)
        names = self.words.names(event, self.result) if scalar else letters(event)
        send: Step = {
            "node": self.graph.id(parent),
            "argument": self._argument(node, argument),
            "edge": self.edge.get((self.graph.id(node), argument)),
            "formula": filled(template, names),
            "numbers": "",
            "gradient": self.arrays(gradient),
            "before": None,
            "sum": None,
            "part": 0,
            "of": 0,
        }
        if gradient is None:
            send["why"] = "it needs no gradient" if template else "no gradient flows to it"
            return send
        if scalar:
            send["numbers"] = filled(template, self.words.put_in(event))
            send["template"] = filled(template, kept(event))
        before = self.sums.get(parent)
        if before is None:
            total = gradient
        elif isinstance(gradient, Statistics) or isinstance(before, Statistics):
            total = event.sums[argument]
        else:
            total = before + gradient
        self.sums[parent] = total
        self.parts[parent].append(send)
        send |= {
            "before": self.arrays(before),
            "sum": self.arrays(total),
            "part": len(self.parts[parent]),
        }
        return send

    def _seed(self, event: Event) -> None:
        """A backward pass begins here: the gradients of an earlier one do not add to this one's."""
        self._close_pass()
        node, cotangent = event.node, event.cotangent
        self.result = self._label(node)
        one = type(cotangent) is float or getattr(cotangent, "size", 0) == 1
        same = one and not isinstance(cotangent, Statistics) and np.asarray(cotangent).item() == 1
        if same:
            said = (
                f"Backward begins at {self.result}: ∂{self.result}/∂{self.result} = 1, "
                "since it changes as fast as itself."
            )
        else:
            said = f"Backward begins at {self.result}, with the gradient that it was given."
        note = self.recording.notes.get(node, "")
        given = cotangent[0] if isinstance(cotangent, tuple) else cotangent
        self._add("seed", node, f"{said} {note}".strip(), arrived=[self.arrays(given)])
        self.steps[-1]["result"] = self.result

    def _close_pass(self) -> None:
        """Now it is known how many gradients met at each node."""
        for node, sends in self.parts.items():
            for send in sends:
                send["of"] = len(sends)
                if len(sends) > 1 and "step" in send:
                    send.pop("step")["caption"] += _meeting(self._label(node), send)
                send.pop("step", None)
            if node.op is None:
                total = self.totals.get(node)
                known = total is not None and not isinstance(total, Statistics)
                self.totals[node] = total + self.sums[node] if known else self.sums[node]
                self.counts[node] += len(sends)
        self.parts, self.sums = defaultdict(list), {}

    def _end(self) -> None:
        leaves = sorted(self.totals, key=self.graph.id)
        gradients = [
            {
                "node": self.graph.id(node),
                "gradient": self.arrays(self.totals[node]),
                "parts": self.counts[node],
            }
            for node in leaves
        ]
        said = f"Backward is done: {_count(len(leaves), 'value')} that was given has its gradient."
        if len(leaves) > 1:
            said = f"Backward is done: all {len(leaves)} values that were given have gradients."
        if len(leaves) <= 4 and all(type(self.totals[node]) is float for node in leaves):
            listed = ", ".join(
                f"∂{self.result}/∂{self._label(node)} = {numeral(self.totals[node])}"
                for node in leaves
            )
            said = f"Backward is done: {listed}."
        self._add("end", None, said, gradients=gradients, result=self.result)

    def _error(self) -> None:
        failure = self.recording.failure
        assert failure is not None
        node = failure.node
        during = {"forward": "forward", "backward": "its backward", "program": "the program"}
        where = f"{node.op.name}, {during[failure.kind]}" if node and node.op else "the program"
        inputs = [
            {"node": self.graph.id(p), "argument": argument_name(node, k), "value": self._given(p)}
            for k, p in enumerate(node.inputs if node else ())
            if p is not None and node is not None and node.op is not None and _fits(node, k)
        ]
        self._add(
            "error",
            node,
            f"Here the program stopped, in {where}. {failure}",
            during=failure.kind,
            error=failure.error,
            message=failure.message,
            inputs=inputs,
            outputs=[],
            arrived=[None if failure.cotangent is None else self.arrays(failure.cotangent)],
        )
        self.steps[-1]["source"] = self.sources(failure.source)

    # --- words and numbers ---------------------------------------------------------------------

    def _given(self, node: Node) -> int | None:
        return None if type(node.value) is tuple else self.arrays(node.value)

    def _inputs(self, event: Event) -> list[Step]:
        return [
            {
                "node": self.graph.id(parent),
                "argument": self._argument(event.node, k),
                "value": self.arrays(value),
            }
            for k, (parent, value) in enumerate(zip(event.node.inputs, event.inputs, strict=True))
            if parent is not None
        ]

    def _argument(self, node: Node, k: int) -> str:
        """What an input is called: as in the formula, or, where that has names, by its side."""
        assert node.op is not None
        by_side = type(node.value) is float or node.op.variadic
        return argument_name(node, k) if by_side else node.op.inputs[k]

    def _outputs(self, event: Event) -> list[Step]:
        if not isinstance(event.output, tuple):
            return [{"node": self.graph.id(event.node), "value": self.arrays(event.output)}]
        picked = {(n.options or {}).get("index"): n for n in self._picked(event.node)}
        return [
            {"node": self.graph.id(picked.get(k, event.node)), "value": self.arrays(value)}
            for k, value in enumerate(event.output)
        ]

    def _picked(self, node: Node) -> list[Node]:
        """The nodes of the outputs of an op that has several."""
        if not isinstance(node.value, tuple):
            return []
        i = self.graph.id(node)
        return [self.graph.nodes[e.consumer] for e in self.edges if e.producer == i]

    def _is_scalar(self, event: Event) -> bool:
        return type(event.output) is float


def ticks_of(steps: list[Step]) -> list[list[Any]]:
    """Where modules begin, as far down as there is room for on a slider."""
    scopes = [step["scope"] if step["kind"] in {"forward", "backward"} else "" for step in steps]
    deepest = max((scope.count(".") + 1 for scope in scopes if scope), default=0)
    for depth in range(deepest, 0, -1):
        cut = [".".join(scope.split(".")[:depth]) for scope in scopes]
        keys = [(scope, s["kind"] == "backward") for scope, s in zip(cut, steps, strict=True)]
        found = []
        for (scope, back), run in groupby(range(len(steps)), keys.__getitem__):
            if scope:
                found.append([next(run), f"{scope}, backward" if back else scope])
        if len(found) <= MOST_TICKS or depth == 1:
            return found
    return []


def _meeting(label: str, send: Step) -> str:
    """A sentence on gradients that meet at a node that is used several times."""
    part, of = send["part"], send["of"]
    if part == 1:
        return f" {label} is used {of} times: this is the first of {of} gradients that meet there."
    if part == of:
        return f" At {label} the last of {of} gradients is added: now its gradient is whole."
    return f" At {label} gradient {part} of {of} is added."


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _fits(node: Node, argument: int) -> bool:
    """Whether an op has a name for one of its arguments."""
    op = node.op
    return op is not None and (op.variadic or argument < len(op.inputs))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Statistics) or isinstance(other, Statistics | tuple):
        return True
    try:
        return bool((one == other).all() | (math.isnan(float((one - other).sum()))))
    except (AttributeError, ValueError, TypeError):
        return True
