"""Whether a change lowers the score, by how much, and how surely (METHOD §4).

Scores are compared on the logarithm: `d = ln(score_before / score_after)`, and `gain = 1 - exp(-d)` is the part of
the score that the change removes. Pairs share the seed (batch order, initial weights where shapes agree), or the
re-split. Three seeds tell next to nothing about their own variance, so it is pooled over the run's configurations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-6  # scores below are noise of the arithmetic
OWN_VARIANCE = 4.0  # a configuration's own variance is used where it exceeds the pool by more than this factor
_LEAST_VARIANCE = 1e-18  # keeps t statistics finite where runs repeat to the last bit


@dataclass(frozen=True)
class Gain:
    """A measured gain.

    Attributes:
      gain: 1 - exp(-mean d); 0.25 says that a quarter of the score is gone. Negative where the change hurts.
      lower: one-sided lower confidence bound of the gain at level `alpha`.
      interval: two-sided 95 % confidence interval of the gain.
      repeated: where the gain of the same comparison, made again with other seeds on as many fresh rows, lies with
        95 % probability: what may be promised. A confidence interval holds only 83 % of such repetitions (Cumming and
        Maillardet 2006); this one is wider by the square root of 2 (Spence and Stanley 2016).
      log_ratio: mean d.
      standard_error: of the mean d.
      df: degrees of freedom of the t distribution; may be fractional.
      alpha: level of `lower`.
    """

    gain: float
    lower: float
    interval: tuple[float, float]
    repeated: tuple[float, float]
    log_ratio: float
    standard_error: float
    df: float
    alpha: float

    def p_value(self, bound: float = 0.0) -> float:
        """Returns the one-sided p value of the hypothesis that the true gain is `bound` or less."""
        from scipy.special import stdtr

        return float(stdtr(self.df, (_log(bound) - self.log_ratio) / self.standard_error))

    def lower_at(self, alpha: float) -> float:
        """Returns the one-sided lower bound of the gain at another level, as Holm's procedure asks for."""
        return _gain(self.log_ratio - _quantile(self.df, alpha) * self.standard_error)


Estimator = Callable[[Sequence[float], Sequence[float]], Gain]


