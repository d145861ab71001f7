"""`step`: a program, op by op, forward and backward, as a page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from ..picture.dark import adapting
from ..picture.picture import Picture
from .drawings import drawings_of, refuse_large
from .opened import opened_ops
from .page import page_of
from .recording import recording_of
from .steps import steps_of
from .turning import why_fixed

HEIGHT = 640  # pixels of the page inside a notebook
Index = int | Sequence[int]


@dataclass(frozen=True, repr=False)
class Steps(Picture):
    """A program to step through. As a Picture it is the graph before the first step.

    Saved as .html it is a page, which loads no other files; as .json, the steps as data, in the
    format that `viz/step/steps.py` describes. A notebook shows the page.

    Example:
        >>> import tinygrad_cnn as tg
        >>> a = tg.Scalar(2.0, name="a")
        >>> step(a + a)
        <Steps 'a graph of Scalars', 4 steps>
    """

    def html(self) -> str:
        """The page."""
        return page_of(self.data)

    def frame(self, height: int = HEIGHT) -> str:
        """The page inside another one: a frame that may run scripts and nothing else.

        Below it lies the picture of the first step, for readers that show no frames.

        Args:
            height: in pixels.
        """
        picture = base64.b64encode(adapting(self.svg).encode()).decode()
        name = escape(self.title, quote=True)
        return (
            f'<div style="position:relative;height:{height}px;overflow:hidden">'
            f'<img alt="{name}: the graph, before its first step" style="max-width:100%" '
            f'src="data:image/svg+xml;base64,{picture}">'
            f'<iframe title="{name}, step by step" sandbox="allow-scripts" '
            'style="position:absolute;inset:0;width:100%;height:100%;border:1px solid #8886;'
            "box-sizing:border-box;"
            f'border-radius:8px;background:Canvas" srcdoc="{escape(self.html())}"></iframe></div>'
        )

    def _repr_html_(self) -> str:
        return self.frame()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {
            "text/html": self.frame(),
            "image/svg+xml": adapting(self.svg),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"<Steps {self.title!r}, {len(self.data['steps']) - 1} steps>"


def step(
    what: Any,
    x: Any = None,
    target: Any = None,
    *,
    loss: Callable[[Any, Any], Any] | None = None,
    grad: Any = None,
    open: Mapping[Any, Index | Sequence[Index]] | None = None,
    fold: bool | None = None,
    title: str | None = None,
) -> Steps:
    """Step through everything that a program did: each op forward, then each op backward.

    The page shows the graph beside the program's lines; at each step the formula, the numbers, and
    in the backward half what arrived, what is handed to each input, and how gradients add up where
    they meet. A graph of more than 32 boxes is folded; modules open on request. In a program of
    Scalars every input can be turned, and the page computes all values and gradients anew.

    Args:
        what: a Trace; a Tensor or Scalar with a graph; a model, with its input; or the path of a
            trace that `Trace.save` wrote. Of a program that raised an error, the Trace is shown as
            far as it came.
        x: of a model: its input, the batch size included. The model runs in evaluation mode, and
            is left as it was.
        target: of a model: what the loss compares the output with, e.g. labels. If None, the
            gradients are those of the output, or of its sum.
        loss: of a model: a function of output and target; `tg.cross_entropy` if None.
        grad: the gradient that the backward pass begins with, of the result's shape. If None, ones.
            A Trace has its own.
        open: elements to open into their arithmetic, beside a sample: {Tensor, or name of a module
            or value: index, or list of indices}.
        fold: True or False: close what repeats, or nothing, as for `viz.draw`.
        title: above the page.

    Returns:
        A Picture to be saved as .html; its data are the steps.

    Raises:
        DtypeError: `what` is something else.
        GraphError: nothing was recorded, the graph was freed, or a value was changed after its use.
        OptionError: a model without an input; more than 4000 ops or 3000 Scalars; `open` names what
            is not there.
        ShapeError: `open` holds an index that is not one element.

    Example:
        >>> import tinygrad_cnn as tg
        >>> a, b = tg.Scalar(2.0, name="a"), tg.Scalar(-3.0, name="b")
        >>> page = step(tg.relu(a * b))
        >>> [shown["kind"] for shown in page.data["steps"]]
        ['start', 'forward', 'forward', 'seed', 'backward', 'backward', 'end']
        >>> page.data["steps"][4]["sends"][0]["numbers"]
        '(−6 > 0) × 1'
    """
    recording = recording_of(what, x, target, loss=loss, grad=grad)
    refuse_large(recording)
    if title is not None:
        recording = replace(recording, title=title)
    data = steps_of(recording)
    labels = [node["label"] for node in data["nodes"]]
    drawings, start = drawings_of(recording, labels, fold)
    fixed = why_fixed(recording)
    gradients = {e.node: e.cotangent for e in recording.events if e.kind == "backward"}
    opened = opened_ops(recording, open or {}, gradients) if fixed is None or open else {}
    data |= {
        "drawings": drawings,
        "start": start,
        "scalar": fixed is not None,
        "turn": fixed,
        "opened": opened,
    }
    svg = drawings[start]["svg"]
    return Steps(svg, data, title=recording.title, page=lambda: page_of(data))
