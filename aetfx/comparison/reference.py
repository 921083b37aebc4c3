"""The best linear code of the same width as a reference, on the same rows, scored the same way.

Where rows are asked back that is PCA; where cleaner ones are asked back (denoising) it is reduced-rank regression.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.evaluation import baselines
from aetfx.preprocessing.fit import Preprocessing

_MOST_ROWS = 20_000
_LEAST_ROWS_PER_VALUE = 3  # a regression on fewer is a poor reference


def fed_rows(preprocessing: Preprocessing, rows: np.ndarray) -> np.ndarray:
    """Returns rows as a core model sees them, (n, D) float64."""
    return preprocessing.apply(rows).reshape(len(rows), -1).astype(np.float64)


def fed_cells(lab: Lab, preprocessing: Preprocessing) -> np.ndarray:
    """Returns what is asked back for the train rows, as fed (at most 20,000), with cells that are not scored as NaN.

    Where outliers were found, rows outside the fences are NaN as a whole, or only their cells (`Lab.judge`).
    """
    part = lab.split().part("train")
    rows = lab.judged_cells(lab.truth_of(part)[:_MOST_ROWS])
    fed = fed_rows(preprocessing, rows)
    mask = lab.scorer().mask(rows) & np.isfinite(fed)
    if lab.judged_rows:
        mask &= lab.scorer().inlier_rows(rows)[:, None]
    return np.where(mask, fed, np.nan)


def without_empty_rows(cells: np.ndarray) -> np.ndarray:
    """Returns the rows that have any cell left: PCA fills single cells with the mean, whole rows it must not see."""
    return cells[np.isfinite(cells).any(axis=1)]


def pca_score(lab: Lab, preprocessing: Preprocessing, k: int, *, cells: np.ndarray, on: str = "select") -> float | None:
    """Returns the score of k principal components (METHOD section 1); see `pca_scores`."""
    return pca_scores(lab, preprocessing, [k], cells=cells, on=on).get(k)


def pca_scores(
    lab: Lab, preprocessing: Preprocessing, widths: Iterable[int], *, cells: np.ndarray, on: str = "select"
) -> dict[int, float]:
    """Returns the scores of several numbers of principal components.

    Args:
      lab: rows and score.
      preprocessing: of the recipe that PCA stands beside.
      widths: numbers of components; those that are no compression of these rows are left out.
      cells: train rows from `fed_cells`.
      on: rows to score: select, confirm or held_out.
    """
    train = without_empty_rows(cells)
    chosen = sorted({k for k in widths if 0 < k < min(train.shape)})
    if not chosen:
        return {}
    # Eval rows on another scale than train's are PCA's at its best: it is a reference, and no part of the fault.
    part, scorer = lab.split(0, "aligned" if any(lab.alignments) else "").part(on), lab.scorer()
    held = lab.judged_cells(lab.truth_of(part))
    if lab.judged_rows:
        held = held[scorer.inlier_rows(held)]
    fed = np.where(scorer.mask(held), fed_rows(preprocessing, held), np.nan)

    def invert(reconstructed: np.ndarray) -> np.ndarray:
        return preprocessing.invert(reconstructed.reshape(len(reconstructed), *lab.shape))

    return dict(zip(chosen, baselines.pca_scores(scorer, train, fed, held, invert, chosen), strict=True))


def denoiser_score(lab: Lab, preprocessing: Preprocessing, k: int, *, on: str = "select") -> float | None:
    """Returns the score of the best linear map from inputs to targets through k numbers.

    Args:
      lab: rows, targets and score.
      preprocessing: of the recipe that it stands beside.
      k: rank.
      on: rows to score: select, confirm or held_out.

    Returns:
      The score, or None where there are gaps, or too few train rows for a regression.
    """
    part, held, scorer = lab.split().part("train"), lab.split().part(on), lab.scorer()
    x, y = (fed_rows(preprocessing, rows[:_MOST_ROWS]) for rows in (part.inputs, lab.truth_of(part)))
    fed = fed_rows(preprocessing, held.inputs)
    if len(x) < _LEAST_ROWS_PER_VALUE * x.shape[1] or not all(np.isfinite(rows).all() for rows in (x, y, fed)):
        return None
    cleaned = baselines.reduced_rank(x, y, k)(fed)
    restored = preprocessing.invert(cleaned.reshape(len(cleaned), *lab.shape))
    return scorer.score(lab.judged_cells(lab.truth_of(held)), restored, rows=lab.judged_rows).value
