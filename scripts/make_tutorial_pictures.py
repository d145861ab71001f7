"""Draw the pictures in tutorials/README.md: one of each tutorial, as docs/tutorials/NN.png.

    python scripts/make_tutorial_pictures.py 3 7

draws those of tutorials 3 and 7; without numbers it draws all. Each tutorial is run only up to its
picture.
"""

import sys
from pathlib import Path

from viz.tutorial import Session, Tutorial, find, listed

FOLDER = Path(__file__).parent.parent / "docs" / "tutorials"
WIDTH = 560
PICTURES = {
    "01": "moons",
    "02": "bias",
    "03": "filters",
    "04": "matrices",
    "05": "padded",
    "06": "channels",
    "07": "lenet",
    "08": "maps",
    "09": "bars",
    "10": "learned",
    "13": "block",
    "14": "tree",
    "15": "graph",
    "16": "flow",
    "17": "lengths",
}
"""A tutorial's picture by its name, without its ending `_picture`, if it is not the first one."""


def draw(tutorial: Tutorial) -> None:
    """Run a tutorial up to its picture, and save that."""
    number = tutorial.name[:2]
    wanted = PICTURES.get(number, "")
    session = Session(tutorial)
    for cell in tutorial.cells:
        result = session.run(cell)
        if result.error or result.skipped:
            sys.exit(f"{tutorial.path}\n{result.error or result.skipped}")
        if result.picture and wanted in ("", result.name.removesuffix("_picture")):
            break
    else:
        sys.exit(f"{tutorial.path}: has no {wanted}_picture")
    path = FOLDER / f"{number}.png"
    path.write_bytes(result.picture.png(width=WIDTH))
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


FOLDER.mkdir(parents=True, exist_ok=True)
for tutorial in map(find, sys.argv[1:]) if sys.argv[1:] else listed():
    draw(tutorial)
