"""The 2ⁿ paths in pictures: what the rows, leaves and bars say, and that their text fits."""

import itertools
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError
from viz.paths import path_lengths, unroll
from viz.paths.charts import charts
from viz.paths.choices import PALETTE
from viz.paths.lengths import ByLength, window
from viz.paths.tree import leaf_order
from viz.paths.trellis import MAX_COLUMNS, MAX_ROWS, VISIBLE, _binned
from viz.paths.words import Things, short, whole
from viz.picture import svg
from viz.picture.numbers import percent
from viz.picture.picture import Picture
from viz.picture.svg import fit, wrap

NS = "{http://www.w3.org/2000/svg}"
Block = Callable[[tg.Tensor, tg.Tensor], tg.Tensor]


def simple(x: tg.Tensor, w: tg.Tensor) -> tg.Tensor:
    return tg.residual_add(x, tg.tanh(x @ w) * 0.3)


def projected(x: tg.Tensor, w: tg.Tensor) -> tg.Tensor:
    return tg.residual_add(x @ w, tg.tanh(x))


def paths_of(
    n: int, block: Block = simple, name: str | None = "x", max_length: int | None = None
) -> tg.GradientPaths:
    rng = np.random.default_rng(n)
    start = x = tg.Tensor(rng.normal(size=(2, 4)), requires_grad=True, name=name)
    for _ in range(n):
        x = block(x, tg.Tensor(rng.normal(size=(4, 4)), requires_grad=True))
    loss = (x * tg.Tensor(rng.normal(size=(2, 4)))).sum()
    return tg.gradient_paths(loss, wrt=start, max_length=max_length)


def network() -> tg.nn.Module:
    tg.manual_seed(0)
    return tg.models.ResNet(blocks=(1, 1), channels=(2, 3))


def expansion(nonlinear: bool = True) -> tg.paths.Expansion:
    x = tg.Tensor([0.3, -1.2], requires_grad=True, name="x")
    h = tg.residual_add(x, 2 * x)
    return tg.expand(tg.residual_add(h, tg.tanh(h) if nonlinear else 3 * h), x)


def nested() -> tg.GradientPaths:
    x = tg.Tensor([0.3, -1.2], requires_grad=True, name="x")
    inner = tg.residual_add(x, tg.tanh(x))
    return tg.gradient_paths(tg.residual_add(x, inner * inner).sum(), wrt=x)


def elements(picture: Picture, tag: str, class_: str | None = None) -> Iterator[ET.Element]:
    for element in ET.fromstring(picture.svg).iter(NS + tag):
        if class_ is None or element.get("class") == class_:
            yield element


def texts(picture: Picture) -> list[str]:
    return [element.text or "" for element in elements(picture, "text")]


def transformer(n: int, end: str = "tokens", **options: Any) -> tg.GradientPaths:
    """n blocks of two branches each, as plain additions; in modules of long names."""
    rng = np.random.default_rng(n)
    start = x = tg.Tensor(rng.normal(size=(2, 4)), requires_grad=True, name=end)
    for i in range(n):
        for part in ("attention", "mlp"):
            with tg.scope(f"encoder.layers.layer_{i}.{part}"):
                branch = tg.tanh(x @ nn.Parameter(rng.normal(size=(4, 4)))) * 0.3
            with tg.scope(f"encoder.layers.layer_{i}"):
                x = x + branch
    loss = (x * tg.Tensor(rng.normal(size=(2, 4)))).sum()
    return tg.gradient_paths(loss, start, **options)


KINDS = {"attention": "**.attention", "mlp": "**.mlp"}


def dense(n: int) -> tg.GradientPaths:
    """n layers, each of which concatenates what it computes to what it gets."""
    rng = np.random.default_rng(n)
    start = x = tg.Tensor(rng.normal(size=(2, 4)), requires_grad=True, name="x")
    for i in range(n):
        with tg.scope(f"dense.{i}"):
            x = tg.concatenate([x, tg.tanh(x @ rng.normal(size=(x.shape[1], 2)) * 0.3)], axis=1)
    return tg.gradient_paths((x**2).sum(), start)


