"""Probe rows: a few of the rows that a model is trained on, run through it to see what its loss does not show.

Everything is read in inference mode and nothing is changed: the layers' outputs are watched for the moment of a pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.diagnosis import symptoms
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.errors import DataError
from aetfx.evaluation.score import Scorer
from aetfx.models.probing import spread_and_output
from aetfx.models.reading import read_architecture
from aetfx.validation.statistics import range_ratio, summarize
from aetfx.words import percent

_MOST_ROWS = 256


class Probe:
    """Some rows as they are fed, with what can be told from them about a model.

    Args:
      x: rows as fed to `fit`, (n, *shape); every so many-th is taken.
      y: the targets, where they are not the rows themselves.

    Raises:
      DataError: not an array of numbers with rows.
    """

    def __init__(self, x: Any, y: Any = None):
        self.rows, self.targets = _some(x, "x"), _some(x if y is None else y, "y")
        self._missing_share = float((~np.isfinite(np.asarray(x))).mean())  # of all rows: one NaN is enough
        try:
            self._scorer: Scorer | None = Scorer.fit(self.targets, declared_shape=self.targets.ndim > 2)
        except DataError:  # constant rows have no score
            self._scorer = None

    def begin(self, model: Any) -> None:
        """Reads the architecture, and how far the units' answers are apart before training."""
        self.architecture = read_architecture(model, self.rows.shape[1:], code=False)
        self._start, self._output = spread_and_output(model, self.architecture, self.rows)
        self._spread = self._start

    def run(self, model: Any) -> None:
        """Passes the rows; what follows speaks of the last pass."""
        self._spread, self._output = spread_and_output(model, self.architecture, self.rows)

    def dead_units(self, thresholds: Thresholds) -> str | None:
        """Says in which layer many units have come to answer the same to every row."""
        for name, spread in self._spread.items():
            dead = (self._start[name] > 0) & (spread <= thresholds.dead_spread * self._start[name])
            if dead.sum() >= thresholds.dead_share * len(dead):
                return f"{dead.sum()} of {len(dead)} units of '{name}' answer the same to every probe row"
        return None

    def score(self) -> float | None:
        """Returns the score on the probe rows: 0 is perfect, 1 is what their mean gives; None where there is none."""
        restored = self._output.astype(np.float64)
        if self._scorer is None or restored.shape != self.targets.shape:
            return None
        return self._scorer.score(self.targets, restored).value

    def missing(self) -> str | None:
        """Says how many of the cells that were given are NaN or infinite."""
        share = self._missing_share
        return f"{100 * share:.2g} % of the cells given are NaN or infinite" if share else None

    def unreachable(self, thresholds: Thresholds) -> tuple[str, str] | None:
        """Says that targets lie outside what the output can give, with the cause that this suggests."""
        output = self.architecture.output_range
        cells = self.targets[np.isfinite(self.targets)]
        if output.name == "softmax":
            return "model.output_activation", "a softmax output: the values of each row are forced to sum to one"
        slack = 1e-6 * max(1.0, float(np.abs(cells).max(initial=0.0)))
        outside = float(((cells < output.low - slack) | (cells > output.high + slack)).mean()) if cells.size else 0.0
        if outside <= thresholds.outside_share:
            return None
        off = symptoms.off_scale(
            float(cells.mean()), float(cells.std()), float(cells.min()), float(cells.max()), thresholds
        )
        return (
            "data.scaling" if off else "model.output_activation",
            (
                f"{percent(outside)} of the probe targets lie outside what a {output.name} output can give "
                f"({output.low:g} to {output.high:g})"
            ),
        )

    def unlike_scales(self, optimizer: str, thresholds: Thresholds) -> str | None:
        """Says that columns are on unlike scales, or values on one that plain SGD cannot take."""
        flat = self.targets.reshape(len(self.targets), -1)
        ratio = range_ratio(summarize(flat).ranges)
        if self._scorer is not None and self._scorer.features == "table" and ratio > thresholds.range_ratio:
            return f"the columns of the probe rows differ in range by a factor of {ratio:,.0f}"
        sd = float(np.nanstd(flat))
        if optimizer == "sgd" and not thresholds.tiny_sd <= sd <= thresholds.large_sd:
            return f"values with sd {sd:.4g} under plain SGD, whose steps grow with the square of the scale"
        return None


def _some(x: Any, name: str) -> np.ndarray:
    """Returns at most 256 rows, evenly spaced, as a float32 copy."""
    values = np.asarray(x)
    if values.ndim < 2 or len(values) < 2 or values.dtype.kind not in "biuf":
        raise DataError(
            f"Watch({name}): must be rows of numbers (n, ...) as you give them to fit, but got "
            f"{type(x).__name__} of shape {values.shape}. Of a data set, give one batch as an array."
        )
    return values[:: -(-len(values) // _MOST_ROWS)].astype(np.float32)
