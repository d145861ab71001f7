"""IDX files: what is written is read back, and what is wrong with a damaged one is said."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_cnn.data import read_idx, write_idx
from tinygrad_cnn.errors import DataError

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 9, 2, 1])
"""Three labels, as the format's description lays them out."""
ZIPPED = gzip.compress(LABELS, mtime=0)

arrays = hnp.arrays(
    dtype=st.sampled_from(["u1", "i1", ">i2", "<i2", ">i4", "<i4", "<f4", ">f4", "<f8", ">f8"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


@given(array=arrays, name=st.sampled_from(["array", "array.gz"]))
def test_reads_back_what_was_written(tmp_path_factory, array, name):
    path = tmp_path_factory.mktemp("idx") / name
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, array)


def test_layout_is_that_of_the_format(tmp_path):
    path = tmp_path / "labels"
    write_idx(path, np.array([9, 2, 1], np.uint8))
    assert path.read_bytes() == LABELS


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(100, dtype=np.int32))
    written = (tmp_path / "a.gz").read_bytes()
    assert written == (tmp_path / "b.gz").read_bytes()
    assert written[:10] == b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"  # no time, name or system


def test_a_dtype_without_a_code_is_refused(tmp_path):
    with pytest.raises(DataError, match="no code for int64; cast to one of uint8"):
        write_idx(tmp_path / "labels", np.arange(3))


DAMAGED = {
    "empty.gz": (b"", "is empty"),
    "text": (b"PK\3\4 and so on", "not an IDX file: it begins with 50 4b 03 04"),
    "type": (b"\0\0\7\1" + LABELS[4:], "not an IDX file: it begins with 00 00 07 01"),
    "header": (LABELS[:6], "truncated: its header for 1 axes takes 8 bytes, and the file has 6"),
    "short": (LABELS[:-1], "truncated: an array of (3,) uint8 takes 3 bytes, and the file has 2"),
    "long": (LABELS + b"\0", "too long: an array of (3,) uint8 takes 3 bytes"),
    "huge": (b"\0\0\x0e\4" + b"\xff" * 16, "truncated: an array of (4294967295, "),
    "raw.gz": (LABELS, "not gzip, though its name ends in .gz"),
    "zipped": (ZIPPED, "gzip, though its name does not say so"),
    "cut.gz": (ZIPPED[:-9], "truncated: the gzip stream ends too early"),
    "crc.gz": (ZIPPED[:-8] + bytes(8), "damaged gzip: CRC check failed"),
    "deflate.gz": (ZIPPED[:10] + b"\xff" * 20, "damaged gzip: "),
}
"""A file's name, its content, and what is said of it."""


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named_and_explained(tmp_path, name):
    path = tmp_path / name
    content, message = DAMAGED[name]
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        read_idx(path)


@given(data=st.data())
def test_no_cut_goes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("idx") / data.draw(st.sampled_from(["labels", "labels.gz"]))
    write_idx(path, np.arange(12, dtype=np.int16).reshape(3, 4))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError, match=re.escape(str(path))):
        read_idx(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.gz: there is no such file"):
        read_idx(tmp_path / "nowhere.gz")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_idx(tmp_path)
