"""The kept rows as the dashboard gets them: few enough, small enough, and in units that half a float can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.figures import columns
from aetfx.tensorboard_plugin.payload import BEST, MEDIAN, RANDOM, WORST

MOST_BYTES = 8_000_000  # of one tensor: TensorBoard hands out about 10 MB comfortably
_ALL_BYTES = 128_000_000  # of all reconstructions together
_PICTURE = 96  # pixels of a picture's longer side, at most
_STEPS = 2_000  # of a sequence
_COLUMNS = 4_000  # of a table
_LEAST_STEPS = 16  # values of one unit in a row, from where on they are drawn as a line
_LARGEST = 60_000.0  # of a cell in units of its spread; float16 ends at 65,504


@dataclass
class Rows:
    """Rows in the form of `payload`.

    Attributes:
      kind: "picture", "sequence" or "table".
      shape: of a row as it is kept: (height, width, channels), (steps, channels) or (columns,).
      reduced: how many pixels or steps of the data one of these stands for, along one axis.
      columns: of a table, which of the data's are kept; else None.
      chosen: indices of the kept rows among those of `samples.npz`.
      truth: (n, D) float32.
      scale: (2, D) float32.
    """

    kind: str
    shape: tuple[int, ...]
    reduced: int
    columns: np.ndarray | None
    chosen: np.ndarray
    truth: np.ndarray
    scale: np.ndarray

    def cells(self, values: np.ndarray) -> np.ndarray:
        """Returns reconstructions (all rows of the file, *shape) as float16 (n, D) in units of the scale."""
        small = self._small(np.asarray(values)[self.chosen])
        with np.errstate(all="ignore"):
            cells = (small.astype(np.float64) - self.scale[0]) / self.scale[1]
        return np.clip(cells, -_LARGEST, _LARGEST).astype(np.float16)  # NaN stays

    def _small(self, values: np.ndarray) -> np.ndarray:
        return reduce(values, self.kind, self.shape, self.reduced, self.columns)


def kind_of(shape: tuple[int, ...], features: str | None) -> str:
    """Says how a row is drawn.

    >>> kind_of((28, 28), "tensor"), kind_of((100, 3), "tensor"), kind_of((30,), "table"), kind_of((64,), "tensor")
    ('picture', 'sequence', 'table', 'sequence')
    """
    if columns.picture_shape({"shape": np.array(shape)}) is not None:
        return "picture"
    if len(shape) == 2 or (len(shape) == 1 and features == "tensor" and shape[0] >= _LEAST_STEPS):
        return "sequence"
    return "table"


def choose(
    samples: dict[str, Any], evaluation: dict[str, Any], feature_scores: np.ndarray | None, count: int
) -> Rows | None:
    """Chooses and shrinks the rows of `samples.npz`; None where it holds none.

    Args:
      samples: its arrays.
      evaluation: the content of `evaluation.json`.
      feature_scores: (C, D), to tell a wide table's worst columns.
      count: of configurations, for the size of it all.
    """
    truth = samples.get("truth")
    if truth is None or not len(truth) or truth.ndim < 2:
        return None
    given = tuple(truth.shape[1:])
    kind = kind_of(given, evaluation.get("features"))
    reduced, kept = 1, None
    if kind == "picture":
        height, width, channels = columns.picture_shape({"shape": np.array(given)}) or (1, 1, 1)
        reduced = max(1, math.ceil(max(height, width) / _PICTURE))
        shape: tuple[int, ...] = (height // reduced, width // reduced, channels)
    elif kind == "sequence":
        steps, channels = given if len(given) == 2 else (given[0], 1)
        reduced = max(1, math.ceil(steps / _STEPS))
        shape = (steps // reduced, channels)
    else:
        size = math.prod(given)
        kept = worst_columns(feature_scores, size, _COLUMNS) if size > _COLUMNS else None
        shape = (size if kept is None else len(kept),)
    size = math.prod(shape)
    most = min(MOST_BYTES // (4 * size), _ALL_BYTES // (2 * size * max(1, count)))
    why = np.asarray(samples.get("why", np.full(len(truth), RANDOM)), np.uint8)
    # The worst rows are what a person asks for first; the typical and the best, then the random ones give up places.
    rank = np.where(why & WORST, 0, np.where(why & (BEST | MEDIAN), 1, 2))
    chosen = np.sort(np.argsort(rank, kind="stable")[: max(1, most)])
    small = reduce(np.asarray(truth)[chosen], kind, shape, reduced, kept)
    random = (why[chosen] & RANDOM) > 0
    scale = _scale(small[random] if random.sum() >= 20 else small, kind, shape)
    return Rows(kind, shape, reduced, kept, chosen, small.astype(np.float32), scale)


def worst_columns(scores: np.ndarray | None, size: int, limit: int) -> np.ndarray:
    """Returns the indices of the `limit` columns whose mean score over the configurations is worst, in their order."""
    if scores is None or scores.shape[1] != size:
        return np.arange(limit)
    with np.errstate(all="ignore"):
        mean = np.where(np.isfinite(scores), np.minimum(scores, 4), 0).mean(axis=0)
    return np.sort(np.argsort(-mean, kind="stable")[:limit])


def reduce(values: np.ndarray, kind: str, shape: tuple[int, ...], reduced: int, kept: np.ndarray | None) -> np.ndarray:
    """Returns rows (n, ...) as (n, D): pictures and sequences averaged over blocks, tables by their columns."""
    n = len(values)
    if kind == "picture":
        pictures = values.reshape(n, *values.shape[1:3], -1)
        if reduced > 1:
            height, width, channels = shape
            pictures = pictures[:, : height * reduced, : width * reduced]
            blocks = pictures.reshape(n, height, reduced, width, reduced, channels)
            pictures = blocks.mean(axis=(2, 4), dtype=np.float32)
        return pictures.reshape(n, -1)
    if kind == "sequence":
        steps = values.reshape(n, values.shape[1], -1)
        if reduced > 1:
            steps = steps[:, : shape[0] * reduced].reshape(n, shape[0], reduced, -1).mean(axis=2, dtype=np.float32)
        return steps.reshape(n, -1)
    flat = values.reshape(n, -1)
    return flat if kept is None else flat[:, kept]


def _scale(truth: np.ndarray, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Returns centre and spread of each value, (2, D): of a table's column, of a channel of what has one unit."""
    values = np.where(np.isfinite(truth), truth, np.nan).astype(np.float64)
    if kind != "table":
        values = values.reshape(-1, shape[-1])
    with np.errstate(all="ignore"):
        seen = np.isfinite(values).any(axis=0)
        filled = np.where(seen, values, 0.0)
        centre, spread = np.nanmean(filled, axis=0), np.nanstd(filled, axis=0)
    scale = np.stack([centre, np.where((spread > 0) & np.isfinite(spread), spread, 1.0)])
    if kind != "table":
        scale = np.tile(scale, (1, truth.shape[1] // shape[-1]))
    return scale.astype(np.float32)