def series(n: int) -> tg.GradientPaths:
    start = x = tg.Tensor([0.3, -1.2], requires_grad=True, name="x")
    for _ in range(n):
        x = tg.relu(x + 1.0) * 0.5
    return tg.gradient_paths(x.sum(), start, through=lambda node: node.op is tg.relu)


# --- table ---------------------------------------------------------------------------------------


@given(n=st.integers(0, 6))
def test_a_row_for_each_path_with_the_norm_of_its_gradient(n):
    paths = paths_of(n)
    rows = unroll(paths, "table").data.paths
    norms = {taken: float(np.linalg.norm(g)) for taken, g in paths.paths()}
    assert {row.taken: row.norm for row in rows} == norms
    lengths = [row.length for row in rows]
    assert lengths == sorted(lengths)
    assert [lengths.count(k) for k in range(n + 1)] == paths.count


def test_the_sum_is_held_against_an_ordinary_backward_pass():
    x = tg.Tensor([0.5, -1.0], requires_grad=True, name="x")
    loss = tg.residual_add(x, tg.tanh(x) * x).sum()
    shown = unroll(tg.gradient_paths(loss, wrt=x)).data
    loss.backward()
    assert shown.total == pytest.approx(np.linalg.norm(x.grad.numpy()))
    assert shown.largest == pytest.approx(np.abs(x.grad.numpy()).max())
    assert shown.difference < 1e-14


@given(n=st.integers(1, 6))
def test_a_schematic_has_the_same_rows_as_a_chain(n):
    schematic, measured = unroll(n).data, unroll(paths_of(n)).data
    assert [p.taken for p in schematic.paths] == [p.taken for p in measured.paths]
    assert schematic.paths[-1].formula.count("ᵀ") == n
    assert schematic.paths[0].formula == "g"


def test_boxes_are_drawn_where_a_branch_is_taken_in_the_colour_of_its_block():
    picture = unroll(3)
    colours = [block.fill for block in picture.data.blocks]
    assert len({fill for fill, _ in PALETTE}) == len(PALETTE)
    rows = list(elements(picture, "g", "path"))
    assert len(rows) == 8
    for row, path in zip(rows, picture.data.paths, strict=True):
        boxes = [g for g in row.iter(NS + "g") if g.get("class") == "branch"]
        taken = [i for i, t in enumerate(path.taken) if t]
        assert [g.find(NS + "rect").get("fill") for g in boxes] == [colours[i] for i in taken]
        assert [g.find(NS + "text").text for g in boxes] == [f"F{'₁₂₃'[i]}" for i in taken]


def test_each_length_names_its_number_of_paths():
    shown = texts(unroll(3))
    found = [shown[i + 1] for i, text in enumerate(shown) if text.startswith("length ")]
    assert found == ["1 path", "3 paths", "3 paths", "1 path"]


def test_bars_are_as_long_as_norms_are_large():
    picture = unroll(paths_of(3))
    widths = [float(r.get("width", "nan")) for r in elements(picture, "rect", "bar")]
    norms = [*(path.norm for path in picture.data.paths), picture.data.total]
    assert np.allclose(np.array(widths) / max(widths), np.array(norms) / max(norms), atol=1e-3)


@pytest.mark.parametrize(
    ("block", "label"),
    [
        (simple, "identity"),
        (projected, "skip"),
        (lambda x, w: tg.residual_add(x, tg.relu(x @ w) @ w), "identity"),
        (lambda x, w: tg.relu(tg.residual_add(x * 1.0, x @ w)), "skip"),
        (lambda x, w: tg.residual_add(x, x), "identity"),
    ],
)
def test_a_shortcut_that_computes_something_is_a_skip_not_an_identity(block, label):
    picture = unroll(paths_of(2, block))
    assert [shown.shortcut for shown in picture.data.blocks] == [label] * 2
    assert {"identity", "skip"} & set(texts(picture)) == {label}


