"""What the choice of a score needs to know about the columns of the train rows, masked cells left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.data.padding import padded_cells
from aetfx.errors import DataError
from aetfx.preprocessing.constant import LEAST_DIFFERING, SAME
from aetfx.validation.statistics import range_ratio

SQUEEZED = 3.0  # times narrower than the others are columns whose scale was set by gross cells of their own
UNLIKE = 30.0  # range ratio above which columns (or channels) count as being in unlike units; METHOD §1
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
    def of(cls, flat: np.ndarray, kept: np.ndarray) -> ColumnFacts:
        """Computes the facts of float64 (n, D) rows for the cells where `kept` (n, D) holds."""
        count = kept.sum(axis=0)
        full = bool(kept.all())
        with np.errstate(divide="ignore", invalid="ignore"):
            values = flat if full else np.where(kept, flat, 0.0)
            mean = values.sum(axis=0) / count
            deviation = flat - mean if full else np.where(kept, flat - mean, 0.0)
            variance = np.square(deviation).sum(axis=0) / count
        low = (flat if full else np.where(kept, flat, np.inf)).min(axis=0)
        high = (flat if full else np.where(kept, flat, -np.inf)).max(axis=0)
        middle, ranges = _middle_and_ranges(flat, kept, low, high)
        with np.errstate(invalid="ignore"):
            differs = np.abs(flat - middle) > SAME * np.abs(middle)
        bits = (flat == 0) | (flat == 1) | ~kept
        # Ones and zeros are of one scale, however rare the ones: the 99 % quantile of 1 % ones lies anywhere between.
        ranges = np.where(bits.all(axis=0) & (high > low), 1.0, ranges)
        return cls(
            mean=mean,
            variance=variance,
            varies=(count > 0) & (high > low),
            often_differs=(differs & kept).sum(axis=0) >= LEAST_DIFFERING * np.maximum(count, 1),
            only_bits=bits.all(axis=0),
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


def flatten(x: np.ndarray) -> np.ndarray:
    """Returns float64 rows of shape (n, D)."""
    x = np.asarray(x)
    if x.dtype == object or x.dtype.kind not in "fiub":
        raise DataError(f"rows must be numbers but have dtype {x.dtype}. Convert or leave out text columns.")
    return x.astype(np.float64, copy=False).reshape(len(x), int(np.prod(x.shape[1:])))


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


def unlike_channels(flat: np.ndarray, kept: np.ndarray, included: np.ndarray, shape: tuple[int, ...]) -> bool:
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
        member = np.arange(flat.shape[1]) % shape[-1] == channel
        part, keep = flat[:, member & included], kept[:, member & included]
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
    flat: np.ndarray, kept: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the median and the 1-99 % range (the full range where that is 0) of each column."""
    if len(flat) > _QUANTILE_ROWS:
        chosen = np.linspace(0, len(flat) - 1, _QUANTILE_ROWS).astype(np.int64)
        flat, kept = flat[chosen], kept[chosen]
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
