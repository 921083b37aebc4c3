"""Progress on stderr: a bar with the time left on a terminal, a line for each new piece of work elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from aetfx.training.progress import Progress, Standing

_LINES_LEFT = 4  # of the terminal, for the bar and what was said before


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
        from rich.live import Live

        columns = (
            progress.SpinnerColumn(),
            progress.TimeElapsedColumn(),
            progress.BarColumn(24),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(elapsed_when_finished=False),
            progress.TextColumn("{task.description}", markup=False),
        )
        # A copy of the terminal: what libraries log while they are imported is kept off the original.
        with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding) as terminal:
            console = Console(file=terminal)
            bar = _Bar(progress.Progress(*columns, console=console))
            with Live(bar, console=console, transient=True, refresh_per_second=5):
                yield bar


class _Lines:
    def __init__(self) -> None:
        self._doing = ""

    def update(self, doing: str, done: float, total: float) -> None:
        if total and doing != self._doing:  # a single step of unknown length is not worth a line
            self._doing = doing
            sys.stderr.write(f"{done / total:4.0%}  {doing}\n")
            sys.stderr.flush()


class _Bar:
    """One line with a bar, and below it a table of the configurations of a sweep; gone when the work is done."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None)
        self._standings: list[Standing] = []

    def update(self, doing: str, done: float, total: float) -> None:
        self._bar.update(self._task, description=doing, completed=done, total=total if done or total > 1 else None)

    def show(self, standings: Sequence[Standing]) -> None:
        self._standings = list(standings)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield self._bar
        if self._standings:
            yield table(self._standings, most=max(3, console.height - _LINES_LEFT))


def table(standings: Sequence[Standing], most: int) -> Any:
    """Returns a table of what trains, then what is best, then what waits, `most` lines of it."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    found = Table.grid(padding=(0, 2))
    ordered = sorted(standings, key=_rank)
    for item in ordered[:most]:
        style = {"trained": "", "dropped": "dim", "failed": "red"}.get(item.ended, "")
        state = item.ended or ("training" if item.part else "waiting")
        score = "" if item.score is None else f"{item.score:.3f}"
        found.add_row(
            Text(state, style or ("bold" if item.part and not item.ended else "dim")),
            ProgressBar(1.0, item.part, width=12),
            Text(score, style, justify="right"),
            Text(item.name, style),
        )
    if len(ordered) > most:
        found.add_row(Text(f"and {len(ordered) - most} more", "dim"), "", "", "")
    return found


def _rank(item: Standing) -> tuple[int, float]:
    place = {"trained": 1, "dropped": 3, "failed": 4}.get(item.ended, 0 if item.part else 2)
    return place, item.score if item.score is not None and item.ended else 0.0
