"""Asking trainings to stop: each writes a checkpoint where it stands, and then ends.

A machine that is about to be taken away sends SIGTERM some seconds before. Python may run a signal's handler in the
middle of anything, so that the handler only leaves a note, which the training reads between two calls into TensorFlow.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_asked = threading.Event()
_running = 0  # trainings of this process that will read the note


class Stopped(KeyboardInterrupt):
    """Raised by a training that was asked to stop, when its checkpoint is written."""


def ask() -> None:
    """Asks the trainings of this process to stop."""
    _asked.set()


def asked() -> bool:
    """Whether they were asked to."""
    return _asked.is_set()


def is_heeded() -> bool:
    """Whether anything is running that looks at `asked`."""
    return _running > 0


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Marks a stretch of work that looks at `asked` every now and then."""
    global _running
    _running += 1
    try:
        yield
    finally:
        _running -= 1


@contextlib.contextmanager
def on_termination() -> Iterator[None]:
    """Lets SIGTERM ask for an orderly stop; outside of a training, or the second time, it stops at once.

    Raises:
      Stopped: SIGTERM came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if not is_heeded() or asked():
            raise Stopped
        ask()

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _asked.clear()
