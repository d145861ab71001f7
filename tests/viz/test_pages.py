"""Pages in a browser without a network: they load nothing, boxes open and close, labels fit.

Whatever folder of `viz` a page comes from, the same is asked of it in the same browser. So these
tests stand beside the folders.
"""

import numpy as np
import pytest

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.train import Epoch, History
from viz.graphs.facts import SHOWN
from viz.picture.gallery import Section, write_page

pytestmark = pytest.mark.browser

HOSTILE = ['<script>alert("x")</script>', "<img src=x onerror=alert(1)>", "]]>", "漢字 😀", "\\N"]
VISIBLE = """[...document.querySelectorAll(".state")].filter(s => s.offsetHeight > 0)"""


def trace() -> tg.Trace:
    tg.manual_seed(0)
    model = tg.models.ResNet(blocks=(2, 9), channels=(2, 4))
    x = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    with tg.trace() as t:
        tg.cross_entropy(model(tg.Tensor(x, requires_grad=True)), [1, 2]).backward()
    return t


def levels(browser) -> list[str]:
    """The ids of a state that opens from the first one, and of one that opens only from there."""
    links = browser.evaluate("""Object.fromEntries([...document.querySelectorAll(".state")].map(
        s => [s.id, [...s.querySelectorAll("a:has(.node)")].map(
            a => a.getAttribute("href").slice(1).split("-")[0])]))""")
    return next(
        [first, second]
        for first in links["s0"]
        for second in links[first]
        if second not in links["s0"]
    )


def check_quiet(browser) -> None:
    """The page loaded nothing but itself, contains no script, and caused no errors."""
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert len(asked) == 1
    assert asked[0].startswith("file:")
    assert browser.complaints == []
    assert browser.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("draw", [viz.draw, viz.gradient_flow])
def test_a_folded_picture_opens_and_closes_by_clicks(browser, tmp_path, draw):
    browser.open(draw(trace()).save(tmp_path / "page.html"))
    assert browser.evaluate(f"{VISIBLE}.map(s => s.id)") == ["s0"]
    way = ["s0"]
    for state in levels(browser):
        assert state not in way
        browser.click(f"document.querySelector('#{way[-1]} a[href^=\"#{state}-\"] .node')")
        assert browser.evaluate(f"{VISIBLE}.map(s => s.id)") == [state]
        assert browser.evaluate(
            "(r => r.bottom > 0 && r.top < innerHeight)"
            "(document.querySelector(':target').getBoundingClientRect())"
        )
        way.append(state)
    assert len(way) == 3
    while len(way) > 1:  # the innermost frame that closes leads back
        browser.click(f"[...document.querySelectorAll('#{way.pop()} .scope ~ .button')].at(-1)")
        assert browser.evaluate(f"{VISIBLE}.map(s => s.id)") == [way[-1]]
    check_quiet(browser)


def test_every_link_of_a_page_leads_somewhere_and_every_state_can_be_reached(browser, tmp_path):
    browser.open(viz.draw(trace()).save(tmp_path / "page.html"))
    lost = "[...document.querySelectorAll('a')].map(a => a.getAttribute('href').slice(1))"
    assert browser.evaluate(f"{lost}.filter(id => id && !document.getElementById(id))") == []
    piles = "[...document.querySelectorAll('.node')].filter(n => / alike/.test(n.textContent))"
    assert browser.evaluate(f"{piles}.filter(n => !n.closest('a')).length") == 0
    targets = set(browser.evaluate(f"{lost}.map(id => id.split('-')[0])"))
    states = browser.evaluate("[...document.querySelectorAll('.state')].map(s => s.id)")
    assert len(states) > 10
    assert set(states) <= targets
    assert browser.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") \
        == browser.evaluate("document.querySelectorAll('[id]').length")  # fmt: skip


def hostile() -> viz.Picture:
    total = tg.Tensor([1.0], requires_grad=True, name="x")
    for name in HOSTILE:
        with tg.scope(name):
            total = total * tg.Tensor([2.0], name=name) + 1.0
    return viz.draw(total)