def test_blocks_carry_their_modules_names():
    tg.manual_seed(0)
    model = tg.models.ResNet(blocks=(1, 1), channels=(2, 3))
    x = tg.Tensor(np.ones((1, 1, 8, 8)), dtype="float32", requires_grad=True, name="image")
    loss = tg.cross_entropy(model(x), np.array([1]))
    picture = unroll(tg.gradient_paths(loss, wrt=x))
    assert {"layer1.0", "layer2.0", "image"} <= set(texts(picture))
    assert [block.shortcut for block in picture.data.blocks] == ["identity", "skip"]


def test_nested_blocks_get_a_table_but_no_chain():
    picture = unroll(nested())
    assert [path.taken for path in picture.data.paths] == [
        (False, False),
        (False, True),
        (True, True),
    ]
    assert not picture.data.is_chain
    assert not list(elements(picture, "g", "add"))
    with pytest.raises(OptionError, match="nested"):
        unroll(nested(), "tree")


def side_by_side() -> tuple[tg.Tensor, tg.Tensor]:
    x = tg.Tensor([0.3, -1.2], requires_grad=True, name="x")
    return x, tg.residual_add(x, 2 * x) + tg.residual_add(x, 3 * x)


def test_a_line_has_a_gap_at_a_block_that_its_path_does_not_come_by():
    x, y = side_by_side()
    paths = tg.gradient_paths(y.sum(), wrt=x, ignore=y)  # that addition chooses as well
    for picture in (unroll(paths), unroll(tg.expand(y, x))):
        shown = {(path.taken, path.met) for path in picture.data.paths}
        only = [(True, False), (False, True)]
        assert shown == {
            ((False, False), only[0]),
            ((False, False), only[1]),
            *zip(only, only, strict=True),
        }
        assert not picture.data.is_chain
        for row in elements(picture, "g", "path"):
            assert len([p for p in row.iter(NS + "path") if p.get("stroke-dasharray")]) == 2
        assert "A gap: the path does not come by that block." in " ".join(texts(picture))


# --- tree ----------------------------------------------------------------------------------------


@given(n=st.integers(1, 6))
def test_a_tree_has_a_leaf_per_path_and_two_to_the_i_copies(n):
    picture = unroll(n, "tree")
    assert len(list(elements(picture, "g", "add"))) == n + 2**n - 1  # the network's, the tree's
    boxes = [g.find(NS + "text").text for g in elements(picture, "g", "branch")]
    for i, block in enumerate(picture.data.blocks, 1):
        assert boxes.count(block.branch) == 1 + 2 ** (n - i)


def test_leaves_stand_where_their_choices_lead():
    leaves = leaf_order(unroll(3).data)
    assert [leaf.taken for leaf in leaves] == [
        choices[::-1] for choices in itertools.product((False, True), repeat=3)
    ]  # the last block, drawn rightmost, splits the leaves into an upper and a lower half


# --- by length -----------------------------------------------------------------------------------


def test_many_blocks_are_shown_by_length():
    paths = paths_of(54)
    picture = unroll(paths, samples=1)
    shown = picture.data.lengths
    assert list(shown.count) == [math.comb(54, k) for k in range(55)]
    assert list(shown.norms) == paths.norms
    assert sum(shown.shares) == pytest.approx(1)
    assert "2⁵⁴ ≈ 1.8·10¹⁶ paths, folded onto 1,540 states" in picture.title
    assert "2⁵⁴ ≈ 1.8·10¹⁶ paths, by length" in unroll(paths, "lengths").title


@given(n=st.integers(0, 30))
def test_a_bar_for_each_length_in_each_chart(n):
    picture = path_lengths(paths_of(n))
    assert len(list(elements(picture, "g", "bar"))) == 3 * (n + 1)
    for chart in charts(picture.data):
        assert max(map(abs, chart.values)) == 1


def test_a_negative_share_hangs_below_the_axis_and_is_hollow():
    x = tg.Tensor(1.0, requires_grad=True)
    picture = path_lengths(tg.gradient_paths(tg.residual_add(x, -0.25 * x), wrt=x))
    assert picture.data.shares == pytest.approx((4 / 3, -1 / 3))
    up, down = [g.find(NS + "rect") for g in elements(picture, "g", "bar")][-2:]
    assert down.get("fill") == "#ffffff" != up.get("fill")
    assert float(down.get("y")) == float(up.get("y")) + float(up.get("height"))


