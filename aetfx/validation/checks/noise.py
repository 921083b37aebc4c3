"""What chance alone does to a part of the rows: the noise floors of checks that compare a part with the whole.

All bounds hold for any number of rows, drawn without replacement too (Hoeffding 1963, theorem 4); none is a normal
approximation. They are exponential bounds, which promise a chance and keep below it.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.statistics import ColumnStatistics

_HALVINGS = 50


def share_bounds(draws: np.ndarray, share: np.ndarray, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Between which two shares that of some rows lies, where all rows have a given share, but for a chance of `chance`.

    Chernoff's bound: a share of k draws is as far off as x with a chance of at most exp(-k KL(x, share)) on each side.

    Args:
      draws: rows drawn, k; need not be whole.
      share: of all rows, from 0 to 1.

    Returns:
      low, high: -inf (inf) where not even a share of 0 (1) is beyond chance.

    >>> low, high = share_bounds(np.array([1000.0]), np.array([0.1]), 0.001)
    >>> [round(float(x[0]), 3) for x in (low, high)]
    [0.065, 0.139]
    """
    draws, share = np.broadcast_arrays(np.asarray(draws, np.float64), np.asarray(share, np.float64))
    bounds = []
    for end in (0.0, 1.0):
        near, far = share.copy(), np.full(share.shape, end)
        reachable = is_odd(draws, far, share, chance)
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            odd = is_odd(draws, middle, share, chance)
            near, far = np.where(odd, near, middle), np.where(odd, middle, far)
        bounds.append(np.where(reachable, far, np.inf if end else -np.inf))
    return bounds[0], bounds[1]


def is_odd(draws: np.ndarray, seen: np.ndarray, share: np.ndarray, chance: float) -> np.ndarray:
    """Whether the share seen in some rows is beyond `share_bounds`, bool."""
    from scipy.special import rel_entr

    divergence = rel_entr(seen, share) + rel_entr(1.0 - seen, 1.0 - share)
    return np.asarray(draws * divergence > np.log(2.0 / chance))


def rank_floor(draws: np.ndarray, chance: float) -> np.ndarray:
    """How far the mean rank of some rows lies from that of all, but for a chance of `chance`.

    Ranks are uniform, a law whose exponential moments stay below those of the normal law of equal variance (ties only
    lower them), so that the normal law's bound holds from one row on.

    Returns:
      In standard deviations of a uniform law (1 / sqrt(12) of the ranks' range); infinite without draws.
    """
    with np.errstate(divide="ignore"):
        return np.sqrt(2.0 * np.log(2.0 / chance) / np.asarray(draws, np.float64))


def independent_share(statistics: ColumnStatistics) -> float:
    """Rows that count as independent, as a share of all: rows that repeat others say nothing new."""
    rows = statistics.row_hashes
    return 1.0 if rows is None else float(rows.n_effective) / max(1, rows.n_rows)
