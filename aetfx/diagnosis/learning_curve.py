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

Where as many rows again are at hand (eval rows beside which others are scored), twice the rows are trained on and
nothing of their gain is foreseen; four times as many follow from a half, all, and twice of them, or are trained on too.
A curve that is flat up to twice the rows may fall at four times: of 14 columns 20 rows leave 0.32, 40 leave 0.34, and
80 leave 0.20 (`pigs_dense`).

Where rows are known by heart that gap is a second estimate: held-out rows come down by about 0.65 of it. Both are
averaged, each weighted by how sure it is, and how far they disagree is uncertainty of both (the random-effects mean of
DerSimonian and Laird 1986).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SHARES = (0.25, 0.5, 1.0)  # of the train rows
TIMES = TWICE, FOUR = (2.0, 4.0)  # of them, where eval has as many more
_STEEPEST = 4.0  # 2^b with b = 2: parametric rates have b = 1, and noise alone must not make a curve steeper
# Standard deviation of the logarithm of "each drop over the next": how far networks stray from a power law. Measured
# on digits (nine networks, 44 draws of 40 to 200 rows, gains at 2n and 4n measured with rows held back): 84 of 88 gains
# lay in their intervals.
_STRAY = 0.3
# Of the gap between rows known by heart and others, what held-out rows gain when there are plenty of them: 0.61, 0.61,
# 0.64, 0.72, 0.74 and 0.78 with 7 to 22 times the rows (programs of the fault suite that are no longer held out:
# aero_tanh, digits_few, ascent_conv, plane_few, mnist_denoise, anes_table), 0.64 with 2 and 0.75 with 4 times (digits).
_CLOSED, _CLOSED_SD = 0.65, 0.15
_NEW_ROWS = np.array([1 / 2, 3 / 4])  # of twice and four times the rows, those that are new
_DRAWS = 4000
_FLOOR = 1e-6
_MOST = 0.999  # gain: nothing falls to 0