def test_a_zero_gradient_is_said_in_words(recwarn):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    paths = tg.gradient_paths(tg.residual_add(x, -1 * x).sum(), wrt=x)
    picture = path_lengths(paths)
    assert "zero" in picture.data.finding()
    assert "nan" not in picture.svg.lower()
    assert not recwarn.list
    assert "nan" not in unroll(paths).svg.lower()


def test_counts_beyond_any_float_have_bars():
    counts = charts(ByLength("x", Things(1), (10**400, 5 * 10**399), (1.0, 2.0), (0.5, 0.5)))[0]
    assert counts.values == (1.0, 0.5)
    assert counts.labels == ("1.0·10⁴⁰⁰", "5.0·10³⁹⁹")


# --- one path on the network ---------------------------------------------------------------------


@given(taken=st.lists(st.booleans(), min_size=1, max_size=6))
def test_a_highlighted_path_is_on_at_every_block(taken):
    picture = unroll(len(taken), "path", path=taken)
    assert picture.data.taken == tuple(taken)
    classes = [g.get("class") or "" for g in elements(picture, "g")]
    for i, branch in enumerate(taken, 1):
        assert f"way b{i} {'on' if branch else 'off'}" in classes
        assert f"way s{i} {'off' if branch else 'on'}" in classes
    assert f"crosses {sum(taken)} of {len(taken)} branches" in " ".join(texts(picture))


def test_by_default_the_path_that_carries_most():
    paths = paths_of(4)
    shown = unroll(paths, "path").data
    assert shown.norm == max(np.linalg.norm(g) for taken, g in paths.paths() if any(taken))


def test_a_page_of_the_table_shows_the_way_of_each_row(tmp_path):
    text = unroll(2).save(tmp_path / "table.html").read_text(encoding="utf-8")
    for path in ("00", "01", "10", "11"):
        assert text.count(f'data-path="{path}"') == 3  # the row, and two rules that look for it
    assert 'data-path="10"]:is(:hover, :focus)) .way:not(.b1, .s2)' in text


@pytest.mark.browser
def test_a_row_that_is_pointed_at_shows_its_way_in_the_network(browser, tmp_path):
    browser.open(unroll(2).save(tmp_path / "table.html"))
    opacity = "[...document.querySelectorAll('.way')].map(way => getComputedStyle(way).opacity)"
    assert browser.evaluate(opacity) == ["1"] * 4
    browser.evaluate("document.querySelector('[data-path=\"10\"]').focus()")
    assert browser.evaluate(opacity) == ["0.22", "1", "1", "0.22"]  # s1, b1, s2, b2


# --- forward -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nonlinear", "said"), [(False, "equal up to"), (True, "They differ")])
def test_an_expansion_says_whether_its_paths_add_up(nonlinear, said):
    found = expansion(nonlinear)
    picture = unroll(found)
    assert said in " ".join(texts(picture))
    shown = picture.data
    assert shown.summed == pytest.approx(float(np.linalg.norm(found.total)))
    assert shown.total == pytest.approx(float(np.linalg.norm(found.output)))
    assert [path.norm for path in shown.paths] == [np.linalg.norm(y) for _, y in found.paths]


# --- trellis -------------------------------------------------------------------------------------


def test_the_trellis_ends_in_the_lengths():
    paths = paths_of(9)
    trellis = unroll(paths).data
    assert trellis.norms[-1] == tuple(paths.norms)
    assert np.array_equal(trellis.norms[:-1], paths.trellis[::-1])
    assert list(trellis.lengths.single) == paths.single_norms(10)
    assert list(trellis.lengths.estimate) == paths.veit_estimate(10)
    states = list(elements(unroll(paths), "g", "state"))
    visible = [
        value for column in trellis.norms for value in column if value >= VISIBLE * max(column)
    ]
    assert len(states) == len(visible)


