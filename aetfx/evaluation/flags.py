"""Columns that hold two values on each side, as yes and no do, and whether these were prepared otherwise.

Quantiles of such columns jump, so that they cannot be laid over each other; their two values can, and exactly. That
eval has other ones than train is no shift of the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEAST = 3  # columns: fewer prove nothing
_MOST_OTHERS = 0.2  # of the columns that move: these are left as they are
_LEAST_MOVE = 0.1  # rms way of the two values, in units of their distance
_STRAYS = 4.0  # standard errors between the shares of the upper value: columns hang together
_MOST_STRAYS = 0.2  # share of the columns where it is more


@dataclass(frozen=True)
class Flags:
    """What two-valued columns hold on both sides.

    Attributes:
      two: bool (D,), the columns that hold two values on each side.
      moving: how many columns hold more than one value on each side.
      low, high: float64 (2, F), the two values of each of them in train and in eval.
      share: float64 (2, F), how many of the rows hold the upper one.
      rows: how many rows there are on each side.
    """

    two: np.ndarray
    moving: int
    low: np.ndarray
    high: np.ndarray
    share: np.ndarray
    rows: tuple[int, int]

    @classmethod
    def of(cls, train: np.ndarray, evaluation: np.ndarray) -> Flags:
        """Looks at rows (n, D) and (m, D); cells that are not finite are left out."""
        low, high, share, two, moves = [], [], [], [], []
        for side in (train, evaluation):
            there = np.isfinite(side)
            low.append(np.where(there, side, np.inf).min(axis=0))
            high.append(np.where(there, side, -np.inf).max(axis=0))
            share.append((side == high[-1]).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
            moves.append(low[-1] < high[-1])
            two.append(((side == low[-1]) | (side == high[-1]) | ~there).all(axis=0) & moves[-1])
        both = two[0] & two[1]
        chosen = [np.stack(part)[:, both] for part in (low, high, share)]
        return cls(both, int((moves[0] & moves[1]).sum()), *chosen, (len(train), len(evaluation)))

    @property
    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Scale and offset (F,) that bring eval's two values to train's."""
        scale = (self.high[0] - self.low[0]) / (self.high[1] - self.low[1])
        return scale, self.low[0] - scale * self.low[1]

    @property
    def moves(self) -> np.ndarray:
        """How far eval's two values lie from train's, rms, in units of these two's distance, (F,)."""
        way = np.square([self.low[1] - self.low[0], self.high[1] - self.high[0]]).mean(axis=0)
        return np.asarray(np.sqrt(way) / (self.high[0] - self.low[0]))

    @property
    def prepared_otherwise(self) -> bool:
        """Whether nearly all columns are flags, as many rows hold the upper value on each side, and it is another."""
        if len(self.share[0]) < max(_LEAST, (1 - _MOST_OTHERS) * self.moving) or np.median(self.moves) < _LEAST_MOVE:
            return False
        rows = np.array(self.rows)[:, None]
        pooled = (self.share * rows).sum(axis=0) / rows.sum()
        error = np.sqrt(pooled * (1 - pooled) * (1 / rows).sum())
        strays = np.abs(self.share[0] - self.share[1]) > _STRAYS * error
        return bool(strays.mean() <= _MOST_STRAYS)
