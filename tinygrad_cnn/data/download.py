"""Files that are too large to ship: downloaded once, checked, and kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

from ..errors import DataError


def cache_folder() -> Path:
    """Where downloads are kept: $TINYGRAD_CNN_CACHE, or a folder in the user's usual cache."""
    if chosen := os.environ.get("TINYGRAD_CNN_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tinygrad_cnn"


def fetch(url: str, path: Path, md5: str, timeout: float = 30.0) -> Path:
    """The file at `path`, downloaded from `url` if it is not there yet.

    It appears under its name only when it is whole and its checksum is right.

    Args:
        url: where from.
        path: where to; its folder is made.
        md5: the checksum in hexadecimal, as its publisher states it.
        timeout: seconds to wait for an answer.

    Raises:
        DataError: no connection, nothing there, no place to write, or another checksum.
    """
    if path.exists():
        return path
    import urllib.request  # late: it is slow to import, and seldom needed
    from http.client import HTTPException

    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.md5(usedforsecurity=False)
        with (
            urllib.request.urlopen(url, timeout=timeout) as answer,
            tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file,
        ):
            part = Path(file.name)
            while block := answer.read(1 << 20):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != md5:
            raise DataError(
                f"{url}: what came has MD5 {digest.hexdigest()}, and the published file {md5}; "
                "try again, or get the file another way"
            )
        part.replace(path)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{url}: cannot be downloaded to {path}: {reason}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return path
