"""`viz.draw`: what stands in the picture, decided as data."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import AnomalyError, DtypeError, GraphError, OptionError
from viz.graphs.diagram import Diagram
from viz.graphs.draw import diagram_of, diagrams_of
from viz.graphs.facts import statistics
from viz.picture.style import KINDS, kind_of

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
    {
        "parameters": st.booleans(),
        "depth": st.sampled_from([None, 1, 2, 3]),
        "fold": st.sampled_from([None, True, False]),
    }
)


@st.composite
def repeating(draw) -> tg.Graph:
    """A random unit of ops, some in modules, several times over, with or without shared weights."""
    unit = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    share, named = draw(st.booleans()), draw(st.booleans())
    weights = [tg.nn.Parameter(np.ones((2, 2)), name="w") for _ in range(8)]
    x = tg.Tensor(np.ones((2, 2)), requires_grad=True)
    for k in range(draw(st.integers(2, 8))):
        skip, w = x, weights[0 if share else k]
        with tg.scope(f"blocks.{k}" if named else "blocks"):
            for choice in unit:
                with tg.scope(f"inner{choice % 2}"):
                    x = (x @ w, x.relu(), x + skip, x * 0.5, tg.concatenate([x, w])[:2])[choice]
    return tg.Graph.of(x)


def check_partition(graph: tg.Graph, diagram: Diagram) -> None:
    """Every edge is in the picture once, in an arrow or inside one box; every node in one box."""
    ids = {box.id for box in diagram.boxes}
    drawn = [edge for arrow in diagram.arrows for edge in arrow.edges]
    drawn += [edge for box in diagram.boxes for edge in box.folded]
    assert sorted(drawn) == sorted(graph.edges)
    assert sorted(n for box in diagram.boxes for n in box.nodes) == list(range(len(graph)))
    assert len(ids) == len(diagram.boxes)
    inside = {box.id: set(box.nodes) for box in diagram.boxes}
    for arrow in diagram.arrows:
        assert {arrow.source, arrow.target} <= ids
        for edge in arrow.edges:
            assert edge.producer in inside[arrow.source]
            assert edge.consumer in inside[arrow.target]


@given(programs() | repeating(), options)
def test_every_edge_is_in_the_picture_once_whatever_is_folded_or_opened(graph, options):
    for opened in diagrams_of(graph, **options):
        check_partition(graph, opened.diagram)


@given(programs() | repeating(), options)
def test_what_opens_was_closed_and_shows_more(graph, options):
    first, *rest = drawings = diagrams_of(graph, **options)
    assert first.parts == ()
    for opened in rest:
        before = {box.id: box for box in drawings[opened.parent].diagram.boxes}
        closed = before[opened.parts[0]]
        shown = [box for box in opened.diagram.boxes if set(box.nodes) <= set(closed.nodes)]
        assert len(shown) >= 2
        assert sorted(n for box in shown for n in box.nodes) == sorted(closed.nodes)
        assert sum(group.name in opened.parts for group in opened.diagram.groups) == 1


@given(programs() | repeating(), options)
def test_frames_nest_and_each_holds_several_boxes(graph, options):
    for opened in diagrams_of(graph, **options):
        diagram = opened.diagram
        around = {group.name: group.parent for group in diagram.groups}
        members = dict.fromkeys(around, 0)
        for box in diagram.boxes:
            frame = box.group
            while frame:
                members[frame] += 1
                frame = around[frame]
        assert all(count >= 2 for count in members.values())
        for group in diagram.groups:
            assert group.scope.startswith(diagram_scope(diagram, group.parent))


def diagram_scope(diagram: Diagram, name: str) -> str:
    return next((group.scope for group in diagram.groups if group.name == name), "")


@given(programs(), options, st.sampled_from(["TB", "LR"]))
def test_pictures_are_well_formed_svg(graph, options, direction):
    picture = viz.draw(graph, direction=direction, **options)
    root = ET.fromstring(picture.svg.encode())
    drawn = {g.get("data-id") for g in root.iter("{http://www.w3.org/2000/svg}g")} - {None}
    assert drawn == {box["id"] for box in picture.data["boxes"]}
    kinds = [g.get("class", "").split(" ")[0] for g in root.iter("{http://www.w3.org/2000/svg}g")]
    assert kinds.count("node") == len(picture.data["boxes"])
    assert kinds.count("edge") == len(picture.data["arrows"])


# --- what repeats --------------------------------------------------------------------------------


class Repeated(tg.nn.Module):
    """A block, several times over; the same one, or another each time."""

    def __init__(self, times: int, share: bool) -> None:
        super().__init__()
        blocks = [
            tg.nn.Sequential(tg.nn.Linear(4, 4), tg.nn.Tanh()) for _ in range(1 if share else times)
        ]
        self.blocks = tg.nn.Sequential(*blocks)
        self.times = times if share else 1
        self.head = tg.nn.Linear(4, 1)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        for _ in range(self.times):
            x = self.blocks(x)
        return self.head(x)


@pytest.mark.parametrize(
    ("share", "tag", "size"),
    [(True, "×30", "20 parameters"), (False, "30 alike", "600 parameters")],
)
def test_repeats_say_whether_they_share_their_weights(share, tag, size):
    picture = viz.draw(Repeated(30, share), input_shape=(2, 4))
    folded = picture.data["boxes"][1]
    assert folded["tag"] == tag
    assert folded["stacked"]
    assert folded["lines"] == ("each linear, tanh", size, "→ (2,4)")
    assert len(picture.data["boxes"]) == 3


def test_few_boxes_are_not_folded_unless_asked():
    model = Repeated(4, share=False)
    assert len(viz.draw(model, input_shape=(2, 4)).data["boxes"]) == 10
    assert len(viz.draw(model, input_shape=(2, 4), fold=True).data["boxes"]) == 3
    assert (
        len(viz.draw(Repeated(30, share=False), input_shape=(2, 4), fold=False).data["boxes"]) == 62
    )


def test_what_differs_in_shape_or_options_is_not_alike():
    layers = [tg.nn.Conv2d(1, 1, 3, padding=1 + (k == 2)) for k in range(5)]
    model = tg.nn.Sequential(*[tg.nn.Sequential(conv, tg.nn.ReLU()) for conv in layers])
    boxes = viz.draw(model, input_shape=(1, 1, 8, 8), fold=True).data["boxes"]
    assert [box["tag"] for box in boxes if box["kind"] == "module"] == ["2 alike", "2 alike"]


def test_calls_of_a_module_with_something_in_between_are_boxes_of_their_own():
    layer = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.ReLU())

    class Net(tg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.layer(self.layer(x) * 2.0)

    titles = [box["title"] for box in viz.draw(Net(), input_shape=(1, 2), depth=1).data["boxes"]]
    assert titles == ["input", "layer", "multiply", "layer (call 2)"]


def test_a_loop_outside_of_any_module_folds_too():
    x = tg.Tensor([1.0], requires_grad=True)
    weights = [tg.Tensor([2.0], requires_grad=True) for _ in range(5000)]
    y = x
    for w in weights:
        y = (y * w + 1.0).tanh()
    diagram = diagram_of(tg.Graph.of(y))
    assert [(box.title, box.tag) for box in diagram.boxes[1:]] == [
        ("multiply, add, tanh", "5000 alike")
    ]


def test_resnet_152_folds_to_a_page():
    model = tg.models.ResNet(blocks=(3, 8, 36, 3), channels=(2, 2, 2, 2))
    picture = viz.draw(model, input_shape=(1, 1, 16, 16))
    assert len(picture.data["boxes"]) <= 20
    assert {box["tag"] for box in picture.data["boxes"]} >= {"35 alike", "7 alike"}
    across, down = picture.size
    assert across < 800
    assert down < 1600


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
    assert {group["scope"] for group in picture.data["groups"]} >= {"features", "classifier"}
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


# --- what boxes say on request -------------------------------------------------------------------


def test_boxes_say_what_they_are_asked_to():
    x = tg.Tensor([[1.0, 2.0, 6.0]], name="x")
    layer = tg.nn.Linear(3, 2)
    layer.weight.data = np.ones((2, 3))
    with tg.trace() as t:
        y = layer(x)
    box = viz.draw(t, show=["dtype", "parameters", "multiply_adds", "values"]).data["boxes"][-1]
    assert box["lines"][2:] == (
        "→ (1,2) float32",
        "8 parameters",
        "6 multiply-adds",
        f"values {statistics(y.numpy())}",
    )
    (time, source) = viz.draw(t, show=["time", "source"]).data["boxes"][-1]["lines"][-2:]
    assert time.endswith(" ms")
    assert source == f"test_graph.py:{t.events[0].source[1]}"


def test_a_folded_box_adds_up():
    t = viz.draw(Repeated(30, True), input_shape=(2, 4), show="multiply_adds").data["boxes"]
    assert "1,200 multiply-adds" in t[1]["lines"]  # 30 × (2·4·4 and 2·4 for tanh)


def test_no_grad_yet_until_a_backward_reached_it():
    def said() -> dict[str, str]:
        boxes = viz.draw(y, show="gradients").data["boxes"]
        return {box["title"]: box["lines"][-1] for box in boxes}

    x, c = tg.Tensor([1.0, 2.0], requires_grad=True, name="x"), tg.Tensor([2.0, 2.0], name="c")
    y = (x * c).sum()
    before = said()
    assert before["x"] == before["multiply"] == "no grad yet"
    assert before["c"] == "needs no gradient"
    y.backward()
    after = said()
    assert after["x"] == "gradient 2 ± 0, 2 … 2"
    assert after["multiply"] == "gradient not kept"


@given(arrays(np.float64, st.integers(0, 6), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
def test_statistics_count_what_is_not_finite(values):
    said = statistics(values)
    broken = int(np.isnan(values).sum())
    assert (f"{broken} of {len(values)} not finite" in said) == (broken > 0)
    assert (said == "empty") == (values.size == 0)


def test_facts_that_nobody_recorded_are_refused():
    y = tg.Tensor([1.0], requires_grad=True) * 2
    for show, words in (("time", "needs a Trace"), ("source", "Trace of your"), ("size", "dtype")):
        with pytest.raises(OptionError, match=words):
            viz.draw(y, show=show)


# --- the graph of the backward pass --------------------------------------------------------------


@pytest.mark.parametrize("beside", [True, False])
def test_the_backward_pass_has_a_frame_of_its_own(beside):
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
    y = (tg.tanh(x @ x) * x).sum()
    gradient = tg.grad(y, x, create_graph=True)
    graph = tg.Graph.of(y, gradient)
    picture = viz.draw(y, gradients={"∂y/∂x": gradient}, beside=beside)
    side = {box["id"]: box["group"] for box in picture.data["boxes"]}
    assert set(side.values()) == {"scope:forward", "scope:backward"}
    assert sum(name == "scope:forward" for name in side.values()) == 5
    named = [box for box in picture.data["boxes"] if "∂y/∂x" in box["lines"]]
    assert [int(box["id"]) for box in named] == [graph.id(gradient)]
    for arrow in picture.data["arrows"]:
        backward = side[arrow["source"]] == "scope:backward"
        crosses = side[arrow["source"]] != side[arrow["target"]]
        assert (arrow["upward"], arrow["loose"]) == (backward and beside, crosses and beside)
    (_, result), (_, loss) = (box_centres(picture)[str(graph.id(t))] for t in (gradient, y))
    assert (result < loss) == beside  # beside: back up, above the loss; otherwise below it


def test_scalars_have_a_backward_graph_too():
    a = tg.Scalar(3.0, name="a")
    y = a * a
    boxes = viz.draw(y, gradients=tg.grad(y, a, create_graph=True)).data["boxes"]
    assert {box["group"] for box in boxes} == {"", "forward", "backward"}
    assert [box["lines"][0] for box in boxes if box["title"] == "gradient"] == ["data 6"]


def test_gradients_that_do_not_know_their_graph_are_refused():
    x = tg.Tensor([3.0], requires_grad=True)
    y = (x * x).sum()
    with pytest.raises(GraphError, match="create_graph=True"):
        viz.draw(y, gradients=tg.grad(y, x))
    with pytest.raises(OptionError, match="gradients of"):
        viz.draw(tg.Graph.of(y), gradients=tg.grad(y, x, create_graph=True))


def box_centres(picture: viz.Picture) -> dict[str, tuple[float, float]]:
    found = {}
    for node in ET.fromstring(picture.svg).findall(".//{*}g[@data-id]"):
        box = node.find("{*}rect")
        x, y, width, height = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        found[node.get("data-id")] = (x + width / 2, y + height / 2)
    return found


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
    assert {"x[0,0,1,1]", "w[0,0,1,1]"} <= set(titles)
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


def test_too_large_a_graph_is_refused_with_advice():
    rng = np.random.default_rng(0)
    values = [tg.Tensor([1.0], requires_grad=True)]
    for a, b, op in rng.integers(0, 2**30, (20000, 3)):
        chosen = values[a % len(values)], values[b % len(values)]
        values.append(tg.maximum(*chosen) if op % 2 else tg.minimum(*chosen))
    with pytest.raises(OptionError, match="depth=1"):
        viz.draw(sum(values[-1000:], values[0]))
    scalar = tg.Scalar(1.0)
    for _ in range(2000):
        scalar = scalar * 1.01
    with pytest.raises(OptionError, match=r"tg\.zoom"):
        viz.draw(scalar)


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


def test_an_op_outside_of_modules_is_none_of_a_strangely_named_one():
    x = tg.Tensor([1.0], requires_grad=True)
    with tg.scope("\x003"):
        y = x * 2.0
    picture = viz.draw((y + 1.0).sum())
    assert len(picture.data["boxes"]) == 4
    ET.fromstring(picture.svg)


def test_only_the_drawing_that_is_asked_for_is_decided():
    y = tg.Tensor([1.0], requires_grad=True)
    for i in range(8000):
        with tg.scope(f"part{i // 200}"):
            y = y * 1.0
    first, *rest = diagrams_of(tg.Graph.of(y))
    assert len(first.diagram.boxes) <= 20
    assert rest
    assert not any("diagram" in vars(opened) for opened in rest)


def test_nan_and_infinity_are_said_unasked():
    x = tg.Tensor([0.0, 4.0], requires_grad=True, name="x")
    with tg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        x.sqrt().sum().backward()
    boxes = diagram_of(tg.Graph.of(caught.value.node)).boxes
    assert ["⚠ gradient inf" in box.lines for box in boxes] == [True, False]
    with np.errstate(invalid="ignore"):
        y = ((x - 1).sqrt() * 2).relu()
    said = {box.title: "⚠ NaN" in box.lines for box in diagram_of(tg.Graph.of(y)).boxes}
    assert said == {"x": False, "subtract": False, "sqrt": True, "multiply": True, "relu": True}
    twice = tg.nn.Sequential(tg.nn.Sequential(tg.nn.ReLU(), tg.nn.ReLU()))
    closed = diagram_of(tg.Graph.of(twice(y)), depth=1)
    assert any(box.kind == "module" and "⚠ NaN" in box.lines for box in closed.boxes)


def test_a_page_holds_so_many_boxes_and_says_what_stays_closed(monkeypatch):
    x = tg.Tensor(np.ones(2), requires_grad=True)
    with tg.trace() as t:
        for i in range(40):
            with tg.scope(f"part{i}"):
                x = x.tanh().exp() if i % 2 else x.relu() * 2.0
    assert "What has no +" not in viz.draw(t).page()
    opened = len(diagrams_of(t.graph, t))
    monkeypatch.setattr("viz.graphs.folding.MOST_DRAWN", 100)
    fewer = viz.draw(t)
    assert 1 < len(diagrams_of(t.graph, t)) < opened
    assert "What has no + is too much for this page" in fewer.page()


def test_an_option_that_is_an_array_can_be_drawn():
    x = tg.Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    y = tg.cross_entropy(x[:, np.array([0, 0, 1])], [1], weight=np.array([1.0, 2.0, 3.0]))
    assert {"getitem", "cross_entropy"} <= {b["title"] for b in viz.draw(y).data["boxes"]}
