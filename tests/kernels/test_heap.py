"""With glibc, freed memory is kept, unless the user's environment configures malloc."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ASKED = "from tinygrad_cnn.kernels.heap import keep_freed_memory; print(keep_freed_memory())"
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


@pytest.mark.parametrize("theirs", [{}, {"MALLOC_TRIM_THRESHOLD_": "131072"}])
def test_keeps_freed_memory_unless_the_environment_has_settings(theirs):
    environment = {k: v for k, v in os.environ.items() if k not in SETTINGS} | theirs
    said = subprocess.run(
        [sys.executable, "-c", ASKED], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert said == str(platform.libc_ver()[0] == "glibc" and not theirs)
