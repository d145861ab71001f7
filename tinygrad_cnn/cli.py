"""The command line, `tinygrad-cnn`. The only file here that imports `viz`, inside its commands."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from typer.core import TyperGroup

from . import checkpoint, defaults
from . import data as datasets
from .data import DataLoader
from .data.image import read_image
from .errors import OptionError, TinygradError
from .models import MODELS, build
from .nn import Module
from .ops.loss import cross_entropy
from .ops.softmax import softmax
from .tensor import Tensor
from .train import fit
from .train import predict as logits_of
from .train.command import (
    OPTIMIZERS,
    SCHEDULES,
    data_of,
    describe_training,
    make_optimizer,
    make_schedule,
    resume_from,
    try_on,
)

INTERRUPTED = 130  # a shell's exit code for Ctrl-C
LONGEST_ERROR = 500  # characters; what a file lacks may be a hundred names
UsageError: Any = typer.BadParameter.__bases__[0]  # typer does not export it


class Commands(TyperGroup):
    """The commands. Bad input is one sentence on stderr, and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            sentence = error.format_message()
        except BrokenPipeError:
            raise
        except TinygradError as error:
            sentence = str(error)
        except OSError as error:
            sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sentence = textwrap.shorten(sentence, LONGEST_ERROR, placeholder=" …")
        typer.echo(f"tinygrad-cnn: {sentence}", err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=Commands,
    help="Autograd for convolutional networks, and pictures of what is inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    app()


# --- options that several commands have ------------------------------------------------------

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A name that `models` lists.")]
Weights = Annotated[Path, typer.Option("--weights", "-w", help="A file that `train` saved.")]
DataName = Annotated[
    str | None, typer.Option("--data", help="Data set.  [default: the one that suits the model]")
]
Full = Annotated[bool, typer.Option("--full", help="All of the data, not what comes along.")]
Folder = Annotated[
    Path | None, typer.Option(help="Where the data set's own files are; implies --full.")
]


ModelOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-O", metavar="NAME=VALUE", help="Of the model: activation=relu; repeatable."
    ),
]


def _build(name: str, options: list[str] | None) -> Module:
    """The model of that name, with options as the command line has them."""
    given = dict(map(_option, options or []))
    try:
        model: Module = build(name, **given)
    except TinygradError:
        raise
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name}: cannot be built with {given} ({error})") from error
    return model


def _option(text: str) -> tuple[str, Any]:
    """activation=relu, width=0.25, sizes=784,100,10, fixed=true."""
    name, _, value = text.partition("=")
    if not (name.isidentifier() and value):
        raise OptionError(f"--option: NAME=VALUE is needed, such as width=0.25, not {text!r}")
    try:
        return name, ast.literal_eval(value.title() if value in ("true", "false") else value)
    except (ValueError, SyntaxError):
        return name, value


# --- training --------------------------------------------------------------------------------


