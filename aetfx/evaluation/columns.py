"""What the choice of a score needs to know about the columns of the train rows, masked cells left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aetfx.data.padding import padded_cells
from aetfx.errors import DataError
from aetfx.preprocessing.constant import LEAST_DIFFERING, SAME
from aetfx.validation.statistics import range_ratio

SQUEEZED = 3.0  # times narrower than the others are columns whose scale was set by gross cells of their own
UNLIKE = 30.0  # range ratio above which columns (or channels) count as being in unlike units; METHOD §1
_BLOCK_CELLS = 1 << 18  # 2 MB of float64 at a time: all rows at once would take several times what they are held in
_QUANTILE_ROWS = 20_000  # rows that ranges are estimated from: their ratio is compared with 30, two digits are plenty


@dataclass(frozen=True)
class ColumnFacts:
    """Figures over the kept cells of each column; arrays of shape (D,).

    Attributes:
      mean, variance: float64, population variance; NaN for columns without kept cells.
      varies: bool, at least two distinct values.
      often_differs: bool, at least 5 % of the kept cells differ from the median.
      only_bits: bool, every kept cell is 0 or 1.
      ranges: float64, 1-99 % ranges, the full ranges where those are 0.
      range_ratio: of the whole table.
    """

    mean: np.ndarray
    variance: np.ndarray
    varies: np.ndarray
    often_differs: np.ndarray
    only_bits: np.ndarray
    ranges: np.ndarray
    range_ratio: float

    @classmethod
    def of(cls, rows: np.ndarray, kept: np.ndarray) -> ColumnFacts:
        """Computes the facts of (n, D) rows of any numeric dtype for the cells where `kept` (n, D) holds."""
        n_columns = rows.shape[1]
        count, total = kept.sum(axis=0), np.zeros(n_columns)
        low, high = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
        only_bits = np.ones(n_columns, dtype=bool)
        for block in blocks(rows):
            flat, there = flatten(rows[block]), kept[block]
            full = bool(there.all())
            with np.errstate(invalid="ignore", over="ignore"):
                total += (flat if full else np.where(there, flat, 0.0)).sum(axis=0)
            low = np.minimum(low, (flat if full else np.where(there, flat, np.inf)).min(axis=0))
            high = np.maximum(high, (flat if full else np.where(there, flat, -np.inf)).max(axis=0))
            only_bits &= ((flat == 0) | (flat == 1) | ~there).all(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = total / count
        middle, ranges = _middle_and_ranges(rows, kept, low, high)
        squares, differs = np.zeros(n_columns), np.zeros(n_columns, np.int64)
        for block in blocks(rows):
            flat, there = flatten(rows[block]), kept[block]
            with np.errstate(invalid="ignore", over="ignore"):
                squares += np.square(np.where(there, flat - mean, 0.0)).sum(axis=0)
                differs += ((np.abs(flat - middle) > SAME * np.abs(middle)) & there).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = squares / count
        # Ones and zeros are of one scale, however rare the ones: the 99 % quantile of 1 % ones lies anywhere between.
        ranges = np.where(only_bits & (high > low), 1.0, ranges)
        return cls(
            mean=mean,
            variance=variance,
            varies=(count > 0) & (high > low),
            often_differs=differs >= LEAST_DIFFERING * np.maximum(count, 1),
            only_bits=only_bits,
            ranges=ranges,
            range_ratio=range_ratio(ranges),
        )

    def squeezed(self, damaged: np.ndarray) -> bool:
        """Whether the columns of `damaged`, bool (D,), are far narrower than the others.

        They hold gross cells, which are masked here. Scales that were fitted with these in leave the rest of such a
        column next to nothing of its unit range, and a score that is pooled over columns would not see it any more.
        """
        others = ~damaged & self.varies & ~self.only_bits
        damaged = damaged & self.varies
        if not damaged.any() or not others.any():
            return False
        return bool(SQUEEZED * np.median(self.ranges[damaged]) <= np.median(self.ranges[others]))

    def binary(self) -> bool:
        """Whether all columns that vary hold nothing but 0 and 1."""
        return bool(self.varies.any() and self.only_bits[self.varies].all())


def as_rows(x: np.ndarray) -> np.ndarray:
    """Returns rows of shape (n, D) in the dtype that they have, without a copy where there need be none."""
    x = np.asarray(x)
    if x.dtype == object or x.dtype.kind not in "fiub":
        raise DataError(f"rows must be numbers but have dtype {x.dtype}. Convert or leave out text columns.")
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def flatten(x: np.ndarray) -> np.ndarray:
    """Returns float64 rows of shape (n, D)."""
    return as_rows(x).astype(np.float64, copy=False)


def blocks(rows: np.ndarray) -> Iterator[slice]:
    """Yields runs of neighbouring (n, D) rows that are small in float64."""
    step = max(1, _BLOCK_CELLS // max(1, rows.shape[1]))
    return (slice(start, start + step) for start in range(0, len(rows), step))


def kept_cells(
    rows: np.ndarray,
    shape: tuple[int, ...],
    sentinels: dict[int, tuple[float, ...]],
    padding: float | None,
    fences: tuple[np.ndarray, np.ndarray] | None,
) -> np.ndarray:
    """Returns which cells of (n, D) rows are scored, no padding and inside the fences, bool (n, D)."""
    kept = np.empty(rows.shape, dtype=bool)
    for block in blocks(rows):
        flat = flatten(rows[block])
        here = scored_cells(flat, sentinels)
        present = there(flat, padding, shape)
        if present is not None:
            here &= present
        if fences is not None:
            here &= inside(flat, fences)
        kept[block] = here
    return kept


def scored_cells(flat: np.ndarray, sentinels: dict[int, tuple[float, ...]]) -> np.ndarray:
    """Returns which cells of (n, D) rows are finite and not a sentinel, bool (n, D)."""
    kept = np.isfinite(flat)
    for column, values in sentinels.items():
        for value in values:
            with np.errstate(over="ignore"):  # the largest float64 stands for "missing" in some programs
                rounded = float(np.float32(value))  # the rows may have passed through float32 since it was found
            kept[:, column] &= (flat[:, column] != value) & (flat[:, column] != rounded)
    return kept


def there(flat: np.ndarray, padding: float | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns which cells of (n, D) rows are no padding, bool (n, D); None where all are."""
    padded = padded_cells(flat, padding, shape)
    return None if padded is None else ~padded


