"""How the columns of a row usually go together, learned from a sample that may hold rows where they do not.

1. Each cell becomes its *normal score*: the normal quantile of its rank in its column (van der Waerden). Skewed and
   heavy columns, and monotone but bent relations, then look alike, and no single cell can lie far out.
2. The scores are modelled by probabilistic PCA (Tipping and Bishop 1999): the leading axes with their own variances,
   one variance for all others. Normal scores are a robust start (Hubert, Rousseeuw and Verdonck 2012); the axes are
   then fitted again to the 75 % of the rows that are nearest (the C-steps of Rousseeuw and Van Driessen 1999).
3. A row's distance is Mahalanobis's under that model, divided by the row's own size where that is above the usual: a
   row of large cells is held against the axes in its direction, not for lying far out along them; and by what it would
   be for the unsureness of its outermost scores alone.

A row that takes part in a fit lies nearer to it. So two models are fitted, each to one half of the sample, each is
measured on the half that it has not seen, and the larger of a row's two distances counts.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_ROWS = 50  # quantiles of fewer distances say nothing about their tail
ROWS_PER_AXIS = 5  # rows to each fitted axis (Rousseeuw and Van Zomeren 1990, for covariances)
MOST_AXES = 64  # enough for 80 % of the variance of most tables; the others share one variance
MOST_MISSING = 0.2  # of a column's cells: more cannot be filled in from the others without making up the relation

_STEP = 0.05  # between the knots of a score, in standard deviations
_KEPT, _FITS = 0.75, 3
_LEAST_VARIANCE = 1e-3  # of an axis, beside the mean: relations truer than 3 % of an sd are not told apart
_EXACT = 256  # rows or columns: beyond, leading axes by subspace iteration are cheaper than all of them
_SOLVER_STEPS = 10


@dataclass(frozen=True)
class _Half:
    """A model of scores: covariance = axes diag(1 / precision) axes^T + (1 / rest) (I - axes axes^T).

    Attributes:
      centre: shape (D,).
      axes: orthonormal, shape (D, q).
      precision: 1 / variance along each axis, shape (q,).
      rest: 1 / variance along all others; 0 where there are none.
      median: distance of the middle row that it has not seen.
    """

    centre: np.ndarray
    axes: np.ndarray
    precision: np.ndarray
    rest: float
    median: float = 1.0

    @property
    def given_others(self) -> np.ndarray:
        """1 / variance of each column given all others: the diagonal of the precision matrix, shape (D,)."""
        return self.rest + (self.axes * self.axes) @ (self.precision - self.rest)

    def times(self, rows: np.ndarray) -> np.ndarray:
        """Multiplies centred rows by the precision matrix, shape (n, D)."""
        return self.rest * rows + ((rows @ self.axes) * (self.precision - self.rest)) @ self.axes.T

    def distances(self, rows: np.ndarray) -> np.ndarray:
        """Mahalanobis's, of centred rows, shape (n,)."""
        along = rows @ self.axes
        squares = (along * along) @ self.precision
        if self.rest:
            beside = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", along, along)
            squares += self.rest * np.maximum(beside, 0.0)
        return np.sqrt(squares)

    def centred(self, scores: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
        """Scores less the centre; missing cells hold what makes the row's distance least: their expected values."""
        rows = scores - self.centre
        if missing is None:
            return rows
        rows[missing] = 0.0
        holed = np.flatnonzero(missing.any(axis=1))
        rows[holed] = self._filled(rows[holed], missing[holed])
        return rows

    def _filled(self, rows: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Conjugate gradients (Hestenes and Stiefel 1952) on the missing cells of all rows at once."""
        tiny = np.finfo(np.float64).tiny
        residual = np.where(missing, -self.times(rows), 0.0)
        direction = residual
        size = np.einsum("ij,ij->i", residual, residual)
        for _ in range(min(_SOLVER_STEPS, int(missing.sum(axis=1).max(initial=0)))):
            moved = np.where(missing, self.times(direction), 0.0)
            step = size / np.maximum(np.einsum("ij,ij->i", direction, moved), tiny)
            rows = rows + step[:, None] * direction
            residual = residual - step[:, None] * moved
            new = np.einsum("ij,ij->i", residual, residual)
            direction = residual + (new / np.maximum(size, tiny))[:, None] * direction
            size = new
        return rows


@dataclass(frozen=True)
class RowModel:
    """What `fit` learned. Small and picklable.

    Attributes:
      columns: indices of the columns that take part, shape (d,).
      knots: per such column, values and their normal scores, both ascending.
      n_rows: rows that the scores were made from.
      halves: the two models.
    """

    columns: np.ndarray
    knots: tuple[tuple[np.ndarray, np.ndarray], ...]
    n_rows: int
    halves: tuple[_Half, ...] = ()

    def distances(self, values: np.ndarray) -> np.ndarray:
        """How badly the cells of each row go together: about 1 for the middle row.

        Args:
          values: shape (n, D); cells that are not to be judged are NaN.

        Returns:
          float64 (n,); 0 for rows with cells to judge in less than half of the columns.
        """
        scores, missing = self._scores(values)
        return self._distances(scores, missing)

    def oddness(self, values: np.ndarray) -> np.ndarray:
        """How far each cell is from what the row's other cells say, in standard deviations given them.

        Args:
          values: as for `distances`.

        Returns:
          float64 (n, D); 0 for cells and columns that are not judged.
        """
        scores, missing = self._scores(values)
        found = np.zeros(values.shape)
        for half in self.halves:
            away = np.abs(half.times(half.centred(scores, missing))) / np.sqrt(np.maximum(half.given_others, 1e-12))
            found[:, self.columns] = np.maximum(found[:, self.columns], away)
        if missing is not None:
            found[:, self.columns] *= ~missing
        return found

    def _scores(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Normal scores, shape (n, d), and which cells have none."""
        # Single precision is enough beside `_LEAST_VARIANCE`.
        scores = np.empty((len(self.columns), len(values)), np.float64 if len(self.columns) <= _EXACT else np.float32)
        for row, j, (places, heights) in zip(scores, self.columns, self.knots, strict=True):
            row[:] = np.interp(values[:, j], places, heights)
        scores = scores.T
        missing = ~np.isfinite(scores)  # np.interp hands NaN on
        return scores, missing if missing.any() else None

    def _distances(self, scores: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
        rows = scores if missing is None else np.where(missing, 0.0, scores)
        present = len(self.columns) - (0 if missing is None else missing.sum(axis=1))
        size = np.sqrt(np.einsum("ij,ij->i", rows, rows) / np.maximum(present, 1))
        variances = _score_variance(rows) / self.n_rows
        far = []
        for half in self.halves:
            # A row is expected at a squared distance of one per column, and at more by what its scores are unsure.
            unsure = 1.0 + variances @ half.given_others / len(self.columns)
            far.append(half.distances(half.centred(scores, missing)) / (half.median * np.sqrt(unsure)))
        return np.where(2 * present >= len(self.columns), np.max(far, axis=0) / np.maximum(size, 1.0), 0.0)


def fit(sample: np.ndarray) -> tuple[RowModel, np.ndarray] | None:
    """Learns from a sample of rows in random order; returns the model and the distances of those rows.

    Columns of which the middle half is one value, and those with more than `MOST_MISSING` cells not to be judged, do
    not take part.

    Args:
      sample: shape (k, D); cells that are not to be judged are NaN.

    Returns:
      None for fewer than `LEAST_ROWS` rows or two columns.
    """
    if len(sample) < LEAST_ROWS:
        return None
    ordered = np.sort(sample.T).T  # NaN last
    count = len(sample) - np.count_nonzero(np.isnan(sample), axis=0)
    at25, at75 = (
        ordered[np.minimum((share * count).astype(int), len(sample) - 1), range(len(count))] for share in (0.25, 0.75)
    )
    columns = np.flatnonzero((count >= (1 - MOST_MISSING) * len(sample)) & (at75 > at25))
    if len(columns) < 2:
        return None
    knots = tuple(_knots(ordered[: count[j], j]) for j in columns)
    model = RowModel(columns, knots, len(sample))
    scores, missing = model._scores(sample)
    halves = []
    for k in (0, 1):
        mine, theirs = slice(k, None, 2), slice(1 - k, None, 2)
        half = _fit_half(scores[mine], None if missing is None else missing[mine])
        alone = RowModel(columns, knots, len(sample), (half,))._distances(
            scores[theirs], None if missing is None else missing[theirs]
        )
        halves.append(_Half(half.centre, half.axes, half.precision, half.rest, max(float(np.median(alone)), 1e-12)))
    model = RowModel(columns, knots, len(sample), tuple(halves))
    return model, model._distances(scores, missing)


def _knots(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values at evenly spaced normal scores; equal values share the mean of theirs."""
    ranks, heights = _grid(len(ordered))
    places = np.interp(ranks, np.arange(len(ordered)), ordered)
    if (places[1:] > places[:-1]).all():
        return places, heights
    values, group = np.unique(places, return_inverse=True)
    return values, np.bincount(group, heights) / np.bincount(group)


@functools.lru_cache(maxsize=8)
def _grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spaced normal scores, and the places among n sorted values where they stand."""
    from scipy.special import ndtr, ndtri

    end = float(ndtri(1 - 0.5 / n))
    heights = np.linspace(-end, end, 2 * int(np.ceil(end / _STEP)) + 1)
    return n * ndtr(heights) - 0.5, heights


def _score_variance(scores: np.ndarray) -> np.ndarray:
    """Of a normal score times the rows it is made from: a quantile's, p (1 - p) / density^2. Far out it is large.

    Without it the outermost rows of columns that are nearly a line to each other would look broken: ranks are rough
    there.
    """
    from scipy.special import ndtr

    density = np.exp(-scores * scores) / (2 * np.pi)  # squared
    return ndtr(scores) * ndtr(-scores) / density


def _fit_half(scores: np.ndarray, missing: np.ndarray | None) -> _Half:
    """Fits to all rows, then to those that are nearest."""
    half = _fit_rows(scores if missing is None else np.where(missing, 0.0, scores))  # 0 is the median
    for _ in range(_FITS - 1):
        rows = half.centred(scores, missing)
        order = np.argsort(half.distances(rows), kind="stable")
        nearest = np.sort(order[: int(np.ceil(_KEPT * len(scores)))])
        half = _fit_rows(rows[nearest] + half.centre, half.axes)
    return half


def _fit_rows(scores: np.ndarray, start: np.ndarray | None = None) -> _Half:
    """Probabilistic PCA of greatest likelihood (Tipping and Bishop 1999, equation 8).

    Args:
      scores: shape (n, D).
      start: axes of nearly the same rows.
    """
    n, width = scores.shape
    centre = scores.mean(axis=0)
    rows = scores - centre
    n_axes = max(1, min(width, n // ROWS_PER_AXIS, MOST_AXES))
    variances, axes = _leading(rows, n_axes, start)
    whole = float(np.einsum("ij,ij->", rows, rows)) / n
    least = _LEAST_VARIANCE * max(whole / width, 1e-12)
    rest = 0.0 if n_axes == width else 1 / max((whole - variances.sum()) / (width - n_axes), least)
    return _Half(centre, axes, 1 / np.maximum(variances, least), rest)


def _leading(rows: np.ndarray, n_axes: int, start: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The largest variances, shape (q,), and their axes, shape (D, q), of centred rows."""
    n, width = rows.shape
    if width <= _EXACT:
        basis = np.eye(width)
    elif n <= _EXACT:
        basis = np.linalg.qr(rows.T)[0]
    else:  # randomised subspace iteration (Halko, Martinsson and Tropp 2011); the seed is fixed: same rows, same axes
        random = np.random.default_rng(0).normal(size=(n, n_axes + 10)).astype(rows.dtype)
        basis = np.linalg.qr(rows.T @ (random if start is None else rows @ start))[0]
        for _ in range(2 if start is None else 0):
            basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    along = rows @ basis
    variances, turned = np.linalg.eigh(along.T @ along / n)
    chosen: Sequence[int] = np.argsort(-variances, kind="stable")[:n_axes].tolist()
    return variances[chosen], basis @ turned[:, chosen]
