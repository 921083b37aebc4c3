"""The few smallest and largest distinct values of each column and how often each occurs. Exact.

Sentinels (-999) live at the edges. The K smallest distinct values of a union are among the K smallest of its
parts, so that values and counts merge without error in memory that does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KEPT = 4  # distinct values per side: two sentinels and two stray cells, or the other way round


@dataclass(frozen=True)
class EdgeValues:
    """Distinct values per column from the outside inwards, and their counts; both of shape (KEPT, D).

    Where a column has fewer distinct values the rest is +inf (low side) or -inf (high side) with count 0.
    """

    low: np.ndarray
    low_counts: np.ndarray
    high: np.ndarray
    high_counts: np.ndarray


def no_edges(n_columns: int) -> EdgeValues:
    """The edges of columns without values."""
    nothing = np.zeros((KEPT, n_columns), np.int64)
    return EdgeValues(np.full((KEPT, n_columns), np.inf), nothing, np.full((KEPT, n_columns), -np.inf), nothing.copy())


def edges_of(ordered: np.ndarray, counts: np.ndarray) -> EdgeValues:
    """Reads the edges off sorted values.

    Args:
      ordered: shape (D, n), each row ascending with NaN last.
      counts: finite values at the start of each row, shape (D,).
    """
    low, low_counts = _outermost(ordered, np.zeros_like(counts), counts, step=1)
    high, high_counts = _outermost(ordered, counts - 1, np.full_like(counts, -1), step=-1)
    return EdgeValues(low, low_counts, high, high_counts)


def merge_edges(a: EdgeValues, b: EdgeValues) -> EdgeValues:
    """The edges of the union."""
    low, low_counts = _merge(a.low, a.low_counts, b.low, b.low_counts)
    high, high_counts = _merge(-a.high, a.high_counts, -b.high, b.high_counts)
    return EdgeValues(low, low_counts, 0.0 - high, high_counts)


def _outermost(ordered: np.ndarray, place: np.ndarray, stop: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Walks from `place` towards `stop` (not included), one run of equal values at a time."""
    n_columns = len(ordered)
    values = np.full((KEPT, n_columns), step * np.inf)
    counts = np.zeros((KEPT, n_columns), np.int64)
    for i in range(KEPT):
        columns = np.flatnonzero(place != stop)
        if not len(columns):
            break
        here = place[columns]
        value = ordered[columns, here]
        behind = _end_of_run(ordered, columns, here, stop[columns], value, step)
        values[i, columns] = value + ordered.dtype.type(0)  # -0.0 becomes 0.0
        counts[i, columns] = np.abs(behind - here)
        place = place.copy()
        place[columns] = behind
    return values, counts


def _end_of_run(
    ordered: np.ndarray, columns: np.ndarray, start: np.ndarray, stop: np.ndarray, value: np.ndarray, step: int
) -> np.ndarray:
    """First place from `start` towards `stop` that holds another value; bisection in all columns at once."""
    inside, outside = start.copy(), stop.copy()  # `inside` holds the value; `outside` does not, or is the end
    while True:
        far = np.abs(outside - inside) > 1
        if not far.any():
            return outside
        middle = np.where(far, (inside + outside) // 2, inside)
        equal = ordered[columns, middle] == value
        inside = np.where(far & equal, middle, inside)
        outside = np.where(far & ~equal, middle, outside)


def _merge(a: np.ndarray, a_counts: np.ndarray, b: np.ndarray, b_counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The KEPT smallest distinct values of both, ascending, +inf where there are none."""
    values, counts = np.concatenate([a, b]), np.concatenate([a_counts, b_counts])
    order = np.argsort(values, axis=0, kind="stable")
    values, counts = np.take_along_axis(values, order, 0), np.take_along_axis(counts, order, 0)
    for i in range(1, len(values)):  # a value that both sides hold stands twice in a row
        twice = (values[i] == values[i - 1]) & (values[i] < np.inf)
        counts[i] += np.where(twice, counts[i - 1], 0)
        counts[i - 1] = np.where(twice, 0, counts[i - 1])
        values[i - 1] = np.where(twice, np.inf, values[i - 1])
    order = np.argsort(values, axis=0, kind="stable")[:KEPT]
    return np.take_along_axis(values, order, 0), np.take_along_axis(counts, order, 0)
