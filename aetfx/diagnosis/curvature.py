"""Do the rows lie on a curved surface? Asked of PCA's residual, without training anything."""

from __future__ import annotations

import numpy as np

from aetfx.evaluation.baselines import pca

_RIDGE = 1e-3  # relative to the mean squared feature: keeps few rows from fitting noise
_FAR = 3.0  # times the 95 % quantile of the rows' distances from their mean: products of such rows own the fit


def curved_share(rows: np.ndarray, k: int, *, seed: int) -> float:
    """Returns the share of PCA's residual that squares and products of the codes explain.

    A plane leaves a residual that has nothing to do with the codes; on a curve it is a function of them. Fitted
    by ridge regression on one half of the rows, measured on the other.

    Args:
      rows: (n, D) as fed; missing cells are filled with the column mean, rows far outside are left out.
      k: number of principal components taken as codes; the products are k (k + 3) / 2 features.
      seed: of the halving.

    Returns:
      Share in (-inf, 1]; about 0 or below where there is no curve.
    """
    rows = _near(rows)
    mean, directions = pca(rows, k)
    centred = np.where(np.isfinite(rows), rows - mean, 0.0)
    codes = centred @ directions.T
    residual = centred - codes @ directions
    codes = codes / np.maximum(codes.std(axis=0), 1e-12)
    pairs = [codes[:, i] * codes[:, j] for i in range(codes.shape[1]) for j in range(i, codes.shape[1])]
    features = np.stack([*codes.T, *pairs], axis=1)
    fit = np.random.default_rng(seed).permutation(len(rows)) % 2 == 0
    if fit.sum() < 2 * features.shape[1]:
        return 0.0  # too few rows to tell a curve from noise
    centre = features[fit].mean(axis=0)
    a = features[fit] - centre
    gram = a.T @ a
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    offset = residual[fit].mean(axis=0)
    weights = np.linalg.solve(gram, a.T @ (residual[fit] - offset))
    left = residual[~fit] - offset - (features[~fit] - centre) @ weights
    total = ((residual[~fit] - offset) ** 2).sum()
    return float(1 - (left**2).sum() / total) if total > 0 else 0.0


def _near(rows: np.ndarray) -> np.ndarray:
    """Leaves out rows that a single gross cell puts far outside, where no column's fence could see it."""
    with np.errstate(invalid="ignore"):
        distance = np.sqrt(np.nansum(np.square(rows - np.nanmean(rows, axis=0)), axis=1))
    return rows[distance <= _FAR * np.quantile(distance, 0.95)]
