"""Formulas and sentences with names and numbers put in, for steps of Scalars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_cnn import Event, Graph

from .arrays import Arrays
from .captions import Letters, letters
from .numerals import numeral, operand


class ScalarWords:
    """What the formulas of a program of Scalars are filled with.

    Args:
        graph: the program's.
        labels: the name of each of its nodes.
        arrays: where the numbers of steps are.
    """

    def __init__(self, graph: Graph, labels: Sequence[str], arrays: Arrays) -> None:
        self.graph, self.labels, self.arrays = graph, labels, arrays

    def names(self, event: Event, result: str) -> Letters:
        """Names: of the op's inputs and output, and of the gradient of `result` there."""
        op = event.node.op
        assert op is not None
        names = letters(event)
        for name, parent in zip(op.inputs, event.node.inputs, strict=False):
            if parent is not None:
                names[name] = self.labels[self.graph.id(parent)]
        label = self.labels[self.graph.id(event.node)]
        return Letters(names | {"y": label, "g": f"∂{result}/∂{label}"})

    def put_in(self, event: Event) -> Letters:
        """Numbers, the negative ones in brackets."""
        op = event.node.op
        assert op is not None
        words = letters(event)
        for name, value in zip(op.inputs, event.inputs, strict=False):
            if value is not None:
                words[name] = operand(float(value))
        words["y"] = operand(float(event.output))
        if event.cotangent is not None:
            words["g"] = operand(float(event.cotangent))
        return words

    def caption(self, event: Event, sends: Sequence[Mapping[str, Any]], result: str) -> str:
        """What a backward step hands to each input, and what this adds up to there."""
        label = self.labels[self.graph.id(event.node)]
        said = [f"∂{result}/∂{label} is {numeral(event.cotangent)}."]
        for send in sends:
            if send["gradient"] is None:
                continue
            name = self.labels[send["node"]]
            if sum(other["node"] == send["node"] for other in sends) > 1:
                name += f" ({send['argument']})"
            gradient = self.arrays.value(send["gradient"])
            total = self.arrays.value(send["sum"])
            put_in = f"{send['numbers']} = " if send["numbers"] != numeral(gradient) else ""
            text = f"{name} gets {send['formula']} = {put_in}{numeral(gradient)}"
            if send["before"] is not None:
                before = self.arrays.value(send["before"])
                text += f", and together {numeral(before)} + {operand(gradient)} = {numeral(total)}"
            said.append(text + ".")
        return " ".join(said)


def kept(event: Event) -> Letters:
    """Options put in, and the rest left to be put in."""
    op = event.node.op
    assert op is not None
    return Letters(letters(event) | {name: f"{{{name}}}" for name in (*op.inputs, "y", "g")})
