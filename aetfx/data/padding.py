"""Padded sequences: rows of unlike lengths are filled up at their end with one value.

A step of a row (T, ...) is *padding* where it and all steps behind it hold nothing but that value. Padding is not
there: it is not scored, counts in no statistic, and goes through every preprocessing unchanged, so that a `Masking`
layer still knows it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def padded_steps(rows: np.ndarray, value: float) -> np.ndarray:
    """Returns which steps are padding.

    Args:
      rows: (n, T, ...); rows of one axis have no steps and no padding.
      value: what padding is filled with.

    Returns:
      bool (n, T); (n, 1), all False, for rows of one axis.

    >>> padded_steps(np.array([[[0.0], [2.0], [0.0], [0.0]]]), 0.0)
    array([[False, False,  True,  True]])
    """
    rows = np.asarray(rows)
    if rows.ndim < 3:
        return np.zeros((len(rows), 1), dtype=bool)
    same = (rows == value) | (rows == np.float32(value))  # the rows may have passed through float32
    flat = same.reshape(*rows.shape[:2], -1).all(axis=2)
    return np.logical_and.accumulate(flat[:, ::-1], axis=1)[:, ::-1]


def padded_cells(rows: np.ndarray, value: float | None, shape: tuple[int, ...] | None = None) -> np.ndarray | None:
    """Returns which cells are padding, bool (n, D), or None where nothing is padded.

    Args:
      rows: (n, *shape), or flat (n, D).
      value: what padding is filled with; None for no padding.
      shape: of one row, where `rows` is flat.
    """
    if value is None:
        return None
    rows = np.asarray(rows)
    if shape is not None:
        rows = rows.reshape(len(rows), *shape)
    if rows.ndim < 3:
        return None
    steps = padded_steps(rows, value)
    if not steps.any():
        return None
    return np.repeat(steps, int(np.prod(rows.shape[2:])), axis=1)


def ends_with(rows: np.ndarray, values: Iterable[float]) -> float | None:
    """Returns the first of some values that rows (n, T, ...) are padded with, or None."""
    return next((float(value) for value in values if padded_steps(rows, float(value)).any()), None)


def without_padding(rows: np.ndarray, value: float | None, shape: tuple[int, ...]) -> np.ndarray:
    """Returns rows (n, D) with NaN in place of padding; the same array where there is none."""
    padded = padded_cells(rows, value, shape)
    return rows if padded is None else np.where(padded, np.asarray(np.nan, rows.dtype), rows)
