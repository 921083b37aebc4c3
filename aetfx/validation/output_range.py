"""The values that a model's output can take: all that validation knows about a model."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class OutputRange:
    """Range of an output activation, e.g. (0, 1) for a sigmoid; infinite where it has no bound."""

    low: float = -math.inf
    high: float = math.inf
    name: str = "linear"

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low) or math.isfinite(self.high)
