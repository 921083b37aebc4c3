"""What a reconstruction can be compared with: the mean, one value of a sequence repeated, and principal components.

Predicting the train mean scores 1 by definition of the score. A sequence can also be answered with one of its own
values all along: what an LSTM that learnt little does. PCA at the code width is a reference and a symptom,
never a verdict (METHOD §1). Its spectrum tells whether more code could buy anything, and what a linear code of k
numbers can do at best on data without any structure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from aetfx.evaluation.score import Scorer

MEAN_SCORE = 1.0

_BLOCK_CELLS = 1 << 22
# Quantile 0.999 of the Tracy-Widom law of order 1, the spread of the largest eigenvalue of pure noise.
_TRACY_WIDOM = 3.27
_LEAST_ROWS = 50
_MOST_COLUMNS_PER_ROW = 10.0


def pca_scores(
    scorer: Scorer,
    x_train_fed: np.ndarray,
    y_held_out_fed: np.ndarray,
    y_held_out_raw: np.ndarray,
    invert: Callable[[np.ndarray], np.ndarray],
    widths: Sequence[int],
) -> list[float]:
    """Scores the reconstruction of held-out rows from their principal components, for several numbers of them.

    Args:
      scorer: of the study.
      x_train_fed: (n, *shape), the train rows as fed to the model; missing cells are filled with the column mean.
      y_held_out_fed: (m, *shape), the held-out rows as fed; missing cells likewise, with the train mean.
      y_held_out_raw: (m, *shape), the same rows in raw units.
      invert: from the fed to the raw units, e.g. `Preprocessing.invert`.
      widths: numbers of components; each is cut to the number of directions there are.
    """
    mean, directions = pca(x_train_fed, max(widths))
    held_out = _filled(y_held_out_fed, mean) - mean
    found = []
    for k in widths:
        rebuilt = held_out @ directions[:k].T @ directions[:k] + mean
        found.append(scorer.score(y_held_out_raw, invert(rebuilt.reshape(np.shape(y_held_out_fed)))).value)
    return found


def knee(widths: Sequence[int], scores: Sequence[float]) -> int | None:
    """Returns the width behind which more of it buys little: the knee of a falling curve.

    The point farthest below the chord from the first to the last one, over the logarithm of the width (Satopaa et al.
    2011, section III). None for fewer than three points or a curve without a bend.

    >>> knee([1, 2, 4, 8, 16], [1.0, 0.5, 0.1, 0.09, 0.08])
    4
    """
    if len(widths) < 3:
        return None
    x = np.log(np.asarray(widths, dtype=np.float64))
    y = np.asarray(scores, dtype=np.float64)
    chord = y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0])
    below = chord - y
    best = int(np.argmax(below))
    return int(widths[best]) if below[best] > 0.05 * abs(y[0] - y[-1]) else None


def last_value_score(scorer: Scorer, y_raw: np.ndarray, rows: str | np.ndarray | None = None) -> float:
    """Scores the answer that repeats each sequence's last value of each feature at all its steps.

    Args:
      scorer: of the study; its padding and its missing cells are no values.
      y_raw: (n, T, ...), raw units.
      rows: as for `Scorer.score`.
    """
    values, known = _known_values(scorer, y_raw)
    steps = values.shape[1]
    last = steps - 1 - known[:, ::-1].argmax(axis=1)
    picked = np.take_along_axis(values, last[:, None], axis=1)
    return _repeated_score(scorer, y_raw, picked, known, rows)


def mean_sequence_score(scorer: Scorer, y_raw: np.ndarray, rows: str | np.ndarray | None = None) -> float:
    """Scores the answer that repeats each sequence's own mean over time of each feature; arguments as above.

    The mean over the train rows at each step is what scores 1.
    """
    values, known = _known_values(scorer, y_raw)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0.0).sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
    return _repeated_score(scorer, y_raw, mean, known, rows)


def _known_values(scorer: Scorer, y_raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns sequences as float64 (n, T, F) and which of their cells are scored."""
    values = np.asarray(y_raw, dtype=np.float64)
    known = scorer.mask(y_raw)
    return values.reshape(*values.shape[:2], -1), known.reshape(*values.shape[:2], -1)


