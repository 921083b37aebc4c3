"""How sure a score is: its interval, and the part of a comparison's variance that comes from the rows alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetfx.evaluation.resample import poisson_weights
from aetfx.evaluation.sums import CAP

if TYPE_CHECKING:
    from aetfx.evaluation.score import Scorer

FLOOR = 1e-6  # a score below this is noise of the arithmetic; keeps logarithms finite
_DRAW_CELLS = 1 << 22  # 32 MB of weights at a time


def paired_row_variance(
    scorer: Scorer,
    y_true: np.ndarray,
    pred_a: np.ndarray,
    pred_b: np.ndarray,
    *,
    seed: int,
    draws: int = 200,
    rows: str | np.ndarray | None = None,
) -> float:
    """Returns the variance of ln(score_a / score_b) over re-drawn rows, both scored on the same draw.

    Args:
      y_true, pred_a, pred_b: (n, *shape), raw units.
      seed: of the row hash that gives each row its bootstrap weights.
      draws: number of Poisson bootstrap draws.
      rows: as for `Scorer.score`.
    """
    logs = _bootstrap_logs(scorer, y_true, [pred_a, pred_b], seed, draws, rows)
    return float(np.nanvar(logs[0] - logs[1], ddof=1))


def score_interval(
    scorer: Scorer,
    y_true: np.ndarray,
    preds: Sequence[np.ndarray],
    seed: int,
    *,
    draws: int = 200,
    rows: str | np.ndarray | None = None,
    pooled: tuple[float, int] | None = None,
) -> tuple[float, float]:
    """Returns a two-sided 95 % interval of the score of a configuration that was trained with several seeds.

    It is built on the logarithm, around the mean over the predictions (so around their geometric mean). Its
    variance is that over rows (one bootstrap draw re-weights all predictions alike) plus, for two predictions and
    more, that between them divided by their number; degrees of freedom by Welch and Satterthwaite.

    Args:
      y_true: (n, *shape), raw units.
      preds: one array like `y_true` per seed.
      seed: of the row hash.
      pooled: between-seed variance of ln(score) and its degrees of freedom (`pooled_log_variance`), in place of that
        of these few predictions alone; gives a far narrower interval for three seeds.
    """
    scores = np.array([scorer.score(y_true, pred, rows=rows).value for pred in preds])
    logs = _bootstrap_logs(scorer, y_true, preds, seed, draws, rows)
    return interval_from_draws(scores, logs, n_rows=len(y_true), pooled=pooled)


def interval_from_draws(
    scores: np.ndarray, logs: np.ndarray, *, n_rows: int, pooled: tuple[float, int] | None = None
) -> tuple[float, float]:
    """Returns the interval of `score_interval` from scores and their bootstrap draws.

    Args:
      scores: float64 (seeds,).
      logs: ln(score) of each in each draw, float64 (seeds, draws).
      n_rows: that the scores rest on.
      pooled: as for `score_interval`.
    """
    from scipy.special import stdtrit

    level = np.log(np.maximum(scores, FLOOR))
    over_rows = float(np.nanvar(logs.mean(axis=0), ddof=1))
    between, df = (float(level.var(ddof=1)), len(level) - 1) if len(level) > 1 else (0.0, 1)
    if pooled is not None and pooled[1] > 0:
        between, df = pooled
    between /= len(level)
    variance = over_rows + between
    if variance <= 0:
        return float(np.exp(level.mean())), float(np.exp(level.mean()))
    weighted = between**2 / df + over_rows**2 / max(n_rows - 1, 1)
    half = float(stdtrit(variance**2 / weighted, 0.975)) * math.sqrt(variance)
    low, high = math.exp(level.mean() - half), math.exp(min(level.mean() + half, math.log(CAP)))
    return low, high


def _bootstrap_logs(
    scorer: Scorer,
    y_true: np.ndarray,
    preds: Sequence[np.ndarray],
    seed: int,
    draws: int,
    rows: str | np.ndarray | None,
) -> np.ndarray:
    """Returns ln(score) of each prediction in each draw, (len(preds), draws)."""
    from aetfx.data.split import row_hash

    y_true = np.asarray(y_true)
    chosen = scorer.chosen_rows(y_true, rows)
    sums = [scorer.score(y_true, pred, rows=chosen).sums for pred in preds]
    kept = y_true if chosen is None else y_true[chosen]
    hashes = row_hash(kept.reshape(len(kept), -1), seed, purpose=b"bootstrap")
    logs = np.empty((len(preds), draws))
    step = max(1, _DRAW_CELLS // max(1, len(kept)))
    for first in range(0, draws, step):
        weights = poisson_weights(hashes, min(step, draws - first), first)
        for i, one in enumerate(sums):
            logs[i, first : first + len(weights)] = np.log(np.maximum(one.scores(weights), FLOOR))
    return logs
