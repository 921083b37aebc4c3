"""Learning-rate schedules: the factor of the rate in each epoch, from the losses so far and nothing else.

A factor depends on no state of its own, so that a training that was cut off goes on with the same rates, and
configurations that differ in their rate alone share one compiled program.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_PLATEAU_EPOCHS = 5
_PLATEAU_FACTOR = 0.1
_PLATEAU_LEAST = 1e-4  # relative: a smaller fall of the loss counts as none


def factor(schedule: Mapping[str, Any], epoch: int, epochs: int, losses: Sequence[float]) -> float:
    """Returns what the learning rate is multiplied by in an epoch.

    Args:
      schedule: `name` ("constant", "cosine" or "plateau") and `warmup_epochs`; `{}` is constant.
      epoch: its number, from 0 on.
      epochs: of the whole training.
      losses: of the epochs before it.

    >>> [round(factor({"name": "cosine", "warmup_epochs": 2}, e, 6, []), 2) for e in range(6)]
    [0.33, 0.67, 1.0, 0.85, 0.5, 0.15]
    >>> factor({"name": "plateau"}, 6, 20, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    0.1
    """
    warmup = int(schedule.get("warmup_epochs", 0))
    if epoch < warmup:
        return (epoch + 1) / (warmup + 1)
    name = schedule.get("name", "constant")
    if name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (epoch - warmup) / max(1, epochs - warmup)))
    if name == "plateau":
        return _PLATEAU_FACTOR ** _plateaus(losses[warmup:])
    return 1.0


def _plateaus(losses: Sequence[float]) -> int:
    """Returns how often the loss did not fall for `_PLATEAU_EPOCHS` epochs in a row."""
    count, waited, best = 0, 0, math.inf
    for loss in losses:
        if best == math.inf or loss < best - _PLATEAU_LEAST * abs(best):  # losses may be negative
            best, waited = loss, 0
            continue
        waited += 1
        if waited == _PLATEAU_EPOCHS:
            count, waited = count + 1, 0
    return count
