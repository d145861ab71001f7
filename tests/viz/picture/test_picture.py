"""`Picture` and the SVG helpers: files of each kind, PNG sizes, and text that is safe and fits."""

import io
import json
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import resvg_py
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.image import imread
from matplotlib.textpath import TextPath

import viz
from tinygrad_cnn.errors import OptionError
from viz import Picture
from viz.picture import svg
from viz.picture.dark import SHEET
from viz.picture.picture import _fonts

HELLO = Picture(
    svg.document(120, 40, svg.text(10, 25, "hello"), title="greeting"),
    data={"norms": np.array([1.5, np.nan]), "worst": float("inf"), "name": "\ud800"},
    dot="digraph { a }",
    title="a <greeting>",
)


def size_of(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


@pytest.mark.parametrize("ending", [".svg", ".png", ".html", ".dot", ".json", ".SVG"])
def test_save_writes_what_the_ending_says(tmp_path, ending):
    content = HELLO.save(tmp_path / f"p{ending}").read_bytes()
    beginning = {".png": b"\x89PNG", ".html": b"<!doctype", ".dot": b"digraph", ".json": b"{"}
    assert content.startswith(beginning.get(ending, b"<svg"))


def test_json_is_strict():
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    data = json.loads(HELLO._bytes(".json"), parse_constant=refuse)
    assert data == {"norms": [1.5, "nan"], "worst": "inf", "name": "?"}


def test_html_forbids_scripts_and_any_network():
    page = HELLO._bytes(".html").decode()
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<title>a &lt;greeting&gt;</title>" in page


@pytest.mark.parametrize(("ending", "words"), [("", "possible are"), (".gif", ".svg, .png, .pdf")])
def test_another_ending_is_refused(tmp_path, ending, words):
    with pytest.raises(OptionError, match=words):
        HELLO.save(tmp_path / f"picture{ending}")


@pytest.mark.parametrize("ending", [".dot", ".json"])
def test_nothing_to_write(tmp_path, ending):
    with pytest.raises(OptionError, match="nothing to write"):
        Picture(HELLO.svg).save(tmp_path / f"picture{ending}")
    assert not list(tmp_path.iterdir())


def test_a_pdf_is_one_page_of_vectors_with_its_text():
    pytest.importorskip("svg2pdf_py")
    first, second = HELLO.pdf(), HELLO.pdf()
    assert first == second
    assert first.startswith(b"%PDF")
    assert b"/FontFile" in first
    box = re.search(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+)", first)
    assert [float(side) for side in box.groups()] == [120, 40]


def test_a_pdf_without_its_package_says_what_is_possible(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "svg2pdf_py", None)
    with pytest.raises(OptionError, match=r"svg2pdf-py.*from a browser.*\.svg, \.png"):
        HELLO.save(tmp_path / "picture.pdf")


def test_a_notebook_gets_the_svg():
    assert HELLO._repr_mimebundle_() == {"image/svg+xml": HELLO.svg, "text/plain": repr(HELLO)}


def test_a_picture_that_adapts_takes_its_dark_colours_into_notebooks_only():
    picture = Picture(svg.document(9, 9, svg.text(0, 5, "x"), adapts=True))
    shown = picture._repr_mimebundle_()["image/svg+xml"]
    ET.fromstring(shown)
    assert "prefers-color-scheme: dark" in shown
    assert "<style" not in picture.svg
    assert shown.replace(f"<style>{SHEET}</style>", "") == picture.svg


def test_every_colour_that_the_dark_sheet_changes_is_scoped_to_pictures_that_adapt():
    body = SHEET.partition("{")[2]
    selectors = [s.strip() for rule in body.split("}") if "{" in rule
                 for s in rule.split("{")[0].split(",")]  # fmt: skip
    assert selectors
    assert all(selector.startswith(".adapts ") for selector in selectors)


def test_png_size():
    assert size_of(HELLO.png()) == (240, 80)
    assert size_of(HELLO.png(width=300)) == (300, 100)
    assert size_of(Picture(svg.document(9000, 90)).png()) == (4000, 40)
    for width in (0, 4001):
        with pytest.raises(OptionError, match="1 … 4000"):
            HELLO.png(width=width)


def test_png_shows_text_on_a_machine_without_fonts(monkeypatch):
    real = resvg_py.svg_to_bytes
    monkeypatch.setattr(
        resvg_py, "svg_to_bytes", lambda **options: real(**options, skip_system_fonts=True)
    )
    assert all("DejaVuSans" in font for font in _fonts())
    pixels = imread(io.BytesIO(HELLO.png()))
    assert pixels[..., :3].min() < 0.3  # ink
    assert pixels[40, 235, :].min() == 1  # on opaque white


@given(st.text(), st.text())
def test_any_text_makes_well_formed_svg_that_shows_it(content, name):
    content = content.replace("\r", "")
    drawn = svg.document(10, 10, svg.text(0, 0, content, data_name=name), title=name)
    root = ET.fromstring(drawn.encode())
    shown = root.find("{http://www.w3.org/2000/svg}text")
    assert (shown.text or "") == svg.clean(content)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=3), st.booleans())
def test_text_width_is_no_less_than_the_widest_font_needs(content, bold):
    needed = TextPath((0, 0), content.replace("$", "S"), size=12, prop=_dejavu(bold))
    assert svg.text_width(content, 12, bold) * 1.04 + 2 >= needed.get_extents().width


def _dejavu(bold: bool) -> FontProperties:
    return FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")


def test_chinese_counts_as_full_width():
    assert svg.text_width("漢字", 12) >= 24
    assert svg.text_width("e\u0301", 12) == svg.text_width("e", 12)


@given(st.text("ai.mW+", max_size=60).flatmap(lambda t: st.tuples(st.just(t), st.permutations(t))))
def test_text_width_is_the_same_to_the_last_bit_in_whatever_order_it_is_added_up(pair):
    text, turned = pair
    assert svg.text_width(text, 11) == svg.text_width("".join(turned), 11)


@given(st.integers(-10_000, 10_000), st.floats(-1e-9, 1e-9))
def test_a_last_bit_changes_no_coordinate(thousandths, noise):
    assert svg.number(thousandths / 1000 + noise) == svg.number(thousandths / 1000)


def test_shorten_keeps_both_ends():
    assert svg.shorten("short") == "short"
    cut = svg.shorten("a" * 50 + "z" * 50, 30)
    assert len(cut) == 30
    assert cut.startswith("aaa")
    assert cut.endswith("zzz")


def test_the_path_pictures_adapt():
    for picture in (viz.unroll(2), viz.unroll(2, kind="tree")):
        assert 'class="adapts"' in picture.svg.partition(">")[0]
        assert 'class="plot"' in picture.svg
