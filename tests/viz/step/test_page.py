"""The page of viz.step in a browser without a network: every key and button, and what they show."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
import viz
from tests.viz.step.programs import network

pytestmark = pytest.mark.browser

COUNT = "document.getElementById('count').textContent"
CAPTION = "document.getElementById('caption').textContent"


def scalars() -> viz.Steps:
    a, b, c = (tg.Scalar(v, name=n) for v, n in ((2.0, "a"), (-3.0, "b"), (10.0, "c")))
    with tg.trace() as t:
        d = (a * b + c).relu()
        d.backward()
    return viz.step(t)


def twice() -> viz.Steps:
    a = tg.Scalar(2.0, name="a")
    with tg.trace() as t:
        b = a + a
        b.backward()
    return viz.step(t)


def convolution() -> viz.Steps:
    x = tg.Tensor(np.arange(9.0).reshape(1, 1, 3, 3), requires_grad=True, name="x")
    w = tg.Tensor(np.arange(4.0).reshape(1, 1, 2, 2), requires_grad=True, name="w")
    with tg.trace() as t:
        y = tg.conv2d(x, w)
        (y * y).sum().backward()
    return viz.step(t)


def failing() -> viz.Steps:
    x, w = (tg.Tensor(np.ones(s), name=n) for s, n in (((2, 3), "x"), ((4, 5), "w")))
    with pytest.raises(tg.errors.ShapeError), tg.trace() as t:
        tg.relu(x) @ w
    return viz.step(t)


def show(browser, tmp_path: Path, page: viz.Steps, address: str = "") -> viz.Steps:
    browser.open(page.save(tmp_path / "page.html"), address)
    return page


def press(browser, key: str) -> None:
    text = {"text": key} if len(key) == 1 else {}
    for kind in ("keyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key=key, **text)


def click(browser, name: str) -> None:
    browser.click(f"document.getElementById('{name}')")


def position(browser) -> int:
    return int(re.search(r"\d+", browser.evaluate(COUNT))[0])


def check_quiet(browser) -> None:
    """The page loaded nothing but itself, and caused no errors."""
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert len({url.partition("#")[0] for url in asked}) == 1
    assert asked[0].startswith("file:")
    assert browser.complaints == []


def test_every_step_is_reached_by_key_button_and_slider_with_its_caption(browser, tmp_path):
    page = show(browser, tmp_path, scalars())
    captions = [step["caption"] for step in page.data["steps"]]
    last = len(captions) - 1
    seen = [browser.evaluate(CAPTION)]
    for _ in range(last):
        press(browser, "ArrowRight")
        seen.append(browser.evaluate(CAPTION))
    assert seen == captions
    press(browser, "ArrowRight")  # the last step stays
    for key, place in (
        ("ArrowLeft", last - 1),
        ("Home", 0),
        ("PageDown", last),
        ("PageUp", 0),
        ("End", last),
    ):
        press(browser, key)
        assert position(browser) == place
    for name, place in (("first", 0), ("on", 1), ("on", 2), ("back", 1), ("last", last)):
        click(browser, name)
        assert (position(browser), browser.evaluate(CAPTION)) == (place, captions[place])
    for place in (3, 0, last, 5):
        browser.evaluate(
            f"(s => {{ s.value = {place}; s.dispatchEvent(new Event('input')) }})"
            "(document.getElementById('slider'))"
        )
        assert browser.evaluate(CAPTION) == captions[place]
        assert browser.evaluate("location.hash") == f"#step={place}"
    half = "forward" if page.data["steps"][5]["kind"] == "seed" else "backward"
    assert browser.evaluate(COUNT) == f"step 5 of {last}, {half}"
    check_quiet(browser)


def test_an_address_leads_to_a_step(browser, tmp_path):
    page = show(browser, tmp_path, scalars(), "#step=6")
    assert browser.evaluate(CAPTION) == page.data["steps"][6]["caption"]
    browser.evaluate("location.hash = '#step=2'; 0")
    wait(browser, f"{CAPTION} == {json.dumps(page.data['steps'][2]['caption'])}")


def wait(browser, condition: str) -> None:
    for _ in range(200):
        if browser.evaluate(f"Boolean({condition})"):
            return
        browser.send("Runtime.evaluate", expression="new Promise(r => setTimeout(r, 20))",
                     awaitPromise=True)  # fmt: skip
    raise AssertionError(condition)


def test_it_plays_to_the_end_and_stops(browser, tmp_path):
    page = show(browser, tmp_path, scalars())
    browser.evaluate("document.getElementById('speed').options[0].value = 100")
    browser.evaluate("document.getElementById('speed').value = 100")
    press(browser, " ")
    assert browser.evaluate("document.getElementById('play').textContent") == "stop"
    wait(browser, "document.getElementById('play').textContent == 'play'")
    assert position(browser) == len(page.data["steps"]) - 1
    click(browser, "play")  # from the beginning again
    press(browser, " ")
    assert browser.evaluate("document.getElementById('play').textContent") == "play"


def node(label: str) -> str:
    return f"parts.boxes[boxOf[nodes.findIndex(n => n.label == '{label}')]]"


def test_boxes_and_arrows_are_lit_as_values_and_gradients_arrive(browser, tmp_path):
    show(browser, tmp_path, twice())

    def look():
        box = f"({node('a')}).textContent + ' / ' + ({node('b')}).textContent"
        arrows = "parts.arrows.map(a => a.getAttribute('class')).join(', ')"
        width = "+document.querySelector('path.gradient').style.strokeWidth"
        return browser.evaluate(box), browser.evaluate(arrows), browser.evaluate(width)

    found = [look()]
    for _ in range(4):
        press(browser, "ArrowRight")
        found.append(look())
    texts = [re.sub(r"^.*?(?=adata|data)", "", text) for text, _, _ in found]
    assert [("data ?" in t, t.count("no grad yet")) for t in texts] == [
        (True, 2), (False, 2), (False, 1), (False, 0), (False, 0),
    ]  # fmt: skip
    assert "grad 2" in texts[3]
    assert " 0" not in "".join(texts)  # nothing reads 0 before its turn
    assert [arrows.count("flowed") for _, arrows, _ in found] == [0, 2, 2, 2, 2]
    assert [arrows.count("graded") for _, arrows, _ in found] == [0, 0, 0, 2, 2]
    assert [width > 0 for _, _, width in found] == [False] * 3 + [True] * 2


def test_gradients_that_meet_add_up_visibly(browser, tmp_path):
    show(browser, tmp_path, twice(), "#step=3")
    sums = browser.evaluate(
        "[...document.querySelectorAll('.sum')].map(s => s.innerText.replace(/\\s+/g, ' '))"
    )
    assert sums == [
        "no grad yet → 1 now gradient 1 of 2 that meet here",
        "1 so far + 1 now = 2 all 2 gradients",
    ]
    assert "1 + 1 = 2" in browser.evaluate(CAPTION)


def test_a_click_on_a_node_leads_to_its_forward_and_then_to_its_backward_step(browser, tmp_path):
    page = show(browser, tmp_path, scalars())
    for label in ("v2", "d"):
        i = next(i for i, n in enumerate(page.data["nodes"]) if n["label"] == label)
        for kind in ("forward", "backward"):
            browser.click(node(label))
            step = page.data["steps"][position(browser)]
            assert (step["node"], step["kind"]) == (i, kind)
    browser.click(node("c"))  # what was given: where it is used, where its gradient arrives
    assert page.data["steps"][position(browser)]["kind"] == "forward"
    browser.click(node("c"))
    assert page.data["steps"][position(browser)]["kind"] == "backward"


def test_a_node_is_found_by_its_name(browser, tmp_path):
    page = show(browser, tmp_path, viz.step(network("lenet")))
    press(browser, "/")
    assert browser.evaluate("document.activeElement.id") == "find"
    browser.send("Input.insertText", text="classifier.act1")
    assert browser.evaluate("document.querySelectorAll('#found button').length") == 1
    press(browser, "Enter")
    assert page.data["steps"][position(browser)]["scope"] == "classifier.act1"
    press(browser, "/")
    browser.send("Input.insertText", text="no such thing")
    assert browser.evaluate("document.getElementById('found').innerText") == "no such node"
    press(browser, "Escape")
    assert browser.evaluate("document.getElementById('found').children.length") == 0


def test_the_keys_are_told_and_the_help_closes(browser, tmp_path):
    show(browser, tmp_path, scalars())
    press(browser, "?")
    assert browser.evaluate("document.getElementById('help').open")
    press(browser, "ArrowRight")  # while it is open, the page stays
    assert position(browser) == 0
    click(browser, "help-close")
    assert not browser.evaluate("document.getElementById('help').open")


def test_an_op_opens_into_its_arithmetic(browser, tmp_path):
    show(browser, tmp_path, convolution(), "#step=1")
    text = "document.getElementById('opened').innerText"
    assert "x[0,0,0,0] × w[0,0,0,0]" in browser.evaluate(text)
    assert browser.evaluate("document.querySelectorAll('td.window').length") == 4 + 4
    browser.click("document.querySelectorAll('.card.output td')[3]")  # y[0,0,1,1]
    said = browser.evaluate(text)
    assert "4 × 0 + 5 × 1 + 7 × 2 + 8 × 3 = 43" in re.sub(r"\s+", " ", said)
    where = "[...document.querySelectorAll('.card:not(.output) td')].map(e => e.className)"
    assert browser.evaluate(where)[:9] == [""] * 4 + ["window"] * 2 + [""] + ["window"] * 2
    while "backward" not in browser.evaluate(COUNT) or "conv2d" not in browser.evaluate(CAPTION_OP):
        press(browser, "ArrowRight")
    said = browser.evaluate(text)
    assert "arrived g = 38" in said  # ∂(y²)/∂y at y[0,0,0,0] = 19
    assert "38 × 3 = 114" in said
    check_quiet(browser)


CAPTION_OP = "document.querySelector('#step h3').textContent"


def test_modules_fold_and_open(browser, tmp_path):
    page = show(browser, tmp_path, viz.step(network("resnet20")))
    steps, last = page.data["steps"], len(page.data["steps"]) - 1
    assert browser.evaluate("parts.boxes.length") < 20 < len(page.data["nodes"])
    seen = [position(browser)]
    while position(browser) < last:
        press(browser, "ArrowRight")
        seen.append(position(browser))
    assert len(seen) < last / 3  # a closed module is one step
    press(browser, "Home")
    while "layer1" not in browser.evaluate(CAPTION_OP):
        press(browser, "ArrowRight")
    at = position(browser)
    press(browser, "ArrowDown")
    assert position(browser) == at
    assert "layer1" in browser.evaluate("document.getElementById('way').innerText")
    press(browser, "ArrowDown")  # into the first of its blocks
    press(browser, "ArrowRight")
    assert position(browser) == at + 1
    assert browser.evaluate(CAPTION) == steps[at + 1]["caption"]
    press(browser, "ArrowUp")
    press(browser, "ArrowUp")
    assert browser.evaluate("view") == page.data["start"]
    browser.click("document.querySelector('#drawing .button')")
    assert browser.evaluate("view") != page.data["start"]
    check_quiet(browser)


def test_every_module_of_a_small_network_closes_too(browser, tmp_path):
    show(browser, tmp_path, viz.step(network("lenet")))
    boxes = browser.evaluate("parts.boxes.length")
    press(browser, "ArrowRight")
    press(browser, "ArrowUp")
    assert browser.evaluate("parts.boxes.length") < boxes
    assert "features runs forward" in browser.evaluate(CAPTION)
    press(browser, "ArrowDown")
    assert browser.evaluate("parts.boxes.length") > 3


def test_a_program_that_raised_shows_the_op_in_red_and_the_shapes_that_clash(browser, tmp_path):
    page = show(browser, tmp_path, failing())
    press(browser, "End")
    assert page.data["steps"][-1]["message"] in browser.evaluate(CAPTION)
    assert browser.evaluate("document.querySelector('.shapes').textContent") == "(2,3) and (4,5)"
    broken = browser.evaluate("document.querySelector('.node.broken').textContent")
    assert broken.startswith("matmul")
    assert browser.evaluate(COUNT) == "step 2 of 2, error"
    check_quiet(browser)


def statistics() -> viz.Steps:
    model = tg.models.LeNet()
    with tg.trace(keep="statistics") as t:
        tg.cross_entropy(model(tg.Tensor(np.ones((1, 1, 28, 28), np.float32))), [1]).backward()
    return viz.step(t)


def two_passes() -> viz.Steps:
    w = tg.Tensor([1.0, np.nan, np.inf], requires_grad=True, name="w")
    with tg.trace() as t:
        for _ in range(2):
            one, _, _ = tg.split(w * w, 3)
            (one * 2.0).sum().backward()
    return viz.step(t)


def failing_backward() -> viz.Steps:
    wrong = tg.op("wrong", lambda x: x * 1.0, lambda g, y, x: 1 / 0)
    with pytest.raises(ZeroDivisionError), tg.trace() as t:
        (wrong(tg.Tensor(np.ones(100), requires_grad=True)) * 2.0).sum().backward()
    return viz.step(t)


def failing_elsewhere() -> viz.Steps:
    with pytest.raises(KeyError), tg.trace() as t:
        {}[tg.Scalar(1.0) + 1.0]
    return viz.step(t)


def empty() -> viz.Steps:
    return viz.step(tg.Tensor(np.ones((0, 3)), requires_grad=True).sum())


@pytest.mark.parametrize(
    "program", [statistics, two_passes, failing_backward, failing_elsewhere, empty]
)
def test_unusual_programs_can_be_walked_through_as_well(browser, tmp_path, program):
    page = show(browser, tmp_path, program())
    for step in page.data["steps"]:
        assert browser.evaluate(CAPTION) == step["caption"]
        press(browser, "ArrowRight")
    check_quiet(browser)


HOSTILE = [
    '<script>alert("x")</script>',
    "</script><img src=x onerror=alert(1)>",
    "\"'`${1}\\",
    "\u202eevil\u2066 right to left",
    "long " * 2000,
]


def hostile() -> viz.Steps:
    total: Any = tg.Tensor([1.0], requires_grad=True, name=HOSTILE[0])
    for name in HOSTILE:
        with tg.scope(name.replace(".", "")):
            total = total * tg.Tensor([2.0], name=name) + 1.0
    return viz.step(total.sum(), title=HOSTILE[1])


def test_hostile_names_are_text(browser, tmp_path):
    page = show(browser, tmp_path, hostile())
    for _ in page.data["steps"]:
        press(browser, "ArrowRight")
    press(browser, "Home")
    names = browser.evaluate("[...document.querySelectorAll('.card .name')].map(e => e.innerText)")
    assert HOSTILE[0] in names
    assert browser.evaluate("document.getElementById('title').textContent") == HOSTILE[1]
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.evaluate("document.scripts.length") == 2  # the data, and the page's own
    assert browser.evaluate("document.documentElement.scrollWidth") <= 1000
    check_quiet(browser)


def test_a_source_with_a_hostile_name_and_lines(browser, tmp_path):
    file = tmp_path / "\"'<img src=x onerror=alert(1)>\u202e.py"
    lines = ["x = a * a  # </script><script>alert(1)</script>", "y = x + x  # <!-- <b>"]
    file.write_text("\n".join(lines))
    a = tg.Scalar(2.0, name="a")
    scope = {"a": a}
    with tg.trace() as t:
        exec(compile(file.read_text(), str(file), "exec"), scope)
    show(browser, tmp_path, viz.step(t), "#step=2")
    shown = browser.evaluate(
        "[...document.querySelectorAll('#source li')].map(e => e.lastChild.data)"
    )
    assert shown == lines
    now = browser.evaluate("document.querySelector('#source li.now').lastChild.data")
    assert now == lines[1]
    press(browser, "ArrowLeft")
    marked = browser.evaluate(
        "['now', 'next'].map(c => document.querySelector(`#source li.${c}`).lastChild.data)"
    )
    assert marked == lines
    assert browser.evaluate("document.querySelector('#source .file').textContent") == file.name
    check_quiet(browser)


def test_a_sandboxed_frame_shows_it_and_its_keys_work(browser, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{scalars()._repr_html_()}", encoding="utf-8")
    browser.open(path)
    browser.click("document.querySelector('iframe')")
    with browser.frame():
        press(browser, "ArrowRight")
        press(browser, "ArrowRight")
        assert browser.evaluate(COUNT).startswith("step 2 of")
    assert browser.complaints == []
    assert browser.evaluate("document.querySelector('iframe').sandbox.value") == "allow-scripts"
    assert browser.evaluate("document.querySelector('img').naturalWidth") > 0
    assert browser.evaluate("document.querySelector('iframe').contentDocument") is None


def test_without_scripts_the_graph_is_there(browser, tmp_path):
    path = twice().save(tmp_path / "page.html")
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(path)
        text = browser.evaluate("document.body.innerText")
        assert "Scripts are off here" in text
        shown = browser.evaluate(
            "[...document.querySelectorAll('svg text')].map(t => t.textContent)"
        )
        assert [t for t in shown if t.startswith("data")] == ["data 2", "data ?"]
        assert shown.count("no grad yet") == 2
        assert (
            browser.evaluate("getComputedStyle(document.querySelector('footer')).display") == "none"
        )
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize(
    ("width", "height"), [(390, 844), (768, 1024), (1024, 768), (1280, 720), (844, 390)]
)
def test_it_fits_every_screen(browser, tmp_path, width, height):
    browser.resize(width, height)
    show(browser, tmp_path, viz.step(network("lenet")), "#step=3")
    wide = "document.documentElement.scrollWidth"
    assert browser.evaluate(wide) <= width
    inside = browser.evaluate("""
        ["graph", "story", "caption", "slider", "play", "count"].map(id => {
        const r = document.getElementById(id).getBoundingClientRect()
        return r.left >= -1 && r.right <= innerWidth + 1 && r.top >= -1 && r.top < innerHeight
            && r.width > 20 && r.height > 10 })""")
    assert inside == [True] * 6
    graph, story = (
        browser.evaluate(
            f"(r => [r.left, r.top])(document.getElementById('{i}').getBoundingClientRect())"
        )
        for i in ("graph", "story")
    )
    assert (story[1] > graph[1]) == (width < 820 and height > width)  # below it, or beside
    check_quiet(browser)


def test_it_follows_the_reader_into_the_dark_and_without_motion(browser, tmp_path):
    show(browser, tmp_path, viz.step(network("lenet")), "#step=2")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(ground)
    browser.prefer("dark")
    assert browser.evaluate(ground) != light
    browser.send("Emulation.setEmulatedMedia", features=[
        {"name": "prefers-reduced-motion", "value": "reduce"}])  # fmt: skip
    browser.evaluate("zoom(3); 0")
    press(browser, "End")
    press(browser, "ArrowLeft")
    box = browser.evaluate("""(r => {
        const g = document.getElementById('graph').getBoundingClientRect()
        return r.left >= g.left && r.right <= g.right && r.top >= g.top && r.bottom <= g.bottom })
        (document.querySelector('.node.current').getBoundingClientRect())""")
    assert box  # at once, without a journey
    browser.prefer("light")


def test_the_drawing_zooms_moves_and_fits(browser, tmp_path):
    show(browser, tmp_path, viz.step(network("lenet")))
    size = "scale()"
    before = browser.evaluate(size)
    click(browser, "closer")
    assert browser.evaluate(size) == pytest.approx(1.4 * before)
    click(browser, "wider")
    assert browser.evaluate(size) == pytest.approx(before)
    x = browser.evaluate("frame.x")
    for kind, at in (("mousePressed", 100), ("mouseMoved", 160), ("mouseReleased", 160)):
        browser.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, x=at,
                     y=500, buttons=1)  # fmt: skip
    assert browser.evaluate("frame.x") == pytest.approx(x - 60 / before)
    assert browser.evaluate("follows") is False
    click(browser, "follow")
    assert browser.evaluate("follows") is True
    click(browser, "fit")
    assert browser.evaluate("frame.height >= whole.height && frame.width >= whole.width")


def test_numbers_of_a_large_array_are_a_heat_map_with_a_scale_and_a_histogram(browser, tmp_path):
    page = show(browser, tmp_path, viz.step(network("lenet")), "#step=2")
    out = page.data["steps"][2]["outputs"][0]["value"]
    array = page.data["arrays"][out]
    assert browser.evaluate("document.querySelectorAll('.card.output canvas').length") >= 1
    browser.click("document.querySelector('.card.output summary')")
    wait(browser, "document.querySelector('.card.output dd')")
    shown = browser.evaluate(
        "[...document.querySelectorAll('.card.output dd')].map(e => e.textContent)"
    )
    assert shown[5] == f"{array['statistics']['size']:,}"
    bars = browser.evaluate("document.querySelectorAll('.card.output .bars i').length")
    assert bars == len(array["histogram"])


AXE = """axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
    r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.target.join(" ")).slice(0, 5)])))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, tmp_path, scheme):
    axe = find_axe()
    browser.prefer(scheme)
    found = []
    for page, keys in (
        (scalars(), ("Home", "End")),
        (viz.step(network("lenet")), ("Home", "ArrowRight", "End", "ArrowLeft")),
        (convolution(), ("ArrowRight", "End", "ArrowLeft")),
        (failing(), ("End",)),
    ):
        show(browser, tmp_path, page)
        browser.evaluate(axe + "; 0")
        for key in keys:
            press(browser, key)
            answer = browser.send("Runtime.evaluate", expression=AXE, awaitPromise=True,
                                  returnByValue=True)  # fmt: skip
            found += json.loads(answer["result"]["value"])
    assert [each for each in found if each[0] in ("serious", "critical")] == []


def find_axe() -> str:
    """The text of axe-core, from the package axe-core-python; a test is skipped without it."""
    from importlib.util import find_spec

    package = find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("no axe-core: pip install axe-core-python")
    return (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def test_pages_of_every_kind_of_step_have_no_text_that_is_cut(browser, tmp_path):
    for page in (scalars(), convolution(), failing()):
        show(browser, tmp_path, page)
        for _ in itertools.repeat(None, len(page.data["steps"])):
            outside = browser.evaluate("""[...document.querySelectorAll(".node")].flatMap(node => {
                const box = node.querySelector("rect").getBBox()
                return [...node.querySelectorAll(":scope > text")].filter(text => {
                    const t = text.getBBox()
                    return t.width && (t.x < box.x || t.x + t.width > box.x + box.width)
                }).map(text => text.textContent)})""")
            assert outside == []
            press(browser, "ArrowRight")
