"""Work on a batch in parts, with one thread for each core.

NumPy releases the GIL during matrix products and copies, so threads run in parallel. Within each
part, BLAS is limited to one thread. BLAS's own threads would split every single product; here these
are too small for that, and on a busy machine the threads mostly wait for each other.

The parts are contiguous and their results are returned in order, so a run repeats bit for bit.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from .heap import keep_freed_memory

T = TypeVar("T")

# A part with fewer multiply-adds takes less time than waking a thread.
LEAST_WORK = 1_000_000


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_threads = min(_cores(), 8)
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()
_inside = 0  # how many calls limit BLAS to one thread at the moment
_blas: Any = None
_restore: Any = None


def set_num_threads(count: int) -> None:
    """Set how many threads convolutions and matrix products use.

    The default is one for each core, at most 8.

    Raises:
        ValueError: fewer than one.
    """
    global _threads, _pool
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: an int ≥ 1 is needed, got {count!r}")
    with _lock:
        _threads = count
        _pool = None


def over_batch(task: Callable[[slice], T], batch: int, work: int) -> list[T]:
    """Run ``task(part)`` for contiguous parts of a batch, in threads.

    Args:
        task: called with a slice of the batch, perhaps in another thread.
        batch: how many samples there are.
        work: multiply-adds in total. If there are few, this thread does all of it as one part.

    Returns:
        The results, in the order of the parts.
    """
    if work < LEAST_WORK:
        return [task(slice(0, batch))]
    keep_freed_memory()
    count = max(1, min(_threads, batch, work // LEAST_WORK))
    edges = [batch * i // count for i in range(count + 1)]
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    with _one_blas_thread():
        if count == 1:
            return [task(parts[0])]
        # Tasks run in a copy of this thread's context, which holds NumPy's error settings.
        futures = [_executor().submit(copy_context().run, task, part) for part in parts[1:]]
        first = task(parts[0])
        return [first, *(future.result() for future in futures)]


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(_threads, thread_name_prefix="tinygrad_cnn")
        return _pool


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread; the last of several concurrent calls restores its setting."""
    global _inside, _blas, _restore
    with _lock:
        if _blas is None:
            from threadpoolctl import ThreadpoolController

            _blas = ThreadpoolController().select(user_api="blas")
        if _inside == 0:
            _restore = _blas.limit(limits=1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.restore_original_limits()


def _forget_pool() -> None:
    """Start afresh after a fork: the child has no pool threads, and the lock may be held."""
    global _pool, _lock, _inside
    _pool, _lock, _inside = None, threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
