"""Columns that hold few values on each side, as yes and no or answers from 1 to 5 do, and what takes eval's to train's.

Quantiles of such columns jump, so that they cannot be laid over each other; their values can, and exactly. That eval
has other values than train, as often as train has its own, is no shift of the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

_MOST = 32  # values of a column
_AGAIN = 5  # cells that hold one of them
_SAMPLE = 1024  # rows that tell which columns are worth a closer look
_LEAST = 3  # columns: fewer prove nothing
_KNOWN = 0.99  # share of eval's cells that must be values of train
_EXACT = 1e-3  # of the least distance between two values of train
_LEAST_MOVE = 0.2  # rms way of the values, in standard deviations of train
_STRAYS = 4.0  # standard errors between the shares of a value: columns hang together
_AGREE = 0.8  # share of the columns whose values are as frequent on both sides


@dataclass(frozen=True)
class Levels:
    """Columns of few values, and the line that brings eval's values to train's, float64 (D,) each.

    Attributes:
      few: bool, which columns hold 2 to 32 values on each side, two of them again and again.
      mapped: bool, which of these, or of rare flags, have a line under which each value is as frequent on both sides.
      scale, offset: the line; 1 and 0 for other columns, and where the values are the same.
      moves: rms way from eval's cells to where they belong, in standard deviations of train; 0 for other columns.
    """

    few: np.ndarray
    mapped: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    moves: np.ndarray

    @classmethod
    def of(cls, train: np.ndarray, evaluation: np.ndarray) -> Levels:
        """Looks at rows (n, D) and (m, D); cells that are not finite are left out."""
        size = train.shape[1]
        few, mapped = np.zeros((2, size), bool)
        scale, offset, moves = np.ones(size), np.zeros(size), np.zeros(size)
        worth = np.flatnonzero((_distinct(train) <= _MOST) & (_distinct(evaluation) <= _MOST))
        for column in worth:
            here, there = (_values(side[:, column]) for side in (train, evaluation))
            sizes = [len(counts) for _, counts in (here, there)]
            if min(sizes) < 2 or max(sizes) > _MOST:
                continue
            # A stuck column with a little jitter holds few values too, and each but one of them once.
            few[column] = all(np.sort(counts)[-2] >= _AGAIN for _, counts in (here, there))
            found = _line(here, there) if few[column] or max(sizes) == 2 else None
            if found is not None:
                mapped[column] = True
                scale[column], offset[column] = found
                moves[column] = _move(here, there, *found)
        return cls(few, mapped, scale, offset, moves)

    @property
    def prepared_otherwise(self) -> bool:
        """Whether nearly all columns of few values agree under their lines, and half of them only so."""
        told = self.mapped & self.few
        return bool(told.sum() >= max(_LEAST, _AGREE * self.few.sum()) and np.median(self.moves[told]) >= _LEAST_MOVE)


def _distinct(rows: np.ndarray) -> np.ndarray:
    """Counts the values in each column (D,) of some rows; NaN is none."""
    some = rows[:: max(1, len(rows) // _SAMPLE)]
    return np.asarray(1 + (np.diff(np.sort(some, axis=0), axis=0) > 0).sum(axis=0))


def _values(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values of a column (k,) and how many cells hold each."""
    return np.unique(cells[np.isfinite(cells)], return_counts=True)


def _line(here: tuple[np.ndarray, np.ndarray], there: tuple[np.ndarray, np.ndarray]) -> tuple[float, float] | None:
    """Returns scale and offset that take eval's values to train's, where these are then as frequent: 1 and 0 first."""
    (values, counts), (others, other_counts) = here, there
    share, other_share = counts / counts.sum(), other_counts / other_counts.sum()
    slack = _EXACT * float(np.diff(values).min())
    # The two values that most cells hold cannot be missing in train; each pair of train's may be what they are.
    low, high = np.sort(np.argsort(-other_counts, kind="stable")[:2])
    pairs = np.array([(1.0, 0.0)] + [_through(others[[low, high]], values[list(pair)])
                                     for pair in combinations(range(len(values)), 2)])  # fmt: skip
    at = pairs[:, :1] * others + pairs[:, 1:]
    place = np.clip(np.searchsorted((values[1:] + values[:-1]) / 2, at), 0, len(values) - 1)
    known = np.abs(at - values[place]) <= slack
    shares = np.zeros((len(pairs), len(values)))
    np.add.at(shares, (np.arange(len(pairs))[:, None], place), np.where(known, other_share, 0.0))
    n, m = counts.sum(), other_counts.sum()
    pooled = (n * share + m * shares) / (n + m)
    away = np.abs(shares - share)
    explained = known @ other_share
    agree = (explained >= _KNOWN) & (away <= _STRAYS * np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))).all(1)
    if not agree.any():
        return None
    # A rare value that none but one line explains decides.
    agree &= explained >= explained[agree].max() - 0.5 / m
    best = 0 if agree[0] else int(np.argmin(np.where(agree, away.sum(axis=1), np.inf)))
    return float(pairs[best, 0]), float(pairs[best, 1])


def _through(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    scale = (y[1] - y[0]) / (x[1] - x[0])
    return scale, y[0] - scale * x[0]


def _move(
    here: tuple[np.ndarray, np.ndarray], there: tuple[np.ndarray, np.ndarray], scale: float, offset: float
) -> float:
    (values, counts), (others, other_counts) = here, there
    spread = np.sqrt(np.average(np.square(values - np.average(values, weights=counts)), weights=counts))
    return float(np.sqrt(np.average(np.square(others - scale * others - offset), weights=other_counts)) / spread)
