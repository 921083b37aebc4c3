"""What a helper process of `aetfx.comparison.pool` runs: jobs in, trials into the run directory, news out."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from typing import Any

from aetfx.training import stopping

_NEWS_SECONDS = 0.2


def main(job_fd: int, news_fd: int) -> None:
    """Trains jobs until the other side is gone.

    Args:
      job_fd: pipe with the laboratory, then jobs.
      news_fd: pipe for what was done.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the owner decides
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.ask() if stopping.is_heeded() else os._exit(0))
    from aetfx.comparison.pool import receive

    news = os.fdopen(news_fd, "wb")
    inbox: queue.Queue[Any] = queue.Queue()
    jobs = os.fdopen(job_fd, "rb")
    first = receive(jobs)
    threading.Thread(target=_read, args=(jobs, inbox, receive), daemon=True).start()
    lab = _opened(first)
    while True:
        job = inbox.get()
        try:
            lab.progress = _News(news, lab.cost(job.recipe))
            lab.spent = 0.0
            lab.do(job)
            lab.trials.clear()  # it is in the run directory
            _tell(news, "done")
        except stopping.Stopped:
            os._exit(0)
        except Exception:  # the owner meets the same error when it trains this job itself
            _tell(news, "failed")


def _read(jobs: Any, inbox: queue.Queue[Any], receive: Any) -> None:
    """Takes jobs in while others are trained, so that the end of the owner is noticed at once."""
    while True:
        try:
            inbox.put(receive(jobs))
        except (EOFError, OSError):
            os._exit(0)


def _opened(lab: Any) -> Any:
    from aetfx.training.strategy import prepare_devices
    from aetfx.training.workshop import Workshop

    lab.workshop = Workshop(prepare_devices("one_device"))
    return lab


class _News:
    """A progress that goes over the pipe, a few times a second."""

    def __init__(self, stream: Any, cost: float):
        self._stream, self._cost, self._last = stream, max(cost, 1e-9), 0.0

    def update(self, doing: str, done: float, total: float) -> None:
        if time.monotonic() - self._last > _NEWS_SECONDS:
            self._last = time.monotonic()
            _tell(self._stream, "epoch", min(done / self._cost, 1.0))


def _tell(stream: Any, kind: str, part: float = 1.0) -> None:
    from cloudpickle import dumps

    from aetfx.comparison.pool import send

    send(stream, dumps((kind, part)))
