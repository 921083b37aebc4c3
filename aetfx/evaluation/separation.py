"""Whether a classifier can tell eval rows from train rows: a shift that no single column need show.

The classifier is a logistic regression on standardised columns, their squares, and squares of principal components
(two columns that stop moving together change the variance along a component and nothing else). It is cross-fitted:
each fold of rows is judged by a classifier that has not seen it. 0.5 is "cannot be told apart", 1 "always told apart".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetfx.data.split import row_hash

_MOST_ROWS = 2000  # of each side; the error of the AUC is then below 0.01
_LEAST_ROWS = 20  # of each side: with fewer a fold may hold none
_FOLDS = 5
_MOST_COLUMNS = 200  # wider rows go in as principal components
_COMPONENTS = 50  # of wide rows
_SQUARED_COMPONENTS = 20  # of narrow ones, beside their columns
_REACH = 5.0  # sd at which cells are cut: one outlier must not decide
_RIDGE = 1.0  # on standardised features, against the summed loss: scikit-learn's default
_NORMAL_97_5 = 1.959963984540054


@dataclass(frozen=True)
class Separation:
    """How well eval rows are told from train rows.

    Attributes:
      auc: area under the receiver operating characteristic, mean over the folds.
      low: lower bound of its two-sided 95 % interval (Hanley and McNeil 1982).
      n_train, n_eval: rows that were compared.
    """

    auc: float
    low: float
    n_train: int
    n_eval: int


def told_apart(train: np.ndarray, evaluation: np.ndarray, *, seed: int = 0) -> Separation | None:
    """Trains and judges the classifier.

    Args:
      train, evaluation: (n, *shape) and (m, *shape), raw units; cells that are not finite count as the column's mean.
      seed: of the folds. Equal rows share a fold.

    Returns:
      None where a side has too few rows to tell anything.
    """
    sides = [_thinned(rows) for rows in (train, evaluation)]
    if min(map(len, sides)) < _LEAST_ROWS:
        return None
    rows = np.concatenate(sides)
    label = np.repeat([0.0, 1.0], [len(side) for side in sides])
    fold = (row_hash(rows, seed, purpose=b"told apart") % np.uint64(_FOLDS)).astype(np.int64)
    areas, variances = [], []
    for k in range(_FOLDS):
        fit, judge = fold != k, fold == k
        if min(label[judge].sum(), (1 - label[judge]).sum()) < 2 or len(np.unique(label[fit])) < 2:
            continue
        features = _Features.of(rows[fit])
        score = features(rows[judge]) @ _logistic(features(rows[fit]), label[fit])
        area = _auc(score, label[judge])
        areas.append(area)
        variances.append(_auc_variance(area, int((1 - label[judge]).sum()), int(label[judge].sum())))
    if not areas:
        return None
    auc = float(np.mean(areas))
    half = _NORMAL_97_5 * math.sqrt(sum(variances)) / len(areas)
    return Separation(auc, max(0.0, auc - half), len(sides[0]), len(sides[1]))


@dataclass(frozen=True)
class _Features:
    """Columns to features, fitted on rows of both sides without their labels."""

    mean: np.ndarray
    sd: np.ndarray
    directions: np.ndarray  # (k, D)
    spread: np.ndarray  # (k,), sd along each
    wide: bool

    @classmethod
    def of(cls, rows: np.ndarray) -> _Features:
        with np.errstate(all="ignore"):
            known = np.isfinite(rows)
            count = np.maximum(known.sum(axis=0), 1)
            mean = np.where(known, rows, 0.0).sum(axis=0) / count
            sd = np.sqrt(np.where(known, np.square(rows - mean), 0.0).sum(axis=0) / count)
        sd = np.where(np.isfinite(sd) & (sd > 0), sd, 1.0)
        wide = rows.shape[1] > _MOST_COLUMNS
        k = min(_COMPONENTS if wide else _SQUARED_COMPONENTS, rows.shape[1], len(rows) // 10)
        standard = _standard(rows, mean, sd)
        if wide:
            from scipy.sparse.linalg import svds

            start = np.ones(min(standard.shape))  # not drawn: the same rows give the same figures
            _, _, directions = svds(standard - standard.mean(axis=0), k=max(1, k), v0=start)
        else:
            directions = np.linalg.eigh(np.cov(standard, rowvar=False, ddof=0).reshape([rows.shape[1]] * 2))[1].T
            directions = directions[::-1][:k]
        spread = (standard @ directions.T).std(axis=0)
        return cls(mean, sd, directions, np.where(spread > 0, spread, 1.0), wide)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        standard = _standard(rows, self.mean, self.sd)
        components = standard @ self.directions.T / self.spread
        parts = [components] if self.wide else [standard, np.square(standard)]
        return np.concatenate([*parts, np.square(components), np.ones((len(rows), 1))], axis=1)


def _standard(rows: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        standard = np.clip((rows - mean) / sd, -_REACH, _REACH)
    return np.where(np.isfinite(rows), standard, 0.0)


def _thinned(rows: np.ndarray) -> np.ndarray:
    """Some rows, evenly over their order, float64 (n, D)."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).astype(np.int64)
    return np.asarray(rows[chosen], np.float64).reshape(len(chosen), -1)


def _logistic(features: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Weights of a ridge logistic regression; the last feature is the constant and is not penalised."""
    from scipy.optimize import minimize
    from scipy.special import expit

    penalty = np.full(features.shape[1], _RIDGE)
    penalty[-1] = 0.0
    sign = 2 * label - 1

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (features @ weights)
        value = float(np.logaddexp(0.0, -margin).sum() + 0.5 * (penalty * weights**2).sum())
        return value, -features.T @ (sign * expit(-margin)) + penalty * weights

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return np.asarray(found.x)


def _auc(score: np.ndarray, label: np.ndarray) -> float:
    """Chance that a row of label 1 scores above one of label 0, ties counting half."""
    from scipy.stats import rankdata

    ones = label == 1
    n_one, n_zero = int(ones.sum()), int((~ones).sum())
    return float((rankdata(score)[ones].sum() - n_one * (n_one + 1) / 2) / (n_one * n_zero))


def _auc_variance(auc: float, n_zero: int, n_one: int) -> float:
    """Hanley and McNeil (1982), equation 1, with their exponential approximation of Q1 and Q2."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    top = auc * (1 - auc) + (n_one - 1) * (q1 - auc**2) + (n_zero - 1) * (q2 - auc**2)
    return max(0.0, top) / (n_zero * n_one)
