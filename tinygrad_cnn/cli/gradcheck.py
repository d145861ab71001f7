"""`tinygrad-cnn gradcheck`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .layers import RIGHT, check_file, exit_code, summary
from .options import sizes


def gradcheck(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE.py[:NAME]",
            help="An op, a Module, a function of Tensors, or an expression such as Scale(3), also "
            "PyTorch's; without a name, every op, Module and autograd Function in the file.",
        ),
    ],
    shapes: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="The shape of an input, as 2,3,8,8; once for each."),
    ] = None,
    order: Annotated[
        int, typer.Option(min=1, help="2 checks the gradient of the gradient, too; 3 …")
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
    """Check the gradient of your own layer, and say what is wrong.

    Exit code: 0 right, 1 wrong, 2 could not be checked.
    """
    given = [sizes(text) for text in shapes or []]
    checked = check_file(target, given, order=order, evaluation=evaluation, mode=mode, seed=seed)
    for one in checked:
        right = one.exit_code == RIGHT and len(checked) > 1
        typer.echo(one.line if right else str(one))
    if len(checked) > 1:
        typer.echo(summary(checked))
    if html is not None:
        from viz.plots.checks import write_checks

        at = ", ".join(str(size) for size in given)
        told = f"{summary(checked)}; at inputs of shape {at}, seed {seed}."
        reports = {c.name: c.problem if c.report is None else c.report for c in checked}
        write_checks(html, f"gradcheck {target}", told, reports)
        typer.echo(f"{html}: the Jacobians")
    raise typer.Exit(exit_code(checked))
