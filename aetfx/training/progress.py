"""How long work tells what it is doing; how that is shown is nobody's business here."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what runs now and how much of the plan is done."""

    def update(self, doing: str, done: float, total: float) -> None:
        """Reports.

        Args:
          doing: what runs now, e.g. a configuration's name.
          done, total: cost in any unit; `total` may grow as more is learnt.
        """
