"""Poisson bootstrap weights that belong to a row, not to its position.

A bootstrap draw gives each row a weight from Poisson(1). Here the weights of a row follow from a hash of its
values, so that equal rows move together, the order of rows does not matter, and workers that each see a part of
the rows draw the same weights and can add up their sums.
"""

from __future__ import annotations

import math

import numpy as np

# P(weight <= k) for k = 0, 1, ...; the tail beyond the last entry has probability < 1e-16.
_POISSON_CDF = np.cumsum([math.exp(-1.0) / math.factorial(k) for k in range(18)])
_GOLDEN = 0x9E3779B97F4A7C15


def poisson_weights(hashes: np.ndarray, draws: int, first: int = 0) -> np.ndarray:
    """Returns the weights of each row in `draws` bootstrap draws.

    Args:
      hashes: uint64, shape (n,). They need not be uniform over the whole range: rows of one split share the
        leading bits, and are mixed once more here.
      draws: number of draws.
      first: number of the first draw, so that draws can be made in parts.

    Returns:
      float64, shape (draws, n), whole numbers with mean 1 and variance 1.
    """
    hashes = np.asarray(hashes, dtype=np.uint64)
    numbers = np.arange(first + 1, first + draws + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = _mix(hashes[None, :] + numbers[:, None] * np.uint64(_GOLDEN))
    uniform = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.searchsorted(_POISSON_CDF, uniform, side="right").astype(np.float64)


def _mix(bits: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection in which each bit reaches all others."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