@dataclass(frozen=True)
class MoreRows:
    """What more rows of the same kind would gain.

    Attributes:
      scores: share of the rows to mean score (geometric), of all that were trained on.
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

    def interval(self, times: int) -> tuple[float, float]:
        """Returns where it lies."""
        return {2: self.twice_interval, 4: self.four_interval}[times]

    def lower(self, times: int) -> float:
        """Returns its lower bound."""
        return {2: self.twice_lower, 4: self.four_lower}[times]


def more_rows(
    scores: Mapping[float, Sequence[float]], *, train_score: float | None = None, by_heart: bool = False
) -> MoreRows:
    """Extrapolates a learning curve.

    Args:
      scores: for each of `SHARES`, the scores of several trainings (two or more each), each on its own draw of rows;
        and for `TIMES`, where so many rows were at hand.
      train_score: of the rows that were trained on, all of them. Given, the interval of a curve that may not have begun
        to fall reaches to where the gap between these scores closes like 1 / n.
      by_heart: the train rows are known by heart (`thresholds.by_heart`), so that the gap says what the gain may be.

    Raises:
      ValueError: a share is missing, or has fewer than two scores.

    >>> curve = more_rows({0.25: [0.8, 0.8], 0.5: [0.4, 0.4], 1.0: [0.2, 0.2]})
    >>> round(curve.twice, 2), round(curve.four, 2)
    (0.5, 0.75)
    """
    complete = set(scores) - set(TIMES) == set(SHARES) and (TWICE in scores or FOUR not in scores)
    if not complete or min(map(len, scores.values())) < 2:
        raise ValueError(f"two scores or more at each of {SHARES} are needed but got {dict(scores)}")
    shares = tuple(sorted(scores))
    logs = {share: np.log(np.maximum(np.asarray(scores[share], np.float64), _FLOOR)) for share in shares}
    df = sum(len(part) - 1 for part in logs.values())
    variance = sum(float(np.square(part - part.mean()).sum()) for part in logs.values()) / df
    middle = np.array([logs[share].mean() for share in shares])
    count = np.array([len(logs[share]) for share in shares])
    rng = np.random.default_rng(0)
    # One factor per draw for the unknown spread itself (Student's t), and one per mean. All rows are one draw of rows,
    # however many trainings there are, and so will twice as many be.
    spread = np.sqrt(variance * df / rng.chisquare(df, size=(_DRAWS, 1)))
    own = np.sqrt(1 / np.where(np.array(shares) >= 1.0, 2, count))
    drawn = middle + spread * own * rng.standard_normal((_DRAWS, len(shares)))
    later = spread * np.sqrt(0.5) * rng.standard_normal((_DRAWS, 2))
    stray = np.exp(_STRAY * rng.standard_normal(_DRAWS))
    foreseen, closing = _gains, None
    if TWICE in scores:  # measured, so that the gap has nothing to add
        foreseen = _gains_measured if FOUR in scores else _gains_from_twice
    elif train_score is not None:
        closing = (1 - min(train_score / np.exp(middle[-1]), 1.0)) * _NEW_ROWS
    twice, four = np.concatenate(foreseen(np.exp(middle[None])))
    gains = np.stack(foreseen(np.exp(drawn), stray), axis=1)
    if closing is not None and by_heart:
        (twice, four), gains = _with_gap(np.array([twice, four]), gains, closing, rng.standard_normal((_DRAWS, 1)))
    twice_lower, four_lower = np.quantile(gains, 0.05, axis=0)
    gains = 1 - (1 - gains) * np.exp(later)
    low, high = np.quantile(gains, [0.025, 0.975], axis=0)
    if closing is not None and twice_lower <= 0:
        high = np.maximum(high, closing)
    return MoreRows(
        scores={share: float(np.exp(value)) for share, value in zip(shares, middle, strict=True)},
        twice=float(twice),
        twice_interval=(float(min(low[0], twice)), float(max(high[0], twice))),
        four=float(four),
        four_interval=(float(min(low[1], four)), float(max(high[1], four))),
        twice_lower=float(min(twice_lower, twice)),
        four_lower=float(min(four_lower, four)),
    )


def _with_gap(
    curve: np.ndarray, drawn: np.ndarray, closing: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Averages what the curve and what the gap promise.

    Args:
      curve: gains at twice and four times the rows (2,).
      drawn: the same with what is not known (B, 2).
      closing: the gains if the gap closed like 1 / n, all of it (2,).
      z: standard normal numbers (B, 1).

    Returns:
      The gains (2,), and redrawn (B, 2).
    """
    gap, gap_sd = _CLOSED * closing, _CLOSED_SD * closing
    low, high = np.quantile(drawn, [0.16, 0.84], axis=0)
    own, other = np.square((high - low) / 2), np.square(gap_sd)
    apart = np.maximum(0.0, (np.square(curve - gap) - own - other) / 2)
    weights = 1 / np.maximum(np.stack([own, other]) + apart, _FLOOR)
    mean = (weights * np.stack([curve, gap])).sum(axis=0) / weights.sum(axis=0)
    mean = np.minimum(np.maximum.accumulate(mean), _MOST)
    return mean, np.minimum(mean + z / np.sqrt(weights.sum(axis=0)), _MOST)


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


def _gains_from_twice(scores: np.ndarray, stray: np.ndarray | float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same for scores (B, 4), the last of which are those at twice the rows."""
    full, double = scores[:, 2], scores[:, 3]
    again, _ = _gains(scores[:, 1:], stray)
    return 1 - double / full, 1 - double / full * (1 - again)


def _gains_measured(scores: np.ndarray, stray: np.ndarray | float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same for scores (B, 5), the last of which are those at twice and four times the rows."""
    full, double, fourfold = scores[:, 2:].T
    return 1 - double / full, 1 - fourfold / full
