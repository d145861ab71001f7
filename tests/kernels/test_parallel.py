"""Work is split into parts, which run in threads."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tinygrad_cnn.kernels.parallel import LEAST_WORK, over_batch


def overflow(part):
    return np.full(4, 1e38, np.float32) * np.float32(1e3)


def test_every_part_warns_as_its_caller_would():
    with np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        over_batch(overflow, 4, 4 * LEAST_WORK)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        over_batch(overflow, 4, 4 * LEAST_WORK)
