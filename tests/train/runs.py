"""Small runs of training that the tests share."""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import nn, optim
from tinygrad_cnn.data import DataLoader, Dataset, fashion_mnist
from tinygrad_cnn.engine.defaults import generator
from tinygrad_cnn.train import fit

OPTIMIZERS = {
    "sgd": lambda params: optim.SGD(params, lr=0.05),
    "nesterov": lambda params: optim.SGD(params, 0.02, momentum=0.9, nesterov=True),
    "adam": lambda params: optim.Adam(params, lr=3e-3, weight_decay=1e-3),
    "adamw": lambda params: optim.AdamW(params, lr=3e-3),
}
SCHEDULES = {
    "constant": lambda optimizer: None,
    "step": lambda optimizer: optim.StepSchedule(optimizer, 1.5, gamma=0.5, warmup=0.5),
    "cosine": lambda optimizer: optim.CosineSchedule(optimizer, epochs=4, floor=0.1, warmup=1),
}


def images(n: int = 96) -> Dataset:
    return fashion_mnist("train").subset(n, seed=0)


def network() -> nn.Module:
    """A small network with the layers that have a state: batch norm, dropout."""
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 5, stride=3),
        bn=nn.BatchNorm2d(4),
        act=nn.ReLU(),
        flatten=nn.Flatten(),
        drop=nn.Dropout(0.3),
        dense=nn.Linear(256, 10),
    )


class Run:
    """A model, a loader, an optimiser and a schedule, ready to go."""

    def __init__(self, optimizer="sgd", schedule="constant", data=None, seed=0, **loading):
        tg.manual_seed(seed)
        self.model = network()
        self.loader = DataLoader(data or images(), **({"batch_size": 32, "seed": seed} | loading))
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.schedule = SCHEDULES[schedule](self.optimizer)

    def fit(self, epochs, **options):
        options = {"schedule": self.schedule, "progress": False} | options
        return fit(self.model, self.loader, self.optimizer, epochs, **options)

    @property
    def state(self):
        """All that the training can have changed, as plain data."""
        return {
            **self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "next": self.loader.epoch,
            "random": generator().bit_generator.state,
        }


def without_seconds(history):
    return [(e.epoch, e.loss, e.accuracy, e.held_out_accuracy) for e in history.epochs]


def assert_same(a, b):
    """Equal to the last bit."""
    np.testing.assert_equal(a, b, strict=True)