@app.command()
def train(
    model: ModelName,
    data: DataName = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data, in all.")] = 10,
    save: Annotated[
        Path | None, typer.Option("--save", "-s", help="File, written after every epoch.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the file, with the same options.")
    ] = False,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = "adam",
    lr: Annotated[
        float | None, typer.Option(help="Learning rate.  [default: 0.1 for sgd, else 0.003]")
    ] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd alone.  [default: 0.9]")] = None,
    weight_decay: Annotated[float, typer.Option(help="Pull of the weights towards 0.")] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Examples in a step.")] = 32,
    schedule: Annotated[str, typer.Option(help=f"One of {', '.join(SCHEDULES)}.")] = "constant",
    warmup: Annotated[float, typer.Option(help="Epochs in which the rate rises.")] = 0.0,
    clip_norm: Annotated[
        float | None, typer.Option(help="Scale larger gradients down to this norm.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many epochs that are no better.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="One seed repeats a run to the bit.")] = 0,
    option: ModelOptions = None,
    full: Full = False,
    folder: Folder = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train a model, and measure it on validation data after every epoch.

    Fashion-MNIST and MNIST hold out a tenth of the training images for that; the test images are
    for `evaluate` alone.

    The file that --save names holds the model and all that --resume needs. Ctrl-C stops after
    the step that runs, with exit code 130.
    """
    if resume and save is None:
        raise OptionError("--resume needs --save FILE: the file to go on from")
    if save is not None:
        checkpoint.need_folder(save)
    defaults.manual_seed(seed)
    network = _build(model, option)
    name, options = data_of(model, data, full, folder)
    training, held_out = datasets.load_training(name, **options)
    try_on(model, network, training)
    loader = DataLoader(training, batch_size, seed=seed)
    stepper = make_optimizer(optimizer, network, lr, momentum, weight_decay)
    rates = make_schedule(schedule, stepper, epochs, warmup)
    history = resume_from(save, network, stepper, rates, loader) if resume and save else None
    history = fit(
        network,
        loader,
        stepper,
        epochs,
        held_out=held_out,
        schedule=rates,
        clip_norm=clip_norm,
        patience=patience,
        checkpoint=save,
        history=history,
        progress=not quiet,
    )
    typer.echo(describe_training(model, history, held_out, save))
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)


# --- trained models --------------------------------------------------------------------------


@app.command()
def evaluate(
    model: ModelName,
    weights: Weights,
    data: DataName = None,
    split: Annotated[str, typer.Option(help="Which part of the data.")] = "test",
    full: Full = False,
    folder: Folder = None,
) -> None:
    """Measure a trained model's accuracy and loss."""
    network = checkpoint.restore(weights, model)
    name, options = data_of(model, data, full, folder)
    examples = datasets.load(name, split, **options)
    try_on(model, network, examples)
    logits = logits_of(network, examples.inputs)
    right = int((logits.argmax(axis=1) == examples.labels).sum())
    loss = cross_entropy(Tensor(logits), examples.labels).item()
    typer.echo(
        f"{model} on {examples.name}: accuracy {right / len(examples):.4f} "
        f"({right:,} of {len(examples):,} right), loss {loss:.4f}"
    )


@app.command()
def predict(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture: PNG, JPEG …")],
    model: Annotated[str, typer.Option("--model", "-m", help="A name that `models` lists.")],
    weights: Weights,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 5,
    invert: Annotated[
        bool, typer.Option("--invert", help="Make dark light: for dark things on a light ground.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Draw it too: .svg, .png, .html or .json.")
    ] = None,
) -> None:
    """Name the likeliest classes of an image.

    The image is made grey, if the model's images are, and resized to their size. Fashion-MNIST
    shows light things on a dark ground: --invert a usual photograph. What is transparent is white.
    """
    if out is not None:
        checkpoint.need_folder(out)
    network: Any = checkpoint.restore(weights, model)
    pixels = read_image(image, network.input_shape, model)
    if invert:
        pixels = 1 - pixels
    probabilities = softmax(logits_of(network, pixels[None])[0])
    classes = checkpoint.about(weights).get("classes") or []
    if len(classes) != len(probabilities):
        classes = [f"class {i}" for i in range(len(probabilities))]
    for i in np.argsort(-probabilities, kind="stable")[:top]:
        typer.echo(f"{probabilities[i]:7.2%}  {classes[i]}")
    if out is not None:
        from viz.prediction import prediction

        prediction(pixels, probabilities, classes, top).save(out)
        typer.echo(f"{out}: the image as {model} sees it")


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show its layers.")] = None,
    option: ModelOptions = None,
) -> None:
    """List the models; or the layers, shapes and parameters of one."""
    if name is not None:
        network: Any = _build(name, option)
        typer.echo(network.summary((1, *network.input_shape)))
        return
    rows = [("model", "input", "data", "")]
    rows += [
        (name, "×".join(map(str, entry.input_shape)), entry.data, entry.about)
        for name, entry in MODELS.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


# --- custom layers ---------------------------------------------------------------------------


@app.command()
def gradcheck(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE.py[:NAME]",
            help="An op, a Module, a function of Tensors, or an expression such as Scale(3); "
            "without a name, every op and Module in the file.",
        ),
    ],
    shapes: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="The shape of an input, as 2,3,8,8; once for each."),
    ] = None,
    order: Annotated[
        int, typer.Option(min=1, max=2, help="2 checks the gradient of the gradient, too.")
    ] = 1,
    evaluation: Annotated[
        bool, typer.Option("--eval", help="Modules in evaluation mode, not in training mode.")
    ] = False,
    mode: Annotated[
        str, typer.Option(help="full compares Jacobians; random, for large inputs, slopes.")
    ] = "full",
    seed: Annotated[int, typer.Option(min=0, help="Of the inputs and of fresh weights.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page with the Jacobians, too.")] = None,
) -> None:
    """Check the gradient of a layer of your own, and say what is wrong with it.

    Exit code: 0 right, 1 wrong, 2 could not be checked.
    """
    from .gradcheck import command

    sizes = [_shape(text) for text in shapes or []]
    checked = command.check_file(
        target, sizes, order=order, evaluation=evaluation, mode=mode, seed=seed
    )
    for one in checked:
        right = one.exit_code == command.RIGHT and len(checked) > 1
        typer.echo(one.line if right else str(one))
    if len(checked) > 1:
        typer.echo(command.summary(checked))
    if html is not None:
        from viz.checks import write_checks

        at = ", ".join(str(size) for size in sizes)
        told = f"{command.summary(checked)}; at inputs of shape {at}, seed {seed}."
        reports = {c.name: c.problem if c.report is None else c.report for c in checked}
        write_checks(html, f"gradcheck {target}", told, reports)
        typer.echo(f"{html}: the Jacobians")
    raise typer.Exit(command.exit_code(checked))


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise OptionError(f"--input: sizes such as 2,3,8,8 are needed, not {text!r}")
    return shape


