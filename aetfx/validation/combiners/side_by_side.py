"""Several calls at the same time, in threads: NumPy releases Python's lock while it computes."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_MOST = 4  # as many as there are accumulators worth a thread
WORTH_BYTES = 1 << 19  # below, handing over costs as much as the work


def side_by_side(calls: Sequence[Callable[[], Any]]) -> None:
    """Makes all calls, the costliest first, and returns when all are done; raises the first error."""
    pool = _pool(os.getpid())
    if pool is None:
        for call in calls:
            call()
        return
    waiting = [pool.submit(call) for call in calls]
    for each in waiting:
        each.result()


def in_blocks(n: int, n_bytes: int, work: Callable[[slice], Any]) -> None:
    """Does work on 0 to n in as many blocks as there are threads, side by side where there is enough of it.

    Args:
      n: what is cut, e.g. columns.
      n_bytes: all that is touched.
      work: does one block.
    """
    blocks = _MOST if n_bytes >= WORTH_BYTES else 1
    edges = [n * i // blocks for i in range(blocks + 1)]
    side_by_side([functools.partial(work, slice(*pair)) for pair in itertools.pairwise(edges) if pair[0] < pair[1]])


@functools.lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor | None:
    """Threads of this process (a fork has none of its parent's); None on a single core."""
    cores = len(os.sched_getaffinity(process)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(min(cores, _MOST), "aetfx-columns") if cores > 1 else None
