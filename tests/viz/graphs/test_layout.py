"""Layout: any label is safe, the engine is found anywhere, same input gives same bytes."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn.errors import GraphError, OptionError
from viz.graphs import layout
from viz.graphs.diagram import Arrow, Box, Diagram, Group
from viz.graphs.render import render
from viz.picture import svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    '<script>alert("x")</script>',
    "<b>bold</b>",
    "back\\slash \\n \\N \\",
    "two\nlines",
    "{record|<port>field}",
    "b0:port:n",
    "&amp; &lt; & %s",
    "漢字 😀 é",
    "\x00\x1b\ud800",
    "node",
    "",
]
labels = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12))


def sample(*names: str) -> Diagram:
    boxes = tuple(
        Box(name, title, tag=title, lines=(title,), group="g")
        for name, title in zip("abcdef", names, strict=False)
    )
    arrows = tuple(Arrow(a.id, b.id, label=a.title) for a, b in pairwise(boxes))
    return Diagram(boxes, arrows, (Group("g", names[0]),), title=names[0])


@given(st.lists(labels, min_size=3, max_size=3))
def test_every_label_appears_literally(names):
    root = ET.fromstring(render(sample(*names)).svg.encode())
    shown = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    for name in names:
        assert svg.clean(name) in shown
    assert root.find(f".//{SVG}script") is None
    assert len(root.findall(f".//{SVG}g[@data-id]")) == 3


@given(st.lists(labels, min_size=2, max_size=2))
def test_dot_shows_labels_literally_in_graphviz_too(names):
    drawn = subprocess.run(
        [layout.pure_executable(), "-Tsvg"],
        input=layout.to_dot(sample(*names)).encode(),
        capture_output=True,
        check=True,
    ).stdout
    shown = {text.text.strip() for text in ET.fromstring(drawn).iter(f"{SVG}text") if text.text}
    for name in names:
        assert svg.clean(name).strip() in shown | {""}


def test_boxes_do_not_overlap_and_stand_inside_their_frame():
    diagram = sample("漢字" * 10, "wide " * 8, "x")
    places = layout.place(diagram)
    left, top, width, height = places.groups["g"]
    bottoms = [0.0]
    for box in diagram.boxes:
        x, y = places.boxes[box.id]
        across, down = box.size
        assert left <= x - across / 2
        assert x + across / 2 <= left + width
        assert y - down / 2 >= max(bottoms[-1], top)
        bottoms.append(y + down / 2)
    assert bottoms[-1] <= top + height <= places.height


def test_a_backward_arrow_points_at_its_source():
    for backward, near in ((False, "b"), (True, "a")):
        boxes = (Box("a", "a"), Box("b", "b"))
        places = layout.place(Diagram(boxes, (Arrow("a", "b", backward=backward),)))
        distance = abs(places.routes[0].tip[1] - places.boxes[near][1])
        assert distance <= boxes[0].size[1] / 2 + 2


def test_same_input_same_bytes_with_an_empty_path():
    program = (
        "import tinygrad_cnn as tg, viz, sys\n"
        "x = tg.Tensor([[1.0, 2.0]], requires_grad=True)\n"
        "sys.stdout.write(viz.draw((x * x + x.relu()).sum()).svg)"
    )
    drawn = set()
    for seed in ("1", "2"):
        environment = {"PATH": "", "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        if "SYSTEMROOT" in os.environ:
            environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        )
        drawn.add(done.stdout)
    assert len(drawn) == 1
    assert b"relu" in drawn.pop()


@pytest.mark.skipif(shutil.which("dot") is None, reason="no Graphviz on this system")
@given(st.lists(labels, min_size=2, max_size=4))
@settings(max_examples=settings.default.max_examples // 4)
def test_system_engine_draws_the_same_boxes(names):
    diagram = sample(*names)
    pure, system = (layout.place(diagram, engine) for engine in layout.ENGINES)
    assert pure.boxes.keys() == system.boxes.keys()
    assert pure.groups.keys() == system.groups.keys()
    assert pure.width == pytest.approx(system.width, rel=0.1, abs=20)
    ET.fromstring(render(diagram, engine="system").svg.encode())


def test_a_tangle_is_laid_out_with_straight_lines_rather_than_for_minutes():
    boxes = tuple(Box(str(i), "add") for i in range(310))
    chain = tuple(Arrow(str(i), str(i + 1)) for i in range(309))
    tangle = tuple(Arrow(str(i * 37 % 150), str(150 + i * 91 % 150)) for i in range(310))
    assert "splines=line" not in layout.to_dot(Diagram(boxes, chain))
    assert "splines=line" in layout.to_dot(Diagram(boxes, chain + tangle))
    assert len(layout.place(Diagram(boxes, chain + tangle)).routes) == 619


def test_an_engine_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(layout, "TIMEOUT", 1e-4)
    with pytest.raises(GraphError, match=r"no layout within .* depth=1"):
        layout.place(sample("a", "b"))


def test_an_upward_arrow_points_up_and_leads_to_what_stands_above():
    boxes = (Box("a", "a"), Box("b", "b"))
    places = layout.place(Diagram(boxes, (Arrow("a", "b", upward=True),)))
    assert places.boxes["b"][1] < places.boxes["a"][1]
    assert abs(places.routes[0].tip[1] - places.boxes["b"][1]) <= boxes[0].size[1] / 2 + 2


def test_system_engine_falls_back_and_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.warns(UserWarning, match="no `dot` on the PATH"):
        render(sample("a", "b"), engine="system")


def test_errors(monkeypatch):
    with pytest.raises(OptionError, match="pure, system"):
        render(sample("a"), engine="neato")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(layout, "pure_executable", lambda: None)
    with pytest.raises(GraphError, match="pip install graphviz-pure"):
        render(sample("a"))
