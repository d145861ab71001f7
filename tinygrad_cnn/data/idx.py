"""IDX files, the form in which MNIST and its kin are published.

A file is two zero bytes, a byte for the type of the numbers, a byte for the number of axes, the
size of each axis as a big-endian 32-bit number, and then the numbers, big-endian, last axis
fastest. So the four bytes 0 0 8 3 (often called "magic number 2051") begin a file of images, and
0 0 8 1 (2049) one of labels. Format: LeCun, Cortes, Burges, "The MNIST database of handwritten
digits".
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, in this machine's byte order.

    Args:
        path: a file; one whose name ends in `.gz` is decompressed.

    Raises:
        DataError: the file is missing, not what its name says, not IDX, too short or too long.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels.gz"
        >>> write_idx(path, np.array([9, 2, 1], dtype=np.uint8))
        >>> read_idx(path)
        array([9, 2, 1], dtype=uint8)
    """
    path = Path(path)
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        begin = content[:4].hex(" ") or "nothing"
        raise DataError(
            f"{path}: not an IDX file: it begins with {begin}, and an IDX file with 00 00, "
            f"a type ({', '.join(f'{code:02x}' for code in _DTYPES)}) and a number of axes"
        )
    dtype, ndim = np.dtype(_DTYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataError(
            f"{path}: truncated: its header for {ndim} axes takes {start} bytes, "
            f"and the file has {len(content)}"
        )
    shape = tuple(np.frombuffer(content, ">u4", ndim, offset=4).tolist())
    expected, found = math.prod(shape) * dtype.itemsize, len(content) - start
    if expected != found:
        fault = "truncated" if found < expected else "too long"
        raise DataError(
            f"{path}: {fault}: an array of {shape} {dtype.name} takes {expected} bytes, "
            f"and the file has {found} after its header"
        )
    return (
        np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    )


def write_idx(path: str | os.PathLike[str], array: ArrayLike) -> None:
    """Writes an array as an IDX file, compressed if the name ends in `.gz`.

    The same array always gives the same bytes.

    Raises:
        DataError: a dtype that IDX has no code for, or more than 255 axes.
    """
    path, array = Path(path), np.asarray(array)
    code = _CODES.get(array.dtype.newbyteorder(">"))
    if code is None:
        kinds = ", ".join(np.dtype(dtype).name for dtype in _DTYPES.values())
        raise DataError(f"{path}: IDX has no code for {array.dtype}; cast to one of {kinds}")
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(_DTYPES[code]).tobytes()
    path.write_bytes(_compressed(content) if path.suffix == ".gz" else content)


def _compressed(content: bytes) -> bytes:
    """As gzip.compress, which names the system in the header, before Python 3.13."""
    written = io.BytesIO()
    with gzip.GzipFile("", "wb", mtime=0, fileobj=written) as file:
        file.write(content)
    return written.getvalue()


def _content(path: Path) -> bytes:
    """The file's bytes, decompressed if its name says that it is compressed."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if not raw:
        raise DataError(f"{path}: is empty")
    named, compressed = path.suffix == ".gz", raw.startswith(_GZIP_MAGIC)
    if named and not compressed:
        raise DataError(
            f"{path}: not gzip, though its name ends in .gz; "
            "if it was decompressed already, take .gz off its name"
        )
    if compressed and not named:
        raise DataError(f"{path}: gzip, though its name does not say so; add .gz to its name")
    if not compressed:
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise DataError(f"{path}: truncated: the gzip stream ends too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip: {error}") from error
