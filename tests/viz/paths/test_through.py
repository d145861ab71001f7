"""Paths through additions, concatenations and marked parts, in pictures and on pages."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError
from viz.paths import path_lengths, unroll
from viz.paths.pairs import Pairs, draw_pairs
from viz.paths.words import Things, told_apart
from viz.picture.numbers import percent
from viz.picture.svg import text_width

from .test_paths import KINDS, NS, dense, elements, nested, paths_of, series, texts, transformer


def said(picture):
    return " ".join(texts(picture))


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "title"),
    [
        (paths_of(3), "3 residual blocks: 2³ = 8 paths"),
        (transformer(2), "4 branches: 2⁴ = 16 paths"),
        (transformer(1, through="**.mlp"), "1 marked part: 2 paths"),
        (transformer(2, through=KINDS), "4 marked parts (2 attention, 2 mlp): 2⁴ = 16 paths"),
        (dense(2), "2 branches: 2² = 4 paths"),
        (series(3), "3 marked parts: 1 path"),  # no chain, so nothing of powers or binomials
    ],
    ids=str,
)
def test_titles_count_what_there_is(paths, title):
    assert unroll(paths, "table").title == title
    assert path_lengths(paths).title.startswith(title.partition(":")[0])
    chain = "choose" in said(path_lengths(paths))
    assert chain == ("1 path" not in title)


def test_a_branch_is_labelled_by_what_computed_it():
    picture = unroll(transformer(2), "table")
    assert [block.name for block in picture.data.blocks] == [
        f"encoder.layers.layer_{i}.{part}" for i in (0, 1) for part in ("attention", "mlp")
    ]
    shown = texts(picture)
    assert shown.count("attention") == shown.count("mlp") == 2  # in a line of their own
    assert {block.shortcut for block in picture.data.blocks} == {"identity"}


def test_a_concatenation_is_no_addition():
    picture = unroll(dense(3), "tree")
    assert len(list(elements(picture, "g", "concatenation"))) == 3 + 7  # the network's, the tree's
    assert not list(elements(picture, "g", "add"))
    assert "⊟ (a concatenation)" in said(picture)
    assert "⊕" not in said(picture)
    assert "At each concatenation the gradient" in said(unroll(dense(3), "trellis"))


def test_a_marked_part_is_crossed_or_passed_by():
    picture = unroll(transformer(3, through="**.mlp"), "tree")
    assert not list(elements(picture, "g", "add"))
    assert [block.branch for block in picture.data.blocks] == ["P₁", "P₂", "P₃"]
    assert {"past it"} <= set(texts(picture))
    with pytest.raises(OptionError, match="a tree needs marked parts that follow one another"):
        unroll(series(2), "tree")
    assert "Every path crosses 3 parts" in said(path_lengths(series(3)))


def test_in_the_trellis_only_what_is_reached_is_coloured():
    states = [g.find(f"{NS}title").text for g in elements(unroll(series(7)), "g", "state")]
    assert len(states) == 8  # one for each part, and one at the end
    assert "6 parts so far" in states[6]


@given(st.lists(st.text("ab.1", min_size=1, max_size=20), min_size=1, max_size=5))
def test_names_are_cut_alike_and_fit(names):
    shown = told_apart(names, 60.0, 10.0)
    for name, cut in zip(names, shown, strict=True):
        assert text_width(cut, 10.0) <= 60 or len(cut) <= 3
        assert cut == name or "…" in cut
    if all("…" not in cut[1:] for cut in shown):
        assert len(set(shown)) == len(set(names))  # still told apart


# --- pairs ---------------------------------------------------------------------------------------


@given(n=st.integers(1, 6), what=st.sampled_from(["shares", "norms", "count"]))
def test_a_cell_for_each_pair_with_margins(n, what):
    paths = transformer(n, through=KINDS)
    picture = unroll(paths, "pairs", values=what)
    shown = picture.data
    table = np.array(shown.values, float)
    np.testing.assert_allclose(table, paths.table(what).astype(float))
    for axis, kind in enumerate(paths.kinds):
        margin = shown.margins[axis]
        if what == "norms":
            expected = [np.linalg.norm(g) for g in paths.margin(kind)]
        else:
            expected = table.sum(axis=1 - axis)
        np.testing.assert_allclose(margin, expected, rtol=1e-9, atol=1e-12)
    cells = list(elements(picture, "g", "pair"))
    rows = [re.match(r"(\d+) attention, (\d+) mlp", g.find(f"{NS}title").text) for g in cells]
    assert len({row.groups() for row in rows}) == len(cells) <= table.size
    if n <= 3:
        assert len(cells) == table.size


def test_colours_and_bars_tell_the_sign():
    x = tg.Tensor(1.0, requires_grad=True, name="x")
    y = x + tg.tanh(x) * -0.5
    kinds = {"tanh": lambda n: n.op is tg.tanh, "exp": lambda n: n.op is tg.exp}
    picture = unroll(tg.gradient_paths(y + tg.exp(y), x, through=kinds), "pairs")
    classes = [g.find(f"{NS}g").get("class") for g in elements(picture, "g", "pair")]
    values = [v for row in picture.data.values for v in row]
    assert [c[0] for c in classes] == ["n" if v < 0 else "f" for v in values]
    hollow = [
        g.find(f"{NS}rect").get("fill") == "#ffffff" for g in elements(picture, "g", "margin")
    ]
    columns, rows = picture.data.margins[1], picture.data.margins[0]
    assert hollow == [v < 0 for v in (*columns, *rows)]
    assert any(hollow)


def test_numbers_beyond_any_float_have_colours():
    huge = ((10**400, 5 * 10**399), (0, 1))
    margins = (15 * 10**399, 1), (10**400, 5 * 10**399 + 1)
    pairs = Pairs(("a", "b"), "x", Things(2, "marked part"), "count", huge, huge, margins, 10**401)
    picture = draw_pairs(pairs)
    assert "1.0·10⁴⁰⁰" in picture.svg
    assert len(list(elements(picture, "g", "pair"))) == 3  # none where no path is


def test_many_parts_have_pairs_by_default_and_what_is_left_out_is_said():
    paths = transformer(4, max_length=1, through=KINDS)
    picture = unroll(paths)
    assert picture.data.kinds == ("attention", "mlp")
    assert percent(paths.left_out) in said(picture)
    assert "256 paths" in picture.title


def test_a_zero_gradient_has_pairs_without_shares(recwarn):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    kinds = {"a": lambda n: n.op is tg.tanh, "b": lambda n: n.op is tg.exp}
    y = tg.exp(tg.tanh(x)) * 0.0
    picture = unroll(tg.gradient_paths(y.sum(), x, through=kinds), "pairs")
    assert "zero or not finite" in said(picture)
    assert "nan" not in picture.svg.lower()
    assert not [w for w in recwarn.list if "gradient is zero" in str(w.message)]


@pytest.mark.parametrize(
    ("paths", "values", "error"),
    [
        (transformer(1), "shares", "needs two kinds of parts, and there are none"),
        (transformer(1, through="**.mlp"), "shares", "needs two kinds"),
        (
            transformer(1, through={**KINDS, "all": "encoder.**"}),
            "shares",
            "there are 'attention', 'mlp', 'all'",
        ),
        (transformer(1, through=KINDS), "sum", "values must be one of shares, norms, count"),
    ],
)
def test_pairs_that_are_not_there(paths, values, error):
    with pytest.raises(OptionError, match=error):
        unroll(paths, "pairs", values=values)


# --- pages ---------------------------------------------------------------------------------------


def page(picture, tmp_path):
    text = picture.save(tmp_path / "page.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return text, [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_a_page_says_where_choices_are_and_what_comes_along_each(tmp_path):
    paths = transformer(4)
    text, (head, *rows) = page(unroll(paths, samples=0), tmp_path)
    assert "Between tokens and the loss: 8 additions, from encoder.layers.layer_0.attention" in text
    assert head == ["where", "what", "shortcut", "share", "branch", "share"]
    assert len(rows) == len(paths.choices)
    assert [row[5] for row in rows] == [percent(share) for share in paths.part_shares]
    first, second = rows[:2]
    assert first[:3] == ["encoder.layers.layer_0", "addition", "tokens"]
    assert first[4] == "encoder.layers.layer_0.attention: multiply"
    assert second[2] == "add in encoder.layers.layer_0"
    assert f"{percent(paths.shares[0])} comes along paths that cross no branch" in text
    best = max(range(8), key=lambda i: paths.part_shares[i])
    assert f"Most comes through {paths.parts[best].name}" in text


def test_a_page_has_the_parts_that_were_marked(tmp_path):
    paths = transformer(2, through=KINDS)
    text, (head, *rows) = page(unroll(paths), tmp_path)  # a table, whose rows show their way
    assert head == ["part", "kind", "ends in", "share"]
    assert [row[1] for row in rows] == ["attention", "mlp"] * 2
    assert "4 marked parts (2 attention, 2 mlp)" in text
    assert "Point at a row" in text
    _, (head, *_) = page(unroll(series(9)), tmp_path)
    assert head == ["part", "ends in", "share"]


def test_pages_of_nothing_of_zero_and_of_a_gradient_that_cannot_be_recorded(tmp_path):
    assert "Nothing to choose" in page(unroll(paths_of(0)), tmp_path)[0]
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text, _ = page(unroll(tg.gradient_paths((x + x * -1.0).sum(), x)), tmp_path)
    assert "nothing has a share in it" in text
    plain = tg.op("plain", lambda x: x * x, lambda g, y, x: np.asarray(g.data) * 2)
    text, (_, row) = page(unroll(tg.gradient_paths((x + plain(x)).sum(), x)), tmp_path)
    assert "is not known: " in text
    assert row[5] == ""


def test_a_picture_of_nested_blocks_has_a_page(tmp_path):
    text, rows = page(unroll(nested()), tmp_path)
    assert "2 residual adds" in text
    assert len(rows) == 3


def test_things_are_named_by_their_choices():
    assert Things.of(dense(1)).place == "concatenation"
    assert Things.of(transformer(1)).place == "addition"
    assert Things.of(paths_of(1)).one == "residual block"
