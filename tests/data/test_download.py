"""Downloads: whole and with the right checksum, or not there at all."""

import hashlib
import sys
from pathlib import Path

import pytest

from tinygrad_cnn.data.download import cache_folder, fetch
from tinygrad_cnn.errors import DataError

CONTENT = b"images" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def url(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    return source.as_uri()


def test_a_file_is_fetched_once_and_kept(url, tmp_path):
    target = tmp_path / "cache" / "deep" / "images"
    assert fetch(url, target, MD5).read_bytes() == CONTENT
    (tmp_path / "source").unlink()
    assert fetch(url, target, MD5) == target
    assert [path.name for path in target.parent.iterdir()] == ["images"]


def test_another_checksum_leaves_nothing_behind(url, tmp_path):
    target = tmp_path / "cache" / "images"
    with pytest.raises(DataError, match=f"has MD5 {MD5}, and the published file 0123"):
        fetch(url, target, "0123")
    assert not list(target.parent.iterdir())


def test_no_connection_or_no_place_to_write_is_said(url, tmp_path):
    gone = (tmp_path / "gone").as_uri()
    with pytest.raises(DataError, match=r"gone: cannot be downloaded to .*images: .*No such file"):
        fetch(gone, tmp_path / "images", MD5)
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/: cannot be downloaded"):
        fetch("http://127.0.0.1:9/", tmp_path / "images", MD5, timeout=2)
    with pytest.raises(DataError, match="cannot be downloaded"):
        fetch(url, tmp_path / "source" / "images", MD5)


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, "home/.cache/tinygrad_cnn"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/tinygrad_cnn"),
        ("darwin", {}, "home/Library/Caches/tinygrad_cnn"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/tinygrad_cnn"),
        ("linux", {"TINYGRAD_CNN_CACHE": "mine"}, "mine"),
    ],
)
def test_the_cache_is_where_each_system_keeps_them(monkeypatch, platform, variables, folder):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "TINYGRAD_CNN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)
