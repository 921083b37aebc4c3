"""Shows a sweep in the dashboard while it runs: how far each configuration is, and its score so far."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from aetfx.errors import RunError
from aetfx.tensorboard_plugin.writing import write_standings
from aetfx.training.progress import Board, Progress, Standing

_EVERY_SECONDS = 10.0  # TensorBoard itself looks every 5 s


class LiveBoard:
    """A progress that passes on what it is told, and now and then writes how the configurations stand.

    Args:
      inner: shows the progress to the person who waits; None where nobody does.
      run: the run directory.
      study_name: of the sweep.
    """

    def __init__(self, inner: Progress | None, run: Path, study_name: str):
        self._inner, self._run, self._study_name = inner, Path(run), study_name
        self._next = 0.0

    def update(self, doing: str, done: float, total: float) -> None:
        """Passes on; see `Progress`."""
        if self._inner is not None:
            self._inner.update(doing, done, total)

    def show(self, standings: Sequence[Standing]) -> None:
        """Passes on and writes, at most every few seconds. What cannot be written now stops no training."""
        if isinstance(self._inner, Board):
            self._inner.show(standings)
        if time.monotonic() >= self._next:
            with contextlib.suppress(RunError):
                write_standings(self._run, self._study_name, standings)
            self._next = time.monotonic() + _EVERY_SECONDS
