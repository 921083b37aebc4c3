"""What twice and four times the rows would gain, from scores at a quarter, a half and all of them.

The curve is a power law with a floor, `score(n) = a n^-b + c`. At three sizes that double it needs no fit: each
doubling takes off `2^-b` of what the one before took off, so that the next drops follow from the last two. What is
not known is carried along: scores are redrawn with the noise between trainings, and where they contradict a power law
with c >= 0 and 0 < b <= 2 the nearest one is taken (a floor of 0 promises the most that the last drop allows, b = 2
the least).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SHARES = (0.25, 0.5, 1.0)  # of the train rows
_STEEPEST = 4.0  # 2^b with b = 2: parametric rates have b = 1, and noise alone must not make a curve steeper
_DRAWS = 4000
_FLOOR = 1e-6


@dataclass(frozen=True)
class MoreRows:
    """What more rows of the same kind would gain.

    Attributes:
      scores: share of the rows to mean score (geometric).
      twice, four: gain at twice and four times the rows.
      twice_interval, four_interval: two-sided 95 %, for a score that is measured there with as many trainings.
    """

    scores: dict[float, float]
    twice: float
    twice_interval: tuple[float, float]
    four: float
    four_interval: tuple[float, float]


def more_rows(scores: Mapping[float, Sequence[float]]) -> MoreRows:
    """Extrapolates a learning curve.

    Args:
      scores: for each of `SHARES`, the scores of several trainings (two or more each), each on its own draw of rows.

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
    gains = np.stack(_gains(np.exp(drawn)), axis=1)
    gains = 1 - (1 - gains) * np.exp(later)
    low, high = np.quantile(gains, [0.025, 0.975], axis=0)
    return MoreRows(
        scores={share: float(np.exp(value)) for share, value in zip(SHARES, middle, strict=True)},
        twice=float(twice[0]),
        twice_interval=(float(min(low[0], twice[0])), float(max(high[0], twice[0]))),
        four=float(four[0]),
        four_interval=(float(min(low[1], four[0])), float(max(high[1], four[0]))),
    )


def _gains(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gains at twice and four times the rows for scores (B, 3) at the shares, (B,) each."""
    quarter, half, full = scores.T
    last, before = half - full, quarter - half
    least = np.maximum(half / full, 1.0)  # slower, and the score would fall below 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(last > 0, before / last, _STEEPEST)
    ratio = np.maximum(np.minimum(ratio, _STEEPEST), least)
    next_drop = last / ratio
    return next_drop / full, (next_drop + next_drop / ratio) / full
