"""Tells how far the workers are, while the pipeline runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from aetfx.validation.exchange import Exchange

Report = Callable[[str, float, float], None]  # what is done, shards done, shards in all

_LOCAL_SECONDS, _REMOTE_SECONDS = 0.5, 10.0


@contextlib.contextmanager
def watching(work: Exchange, n_shards: int, report: Report | None) -> Iterator[None]:
    """Reports rows and rows per second from the notes that workers leave for each shard they have read."""
    if report is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(work, n_shards, report, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _watch(work: Exchange, n_shards: int, report: Report, over: threading.Event) -> None:
    begun, rows = time.monotonic(), {}
    while not over.wait(_LOCAL_SECONDS if work.local else _REMOTE_SECONDS):
        for name in work.names("read-"):
            if name not in rows:
                rows[name] = int(work.read(name) or 0)
        if rows:
            total = sum(rows.values())
            report(f"{total:,} rows read, {total / (time.monotonic() - begun):,.0f} rows/s", len(rows), n_shards)
