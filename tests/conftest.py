"""Settings of all tests: how many examples hypothesis tries, and which ones.

HYPOTHESIS_PROFILE=thorough tries thirty times as many.
"""

import os

from hypothesis import HealthCheck, settings

collect_ignore = ["mistakes"]  # answers to exercises, no modules: --doctest-modules would run them

# Examples are computations: what counts is the time of the whole suite, not of one example.
settings.register_profile(
    "default", deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=600)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)
