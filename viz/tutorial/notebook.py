"""A tutorial as a Jupyter notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinygrad_cnn.errors import OptionError

from .cells import Tutorial


def notebook(tutorial: Tutorial) -> dict[str, Any]:
    """The notebook as JSON data (nbformat 4.5). No cell has been run; solutions are folded away.

    Example:
        >>> from viz.tutorial import find
        >>> notebook(find("5"))["cells"][0]["source"].partition("\\n")[0]
        '# 5 · Padding and stride'
    """
    cells: list[dict[str, Any]] = []

    def add(kind: str, source: str, tags: list[str]) -> None:
        metadata = {"tags": tags} if tags else {}
        cell = {"cell_type": kind, "id": f"cell-{len(cells) + 1}", "metadata": metadata}
        run: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
        cells.append({**cell, **run, "source": source})

    for cell in tutorial.cells:
        add("markdown" if cell.prose else "code", cell.source, ["exercise"] * cell.exercise)
        if cell.exercise and cell.title in tutorial.solutions:
            add("markdown", _folded(tutorial.solutions[cell.title]), ["solution"])
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def write_notebook(tutorial: Tutorial, folder: str | Path = ".") -> Path:
    """Write ``NAME.ipynb`` into a folder, which is made if need be.

    Raises:
        OptionError: it is there already, perhaps with a reader's answers.
    """
    path = Path(folder) / f"{tutorial.name}.ipynb"
    if path.exists():
        raise OptionError(f"{path} is there already, perhaps with your answers; move it away")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook(tutorial), ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _folded(solution: str) -> str:
    return f"<details><summary>Solution</summary>\n\n```python\n{solution}\n```\n\n</details>"
