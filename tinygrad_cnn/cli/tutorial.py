"""`tinygrad-cnn tutorial`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import OptionError


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
    from viz.picture.browser import open_page

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
        told = f"{path}: prose, code, results and pictures"
        if not (no_open or last.error or open_page(path)):
            told += "; no browser could be opened here"
        typer.echo(f"{told}. {last.skipped}" if last.skipped else told)
        if last.error:
            typer.echo(f"{chosen.path}: a cell failed\n{last.error}", err=True)
            raise typer.Exit(1)
