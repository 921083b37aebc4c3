"""Which configurations a sweep tries: one interface over a grid and Optuna's samplers.

To add a way to choose, write a class with `ask` and `tell` and name it in `chooser` and in `aetfx.study.SweepSection`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol

from aetfx.errors import StudyError
from aetfx.study import Range, Study

_AT_ONCE = 4  # asked for together, whatever the number of cores: the same study tries the same on every machine

Values = dict[str, Any]


class Chooser(Protocol):
    """Gives the values to try, a few at a time."""

    def ask(self) -> list[Values]:
        """Returns a value for each key of `compare`, for one or more configurations; none at the end."""

    def tell(self, scores: Sequence[float | None]) -> None:
        """Takes the scores of what was asked for last (lower is better; None where it failed)."""


def chooser(study: Study) -> Chooser:
    """Returns what a study's `sweep.choose` names.

    Raises:
      StudyError: it needs Optuna, which is not installed.
    """
    return Grid(study) if study.sweep.choose == "grid" else Drawn(study)


class Grid:
    """The whole product, at once."""

    def __init__(self, study: Study):
        lists = [values for values in study.compare.values() if isinstance(values, list)]
        self._left = [dict(zip(study.compare, values, strict=True)) for values in itertools.product(*lists)]

    def ask(self) -> list[Values]:
        found, self._left = self._left, []
        return found

    def tell(self, scores: Sequence[float | None]) -> None:
        """A grid learns nothing."""


class Drawn:
    """Optuna's random sampler or its tree-structured Parzen estimator (Bergstra et al. 2011)."""

    def __init__(self, study: Study):
        try:
            import optuna
        except ImportError:
            raise StudyError(
                f"sweep.choose: {study.sweep.choose} needs Optuna, which is not installed. "
                "Run pip install 'aetfx[sweep]', or list the values and choose: grid."
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = study.training.seed
        sampler = (
            optuna.samplers.RandomSampler(seed)
            if study.sweep.choose == "random"
            else optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        )
        self._optuna = optuna.create_study(sampler=sampler)
        self._compared = study.compare
        self._space = {key: _distribution(values) for key, values in study.compare.items()}
        self._left = study.sweep.configurations
        self._asked: list[Any] = []
        self._failed = optuna.trial.TrialState.FAIL

    def ask(self) -> list[Values]:
        count = min(_AT_ONCE, self._left)
        self._left -= count
        self._asked = [self._optuna.ask(self._space) for _ in range(count)]
        return [{key: _value(self._compared[key], trial.params[key]) for key in self._space} for trial in self._asked]

    def tell(self, scores: Sequence[float | None]) -> None:
        for trial, score in zip(self._asked, scores, strict=True):
            if score is None:
                self._optuna.tell(trial, state=self._failed)
            else:
                self._optuna.tell(trial, score)


def _distribution(values: list[Any] | Range) -> Any:
    """Returns Optuna's distribution for what a study lists or bounds."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, list):
        return CategoricalDistribution(range(len(values)))  # places: Optuna takes no lists for values
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=values.log)
    return FloatDistribution(float(values.low), float(values.high), log=values.log)


def _value(values: list[Any] | Range, drawn: Any) -> Any:
    """Returns the value that was drawn; of a range with four digits, as many as a name shows."""
    if isinstance(values, list):
        return values[drawn]
    if isinstance(drawn, int):
        return drawn
    return min(max(float(f"{drawn:.4g}"), float(values.low)), float(values.high))
