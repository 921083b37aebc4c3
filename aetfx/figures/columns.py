"""Which columns a figure has room for, what they are called, and in what units their cells are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def names(samples: Mapping[str, Any], count: int) -> list[str]:
    """Returns the `count` column names of `samples`, or invented ones where they are missing."""
    given = [str(name) for name in np.asarray(samples.get("names", [])).ravel()]
    return given if len(given) == count else [f"x{index}" for index in range(count)]


def picture_shape(samples: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Returns (height, width, channels) where a row is a picture, else None.

    Three axes with 1, 3 or 4 channels are a picture, and so are two axes of at least 8.
    """
    shape = [int(size) for size in np.asarray(samples.get("shape", [])).ravel()]
    if len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= 4:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2 and min(shape) >= 8:
        return shape[0], shape[1], 1
    return None


def worst(samples: Mapping[str, Any], count: int, limit: int) -> np.ndarray:
    """Returns the indices of at most `limit` of `count` columns, those of the largest score, in their own order."""
    if count <= limit:
        return np.arange(count)
    scores = np.asarray(samples.get("feature_score_before", []), float).ravel()
    if len(scores) != count:
        return np.arange(limit)
    return np.sort(np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable")[:limit])


def centre_and_spread(samples: Mapping[str, Any], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each column, (D,) each.

    They are integrals over the quantile function where `samples` holds quantiles, and come from `rows` otherwise.
    A column without spread gets 1, so that its cells stay finite.
    """
    levels = np.asarray(samples.get("quantile_levels", []), float).ravel()
    quantiles = np.asarray(samples.get("quantiles_raw", []), float)
    if len(levels) >= 3 and quantiles.shape == (len(levels), rows.shape[1]):
        span = levels[-1] - levels[0]
        mean = np.sum((quantiles[1:] + quantiles[:-1]) / 2 * np.diff(levels)[:, None], axis=0) / span
        centred = (quantiles - mean) ** 2
        spread = np.sqrt(np.sum((centred[1:] + centred[:-1]) / 2 * np.diff(levels)[:, None], axis=0) / span)
    else:
        with np.errstate(all="ignore"):
            finite = np.where(np.isfinite(rows), rows, np.nan)
            mean, spread = np.nan_to_num(np.nanmean(finite, axis=0)), np.nan_to_num(np.nanstd(finite, axis=0))
    return np.nan_to_num(mean), np.where((spread > 0) & np.isfinite(spread), spread, 1.0)
