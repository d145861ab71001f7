"""Memory that one training step frees is kept for the next.

The C library gives large blocks back to the system when they are freed. The next step takes as
many again, and the system hands them out page by page, each filled with zeros first. glibc can be
asked to keep the blocks; other libraries are left alone. Without it a step of LeNet takes 1.4 times
as long, one of ResNet-20 or a large gradient check 1.2 times.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform

KEPT = 512 << 20  # at most so many bytes that are free stay with the process
LARGEST = 64 << 20  # a larger block comes from the system, and goes back to it
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


@functools.cache
def keep_freed_memory() -> bool:
    """Ask for it, once in a process, unless its environment has settings of its own.

    Returns:
        Whether it was done.
    """
    chosen = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"}
    if chosen & os.environ.keys() or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_TRIM_THRESHOLD, KEPT) and mallopt(_M_MMAP_THRESHOLD, LARGEST))
