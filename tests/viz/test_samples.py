"""`viz/samples.py`: there is a sample of every kind of picture, and it can be drawn."""

from types import FunctionType

import pytest

import viz
from viz import samples


def test_every_function_of_viz_has_a_sample():
    used = set(vars(samples))
    kinds = {name for name in viz.__all__ if isinstance(getattr(viz, name), FunctionType)}
    lacking = kinds - used - {"summary_page"}  # a page of pictures
    assert not lacking, f"viz/samples.py draws no {', '.join(sorted(lacking))}"


@pytest.mark.slow
def test_every_kind_of_picture_has_a_sample_that_draws(tmp_path):
    text = samples.main(str(tmp_path / "kinds.html")).read_text(encoding="utf-8")
    assert text.count("<h2>") == len(samples.SAMPLES)
    assert text.count("<img ") >= len(samples.SAMPLES)
