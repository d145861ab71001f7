"""Keep the memory that one training step frees for the next step.

The C library returns large blocks to the system when they are freed. The next step asks for as many
blocks again, and the system fills every page with zeros first. glibc can be asked to keep the
blocks; other C libraries are left alone. Without it, a training step of LeNet takes 1.4 times as
long, a step of ResNet-20 or a large gradient check 1.2 times.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform

KEPT = 512 << 20  # the process keeps at most this many free bytes
LARGEST = 64 << 20  # a larger block is returned to the system when it is freed
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


@functools.cache
def keep_freed_memory() -> bool:
    """Ask glibc to keep freed memory, once in a process, unless the environment configures malloc.

    Returns:
        Whether glibc was asked and agreed.
    """
    chosen = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"}
    if chosen & os.environ.keys() or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_TRIM_THRESHOLD, KEPT) and mallopt(_M_MMAP_THRESHOLD, LARGEST))