def as_fences(fences: tuple[np.ndarray, np.ndarray] | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns fences as float64 with infinities in place of NaN."""
    if fences is None:
        return None
    low, high = (np.asarray(side, dtype=np.float64).reshape(-1) for side in fences)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def inside(flat: np.ndarray, fences: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Returns which cells lie inside the fences, bool (n, D); NaN does not."""
    with np.errstate(invalid="ignore"):
        return (flat >= fences[0]) & (flat <= fences[1])


def crossed(flat: np.ndarray, fences: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Returns which columns hold cells outside their fences, bool (D,)."""
    low, high = fences
    with np.errstate(invalid="ignore"):
        return ((flat < low) | (flat > high)).any(axis=0)


def unlike_channels(rows: np.ndarray, kept: np.ndarray, included: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether the channels (last axis) of a tensor are in unlike units (METHOD §1).

    The ranges of channels are few, so the 10th and 90th percentile are taken as the nearest channel outside, not
    interpolated: two sensors of ranges 1 and 1000 have a ratio of 1000. In rows of two axes the last one may be
    the width of a grey image, whose border pixels are nearly always blank: there the *full* ranges must be unlike
    as well, which a blank border is only where its pixels never light up.
    """
    if len(shape) < 2 or shape[-1] < 2:
        return False
    inner, whole = [], []
    for channel in range(shape[-1]):
        member = np.arange(rows.shape[1]) % shape[-1] == channel
        part, keep = flatten(rows[:, member & included]), kept[:, member & included]
        values = part[keep][:: max(1, keep.sum() // 200_000)] if keep.any() else np.zeros(1)
        low, high = np.quantile(values, [0.01, 0.99])
        full = np.ptp(part[keep]) if keep.any() else 0.0
        whole.append(full)
        inner.append(high - low if high > low else full)
    unlike = _nearest_ratio(np.array(inner)) > UNLIKE
    return unlike and (len(shape) > 2 or _nearest_ratio(np.array(whole)) > UNLIKE)


def _nearest_ratio(ranges: np.ndarray) -> float:
    ranges = ranges[ranges > 0]
    if len(ranges) < 2:
        return 1.0
    low, high = np.percentile(ranges, 10, method="lower"), np.percentile(ranges, 90, method="higher")
    return float(max(high / low, ranges.max() / np.median(ranges)))


def _middle_and_ranges(
    rows: np.ndarray, kept: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the median and the 1-99 % range (the full range where that is 0) of each column."""
    if len(rows) > _QUANTILE_ROWS:
        chosen = np.linspace(0, len(rows) - 1, _QUANTILE_ROWS).astype(np.int64)
        rows, kept = rows[chosen], kept[chosen]
    flat = flatten(rows)
    middle, ranges = np.full(flat.shape[1], np.nan), np.zeros(flat.shape[1])
    whole = kept.all(axis=0)
    if whole.any():
        cut = np.quantile(flat[:, whole], [0.01, 0.5, 0.99], axis=0)
        middle[whole], ranges[whole] = cut[1], cut[2] - cut[0]
    for j in np.flatnonzero(~whole & kept.any(axis=0)):
        first, middle[j], last = np.quantile(flat[kept[:, j], j], [0.01, 0.5, 0.99])
        ranges[j] = last - first
    with np.errstate(invalid="ignore"):
        full = np.where(np.isfinite(high - low), high - low, 0.0)
    return middle, np.where(ranges > 0, ranges, full)