def scalar() -> viz.Picture:
    a, b = tg.Scalar(2.5, name="a"), tg.Scalar(-1e-12 / 3, name="a rather long name, in all")
    y = (a * b + a).tanh()
    y.backward()
    return viz.draw(y)


PICTURES = {
    "hostile": hostile,
    "scalar": scalar,
    "everything": lambda: viz.draw(trace(), show=SHOWN, fold=False, parameters=True),
    "flow": lambda: viz.gradient_flow(trace()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_labels_stay_inside_their_boxes(browser, tmp_path, name):
    browser.open(PICTURES[name]().save(tmp_path / "page.html"))
    # In natural size: in a picture that is scaled down, the browser measures with rounding.
    browser.evaluate("document.querySelectorAll('svg').forEach(s => s.style.maxWidth = 'none')")
    outside = browser.evaluate("""
        [...document.querySelectorAll(".node")].flatMap(node => {
            const box = node.querySelector("rect").getBBox()
            return [...node.querySelectorAll("text")].filter(text => {
                const t = text.getBBox()
                return t.width && (t.x < box.x || t.x + t.width > box.x + box.width
                    || t.y < box.y - 1 || t.y + t.height > box.y + box.height + 2)
            }).map(text => text.textContent)
        })""")
    assert outside == []
    assert browser.evaluate("document.querySelectorAll('.node text').length") > 5
    check_quiet(browser)


def test_hostile_names_are_text(browser, tmp_path):
    browser.open(hostile().save(tmp_path / "page.html"))
    shown = browser.evaluate("[...document.querySelectorAll('text')].map(t => t.textContent)")
    assert set(HOSTILE) <= set(shown)
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    check_quiet(browser)


def test_dark_pages_have_dark_pictures_with_light_text(browser, tmp_path):
    browser.open(viz.gradient_flow(trace()).save(tmp_path / "page.html"))
    look = """["body", ".ground", ".legend text", ".f10 path"].map(s =>
        getComputedStyle(document.querySelector(s))[
            s == "body" ? "backgroundColor" : s == ".f10 path" ? "stroke" : "fill"])"""
    light = browser.evaluate(look)
    browser.prefer("dark")
    dark = browser.evaluate(look)
    assert [brightness(c) > 0.5 for c in light] == [True, True, False, False]
    assert [brightness(c) > 0.5 for c in dark] == [False, False, True, True]


def test_dark_pages_have_dark_plots_with_light_text(browser, tmp_path):
    run = History([2.3, 1.9], [Epoch(1, 2.1, 0.3, 0.4, 0.1)])
    browser.open(viz.training(run).save(tmp_path / "page.html"))
    browser.prefer("dark")
    fills = """[...document.querySelectorAll("SELECTED")].map(e => getComputedStyle(e).fill)"""
    (ground,) = browser.evaluate(fills.replace("SELECTED", ".ground"))
    words = browser.evaluate(fills.replace("SELECTED", "svg text"))
    assert len(words) > 10
    assert brightness(ground) < 0.2
    assert min(map(brightness, words)) > 0.5


def brightness(color: str) -> float:
    parts = [int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(parts) / 3 / 255


@pytest.mark.parametrize("width", [360, 1000, 1800])
def test_a_summary_page_fits_a_window(browser, tmp_path, width):
    browser.resize(width, 800)
    browser.open(viz.summary_page(trace(), tmp_path / "summary.html"))
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    loaded = "[...document.images].map(i => i.complete && i.naturalWidth > 0)"
    assert browser.evaluate(loaded) == [True] * 3
    assert browser.evaluate("document.querySelectorAll('section').length") == 4
    check_quiet(browser)


def test_a_gallery_shows_titles_literally(browser, tmp_path):
    name = HOSTILE[0]
    browser.open(write_page(tmp_path / "page.html", name, name, [Section(name, name, output=name)]))
    texts = browser.evaluate(
        "['title', 'h1', 'p', 'li a', 'h2', 'pre'].map(s => document.querySelector(s).textContent)"
    )
    assert all(name in text for text in texts)
    check_quiet(browser)
