"""`viz.draw`: what stands in the picture, decided as data."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError
from viz.graph import diagram_of
from viz.style import KINDS, kind_of

SCOPES = ["", "a", "a.0", "a.0.conv", "a.1", "b.c", "0"]


@st.composite
def programs(draw) -> tg.Graph:
    """A random graph of (2, 2) tensors: several ops, leaves of every role, modules, two outputs."""
    values = [
        tg.Tensor(np.ones((2, 2)), requires_grad=True, name="x"),
        tg.nn.Parameter(np.ones((2, 2)), name="weight"),
        tg.nn.Parameter(np.ones((2, 2))),
    ]
    pick = st.integers(0, 100)
    for _ in range(draw(st.integers(1, 12))):
        a, b = (values[draw(pick) % len(values)] for _ in range(2))
        scope = draw(st.sampled_from(SCOPES))
        compute = draw(
            st.sampled_from(
                [
                    lambda a, b: a * b,
                    lambda a, b: a - b,
                    lambda a, b: a * a,
                    lambda a, b: 2.0 - a,
                    lambda a, b: a.relu(),
                    lambda a, b: tg.transpose(a),
                    lambda a, b: tg.residual_add(a, b),
                    lambda a, b: tg.concatenate([a, b, a])[:2],
                    lambda a, b: TWICE(a)[0] * TWICE(b)[1],
                    lambda a, b: TWICE(a)[1],
                ]
            )
        )
        with tg.scope(scope) if scope else tg.scope("top"):
            values.append(compute(a, b))
    return tg.Graph.of(values[-1], values[draw(pick) % len(values)])


TWICE = tg.op(
    "twice", lambda x: (x, x), lambda g, y, x: sum(part for part in g if part is not None)
)
options = st.fixed_dictionaries(
    {"parameters": st.booleans(), "depth": st.sampled_from([None, 1, 2, 3])}
)


@given(programs(), options)
def test_every_edge_is_in_the_picture_once(graph, options):
    diagram = diagram_of(graph, **options)
    ids = {box.id for box in diagram.boxes}
    drawn = [edge for arrow in diagram.arrows for edge in arrow.edges]
    drawn += [edge for box in diagram.boxes for edge in box.folded]
    assert sorted(drawn) == sorted(graph.edges)
    assert sorted(n for box in diagram.boxes for n in box.nodes) == list(range(len(graph)))
    assert len(ids) == len(diagram.boxes)
    for arrow in diagram.arrows:
        assert {arrow.source, arrow.target} <= ids
        inside = {box.id: set(box.nodes) for box in diagram.boxes}
        for edge in arrow.edges:
            assert edge.producer in inside[arrow.source]
            assert edge.consumer in inside[arrow.target]


@given(programs(), options)
def test_frames_nest_and_each_holds_several_boxes(graph, options):
    diagram = diagram_of(graph, **options)
    groups = {group.name: group for group in diagram.groups}
    for group in diagram.groups:
        assert group.parent in {"", *groups}
        assert group.name.startswith(group.parent)
        boxes = [b for b in diagram.boxes if f"{b.group}.".startswith(f"{group.name}.")]
        assert len(boxes) >= 2
    assert {box.group for box in diagram.boxes} <= {"", *groups}


@given(programs(), options, st.sampled_from(["TB", "LR"]))
def test_pictures_are_well_formed_svg(graph, options, direction):
    picture = viz.draw(graph, direction=direction, **options)
    root = ET.fromstring(picture.svg.encode())
    drawn = {g.get("data-id") for g in root.iter("{http://www.w3.org/2000/svg}g")} - {None}
    assert drawn == {box["id"] for box in picture.data["boxes"]}


# --- Tensors -------------------------------------------------------------------------------------


class LeNetLike(tg.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = tg.nn.Sequential(
            tg.nn.Conv2d(1, 6, 5, padding=2), tg.nn.BatchNorm2d(6), tg.nn.Sigmoid()
        )
        self.classifier = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.Linear(6 * 64, 10))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.classifier(self.features(x))


def lines(picture: viz.Picture) -> dict[str, list[str]]:
    return {box["title"]: list(box["lines"]) for box in picture.data["boxes"]}


def test_a_model_is_one_column_of_ops_with_their_parameters_inside():
    picture = viz.draw(LeNetLike(), input_shape=(1, 1, 8, 8))
    said = lines(picture)
    assert said["input"] == ["(1,1,8,8)"]
    assert said["conv2d"] == ["padding 2", "weight (6,1,5,5)", "bias (6)", "→ (1,6,8,8)"]
    assert "running_mean (6)" in said["batch_norm_eval"]
    assert {group["name"] for group in picture.data["groups"]} >= {"features", "classifier"}
    ends = [(arrow["source"], arrow["target"]) for arrow in picture.data["arrows"]]
    assert ends == list(pairwise(box["id"] for box in picture.data["boxes"]))
    boxes = ET.fromstring(picture.svg).findall(".//{*}g[@data-id]/{*}rect")
    centres = [float(box.get("x")) + float(box.get("width")) / 2 for box in boxes]
    assert np.ptp(centres) < 1  # pixel


def test_drawing_a_model_changes_nothing_in_it():
    model = LeNetLike()
    model.features.eval()
    before = {name: value.copy() for name, value in model.state_dict().items()}
    modes = [module.training for _, module in model.named_modules()]
    viz.draw(model, input_shape=(2, 1, 8, 8))
    assert [module.training for _, module in model.named_modules()] == modes
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_parameters_can_be_boxes_of_their_own():
    drawn = viz.draw(LeNetLike(), input_shape=(1, 1, 8, 8), parameters=True).data["boxes"]
    roles = [box["title"] for box in drawn if box["kind"] == "parameter"]
    assert sorted(roles) == sorted(["weight", "bias"] * 3 + ["running_mean", "running_var"])


def test_depth_folds_modules():
    picture = viz.draw(LeNetLike(), input_shape=(1, 1, 8, 8), depth=1)
    said = lines(picture)
    assert list(said) == ["input", "features", "classifier"]
    assert said["features"] == ["3 ops", "168 parameters", "→ (1,6,8,8)"]
    ends = [(arrow["source"], arrow["target"]) for arrow in picture.data["arrows"]]
    assert ends[1:] == [("scope:features", "scope:classifier")]


def test_a_residual_addition_tells_skip_from_branch():
    block = tg.nn.Residual(tg.nn.Sequential(tg.nn.ReLU(), tg.nn.Sigmoid()))
    picture = viz.draw(block, input_shape=(2, 3))
    labels = {arrow["label"] for arrow in picture.data["arrows"]}
    assert labels == {"", "skip", "branch"}


def test_x_times_x_has_two_arrows_and_a_constant_none():
    x = tg.Tensor([1.0, 2.0], name="x")
    with tg.trace() as t:
        x * x * 3.0
    diagram = diagram_of(t.graph)
    assert [(a.source, a.target) for a in diagram.arrows] == [("0", "1"), ("0", "1"), ("1", "3")]
    assert diagram.boxes[-1].lines == ("× 3", "→ (2)")


def test_a_transposed_weight_stands_in_the_op_that_uses_it():
    w = tg.nn.Parameter(np.ones((2, 3)), name="weight")
    x = tg.Tensor(np.ones((1, 3)), name="x")
    diagram = diagram_of(tg.Graph.of(x @ tg.transpose(w)))
    assert [box.title for box in diagram.boxes] == ["x", "matmul"]
    assert diagram.boxes[1].lines == ("weight (2,3)ᵀ", "→ (1,2)")


def test_only_used_outputs_of_an_op_are_shown():
    bn = tg.nn.BatchNorm2d(3)
    x = tg.Tensor(np.arange(24.0).reshape(2, 3, 2, 2), dtype=np.float32, name="x")
    with tg.trace() as t:
        bn(x).relu()
    box = next(box for box in diagram_of(t.graph).boxes if box.kind == "normalization")
    assert [line for line in box.lines if line.startswith("→")] == ["→ (2,3,2,2)"]


def test_repeated_drawing_gives_the_same_bytes():
    first, second = (viz.draw(LeNetLike(), input_shape=(1, 1, 8, 8)) for _ in range(2))
    assert (first.svg, first.dot, first.data) == (second.svg, second.dot, second.data)


# --- Scalars -------------------------------------------------------------------------------------


def test_scalars_show_data_and_grad():
    a, b = tg.Scalar(2.0, name="a"), tg.Scalar(-3.0, name="b")
    y = a * b - 1.0
    before = diagram_of(tg.Graph.of(y))
    assert {box.lines[1] for box in before.boxes if box.row} == {"no grad yet"}
    y.backward()
    diagram = diagram_of(tg.Graph.of(y))
    shown = {box.title: box.lines for box in diagram.boxes if box.row}
    assert shown["a"] == ("data 2", "grad -3")
    assert [box.title for box in diagram.boxes if box.rounded] == ["×", "− 1"]
    assert diagram.direction == "LR"


def test_which_side_of_a_minus_is_which():
    a, b = tg.Scalar(2.0), tg.Scalar(3.0)
    assert [arrow.label for arrow in diagram_of(tg.Graph.of(a - b)).arrows] == ["left", "right", ""]
    assert {arrow.label for arrow in diagram_of(tg.Graph.of(a + b)).arrows} == {""}
    assert diagram_of(tg.Graph.of(1.0 - a)).boxes[1].title == "1 −"


def test_zoomed_arithmetic_is_drawn():
    x = tg.Tensor(np.arange(16.0).reshape(1, 1, 4, 4), requires_grad=True, name="x")
    w = tg.Tensor(np.ones((1, 1, 2, 2)), requires_grad=True, name="w")
    picture = viz.draw(tg.zoom(tg.conv2d(x, w), (0, 0, 1, 1)))
    titles = [box["title"] for box in picture.data["boxes"]]
    assert {"x[0, 0, 1, 1]", "w[0, 0, 1, 1]"} <= set(titles)
    assert titles.count("×") == 4


# --- options and errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"direction": "UP"}, '"TB" or "LR"'),
        ({"depth": 0}, "depth must be an int ≥ 1"),
        ({"input_shape": (1,)}, "for Modules only"),
        ({"engine": "quick"}, "pure, system"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(OptionError, match=words):
        viz.draw(tg.Scalar(1.0) + 1, **options)


def test_what_cannot_be_drawn():
    with pytest.raises(OptionError, match="needs input_shape"):
        viz.draw(LeNetLike())
    with pytest.raises(GraphError, match="requires_grad=True"):
        viz.draw(tg.Tensor([1.0]) * 2)
    with pytest.raises(DtypeError, match="got ndarray"):
        viz.draw(np.ones(3))


def test_too_large_a_graph_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr("viz.graph.MAX_BOXES", 5)
    x = tg.Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(6):
        y = y * x
    with pytest.raises(OptionError, match="depth=1"):
        viz.draw(y)


def test_legend_names_the_kinds_present():
    drawn = viz.draw(LeNetLike(), input_shape=(1, 1, 8, 8))
    legend = drawn.svg.split('class="legend"')[1]
    assert {kind.label for kind in KINDS.values() if f">{kind.label}<" in legend} == {
        "input",
        "convolution",
        "linear",
        "normalization",
        "activation",
        "shape",
    }
    assert "legend" not in viz.draw(tg.Scalar(1.0) + 1, legend=False).svg


# --- style ---------------------------------------------------------------------------------------


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_text_reads_on_its_fill(kind):
    light, dark = sorted((luminance(kind.fill), luminance(kind.ink)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG AA


def test_kinds_of_a_network_differ_in_grey():
    main = ["convolution", "linear", "normalization", "activation", "pooling", "loss", "residual"]
    greys = sorted(116 * luminance(KINDS[name].fill) ** (1 / 3) - 16 for name in main)
    assert min(np.diff(greys)) > 3  # lightness L*, of 100


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("conv2d", "convolution"),
        ("max_pool2d", "pooling"),
        ("add", "elementwise"),
        ("relu", "activation"),
        ("residual_add", "residual"),
        ("batch_norm_train", "normalization"),
    ],
)
def test_kind_of_op(name, kind):
    assert kind_of(tg.Node(np.ones(1), tg.OPS[name])) == kind
    assert kind_of(tg.Node(np.ones(1), tg.op("mine", lambda x: x))) == "other"


def test_every_op_has_a_kind():
    unknown = [name for name, op in tg.OPS.items() if kind_of(tg.Node(0.0, op)) == "other"]
    assert unknown == []
