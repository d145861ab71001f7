"""The command line, `tinygrad-cnn`. The only file here that imports `viz`, inside its commands."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from typer.core import TyperGroup

from . import checkpoint, defaults, optim
from . import data as datasets
from .data import DataLoader, Dataset
from .errors import DataError, OptionError, ShapeError, TinygradError
from .models import MODELS, build
from .nn import Module
from .ops.loss import cross_entropy
from .ops.softmax import softmax
from .tensor import Tensor
from .train import History, fit
from .train import predict as logits_of

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

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine")


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
    name, options = _data_of(model, data, full, folder)
    training, held_out = datasets.load_training(name, **options)
    _try(model, network, training)
    loader = DataLoader(training, batch_size, seed=seed)
    stepper = _optimizer(optimizer, network, lr, momentum, weight_decay)
    rates = _schedule(schedule, stepper, epochs, warmup)
    history = _resume(save, model, network, stepper, rates, loader) if resume and save else None
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
    typer.echo(_report(model, history, held_out, save))
    if history.interrupted:
        raise typer.Exit(INTERRUPTED)


def _data_of(
    model: str, name: str | None, full: bool, folder: Path | None
) -> tuple[str, dict[str, Any]]:
    """The name of the data to use, and the options that it is loaded with."""
    if name is None and MODELS[model].data not in datasets.DATASETS:
        raise OptionError(f"{model} has no data set of its own; name one by --data")
    name = name or MODELS[model].data
    options = ({"full": True} if full else {}) | ({"folder": folder} if folder else {})
    if name in datasets.DATASETS:
        possible = inspect.signature(datasets.DATASETS[name]).parameters
        for option in options:
            if option not in possible:
                raise OptionError(f"data {name!r} comes whole, and takes no --{option}")
        needed = [option for option, p in possible.items() if p.default is p.empty]
        if "folder" in needed and folder is None:
            raise OptionError(f"data {name!r} needs --folder: where its files are")
    return name, options


def _try(name: str, network: Any, data: Dataset) -> None:
    """Refuse data that the network cannot take, before anything is trained or read.

    Images that are too small for it are enlarged, as they reach it, by a whole number.
    """
    needed, found = network.input_shape, data.inputs.shape[1:]
    try:
        outputs = logits_of(network, data.inputs[:1]).shape[1]
    except TinygradError as error:
        times = needed[-1] // found[-1]
        if found == needed:
            raise OptionError(f"{name} cannot take {data.name!r}: {error}") from error
        if (*found[:-2], *(times * size for size in found[-2:])) != needed or len(needed) < 3:
            raise ShapeError(
                f"{name} is made for inputs of shape {needed}, and {data.name!r} has {found} "
                f"({error})"
            ) from error
        network.register_forward_pre_hook(lambda _, images: _enlarged(images[0], times))
        typer.echo(f"{data.name}: images enlarged {times} times, for {name}", err=True)
        outputs = logits_of(network, data.inputs[:1]).shape[1]
    if len(data.classes) > outputs:
        raise OptionError(
            f"{name} tells {outputs} classes apart, and {data.name!r} has {len(data.classes)}"
        )


def _enlarged(images: Tensor, times: int) -> Tensor:
    """Every pixel as so many squared; images need no gradient."""
    return Tensor(images.data.repeat(times, axis=2).repeat(times, axis=3), copy=False)


def _optimizer(
    name: str, network: Module, lr: float | None, momentum: float | None, weight_decay: float
) -> optim.Optimizer:
    params = network.parameters()
    if name == "sgd":
        rate, keep = 0.1 if lr is None else lr, 0.9 if momentum is None else momentum
        return optim.SGD(params, rate, keep, weight_decay)
    if name not in OPTIMIZERS:
        raise OptionError(f"unknown optimizer {name!r}; there are {', '.join(OPTIMIZERS)}")
    if momentum is not None:
        raise OptionError(f"--momentum is an option of sgd, and the optimizer is {name}")
    kind = optim.Adam if name == "adam" else optim.AdamW
    return kind(params, 0.003 if lr is None else lr, weight_decay=weight_decay)


def _schedule(name: str, stepper: optim.Optimizer, epochs: int, warmup: float) -> optim.Schedule:
    """A step schedule has a tenth of the rate in the second third of the epochs, and so on."""
    if name == "step":
        return optim.StepSchedule(stepper, epochs / 3, warmup=warmup)
    if name == "cosine":
        return optim.CosineSchedule(stepper, epochs, warmup=warmup)
    if name not in SCHEDULES:
        raise OptionError(f"unknown schedule {name!r}; there are {', '.join(SCHEDULES)}")
    return optim.Schedule(stepper, warmup)


def _resume(
    path: Path,
    name: str,
    network: Module,
    stepper: optim.Optimizer,
    rates: optim.Schedule,
    loader: DataLoader,
) -> History:
    """Load a training that had the same options; another would silently get its old ones back."""

    def options() -> dict[str, Any]:
        return {**stepper.state_dict()["options"], "lr": None, **rates.state_dict()["options"]}

    asked = options()
    history = checkpoint.load(path, network, optimizer=stepper, schedule=rates, loader=loader)
    differ = [
        f"{option.removeprefix('base_').replace('_', '-')} {value}, not {asked[option]}"
        for option, value in options().items()
        if value != asked[option]
    ]
    if differ:
        raise OptionError(f"{path}: this training has {'; '.join(differ)}; give the same options")
    return history


def _report(model: str, history: History, held_out: Dataset, save: Path | None) -> str:
    done = len(history.epochs)
    lines = []
    if history.interrupted:
        lines.append(f"interrupted in epoch {done + 1}, step {len(history.steps)}")
    if history.stopped_early and history.best:
        lines.append(f"stopped early: epoch {history.best.epoch} was the best so far")
    if history.epochs:
        last = history.epochs[-1]
        lines.append(
            f"{model} after {done} epoch{'s' * (done != 1)}: loss {last.loss:.4f}, accuracy "
            f"{last.accuracy:.4f} in training and {last.held_out_accuracy:.4f} on {held_out.name}"
        )
        guessing = math.log(len(held_out.classes))
        if last.loss >= guessing:
            lines.append(
                f"guessing has loss {guessing:.4f}: nothing is learned yet; "
                "try more epochs, or another --lr"
            )
        if save is not None:
            hint = "; go on with --resume" if history.interrupted else ""
            lines.append(f"{save}: the model after epoch {done}{hint}")
    elif save is not None:
        lines.append(f"{save}: not written, since no epoch was finished")
    return "\n".join(lines)


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
    name, options = _data_of(model, data, full, folder)
    examples = datasets.load(name, split, **options)
    _try(model, network, examples)
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
    pixels = _read_image(image, network.input_shape, model)
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


def _read_image(path: Path, shape: tuple[int, ...], model: str) -> np.ndarray[Any, Any]:
    """The image as a model of that input shape takes it: (1 or 3, H, W), float32, 0 … 1."""
    from PIL import Image, ImageOps

    if len(shape) != 3 or shape[0] not in (1, 3):
        raise OptionError(f"{model} takes inputs of shape {shape}, which no image has")
    if not path.is_file():
        what = "is a folder, and an image is needed" if path.is_dir() else "there is no such file"
        raise DataError(f"{path}: {what}")
    channels, height, width = shape
    try:
        with Image.open(path) as file:
            picture: Any = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error
    if picture.mode.startswith("I;16"):  # which convert would cut off at 255
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise DataError(f"{path}: has pixels of 32 bits; save it with 8 or 16")
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    picture = picture.convert("L" if channels == 1 else "RGB").resize((width, height))
    pixels = np.asarray(picture, np.float32) / np.float32(255)
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


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
