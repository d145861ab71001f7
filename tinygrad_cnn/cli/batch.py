"""What a command runs a network on: a shape, an image, or examples of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import OF_FOLDER, load
from ..data.image import CHANNELS, pixels_of
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..interop import InputType
from ..models import MODELS
from .options import sizes

Array = np.ndarray[Any, Any]
Types = Sequence[InputType | None]


@dataclass
class Batch:
    """Arrays, one for each input of a network.

    Attributes:
        arrays: for each input.
        about: what they are, as in "8 images of Fashion-MNIST test".
        labels: of the examples, if they have some.
        image: the one picture that they are, if they are one.
    """

    arrays: list[Array]
    about: str
    labels: Array | None = None
    image: Array | None = None


@dataclass
class Asked:
    """What the command line says of the inputs.

    Attributes:
        inputs: the shape of each, as "1,3,224,224" or, for whole numbers, "1,16:int64".
        image: a file.
        data: the name of a data set, of which the first examples to test are taken.
        size: how many examples, where no shape says it.
        first: which of the data's examples is the first.
        label: the class of each, if the data does not say it.
        seed: of what is drawn.
    """

    inputs: Sequence[str] = ()
    image: Path | None = None
    data: str | None = None
    size: int | None = None
    label: int | None = None
    seed: int = 0
    first: int = 0

    def batch(
        self,
        name: str,
        types: Types = (),
        dtype: Any = np.float32,
        default: str | None = None,
    ) -> Batch:
        """The batch for a network.

        Args:
            name: the network's, for messages.
            types: of its inputs, as far as they are known.
            dtype: of inputs of which neither the types nor the command line say it.
            default: the data set that is taken if nothing is asked for.

        Raises:
            OptionError: the shape of an input is not known, or two are given; no such data set, or
                one of other images.
            DataError: the image cannot be read.
        """
        if self.image is not None and self.data is not None:
            raise OptionError("--image and --data: give one of them")
        asked = [_input_type(text) for text in self.inputs]
        if self.size is not None and asked:
            raise OptionError("--batch: the batch size is in --input already, its first number")
        if asked and len(types) not in (0, len(asked)):
            raise OptionError(
                f"{name} has {len(types)} inputs, and {len(asked)} shapes are given: give an "
                "--input for each"
            )
        wanted: list[InputType | None]
        if asked:
            known = [kind.dtype if kind else dtype for kind in types or [None] * len(asked)]
            wanted = [
                InputType(shape, np.dtype(own or other))
                for (shape, own), other in zip(asked, known, strict=True)
            ]
        else:
            wanted = [kind and InputType(self._sized(kind.shape), kind.dtype) for kind in types]
        if self.image is not None:
            batch = self._image(name, wanted, dtype)
        elif self.data is not None or (default is not None and not asked):
            batch = self._examples(name, self.data or str(default), wanted)
        else:
            batch = self._drawn(name, wanted)
        if self.label is not None:
            batch.labels = np.full(len(batch.arrays[0]), self.label)
        return batch

    def _sized(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """A shape with its batch size, if that is free."""
        return ((self.size or 1), *shape[1:]) if shape and shape[0] is None else shape

    def _drawn(self, name: str, wanted: Sequence[InputType | None]) -> Batch:
        if not wanted or any(kind is None or None in kind.shape for kind in wanted):
            raise OptionError(
                f"{name}: of which shape is its input? Give --input 1,3,224,224 (once for each "
                "input, the batch size first), or --image photo.png"
            )
        random = np.random.default_rng(self.seed)
        arrays = [_draw(random, kind) for kind in wanted if kind is not None]
        shapes = " and ".join(str(array.shape) for array in arrays)
        many = len(arrays) > 1
        return Batch(arrays, f"{'inputs' if many else 'an input'} of shape {shapes}")

    def _image(self, name: str, wanted: Sequence[InputType | None], dtype: Any) -> Batch:
        assert self.image is not None
        if len(wanted) > 1:
            raise OptionError(f"{name} has {len(wanted)} inputs, and --image is one")
        kind = wanted[0] if wanted else None
        channels, size = 3, None
        if kind is not None:
            if len(kind.shape) != 4 or kind.shape[0] != 1 or kind.shape[1] not in (*CHANNELS, None):
                raise OptionError(
                    f"--image is one image, of shape (1, 1 or 3, height, width), and the input of "
                    f"{name} is {kind.shape}"
                )
            channels = kind.shape[1] or 3
            size = None if None in kind.shape[2:] else kind.shape[2:]
            dtype = kind.dtype
        pixels = pixels_of(self.image, channels, size)  # type: ignore[arg-type]  # no None in it
        return Batch([pixels[None].astype(dtype)], self.image.name, image=pixels)

    def _examples(self, name: str, data: str, wanted: Sequence[InputType | None]) -> Batch:
        options: dict[str, Any] = {}
        kind = wanted[0] if len(wanted) == 1 else None
        shape = kind.shape[1:] if kind is not None and None not in kind.shape[1:] else None
        if data.startswith(OF_FOLDER):
            if shape is None or len(shape) != 3:
                raise OptionError(
                    f"{name}: to what size are images resized? Give --input 8,3,64,64"
                )
            options = {"size": shape[1:], "channels": shape[0]}
        number = (kind.shape[0] if kind is not None and self.inputs else self.size) or 8
        known = load(data, "test", **options)
        if self.first >= len(known):
            raise OptionError(f"--index {self.first}: {known.name} has {len(known)} examples")
        examples = known[self.first : self.first + number]
        found = examples.inputs.shape[1:]
        if shape is not None and found != shape:
            fitting = [
                other
                for other, entry in MODELS.items()
                if name in MODELS and entry.input_shape == found and other[:6] == name[:6]
            ]
            raise OptionError(
                f"{name} takes images of {shape}, and {examples.name} has inputs of {found}; "
                + (f"take {' or '.join(fitting)}" if fitting else "take data of that shape")
            )
        inputs = examples.inputs
        if kind is not None and kind.dtype.kind == inputs.dtype.kind:
            inputs = inputs.astype(kind.dtype)
        what = "image" if inputs.ndim == 4 else "example"
        about = f"{len(examples)} {what}{'s' * (len(examples) != 1)} of {examples.name}"
        return Batch([inputs], about, examples.labels)


def _input_type(text: str) -> tuple[tuple[int, ...], np.dtype[Any] | None]:
    """Shape and dtype, as the command line has them."""
    numbers, _, named = text.partition(":")
    shape = sizes(numbers)
    try:
        dtype = np.dtype(named) if named else None
    except TypeError:
        dtype = np.dtype(object)
    if dtype is not None and dtype.kind not in "fiub":
        raise OptionError(f"--input: a dtype such as float32 or int64 is needed, not {named!r}")
    return shape, dtype


def _draw(random: np.random.Generator, kind: InputType) -> Array:
    """Standard normal numbers; whole numbers are 0 or 1, which are in every vocabulary."""
    shape: Any = kind.shape
    if kind.dtype.kind == "f":
        return random.standard_normal(shape).astype(kind.dtype)
    return random.integers(0, 2, shape).astype(kind.dtype)


def named_inputs(batch: Batch, requires_grad: bool = False) -> list[Tensor]:
    """The arrays as Tensors, with names for pictures; those of floats may require gradients."""
    inputs = []
    for i, array in enumerate(batch.arrays):
        what = "images" if array.ndim == 4 else "input"
        name = f"{what} {i + 1}" if len(batch.arrays) > 1 else what
        inputs.append(
            Tensor(array, requires_grad=requires_grad and array.dtype.kind == "f", name=name)
        )
    return inputs
