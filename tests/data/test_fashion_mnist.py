"""Fashion-MNIST: the images that come with the package, and the published files."""

import functools
import hashlib
import runpy
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.data import Dataset, fashion_mnist, shipped, write_idx
from tinygrad_cnn.data.fashion_mnist import CHECKSUMS, CLASSES, SUBSET
from tinygrad_cnn.errors import DataError, OptionError

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_fashion_mnist_subset.py"


@pytest.mark.parametrize(("split", "per_class"), [("train", 160), ("test", 40)])
def test_shipped_images_are_balanced_shuffled_and_scaled(split, per_class):
    data = fashion_mnist(split)
    assert data.images.shape == (10 * per_class, 1, 28, 28)
    assert data.images.dtype == np.float32
    assert (data.images.min(), data.images.max()) == (0, 1)
    assert data.labels.dtype == np.int64
    assert np.bincount(data.labels).tolist() == [per_class] * 10
    assert len(np.unique(data.labels[:50])) == 10
    assert len(data.classes) == 10


def test_no_shipped_image_occurs_twice():
    images = [image.tobytes() for s in ("train", "test") for image in fashion_mnist(s).images]
    assert len(set(images)) == len(images) == 2000


def test_labels_fit_the_images():
    """The nearest class mean, learned on one split, recognises the other far above chance."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    means = np.stack([train.images[train.labels == k].mean(axis=0) for k in range(10)])
    distances = ((test.images[:, None] - means) ** 2).sum(axis=(2, 3, 4))
    assert (distances.argmin(axis=1) == test.labels).mean() > 0.6


def test_shipped_file_is_small_and_has_its_licence():
    assert (shipped.FOLDER / SUBSET).stat().st_size < 1.5e6
    licence = (shipped.FOLDER / "FASHION_MNIST_LICENSE.txt").read_text(encoding="utf-8")
    assert "Zalando SE" in licence
    assert "Permission is hereby granted" in licence


def test_importing_data_loads_numpy_alone():
    program = (
        "import sys, numpy.random; before = set(sys.modules); import tinygrad_cnn.data; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name for name in result.stdout.split() if "cython" not in name}  # NumPy's own
    assert loaded - set(sys.stdlib_module_names) <= {"tinygrad_cnn", "numpy"}


def test_another_split_is_refused():
    with pytest.raises(OptionError, match="split='valid' is neither 'train' nor 'test'"):
        fashion_mnist("valid")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder with the four published files, made of noise: 200 images of each class."""
    folder = tmp_path_factory.mktemp("published")
    rng = np.random.default_rng(3)
    for prefix in ("train", "t10k"):
        write_idx(
            folder / f"{prefix}-images-idx3-ubyte.gz",
            rng.integers(0, 256, (2000, 28, 28), dtype=np.uint8),
        )
        labels = rng.permutation(np.arange(2000) % 10).astype(np.uint8)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture
def folder(published, tmp_path) -> Path:
    """A copy of `published` to do damage to."""
    return shutil.copytree(published, tmp_path / "copy")


def test_published_files_are_read(folder):
    data = fashion_mnist("test", folder)
    assert isinstance(data, Dataset)
    assert data.images.shape == (2000, 1, 28, 28)
    assert data.images.dtype == np.float32
    assert 0.45 < data.images.mean() < 0.55
    assert np.bincount(data.labels).tolist() == [200] * 10
    assert data.classes == CLASSES


def test_a_missing_file_or_folder_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert len(fashion_mnist("train", folder)) == 2000
    with pytest.raises(DataError, match=r"has neither t10k-labels-idx1-ubyte\.gz nor t10k"):
        fashion_mnist("test", folder)
    with pytest.raises(DataError, match="elsewhere: there is no such folder"):
        fashion_mnist("test", folder / "elsewhere")


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        ("images-idx3", np.zeros((5, 32, 32), np.uint8), r"holds \(5, 32, 32\) uint8"),
        ("images-idx3", np.zeros((5, 28, 28), np.float32), r"holds \(5, 28, 28\) float32"),
        ("images-idx3", np.zeros(2000, np.uint8), r"holds \(2000,\) uint8"),
        ("images-idx3", np.zeros((9, 28, 28), np.uint8), "has 9 images, but .* has 2000 labels"),
        ("labels-idx1", np.zeros((2000, 1), np.uint8), r"holds \(2000, 1\) uint8"),
        (
            "labels-idx1",
            np.full(2000, 10, np.uint8),
            r"labels-.* holds label 10, and F.* are 0 … 9",
        ),
    ],
)
def test_files_of_another_kind_are_refused(folder, file, array, message):
    write_idx(folder / f"train-{file}-ubyte.gz", array)
    with pytest.raises(DataError, match=message):
        fashion_mnist("train", folder)


@pytest.fixture
def server(published, monkeypatch, tmp_path):
    """`published` behind a web server on this machine; no Debian package; an empty cache."""
    handler = functools.partial(QuietHandler, directory=str(published))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    place = fashion_mnist.__globals__
    monkeypatch.setitem(place, "SOURCE", f"http://127.0.0.1:{httpd.server_port}/")
    monkeypatch.setitem(place, "DEBIAN", tmp_path / "not installed")
    sums = {name: hashlib.md5((published / name).read_bytes()).hexdigest() for name in CHECKSUMS}
    monkeypatch.setitem(place, "CHECKSUMS", sums)
    monkeypatch.setenv("TINYGRAD_CNN_CACHE", str(tmp_path / "cache"))
    yield httpd
    httpd.shutdown()
    httpd.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing."""


def test_all_images_are_downloaded_once(server, published, tmp_path):
    first = fashion_mnist("test", full=True)
    server.shutdown()
    server.server_close()
    again = fashion_mnist("test", full=True)
    expected = fashion_mnist("test", published)
    for data in (first, again):
        np.testing.assert_array_equal(data.images, expected.images)
        np.testing.assert_array_equal(data.labels, expected.labels)
    kept = sorted(path.name for path in (tmp_path / "cache" / "fashion-mnist").iterdir())
    assert kept == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def test_without_a_network_there_are_other_ways(server, monkeypatch):
    monkeypatch.setitem(fashion_mnist.__globals__, "SOURCE", "http://127.0.0.1:9/")
    with pytest.raises(
        DataError, match=r"-ubyte\.gz: cannot be downloaded to .*; Debian's package"
    ):
        fashion_mnist("test", full=True)


def test_debians_package_is_used_where_it_is(server, published, monkeypatch):
    monkeypatch.setitem(fashion_mnist.__globals__, "DEBIAN", published)
    assert len(fashion_mnist("train", full=True)) == 2000


def test_the_script_makes_a_balanced_subset_the_same_each_time(published, tmp_path):
    make = runpy.run_path(str(SCRIPT))["main"]
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    make(published, first)
    make(published, second)
    assert first.read_bytes() == second.read_bytes()
    with np.load(first) as arrays:
        assert arrays["train_images"].shape == (1600, 28, 28)
        assert np.bincount(arrays["train_labels"]).tolist() == [160] * 10
        assert np.bincount(arrays["test_labels"]).tolist() == [40] * 10
