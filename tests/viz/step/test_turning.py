"""Numbers that are turned in a page: the script's ops and sums agree with the engine's."""

import json
import math
import shutil
import subprocess
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tests.viz.step.programs import scalar_programs
from tests.viz.step.test_page import press, show
from viz.step.page import script

SCALAR_OPS = [name for name, op in tg.OPS.items() if op.elementwise]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "softplus": [{"beta": 1.0, "threshold": 20.0}, {"beta": 2.0, "threshold": 1.0}],
    "hardtanh": [{"min_val": -1, "max_val": 2}],
    "leaky_relu": [{"negative_slope": 0.1}],
    "elu": [{"alpha": 1.5}],
    "gelu": [{"approximate": "none"}, {"approximate": "tanh"}],
}
POINTS = (-3.0, -1.0, -0.5, 0.0, 0.3, 1.0, 2.5, 4.0)


def ops_of_script() -> str:
    """The part of the page's script that needs no page."""
    text = script()
    return text[text.index("const sigmoid") : text.index("const given = data.turn")]


def calls(name: str) -> list[tuple[list[float], dict[str, Any]]]:
    op = tg.OPS[name]
    choices = [(None, *POINTS) if i in op.optional else POINTS for i in op.inputs]
    return [
        (list(args), options)
        for args in product(*choices)
        if name != "clip" or args[1:] != (None, None)
        for options in OPTIONS.get(name, [{}])
    ]


def expected(name: str, args: list[float], options: dict[str, Any]) -> list[float]:
    """The value and the gradients, times 1.5, as the engine computes them."""
    given_ = [None if x is None else tg.Scalar(x) for x in args]
    known = [x for x in given_ if x is not None]
    with np.errstate(all="ignore"):  # logarithms of negative numbers, and the like
        y = tg.OPS[name](*given_, **options)
        gradients = iter(tg.grad(y, known, 1.5, allow_unused=True))
    found = [None if x is None else next(gradients) for x in given_]
    return [y.data, *(0.0 if g is None else g.data for g in found)]


def in_script(name: str, runs: list[Any]) -> str:
    """An expression for what the script computes of these calls."""
    return f"""JSON.stringify({json.dumps(runs)}.map(([args, o]) => {{
        const op = OPS[{json.dumps(name)}], y = op.value(...args, o)
        const slopes = op.slopes.map((s, k) => s && args[k] !== null ? s(1.5, y, ...args, o) : 0)
        return [y, ...slopes].map(String)}}))"""


def check(name: str, answer: str) -> None:
    for (args, options), found in zip(calls(name), json.loads(answer), strict=True):
        wanted = expected(name, args, options)
        numbers = [float(x.replace("Infinity", "inf")) for x in found]
        np.testing.assert_allclose(
            numbers, wanted, rtol=1e-9, atol=1e-12, err_msg=f"{name}{args}{options}"
        )


@pytest.mark.browser
def test_the_script_knows_the_ops_on_scalars(browser, tmp_path):
    show(browser, tmp_path, viz.step(tg.Scalar(1.0) * 2.0))
    assert set(browser.evaluate("Object.keys(OPS)")) == set(SCALAR_OPS)
    for name in SCALAR_OPS:
        check(name, browser.evaluate(in_script(name, calls(name))))


def test_so_it_does_under_node():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node")
    program = ops_of_script() + "\n".join(
        f"console.log({in_script(name, calls(name))})" for name in SCALAR_OPS
    )
    done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, check=True)
    for name, answer in zip(SCALAR_OPS, done.stdout.splitlines(), strict=True):
        check(name, answer)


def texts(browser) -> Any:
    return json.loads(browser.evaluate("""JSON.stringify(steps.map(s => [s.caption, s.numbers ?? "",
        (s.sends ?? []).map(e => [e.numbers, ...[e.gradient, e.before, e.sum].map(
            p => p === null ? null : String(arrays[p].numbers[0]))])]))"""))  # fmt: skip


@pytest.mark.browser
def test_a_random_program_is_computed_as_the_engine_does(browser, tmp_path):
    @settings(max_examples=12)
    @given(st.data())
    def compare(data):
        check_program(browser, tmp_path, data)

    compare()


