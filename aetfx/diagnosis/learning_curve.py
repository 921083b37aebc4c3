"""What twice and four times the rows would gain, from scores at a quarter, a half and all of them.

The curve is a power law with a floor, `score(n) = a n^-b + c`. At three sizes that double it needs no fit: each
doubling takes off `2^-b` of what the one before took off, so that the next drops follow from the last two. What is
not known is carried along: scores are redrawn with the noise between trainings, `2^-b` with what networks stray from
such a law, and where they contradict a power law
with c >= 0 and 0 < b <= 2 the nearest one is taken (a floor of 0 promises the most that the last drop allows, b = 2
the least).

A curve that has not begun to fall tells nothing of where it will: networks that have as many weights as it takes to
learn their rows by heart gain nothing for a while before more rows help. Measured on 60 digits and a network with 64
units: 3 % promised for twice the rows, 29 % got. What bounds the gain there is the gap between the train rows and
others, which closes like 1 / n where rows are many (the optimism of a fit with p parameters is in proportion to p / n;
Hastie, Tibshirani, Friedman 2009, section 7.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SHARES = (0.25, 0.5, 1.0)  # of the train rows
_STEEPEST = 4.0  # 2^b with b = 2: parametric rates have b = 1, and noise alone must not make a curve steeper
# Standard deviation of the logarithm of "each drop over the next": how far networks stray from a power law. Measured
# on digits (nine networks, 44 draws of 40 to 200 rows, gains at 2n and 4n measured with rows held back): 84 of 88 gains
# lay in their intervals.
_STRAY = 0.3
_DRAWS = 4000
_FLOOR = 1e-6
_MOST = 0.999  # gain: nothing falls to 0


@dataclass(frozen=True)
class MoreRows:
    """What more rows of the same kind would gain.

    Attributes:
      scores: share of the rows to mean score (geometric).
      twice, four: gain at twice and four times the rows.
      twice_interval, four_interval: two-sided 95 %, for a score that is measured there with as many trainings.
      twice_lower, four_lower: one-sided 95 % lower bounds of the expected gains, which decide.
    """

    scores: dict[float, float]
    twice: float
    twice_interval: tuple[float, float]
    four: float
    four_interval: tuple[float, float]
    twice_lower: float
    four_lower: float

    def gain(self, times: int) -> float:
        """Returns the expected gain at 2 or 4 times the rows."""
        return {2: self.twice, 4: self.four}[times]

    def lower(self, times: int) -> float:
        """Returns its lower bound."""
        return {2: self.twice_lower, 4: self.four_lower}[times]


def more_rows(scores: Mapping[float, Sequence[float]], *, train_score: float | None = None) -> MoreRows:
    """Extrapolates a learning curve.

    Args:
      scores: for each of `SHARES`, the scores of several trainings (two or more each), each on its own draw of rows.
      train_score: of the rows that were trained on, all of them. Given, the interval of a curve that may not have begun
        to fall reaches to where the gap between these scores closes like 1 / n.

    Raises:
      ValueError: a share is missing, or has fewer than two scores.

    >>> curve = more_rows({0.25: [0.8, 0.8], 0.5: [0.4, 0.4], 1.0: [0.2, 0.2]})
    >>> round(curve.twice, 2), round(curve.four, 2)
    (0.5, 0.75)
    """
    if set(scores) != set(SHARES) or min(map(len, scores.values())) < 2:
        raise ValueError(f"two scores or more at each of {SHARES} are needed but got {dict(scores)}")
    logs = {share: np.log(np.maximum(np.asarray(scores[share], np.float64), _FLOOR)) for share in SHARES}
    df = sum(len(part) - 1 for part in logs.values())
    variance = sum(float(np.square(part - part.mean()).sum()) for part in logs.values()) / df
    middle = np.array([logs[share].mean() for share in SHARES])
    count = np.array([len(logs[share]) for share in SHARES])
    rng = np.random.default_rng(0)
    # One factor per draw for the unknown spread itself (Student's t), and one per mean. All rows are one draw of rows,
    # however many trainings there are, and so will twice as many be.
    spread = np.sqrt(variance * df / rng.chisquare(df, size=(_DRAWS, 1)))
    own = np.sqrt(1 / np.where(np.array(SHARES) == 1.0, 2, count))
    drawn = middle + spread * own * rng.standard_normal((_DRAWS, 3))
    later = spread * np.sqrt(0.5) * rng.standard_normal((_DRAWS, 2))
    twice, four = _gains(np.exp(middle[None]))
    gains = np.stack(_gains(np.exp(drawn), np.exp(_STRAY * rng.standard_normal(_DRAWS))), axis=1)
    twice_lower, four_lower = np.quantile(gains, 0.05, axis=0)
    gains = 1 - (1 - gains) * np.exp(later)
    low, high = np.quantile(gains, [0.025, 0.975], axis=0)
    if train_score is not None and twice_lower <= 0:
        gap = 1 - min(train_score / np.exp(middle[-1]), 1.0)
        high = np.maximum(high, gap * np.array([1 / 2, 3 / 4]))
    return MoreRows(
        scores={share: float(np.exp(value)) for share, value in zip(SHARES, middle, strict=True)},
        twice=float(twice[0]),
        twice_interval=(float(min(low[0], twice[0])), float(max(high[0], twice[0]))),
        four=float(four[0]),
        four_interval=(float(min(low[1], four[0])), float(max(high[1], four[0]))),
        twice_lower=float(min(twice_lower, twice[0])),
        four_lower=float(min(four_lower, four[0])),
    )


def _gains(scores: np.ndarray, stray: np.ndarray | float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gains at twice and four times the rows for scores (B, 3) at the shares, (B,) each.

    Args:
      scores: at the shares.
      stray: factors to the ratio of a drop to the next, (B,).
    """
    quarter, half, full = scores.T
    last, before = half - full, quarter - half
    # Slower, and the floor would lie below 0; a network that has just enough rows may still be so for a while.
    least = np.maximum(half / full * np.sqrt(np.minimum(stray, 1.0)), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(last > 0, stray * before / last, _STEEPEST)
    ratio = np.maximum(np.minimum(ratio, _STEEPEST), least)
    next_drop = last / ratio
    twice, four = next_drop / full, (next_drop + next_drop / ratio) / full
    return np.minimum(twice, _MOST), np.minimum(four, _MOST)
