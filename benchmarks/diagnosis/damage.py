"""What happens to data on their way to a model. Each is a small object whose `repr` says all of it.

The first group damages rows in original units (argument `damage` of `rows.prepare`), the second makes wrong targets
out of right ones (argument `target`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Marked:
    """A share of the cells of every `every`-th column holds a value that stands for "missing"."""

    share: float
    value: float
    every: int = 1

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(rows.shape) < self.share
        hit[:, np.arange(rows.shape[1]) % self.every != 0] = False
        rows[hit] = self.value
        return rows


@dataclass(frozen=True)
class Spikes:
    """A share of the cells is so many standard deviations of its column off: a loose contact, a slipped comma."""

    share: float
    size: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(rows.shape) < self.share
        sign = rng.choice([-1.0, 1.0], rows.shape)
        return np.where(hit, rows + sign * self.size * rng.uniform(1, 1.5, rows.shape) * rows.std(axis=0), rows)


@dataclass(frozen=True)
class Stuck:
    """So many further columns are stuck at one value but for a jitter in a few rows."""

    columns: int
    share: float = 0.01

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        jitter = np.where(rng.random((len(rows), self.columns)) < self.share, rng.normal(size=(len(rows), 1)), 0.0)
        return np.concatenate([rows, 20.0 + 1e-3 * jitter], axis=1)


@dataclass(frozen=True)
class Mispaired:
    """The targets were shuffled on their own."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[np.random.default_rng(1).permutation(len(x))]


@dataclass(frozen=True)
class Late:
    """Each target is the row that comes so many rows later."""

    rows: int = 1

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.roll(x, -self.rows, axis=0)


@dataclass(frozen=True)
class Rescaled:
    """The targets went through another scaling than the inputs."""

    factor: float
    shift: float = 0.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.factor * x + self.shift