def test_what_was_cut_off_is_named_with_its_share():
    paths = paths_of(9, max_length=2)
    picture = unroll(paths, samples=0)
    said = " ".join(texts(picture))
    assert "Longer paths than 2 were not kept apart" in said
    assert percent(paths.left_out) in said
    assert len(list(elements(picture, "g", "bar"))) == 2 * 3


def test_many_blocks_and_lengths_are_binned():
    trellis = unroll(paths_of(300, lambda x, w: tg.residual_add(x, x)), samples=0).data
    columns, rows, step = _binned(trellis.norms)
    assert len(columns) <= MAX_COLUMNS + 1
    assert rows <= MAX_ROWS
    assert step > 1
    number, values = columns[-1]
    assert number == 300
    assert max(values) == max(trellis.norms[-1])


# --- a model, and the command --------------------------------------------------------------------


def test_a_model_is_run_as_a_copy():
    model = network()
    before = model.state_dict()
    picture = unroll(model)
    assert [block.name for block in picture.data.blocks] == ["layer1.0", "layer2.0"]
    assert "8 inputs of standard normal numbers, in training mode" in " ".join(texts(picture))
    for name, value in model.state_dict().items():
        assert np.array_equal(value, before[name])
    assert "evaluation mode" in " ".join(texts(unroll(model.eval())))


# --- all -----------------------------------------------------------------------------------------

PICTURES = {
    "schematic 1": lambda: unroll(1),
    "schematic 6": lambda: unroll(6),
    "tree 1": lambda: unroll(1, "tree"),
    "tree 6": lambda: unroll(paths_of(6), "tree"),
    "table 0": lambda: unroll(paths_of(0)),
    "table 1": lambda: unroll(paths_of(1)),
    "table 6": lambda: unroll(paths_of(6, name="a <very> long & strange name")),
    "projected": lambda: unroll(paths_of(3, projected, name="图像")),
    "nested": lambda: unroll(nested()),
    "lengths 0": lambda: path_lengths(paths_of(0)),
    "lengths 8": lambda: path_lengths(paths_of(8)),
    "lengths 54": lambda: unroll(paths_of(54), "lengths"),
    "lengths 40, cut": lambda: path_lengths(paths_of(40, max_length=5)),
    "trellis 1": lambda: unroll(paths_of(1), "trellis"),
    "trellis 3": lambda: unroll(paths_of(3, projected), "trellis"),
    "trellis 9": lambda: unroll(paths_of(9, name="a <very> long & strange name")),
    "trellis 54": lambda: unroll(paths_of(54), samples=1),
    "trellis 54, cut": lambda: unroll(paths_of(54, max_length=4), samples=0),
    "trellis 300": lambda: unroll(paths_of(300, max_length=30), samples=1),
    "trellis, nested": lambda: unroll(nested(), "trellis"),
    "path 1": lambda: unroll(1, "path"),
    "path 6": lambda: unroll(paths_of(6), "path"),
    "path 4": lambda: unroll(4, "path", path=[True, False, False, True]),
    "expanded": lambda: unroll(expansion()),
    "expanded tree": lambda: unroll(expansion(), "tree"),
    "model": lambda: unroll(network()),
    "transformer table": lambda: unroll(transformer(3)),
    "transformer tree": lambda: unroll(transformer(3), "tree"),
    "transformer trellis": lambda: unroll(transformer(12), samples=1),
    "transformer trellis 200": lambda: unroll(transformer(100, max_length=20), samples=0),
    "marked table": lambda: unroll(transformer(3, through="**.mlp")),
    "marked tree": lambda: unroll(transformer(2, through=KINDS), "tree"),
    "marked path": lambda: unroll(transformer(3, through=KINDS), "path"),
    "marked lengths": lambda: path_lengths(transformer(7, through=KINDS)),
    "pairs": lambda: unroll(transformer(3, through=KINDS), "pairs"),
    "pairs 12": lambda: unroll(transformer(12, "a <very> long & strange name", through=KINDS)),
    "pairs, norms": lambda: unroll(transformer(6, through=KINDS), values="norms"),
    "pairs, count": lambda: unroll(transformer(40, max_length=3, through=KINDS), values="count"),
    "dense table": lambda: unroll(dense(3)),
    "dense tree": lambda: unroll(dense(2), "tree"),
    "dense trellis": lambda: unroll(dense(20), samples=1),
    "series table": lambda: unroll(series(3)),
    "series trellis": lambda: unroll(series(9)),
}


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES.keys())
def test_pictures_are_plain_svg_and_their_text_fits(make):
    picture = make()
    root = ET.fromstring(picture.svg)
    assert not {e.tag for e in root.iter()} & {NS + "script", NS + "foreignObject", NS + "image"}
    assert not any(
        name.startswith("on") or "href" in name for e in root.iter() for name in e.attrib
    )
    width, height = picture.size
    assert width in {900, 1120}
    for element in root.iter(NS + "text"):
        left, right, y = _extent(element)
        assert left >= 0, element.text
        assert right <= width, element.text
        assert 0 < y < height, element.text
    for group in root.iter(NS + "g"):
        if group.get("class") == "branch":
            box = group.find(NS + "rect")
            left, right, _ = _extent(group.find(NS + "text"))
            assert float(box.get("x")) <= left
            assert right <= float(box.get("x")) + float(box.get("width"))


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES.keys())
def test_no_two_texts_on_a_line_overlap(make):
    extents = [_extent(e) for e in elements(make(), "text")]
    lines = itertools.groupby(sorted(extents, key=lambda e: (e[2], e[0])), key=lambda e: e[2])
    for _, line in lines:
        for (_, right, _), (left, _, _) in itertools.pairwise(line):
            assert right <= left + 1