def pooled_log_variance(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Pools the between-seed variance of ln(score) over configurations.

    Args:
      groups: scores of each configuration, one per seed; groups of one score add nothing.

    Returns:
      (variance, degrees of freedom); (0.0, 0) where no configuration has two seeds.

    >>> variance, df = pooled_log_variance([[1.0, math.e], [0.5, 0.5, 0.5]])
    >>> round(variance, 6), df
    (0.166667, 3)
    """
    logs = [_logs(group) for group in groups if len(group) > 1]
    df = sum(len(group) - 1 for group in logs)
    if df == 0:
        return 0.0, 0
    return float(sum(np.square(group - group.mean()).sum() for group in logs) / df), df


def gain_over_seeds(
    before: Sequence[float],
    after: Sequence[float],
    *,
    pooled: tuple[float, int],
    row_variance: float = 0.0,
    alpha: float = 0.05,
) -> Gain:
    """Estimates the gain from S pairs of trainings that share their seeds and their rows.

    `SE^2 = (v_before + v_after) / S + row_variance`. Each v is the pooled variance, with its degrees of freedom, or
    the configuration's own (S - 1 degrees) where that exceeds four times the pool. The degrees of freedom of the sum
    are Welch and Satterthwaite's: a variance taken twice from the pool is one estimate, two own variances are two,
    and `row_variance`, from many rows, adds none of the uncertainty. The pairing shares noise that this sum leaves
    in, so the interval is on the wide side.

    Args:
      before, after: S scores each, in the order of the seeds.
      pooled: what `pooled_log_variance` returned for the run; (0.0, 0) for "nothing to pool".
      row_variance: variance of ln(before / after) over re-drawn rows (`paired_row_variance`).
      alpha: level of the one-sided lower bound.

    Raises:
      ValueError: the lengths differ, or neither pool nor pairs tell a variance.
    """
    logs_before, logs_after = _logs(before), _logs(after)
    if len(logs_before) != len(logs_after) or len(logs_before) == 0:
        raise ValueError(f"paired scores must be of one length but got {len(logs_before)} and {len(logs_after)}")
    n_seeds = len(logs_before)
    pool, pool_df = pooled
    from_pool, uncertainty = 0.0, 0.0
    variance = row_variance
    for logs in (logs_before, logs_after):
        own = float(logs.var(ddof=1)) if n_seeds > 1 else 0.0
        if pool_df > 0 and own <= OWN_VARIANCE * pool:
            from_pool += pool / n_seeds
        elif n_seeds > 1:
            variance += own / n_seeds
            uncertainty += (own / n_seeds) ** 2 / (n_seeds - 1)
        else:
            raise ValueError("one seed and no pooled variance: the gain has no standard error")
    variance += from_pool
    if pool_df > 0:
        uncertainty += from_pool**2 / pool_df
    df = variance**2 / uncertainty if uncertainty > 0 else float(pool_df or n_seeds - 1)
    return _make(float(np.mean(logs_before - logs_after)), variance, df, alpha)


def gain_on_rows(
    before: Sequence[float],
    after: Sequence[float],
    *,
    row_variance: float,
    n_rows: int,
    pooled: tuple[float, int] = (0.0, 0),
    alpha: float = 0.05,
) -> Gain:
    """Estimates the gain between two configurations that were scored on the same rows, however often each was trained.

    As `gain_over_seeds`, but the sides may have unlike numbers of seeds, and one that was trained once, where there is
    no pool, adds no variance of its own: the gain then speaks of these two models, not of their recipes.

    Args:
      before, after: scores, one per seed.
      row_variance: variance of the difference of the mean logarithms over re-drawn rows.
      n_rows: that the scores rest on.
      pooled: what `pooled_log_variance` returned; (0.0, 0) for "nothing to pool".
      alpha: level of the one-sided lower bound.
    """
    sides = [_logs(before), _logs(after)]
    variance, uncertainty = row_variance, row_variance**2 / max(n_rows - 1, 1)
    from_pool = 0.0
    for logs in sides:
        own = float(logs.var(ddof=1)) if len(logs) > 1 else 0.0
        if pooled[1] > 0 and own <= OWN_VARIANCE * pooled[0]:
            from_pool += pooled[0] / len(logs)
        elif len(logs) > 1:
            variance += own / len(logs)
            uncertainty += (own / len(logs)) ** 2 / (len(logs) - 1)
    variance += from_pool
    if pooled[1] > 0:
        uncertainty += from_pool**2 / pooled[1]
    df = variance**2 / uncertainty if uncertainty > 0 else float(max(n_rows - 1, 1))
    return _make(float(sides[0].mean() - sides[1].mean()), variance, df, alpha)


def gain_over_resplits(
    before: Sequence[float], after: Sequence[float], *, test_train_ratio: float, alpha: float = 0.05
) -> Gain:
    """Estimates the gain from J re-splits of the same rows: the corrected resampled t-test.

    The train sets of re-splits overlap, so that the variance of the J differences is too small. Nadeau and Bengio
    (2003), eq. 12: `SE^2 = (1 / J + n_test / n_train) var(d)`, J - 1 degrees of freedom.

    Args:
      before, after: J scores each (J >= 2), in the order of the re-splits.
      test_train_ratio: n_test / n_train, e.g. 0.25 where a fifth is held out.

    Raises:
      ValueError: fewer than two pairs, or the lengths differ.
    """
    logs_before, logs_after = _logs(before), _logs(after)
    if len(logs_before) != len(logs_after) or len(logs_before) < 2:
        raise ValueError(f"re-splits need at least two paired scores but got {len(logs_before)} and {len(logs_after)}")
    difference = logs_before - logs_after
    variance = (1.0 / len(difference) + test_train_ratio) * float(difference.var(ddof=1))
    return _make(float(difference.mean()), variance, float(len(difference) - 1), alpha)


def holm(p_values: Sequence[float], alpha: float) -> list[float]:
    """Returns the level at which Holm's step-down procedure tests each hypothesis.

    The smallest of m p values is tested at alpha / m, the next at alpha / (m - 1), and so on until one is not
    rejected; those behind it are not tested any more and get the level of that one. A hypothesis is rejected
    exactly when its p value is at most its level.

    >>> [round(level, 4) for level in holm([0.04, 0.001, 0.035], 0.06)]
    [0.03, 0.02, 0.03]
    """
    levels = [0.0] * len(p_values)
    stopped = None
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        levels[i] = alpha / (len(p_values) - rank) if stopped is None else stopped
        if stopped is None and p_values[i] > levels[i]:
            stopped = levels[i]
    return levels


def alike(after_a: Sequence[float], after_b: Sequence[float], estimator: Estimator) -> bool:
    """Whether two fixes are alike: the 95 % interval of their paired difference contains 0.

    Args:
      after_a, after_b: scores with the one and the other fix, paired.
      estimator: `gain_over_seeds` or `gain_over_resplits` with all else bound (`functools.partial`).
    """
    low, high = estimator(after_a, after_b).interval
    return low <= 0.0 <= high


def detectable_gain(
    standard_error: float, df: float, alpha: float, power: float = 0.8, least: float = 0.25, bound: float = 0.10
) -> float:
    """Returns the smallest true gain that would have been named with probability `power`.

    A cause is named when the estimate reaches `least` and its lower bound at `alpha` reaches `bound`. Both fall
    below by chance, so that the true gain has to be larger by `power`'s quantile of t.

    Args:
      standard_error: of the mean d.
      df: its degrees of freedom.
      alpha: level of the one-sided lower bound.

    Returns:
      A gain in [least, 1).
    """
    reached = max(_log(least), _log(bound) + _quantile(df, alpha) * standard_error)
    return _gain(reached + _quantile(df, 1.0 - power) * standard_error)


def _make(log_ratio: float, variance: float, df: float, alpha: float) -> Gain:
    error = math.sqrt(max(variance, _LEAST_VARIANCE))
    half = _quantile(df, 0.025) * error
    return Gain(
        gain=_gain(log_ratio),
        lower=_gain(log_ratio - _quantile(df, alpha) * error),
        interval=(_gain(log_ratio - half), _gain(log_ratio + half)),
        repeated=(_gain(log_ratio - math.sqrt(2) * half), _gain(log_ratio + math.sqrt(2) * half)),
        log_ratio=log_ratio,
        standard_error=error,
        df=df,
        alpha=alpha,
    )


def _logs(scores: Sequence[float]) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite (a diverged trial scores 4) but got {values.tolist()}")
    return np.log(np.maximum(values, FLOOR))


def _quantile(df: float, tail: float) -> float:
    """The value that t exceeds with probability `tail`."""
    from scipy.special import stdtrit

    return float(-stdtrit(df, tail))


def _gain(log_ratio: float) -> float:
    return -math.expm1(-log_ratio)


def _log(gain: float) -> float:
    return -math.log1p(-gain)
