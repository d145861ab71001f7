"""Data to train on: data sets, mini-batches, and readers of the files they come in."""

from tinygrad_cnn.data.dataset import Dataset
from tinygrad_cnn.data.fashion_mnist import fashion_mnist
from tinygrad_cnn.data.idx import read_idx, write_idx
from tinygrad_cnn.data.loader import DataLoader

__all__ = ["DataLoader", "Dataset", "fashion_mnist", "read_idx", "write_idx"]
