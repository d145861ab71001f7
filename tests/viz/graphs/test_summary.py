"""The page that sums up a run: it holds the graph, the gradients and the table of ops."""

import numpy as np

import tinygrad_cnn as tg
import viz


def test_a_summary_page_holds_graph_flow_bars_and_table(tmp_path):
    layer = tg.nn.Sequential(dense=tg.nn.Linear(3, 2), act=tg.nn.ReLU())
    with tg.trace() as t:
        layer(tg.Tensor(np.ones((1, 3)), dtype=np.float32)).sum().backward()
    page = viz.summary_page(t, tmp_path / "deep" / "run.html", title="a <run>")
    text = page.read_text(encoding="utf-8")
    assert text.count("<img ") == 3
    assert "a &lt;run&gt;" in text
    assert all(line in text for line in t.summary().splitlines())
