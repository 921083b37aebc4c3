"""How long work tells what it is doing; how that is shown is nobody's business here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class Progress(Protocol):
    """Told what runs now and how much of the plan is done."""

    def update(self, doing: str, done: float, total: float) -> None:
        """Reports.

        Args:
          doing: what runs now, e.g. a configuration's name.
          done, total: cost in any unit; `total` may grow as more is learnt.
        """


@dataclass(frozen=True)
class Standing:
    """One configuration of a sweep as it stands now.

    Attributes:
      name: of the configuration.
      part: of its trainings that is done, 0 to 1.
      score: on the select rows, as far as it is known; None before.
      ended: "trained", "dropped" or "failed"; "" while it waits or trains.
    """

    name: str
    part: float = 0.0
    score: float | None = None
    ended: str = ""


@runtime_checkable
class Board(Protocol):
    """A progress that can also show all configurations at once."""

    def show(self, standings: Sequence[Standing]) -> None:
        """Shows how all configurations stand, in the order in which they were chosen."""
