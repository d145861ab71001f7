"""Settings of all tests: how many examples hypothesis tries, and which ones.

`make test` tries the same examples each time, on every machine and in any order. The text of a test
and its name decide them. So pyproject.toml names one version of hypothesis, and tinygrad_cnn's own
generator starts anew at each test.

`make fuzz` (`fuzz.py`) tries other examples in each run, and thirty times as many. So does
HYPOTHESIS_PROFILE=thorough; with ``--hypothesis-seed`` it repeats those of that seed. No database
of earlier failures is read: the seed alone decides.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, register_random, settings
from hypothesis.internal.conjecture import providers

import tinygrad_cnn as tg
from tinygrad_cnn.engine.defaults import generator

collect_ignore = ["mistakes"]  # answers to exercises, no modules: --doctest-modules would run them

# Examples are computations: what counts is the time of the whole suite, not of one example.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
settings.register_profile(
    "thorough",
    settings.get_profile("default"),
    max_examples=600,
    derandomize=False,
    report_multiple_bugs=False,  # nor explained: the smallest example of one is enough
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Hypothesis would also try numbers that it reads in the source of modules, those that happen to be
# imported so far: a test alone would get other examples than among all.
providers._get_local_constants = providers.Constants


class Generator:
    """tinygrad_cnn's generator, in the form in which hypothesis seeds it before each example."""

    def seed(self, seed: int) -> None:
        tg.manual_seed(seed)

    def getstate(self) -> Any:
        return generator().bit_generator.state

    def setstate(self, state: Any) -> None:
        generator().bit_generator.state = state


GENERATOR = Generator()  # hypothesis keeps a weak reference
register_random(GENERATOR)


@pytest.fixture(autouse=True)
def _same_weights_each_time() -> None:
    tg.manual_seed(0)
