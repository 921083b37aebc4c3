"""Progress on stderr: a bar with the time left on a terminal, a line for each new piece of work elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from aetfx.training.progress import Progress


@contextlib.contextmanager
def showing(given: Progress | None = None, *, quiet: bool = False, lines: bool = False) -> Iterator[Progress | None]:
    """Yields what long work reports to, or None.

    Args:
      given: somebody else's; used as it is.
      quiet: show nothing.
      lines: where stderr is no terminal, print a line whenever something else begins.
    """
    if given is not None or quiet:
        yield given
    elif not sys.stderr.isatty():
        yield _Lines() if lines else None
    else:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.SpinnerColumn(),
            progress.TimeElapsedColumn(),
            progress.BarColumn(24),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(elapsed_when_finished=False),
            progress.TextColumn("{task.description}", markup=False),
        )
        # A copy of the terminal: what libraries log while they are imported is kept off the original.
        with (
            os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding) as terminal,
            progress.Progress(*columns, console=Console(file=terminal), transient=True) as bar,
        ):
            yield _Bar(bar)


class _Lines:
    def __init__(self) -> None:
        self._doing = ""

    def update(self, doing: str, done: float, total: float) -> None:
        if total and doing != self._doing:  # a single step of unknown length is not worth a line
            self._doing = doing
            sys.stderr.write(f"{done / total:4.0%}  {doing}\n")
            sys.stderr.flush()


class _Bar:
    """One line with a bar, gone when the work is done."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)

    def update(self, doing: str, done: float, total: float) -> None:
        self._bar.update(self._task, description=doing, completed=done, total=total if done or total > 1 else None)
