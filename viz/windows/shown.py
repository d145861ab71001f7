"""One place as a picture, or all of them as an animation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinygrad_cnn.errors import OptionError

from ..picture.animation import MAX_FRAMES, Animation
from ..picture.picture import Picture
from .numbers import Index, read_index
from .scene import Scene, draw_scenes

Data = TypeVar("Data")


def shown(
    name: str,
    at: Any,
    shape: Index,
    data_of: Callable[[Index], Data],
    scene_of: Callable[[Data, bool], Scene],
    optional: int = 1,
) -> Picture:
    """The picture at one index, or, without one, an animation over all.

    Args:
        name: of the public function, for errors.
        at: an index of the shape, whose first `optional` numbers may be left out; or None.
        data_of: what is to be shown at an index.
        scene_of: how that is drawn. The flag says whether to leave blank what comes later.

    Raises:
        ShapeError: an index outside.
        OptionError: too many frames.
    """
    if at is not None:
        data = data_of(read_index(name, at, shape, optional))
        scene = scene_of(data, False)
        (drawn,) = draw_scenes([scene])
        return Picture(drawn, data, title=scene.title)
    if math.prod(shape) > MAX_FRAMES:
        raise OptionError(
            f"{name}: an animation over {math.prod(shape)} places is too long, at most "
            f"{MAX_FRAMES}; choose one with at=..., or cut out a part of x"
        )
    every = [data_of(place) for place in np.ndindex(shape)]
    scenes = [scene_of(data, True) for data in every]
    title = f"{name.replace('_', ' ')}, cell by cell"
    return Animation.of(draw_scenes(scenes), every, title)