def _repeated_score(
    scorer: Scorer, y_raw: np.ndarray, value: np.ndarray, known: np.ndarray, rows: str | np.ndarray | None
) -> float:
    """Scores one value per sequence and feature, (n, 1, F); features that a sequence never shows get the train mean."""
    mean = np.nan_to_num(scorer.train_mean).reshape(1, *known.shape[1:])
    answer = np.where(known.any(axis=1, keepdims=True), value, mean)
    return scorer.score(y_raw, answer.reshape(np.shape(y_raw)), rows=rows).value


def pca(x_fed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean (D,) and the first k principal directions (min(k, n, D), D) of rows, float64."""
    mean, gram, centred = _gram(x_fed)
    size = len(gram)
    k = max(0, min(int(k), size))
    if k == 0:
        return mean, np.zeros((0, len(mean)))
    from scipy.linalg import eigh

    values, vectors = eigh(gram, subset_by_index=[size - k, size - 1])
    directions = vectors.T[::-1]
    if centred is None:  # the Gram matrix is that of the columns
        return mean, directions
    values = values[::-1]
    real = values > max(values[0], 0.0) * size * np.finfo(np.float64).eps
    directions = (directions[real] @ centred) / np.sqrt(values[real])[:, None]
    return mean, directions


def pca_spectrum(x_fed: np.ndarray) -> np.ndarray:
    """Returns the eigenvalues of the covariance (divisor n - 1) of rows, descending, float64 (min(n, D),).

    Args:
      x_fed: (n, *shape); missing cells are filled with the column mean.
    """
    _, gram, _ = _gram(x_fed)
    values = np.linalg.eigvalsh(gram)[::-1] / max(len(x_fed) - 1, 1)
    return np.maximum(values, 0.0)


def spectrum_ratio(eigenvalues: np.ndarray, k: int) -> float:
    """Returns how far the next k directions stand out of all that a code of k leaves (METHOD §5).

    It is `mean(eigenvalues[k : 2k]) / mean(eigenvalues[k:])`, both over existing directions, and 1.0 for a flat
    spectrum or where no more than k directions remain. The eigenvalues of a *sample* of noise are not flat: with as
    many rows as columns its first ones are up to four times the mean. Ask `looks_like_noise` first.

    >>> spectrum_ratio(np.array([9.0, 4.0, 4.0, 1.0, 1.0, 1.0]), 1)
    1.8181818181818181
    """
    rest = np.asarray(eigenvalues, dtype=np.float64)[k:]
    if len(rest) <= k or rest.sum() <= 0:
        return 1.0
    return float(rest[:k].mean() / rest.mean())


def entropy_floor(values: np.ndarray) -> float:
    """Returns the least binary cross-entropy (nats per value) that any prediction of values in [0, 1] can have.

    It is reached by giving every value back exactly: `mean(-x ln x - (1 - x) ln(1 - x))`, 0 for zeros and ones only.

    >>> round(entropy_floor(np.array([0.5, 0.0, 1.0])), 4)
    0.231
    """
    from scipy.special import entr

    return float((entr(values) + entr(1 - np.asarray(values))).mean())


def linear_bound(D: int, k: int) -> float:
    """Returns the best expected score of a linear code of k numbers for D independent columns of equal variance.

    >>> round(linear_bound(784, 8), 4)
    0.9898
    """
    return 1.0 - min(k, D) / D


def looks_like_noise(eigenvalues: np.ndarray, n: int, D: int) -> bool:
    """Whether a spectrum is what independent columns of equal variance give in a sample of n rows.

    The largest eigenvalue must lie below the 99.9 % point of its distribution for pure noise: the edge of
    Marchenko and Pastur with the spread of Tracy and Widom (Johnstone 2001, theorem 1.1). With fewer columns than
    rows the smallest one must lie above the lower edge, too, and the eigenvalues must not spread more than noise
    does (John's statistic, Ledoit and Wolf 2002). False where rows are too few to tell: below 50, or below a tenth of
    the columns. A spectrum knows correlations only: columns that depend on each other in a curve without correlating
    (cos t, sin t, cos 2t, ...) look like noise here, so only a trained network that fails too settles it.

    Args:
      eigenvalues: descending, from `pca_spectrum` of the n rows.
      n: rows.
      D: columns.
    """
    values = np.asarray(eigenvalues, dtype=np.float64)
    if n < _LEAST_ROWS or D < 4 or n * _MOST_COLUMNS_PER_ROW < D or values.sum() <= 0:
        return False
    free = n - 1  # the mean took one degree of freedom
    level = values.sum() / D
    relative = values / level
    root = math.sqrt(free) + math.sqrt(D)
    spread = root * (1 / math.sqrt(free) + 1 / math.sqrt(D)) ** (1 / 3)
    if relative[0] > (root**2 + _TRACY_WIDOM * spread) / free:
        return False
    if free > D:
        low = max(math.sqrt(free) - math.sqrt(D), 0.0)
        slack = low * (1 / math.sqrt(D) - 1 / math.sqrt(free)) ** (1 / 3) if low > 0 else 0.0
        if relative[-1] < (low**2 - 2 * _TRACY_WIDOM * slack) / free:
            return False
    # sum of (relative - 1)^2 over all D directions, those without rows being 0; n U - D has mean 1 and sd 2.
    john = (np.square(relative - 1).sum() + (D - len(values))) / D
    return bool(free * john - D < 1 + 4 * 2)


def _filled(x_fed: np.ndarray, mean: np.ndarray) -> np.ndarray:
    flat = np.asarray(x_fed).astype(np.float64).reshape(len(x_fed), -1)
    return np.where(np.isfinite(flat), flat, mean)


def _gram(x_fed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns the mean and the smaller Gram matrix of centred rows.

    With fewer rows than columns it is (n, n), and the centred rows come along; else it is (D, D), added up in blocks.
    """
    x_fed = np.asarray(x_fed)
    n, n_columns = len(x_fed), int(np.prod(x_fed.shape[1:]))
    flat = x_fed.reshape(n, n_columns)
    step = max(1, _BLOCK_CELLS // n_columns)
    total, count = np.zeros(n_columns), np.zeros(n_columns)
    for start in range(0, n, step):
        block = flat[start : start + step].astype(np.float64)
        finite = np.isfinite(block)
        total += np.where(finite, block, 0.0).sum(axis=0)
        count += finite.sum(axis=0)
    mean = total / np.maximum(count, 1)
    if n < n_columns:
        centred = _filled(flat, mean) - mean
        return mean, centred @ centred.T, centred
    gram = np.zeros((n_columns, n_columns))
    for start in range(0, n, step):
        block = _filled(flat[start : start + step], mean) - mean
        gram += block.T @ block
    return mean, gram, None


def reduced_rank(x: np.ndarray, y: np.ndarray, k: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fits the best linear map from x to y through k numbers: reduced-rank regression (Izenman 1975).

    That is least squares, then the leading k principal components of what it predicts; with y = x it is PCA.

    Args:
      x, y: float64 (n, D) and (n, E), finite, n > D.

    Returns:
      The map of rows (m, D) to (m, E).
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    weights = np.linalg.lstsq(x - x_mean, y - y_mean, rcond=None)[0]
    directions = np.linalg.svd((x - x_mean) @ weights, full_matrices=False)[2][:k]
    weights = weights @ directions.T @ directions
    return lambda rows: (rows - x_mean) @ weights + y_mean
