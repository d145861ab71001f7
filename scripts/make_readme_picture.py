"""Draw docs/paths.png, the picture at the top of the README.

python scripts/make_readme_picture.py
"""

from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
import viz
from viz.tour import residual_net


def main() -> None:
    """Three residual blocks on sixteen images of clothes, and their eight paths."""
    tg.manual_seed(0)
    images = tg.data.fashion_mnist("train")
    x = tg.Tensor(images.inputs[:16], dtype=np.float64, requires_grad=True, name="images")
    loss = tg.cross_entropy(residual_net().astype(np.float64)(x), images.labels[:16])
    target = Path(__file__).parents[1] / "docs" / "paths.png"
    viz.unroll(tg.gradient_paths(loss, wrt=x)).save(target)


if __name__ == "__main__":
    main()
