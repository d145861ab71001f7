"""Makes tinygrad_cnn/data/files/photographs.npz from scikit-image's example pictures.

    python scripts/make_photographs.py FOLDER [OUTPUT]

FOLDER is the `data` folder of an installed scikit-image (skimage/data). Needs Pillow. Each
photograph is made smaller, to 240 pixels along its longer edge.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("camera", "coffee", "astronaut")
LONGER_EDGE = 240
OUTPUT = Path(__file__).parents[1] / "tinygrad_cnn" / "data" / "files" / "photographs.npz"


def smaller(image: Image.Image) -> Image.Image:
    """The image with its longer edge at `LONGER_EDGE` pixels."""
    scale = LONGER_EDGE / max(image.size)
    width, height = (round(edge * scale) for edge in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def main(folder: Path, output: Path = OUTPUT) -> None:
    """Reads the pictures in `folder` and writes `output`."""
    arrays = {name: np.asarray(smaller(Image.open(folder / f"{name}.png"))) for name in NAMES}
    np.savez_compressed(output, **arrays)
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the file of photographs.")
    parser.add_argument("folder", type=Path, help="skimage/data")
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.output)
