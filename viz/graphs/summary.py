"""`summary_page`: one run on one page: its graph, its gradients, and the table of its ops."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_cnn.recording.trace import Trace

from ..picture.gallery import Section, write_page
from .bars import gradient_bars, parameter_norms
from .draw import draw
from .flow import gradient_flow
from .norms import need_backward

INTRODUCTION = (
    "One run of a program, recorded: what was computed, the gradient that flowed back along every "
    "edge, how large each layer's gradient is, and what each op cost."
)


def summary_page(
    trace: Trace, path: str | os.PathLike[str] = "summary.html", *, title: str = "Summary of a run"
) -> Path:
    """Write one page about a run: graph, gradient flow, bars, and the table of its ops.

    The page is a single file that loads no other files and runs no script.

    Args:
        trace: of a program that ran a backward pass inside it.
        path: of the page; its folder is made if need be.
        title: its heading.

    Returns:
        The path.

    Raises:
        GraphError: the trace holds no forward or no backward pass.

    Example:
        >>> import tempfile, tinygrad_cnn as tg
        >>> layer = tg.nn.Linear(3, 2)
        >>> with tg.trace() as t:
        ...     layer(tg.Tensor([[1.0, 2.0, 3.0]])).sum().backward()
        >>> summary_page(t, f"{tempfile.mkdtemp()}/run.html").name
        'run.html'
    """
    need_backward(trace, "summary_page")
    sections = [
        Section(
            "The graph",
            "Every box is an op, with its parameters and the shape of its output, or a module; "
            "every arrow is an array that one op hands to the next.",
            [draw(trace)],
        ),
        Section(
            "The gradient that flowed back",
            "The same graph: an arrow is the wider and darker, the larger the gradient that passed "
            "along it. Exact zeros, NaN and missing gradients have marks of their own.",
            [gradient_flow(trace)],
        ),
    ]
    if parameter_norms(trace):
        sections.append(
            Section(
                "The gradient of each layer",
                "Mean, largest and smallest absolute value of each parameter's gradient, on a "
                "logarithmic axis.",
                [gradient_bars(trace)],
            )
        )
    table = Section(
        "What each op cost",
        "In order of the run: the module, the op, the shape of its output, multiply-adds from "
        "shapes, measured time, and the norm of the gradient at its output.",
        output=trace.summary(),
    )
    return write_page(path, title, INTRODUCTION, [*sections, table])