def _extent(text: ET.Element) -> tuple[float, float, float]:
    """Left, right and baseline, by the estimate of widths; of upright text, where it ends."""
    size = float(text.get("font-size", "nan"))
    width = svg.text_width(text.text or "", size, bold=text.get("font-weight") == "bold")
    left = float(text.get("x", "nan"))
    if "rotate(-90" in text.get("transform", ""):
        below = {"middle": -width / 2, "end": width}[text.get("text-anchor", "")]
        return left - size, left, float(text.get("y", "nan")) + below
    left -= {"middle": width / 2, "end": width}.get(text.get("text-anchor", ""), 0.0)
    return left, left + width, float(text.get("y", "nan"))


def test_the_same_paths_give_the_same_bytes():
    assert unroll(paths_of(3)).svg == unroll(paths_of(3)).svg


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        (3, "pie", "kind must be one of"),
        (0, None, "at least one block"),
        ("resnet", None, "expected a number of blocks"),
        (True, None, "expected a number of blocks"),
        (7, None, "need gradients"),
        (3, "lengths", "need gradients"),
        (7, "tree", "up to 6"),
        (tg.nn.ReLU(), None, "does not say which input"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(what, kind, said):
    with pytest.raises(OptionError, match=said):
        unroll(what, kind)


# --- words ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 50), min_size=1).filter(any), st.floats(0.05, 1))
def test_a_window_holds_its_part_and_no_shorter_one_does(values, part):
    first, last = window(values, part)
    goal = part * sum(values)
    size = last - first + 1
    assert sum(values[first : last + 1]) >= goal
    assert all(sum(values[i : i + size - 1]) < goal for i in range(len(values)))


@given(st.text(max_size=80), st.floats(30, 200))
def test_fitted_text_is_no_wider_than_asked(text, width):
    shown = fit(text, width, 10.0)
    assert len(shown) <= 3 or svg.text_width(shown, 10.0) <= width


@given(st.text("abc xyz", max_size=200))
def test_wrapping_loses_no_word(text):
    assert " ".join(wrap(text, 60.0, 12.0)) == text


@given(st.floats(-1e12, 1e12).filter(lambda x: abs(x) > 1e-12))
def test_short_numbers_keep_three_digits(value):
    plain = short(value).translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--"))
    read = float(plain.replace("·10", "e").replace(",", ""))
    assert read == pytest.approx(value, rel=5.1e-3)


def test_whole_numbers_are_exact_below_a_million():
    assert whole(999_999) == "999,999"
    assert whole(2**200) == "1.6·10⁶⁰"
