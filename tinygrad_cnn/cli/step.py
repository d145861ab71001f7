"""`tinygrad-cnn step`: a script, a model on an example, or a saved trace, op by op."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from ..engine.context import Block, StepBack, Watcher, current_mode
from ..engine.node import Node
from ..engine.scalar import Scalar
from ..engine.source import user_line
from ..engine.tensor import Tensor
from ..errors import DataError, GraphError
from ..recording.trace import Trace, trace
from .batch import Asked, Batch
from .loss import run
from .network import PICKLES, Network, opened
from .options import (
    DataName,
    ImageFile,
    InputShapes,
    Label,
    ModelOptions,
    Seed,
    SomeWeights,
)


def step(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A script, FILE.py; a network, as for `flow`: a name, FILE.py:Net, .onnx, .pt2; "
            "or a saved trace.",
        ),
    ],
    data: DataName = None,
    index: Annotated[int, typer.Option(min=0, help="Which example of the data's test part.")] = 0,
    inputs: InputShapes = None,
    image: ImageFile = None,
    label: Label = None,
    weights: SomeWeights = None,
    option: ModelOptions = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File: .html or .json. [NAME-step.html]")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="In the terminal, instead.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    seed: Seed = 0,
) -> None:
    """Step through a program, forward and backward, in the browser.

    A script is run; shown is what its trace() recorded, or else the last Tensor or Scalar on which
    it called backward(). A network runs on one example in evaluation mode, up to its loss.
    """
    from viz.picture.browser import open_page
    from viz.step import step as step_through
    from viz.step.text import walk

    file, error = Path(what), None
    stem = file.stem
    if file.suffix == ".py":
        target, error = run_script(file)
        page = step_through(target, title=file.name)
    elif file.is_file() and file.suffix not in (".onnx", ".pt2", *PICKLES):
        page = step_through(file)
    else:
        asked = Asked(inputs or (), image, data, None if inputs else 1, label, seed, index)
        found, given = opened(what, asked, options=option, weights=weights, examples=True)
        recorded, error = run_network(found, given)
        about = f"example {index} of {given.about.partition(' of ')[2]}"
        about = given.about if given.labels is None or label is not None else about
        page = step_through(recorded, title=f"{what} on {about}")
        stem = found.stem
    if text:
        walk(page.data)
    else:
        path = page.save(out or Path(f"{stem}-step.html"))
        told = f"{path}: {len(page.data['steps']) - 1} steps"
        if not (no_open or path.suffix != ".html" or open_page(path)):
            told += "; no browser could be opened here"
        typer.echo(told)
    if error is not None:
        typer.echo(error, err=True)
        raise typer.Exit(1)


def run_network(network: Network, batch: Batch) -> tuple[Trace, str | None]:
    """A network's forward and backward pass, and what it raised, if an op did."""
    with trace() as recorded:
        try:
            _, loss, _ = run(network, batch, training=False)
            loss.backward()
        except Exception as error:
            if recorded.failure is None:
                raise
            return recorded, str(error)
    return recorded, None


# --- scripts -------------------------------------------------------------------------------------


class _Listener(Watcher):
    """Notes the last trace that recorded something, and the last node that backward began at.

    Nodes get their lines, as inside a trace.
    """

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self.root: Node | None = None
        self._reached: set[Node] = set()

    def _note(self) -> None:
        traces = [w for w in current_mode().watchers if isinstance(w, Trace)]
        self.trace = traces[0] if traces else self.trace

    def on_forward(self, node: Node, seconds: float) -> None:
        node.source = node.source or user_line()
        self._note()

    def on_backward(self, step: StepBack) -> None:
        self._note()
        if step.node not in self._reached:
            self.root, self._reached = step.node, set()
        self._reached.update(p for p in step.node.inputs if p is not None)

    def on_error(self, error: Exception, op: Any, inputs: Any) -> None:
        self._note()


def run_script(file: Path) -> tuple[Any, str | None]:
    """Run a script; what there is to step through, and its traceback if it raised an error.

    Raises:
        DataError: there is no such file, or it cannot be read.
        GraphError: nothing was recorded.
    """
    try:
        source = file.read_bytes()
        code = compile(source, str(file), "exec")
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        raise DataError(f"{file}: is no Python program: {error}") from error
    heard, told, program = _Listener(), None, ModuleType("__main__")
    program.__file__ = str(file)
    before = sys.argv, sys.path, sys.modules["__main__"]
    sys.argv, sys.path = [str(file)], [str(file.parent), *sys.path]
    sys.modules["__main__"] = program
    try:
        with Block(lambda mode: mode.watched_by(heard)):
            exec(code, vars(program))
    except SystemExit:
        pass
    except Exception as error:
        frames = error.__traceback__
        while frames and frames.tb_frame.f_code.co_filename != str(file):
            frames = frames.tb_next
        told = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
    finally:
        sys.argv, sys.path, sys.modules["__main__"] = before
    if heard.trace is not None:
        return heard.trace, told
    if heard.root is not None:
        return (Scalar if type(heard.root.value) is float else Tensor).of(heard.root), told
    raise GraphError(
        told or f"{file}: recorded nothing; call backward(), or compute inside `with tg.trace()`"
    )
