"""Animations: frames of one size, a page that steps through them offline, a GIF."""

import io
import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image

import viz
from tinygrad_cnn.errors import OptionError
from viz.picture.animation import MAX_FRAMES

X = np.arange(9.0).reshape(3, 3)
W = np.arange(4.0).reshape(2, 2)
SHOWN = "document.querySelector('#frame svg title').textContent"


def sliding() -> viz.Picture:
    return viz.convolution(X, W, padding=1)


def test_there_is_a_frame_for_every_output_cell():
    y = [[0, 3, 8, 4], [9, 19, 25, 10], [21, 37, 43, 16], [6, 7, 8, 0]]
    animation = sliding()
    assert len(animation) == 16
    assert [window.output for window in animation.data] == [(0, i, j) for i, j in np.ndindex(4, 4)]
    assert [window.sum for window in animation.data] == list(np.ravel(y))
    assert {animation[i].size for i in range(16)} == {animation.size}
    blank = [animation[i].svg.count('class="cell blank"') for i in range(16)]
    assert blank == list(range(15, -1, -1))  # the output fills, cell by cell
    assert len(viz.pooling(X, 2, 1, kind="mean")) == 4


def test_a_gif_has_all_frames(tmp_path):
    path = viz.pooling(X, 2, 1).save(tmp_path / "a.gif")
    with Image.open(path) as gif:
        assert gif.n_frames == 4
        assert gif.info["duration"] == 800
        frames = []
        for i in range(4):
            gif.seek(i)
            frames.append(np.array(gif.convert("RGB")))
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    assert path.read_bytes() == viz.pooling(X, 2, 1).gif()


def test_other_files_and_the_notebook(tmp_path):
    animation = sliding()
    data = json.loads(animation.save(tmp_path / "a.json").read_text())
    assert len(data) == 16
    assert data[1]["products"][3]["input"] == 1
    with Image.open(io.BytesIO(animation.save(tmp_path / "a.png").read_bytes())) as first:
        assert first.width == 2 * int(animation.size[0])
    bundle = animation._repr_mimebundle_()
    assert bundle["text/html"].startswith("<iframe")
    with pytest.raises(OptionError, match="cannot write"):
        animation.save(tmp_path / "a.mp4")


def test_too_many_frames_are_refused():
    with pytest.raises(OptionError, match=f"at most {MAX_FRAMES}"):
        viz.convolution(np.ones((20, 20)), W)


def press(browser, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key=key)


@pytest.mark.browser
def test_every_frame_is_reached_by_key_and_by_slider(browser, tmp_path):
    animation = sliding()
    titles = [re.search("<title>(.*?)</title>", frame)[1] for frame in animation.frames]
    assert len(set(titles)) == 16
    browser.open(animation.save(tmp_path / "page.html"))
    seen = [browser.evaluate(SHOWN)]
    for _ in range(15):
        press(browser, "ArrowRight")
        seen.append(browser.evaluate(SHOWN))
    assert seen == titles
    press(browser, "ArrowRight")  # the last frame stays
    assert browser.evaluate(SHOWN) == titles[-1]
    for key, title in (("ArrowLeft", titles[-2]), ("Home", titles[0]), ("End", titles[-1])):
        press(browser, key)
        assert browser.evaluate(SHOWN) == title
    for i in (3, 0, 15, 7):
        browser.evaluate(
            f"(s => {{ s.value = {i}; s.dispatchEvent(new Event('input')) }})"
            "(document.getElementById('slider'))"
        )
        assert browser.evaluate(SHOWN) == titles[i]
        assert browser.evaluate("document.getElementById('count').textContent") == f"{i + 1} / 16"
    browser.click("document.getElementById('on')")
    assert browser.evaluate(SHOWN) == titles[8]
    press(browser, "ArrowRight")  # with the focus on a button
    assert browser.evaluate(SHOWN) == titles[9]
    press(browser, " ")
    assert browser.evaluate("document.getElementById('play').textContent") == "stop"
    press(browser, " ")
    assert browser.evaluate("document.getElementById('play').textContent") == "play"
    shown = browser.evaluate("document.querySelectorAll('#frame .cell').length")
    assert shown == animation.frames[9].count('class="cell ')
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert len(asked) == 1
    assert browser.complaints == []


@pytest.mark.browser
def test_a_notebook_shows_the_frames(browser, tmp_path):
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><body>{sliding()._repr_mimebundle_()['text/html']}")
    browser.open(page)
    browser.click("document.querySelector('iframe')")
    assert browser.complaints == []