def check_program(browser, tmp_path, data) -> None:
    leaves, y = data.draw(scalar_programs(most=8))
    page = viz.step(y)
    show(browser, tmp_path, page)
    assert page.data["turn"] == ""
    ours = [
        [s["caption"], s.get("numbers", ""), [e["numbers"] for e in s.get("sends", ())]]
        for s in page.data["steps"]
    ]
    browser.evaluate("recompute(original); 0")
    # The same words: the script's numbers may differ in the last of sixteen digits, of which four
    # are shown.
    assert [[c, n, [e[0] for e in s]] for c, n, s in texts(browser)] == ours
    numbers = [data.draw(st.floats(-2, 2)) for _ in leaves]
    replayed = tg.Graph.of(y).replay(dict(zip(leaves, numbers, strict=True)))
    labels = [page.data["nodes"][i]["label"] for i in browser.evaluate("given")]
    by_name = dict(zip([leaf.name for leaf in leaves], numbers, strict=True))
    browser.evaluate(f"recompute({json.dumps([by_name[name] for name in labels])}); 0")
    ends = "steps.findLast(s => s.kind == 'forward').node"
    value = float(browser.evaluate(f"String(turned.values[{ends}])"))
    assert value == pytest.approx(replayed[y].data, rel=1e-9, abs=1e-12)
    wanted = tg.grad(replayed[y], [replayed[leaf] for leaf in leaves])
    found = dict(zip(labels, browser.evaluate("given.map(i => turned.gradients.get(i))"),
                     strict=True))  # fmt: skip
    for leaf, gradient in zip(leaves, wanted, strict=True):
        assert found[leaf.name] == pytest.approx(gradient.data, rel=1e-9, abs=1e-12)


@pytest.mark.browser
def test_a_knob_changes_everything_and_descent_takes_a_step(browser, tmp_path):
    a, b = tg.Scalar(2.0, name="a"), tg.Scalar(-3.0, name="b")
    with tg.trace() as t:
        c = a * b
        d = c * c
        d.backward()
    show(browser, tmp_path, viz.step(t), "#step=2")
    knob = "document.querySelectorAll('#turn .knob input[type=number]')"
    browser.evaluate(
        f"(k => {{ k.value = 1; k.dispatchEvent(new Event('input')) }})({knob}[0])"
    )  # a = 1
    caption = "document.getElementById('caption').textContent"
    assert browser.evaluate(caption) == "d = c × c = −3 × (−3) = 9."
    drawn = browser.evaluate("[...document.querySelectorAll('svg text')].map(t => t.textContent)")
    assert {"data 1", "data −3", "data 9"} <= set(drawn)
    grads = "[...document.querySelectorAll('.knob output')].map(o => o.textContent)"
    assert browser.evaluate(grads) == ["grad 18", "grad −6"]  # 2·c·b, 2·c·a
    browser.click("document.getElementById('descend')")  # a − 0.1·18, b + 0.1·6
    assert browser.evaluate(f"[...{knob}].map(k => +k.value)") == pytest.approx([-0.8, -2.4])
    press(browser, "End")
    assert "∂d/∂a = −9.216" in browser.evaluate(caption)  # 2·c·b, with c = −0.8 · −2.4
    browser.click("document.getElementById('reset')")
    assert browser.evaluate(caption) == "Backward is done: ∂d/∂a = 36, ∂d/∂b = −24."


@pytest.mark.browser
def test_what_cannot_be_turned_is_said(browser, tmp_path):
    double = tg.op("double", lambda x: 2 * x, lambda g, y, x: 2 * g)
    show(browser, tmp_path, viz.step(double(tg.Scalar(1.0))))
    assert "cannot compute double" in browser.evaluate("document.getElementById('turn').innerText")
    w = tg.Scalar(1.0, name="w")
    with tg.trace() as t:
        for _ in range(2):
            (w * w).backward()
            w.data = w.data - 0.1
    page = viz.step(t)
    assert page.data["turn"] == "the program itself changed some on its way"
    show(browser, tmp_path, page)
    assert "changed some" in browser.evaluate("document.getElementById('turn').innerText")
    assert math.isclose(w.data, 0.8)
    assert viz.step((tg.Tensor([1.0], requires_grad=True) * 2).sum()).data["turn"] is None