# --- pictures --------------------------------------------------------------------------------


@app.command()
def tour(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and their page.")] = Path(
        "gallery"
    ),
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training LeNet.")] = 30,
) -> None:
    """Train on real images, trace, draw, split over paths, gradient-check; write a page."""
    from viz.tour import tour as run

    run(out, epochs)


@app.command()
def draw(
    model: Annotated[str, typer.Argument(help="A model's name; an unknown one lists them all.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .svg, .png, .html, .dot or .json. [MODEL.svg]"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images in the batch that is drawn.")] = 1,
    depth: Annotated[int | None, typer.Option(min=1, help="Fold modules below this level.")] = None,
    option: ModelOptions = None,
) -> None:
    """Draw a model's computation graph."""
    from viz import draw as draw_graph

    network: Any = _build(model, option)
    shape = (batch, *network.input_shape)
    path = out or Path(f"{model}.svg")
    draw_graph(network, input_shape=shape, depth=depth).save(path)
    typer.echo(f"{path}: {model} on an input of shape {shape}")


@app.command()
def paths(
    model: ModelName,
    data: DataName = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File: .html, .svg, .png or .json. [MODEL-paths.html]"),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that the gradient is of.")] = 8,
    kind: Annotated[str | None, typer.Option(help="table, tree, path, trellis or lengths.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=0, help="Keep only paths of so many branches apart.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=0, help="Single paths of each length to measure.")
    ] = 10,
    weights: Annotated[
        Path | None, typer.Option("--weights", "-w", help="A file that `train` saved.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of fresh weights.")] = 0,
) -> None:
    """Split a residual network's gradient over its 2ⁿ paths, on real images, and draw it."""
    from viz.paths.command import draw_paths

    path, found = draw_paths(
        model,
        data,
        out,
        batch=batch,
        kind=kind,
        max_length=max_length,
        samples=samples,
        weights=weights,
        seed=seed,
    )
    number, n = sum(found.count), found.n_blocks
    typer.echo(
        f"{path}: {number:,} path{'s' * (number != 1)} over {n} residual block{'s' * (n != 1)}"
    )


# --- tutorials -------------------------------------------------------------------------------


@app.command()
def tutorial(
    name: Annotated[
        str | None, typer.Argument(metavar="[NUMBER]", help="Or a name, or a file of your own.")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="Cell by cell in the terminal.")] = False,
    notebook: Annotated[bool, typer.Option("--notebook", help="Write an .ipynb instead.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("gallery"),
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="With --step: from the beginning.")
    ] = False,
) -> None:
    """List the tutorials; or run one, and open it as a page.

    A tutorial that is left in --step goes on there the next time.
    """
    from viz import tutorial as tutorials

    if name is None:
        there = tutorials.listed()
        width = max(len(one.title) for one in there)
        for one in there:
            typer.echo(f"{one.title:<{width}}  {one.path}")
        return
    if step and notebook:
        raise OptionError("--step and --notebook are two ways to go through it: give one")
    chosen = tutorials.find(name)
    if notebook:
        path = tutorials.write_notebook(chosen, out)
        typer.echo(f"{path}: open it in VS Code or Jupyter (pip install 'tinygrad_cnn[notebook]')")
    elif step:
        tutorials.step(chosen, out, restart)
    else:
        with typer.progressbar(length=len(chosen.cells), label=chosen.title) as bar:
            path, last = tutorials.write_page(
                chosen, out, lambda done, _: bar.update(done - bar.pos)
            )
        typer.echo(f"{path}: prose, code, results and pictures")
        if last.error:
            typer.echo(f"{chosen.path}: a cell failed\n{last.error}", err=True)
            raise typer.Exit(1)
        if not no_open:
            typer.launch(path.resolve().as_uri())
