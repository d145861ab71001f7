"""The course's networks, one file each, and `MODELS`, which has them by name.

`build` makes one of them; `options.py` has the options that several share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import OptionError
from ..nn import Module
from .alexnet import AlexNet
from .bn_lenet import BNLeNet
from .go_policy import GoPolicy, go_policy_9x9
from .lenet import LeNet
from .locally_connected import LocallyConnectedNet
from .mlp import MLP
from .nin import NiN
from .resnet import (
    ResNet,
    resnet8,
    resnet18,
    resnet20,
    resnet34,
    resnet50,
    resnet56,
    resnet110,
    resnet152,
)
from .textcnn import TextCNN


@dataclass(frozen=True)
class Entry:
    """A model that can be asked for by name; calling the entry makes one.

    Attributes:
        make: makes the model; its options are the model's.
        input_shape: of one example, by default.
        about: in a few words.
        data: the data set in `tg.data` that it is made for.
    """

    make: Callable[..., Module]
    input_shape: tuple[int, ...]
    about: str
    data: str = "fashion_mnist"

    def __call__(self, *args: Any, **options: Any) -> Module:
        return self.make(*args, **options)


MODELS: dict[str, Entry] = {
    "mlp": Entry(MLP, (1, 28, 28), "dense layers alone"),
    "locally_connected": Entry(LocallyConnectedNet, (1, 28, 28), "LeNet without shared weights"),
    "lenet": Entry(LeNet, (1, 28, 28), "LeCun et al. 1998"),
    "bn_lenet": Entry(BNLeNet, (1, 28, 28), "LeNet with batch norm"),
    "alexnet": Entry(AlexNet, (1, 224, 224), "Krizhevsky et al. 2012"),
    "nin": Entry(NiN, (1, 224, 224), "network in network, Lin et al. 2013"),
    "resnet8": Entry(resnet8, (1, 28, 28), "three residual blocks"),
    "resnet20": Entry(resnet20, (1, 28, 28), "He et al. 2015, for small images"),
    "resnet56": Entry(resnet56, (1, 28, 28), "the same, 27 blocks"),
    "resnet110": Entry(resnet110, (1, 28, 28), "the same, 54 blocks"),
    "resnet18": Entry(resnet18, (1, 96, 96), "He et al. 2015, d2l.ai's form"),
    "resnet34": Entry(resnet34, (1, 96, 96), "the same, 16 blocks"),
    "resnet50": Entry(resnet50, (1, 224, 224), "He et al. 2015, bottleneck blocks"),
    "resnet152": Entry(resnet152, (1, 224, 224), "the same, 50 blocks"),
}
MODELS |= {
    name.replace("resnet", "plain"): Entry(
        partial(entry.make, residual=False), entry.input_shape, f"{name} without its shortcuts"
    )
    for name, entry in MODELS.items()
    if name.startswith("resnet")
}
MODELS |= {
    "textcnn": Entry(TextCNN, (64,), "Zhang & Wallace 2017", "sentences"),
    "textcnn_d2l": Entry(
        partial(TextCNN, fixed=True), (64,), "TextCNN with a second, fixed embedding", "sentences"
    ),
    "go_policy": Entry(GoPolicy, (48, 19, 19), "AlphaGo's shape, Silver et al. 2016", "none"),
    "go_policy_9x9": Entry(go_policy_9x9, (12, 9, 9), "a small one for 9×9 boards", "go_games"),
}


def build(name: str, **options: Any) -> Any:
    """The model of that name; `options` are its own, such as ``in_channels=3``.

    Name and options stay with it, as `built_as` and `built_with`, and go into its checkpoints, so
    that `tg.checkpoint.restore` can build it again.

    Raises:
        OptionError: no such model (lists those there are), or no such option.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.build("lenet", activation="relu").count_parameters()
        61706
    """
    if name not in MODELS:
        raise OptionError(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    try:
        model: Any = MODELS[name](**options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise OptionError(f"model {name!r}: {error}") from error
    model.built_as, model.built_with = name, options
    return model


__all__ = [
    "MLP",
    "MODELS",
    "AlexNet",
    "BNLeNet",
    "Entry",
    "GoPolicy",
    "LeNet",
    "LocallyConnectedNet",
    "NiN",
    "ResNet",
    "TextCNN",
    "build",
    "go_policy_9x9",
    "resnet8",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet56",
    "resnet110",
    "resnet152",
]
