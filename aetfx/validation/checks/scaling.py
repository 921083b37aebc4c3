"""`data.scaling`: columns of unlike scale, and values far from what the model takes (METHOD sections 1 and 3)."""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, number, worst
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.checks.outliers import has_outliers
from aetfx.validation.findings import Finding
from aetfx.validation.output_range import OutputRange
from aetfx.validation.statistics import QUANTILES, ColumnStatistics, range_ratio
from aetfx.words import percent

_REMEDY = "Scale the columns: preprocessing.scaling: standard (fitted on the train rows, inverted at the output)."

# Of a normal distribution: its 1-99 % range and its sd in interquartile ranges.
_RANGE_PER_IQR, _SD_PER_IQR = 3.449, 0.7413
_LIGHT, _WHITE = 200, 255  # grey levels of eight bits: photographs reach the first, none passes the second


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """At most one finding about unlike scales, and one about the range as a whole."""
    found = _unlike(statistics, context)
    return found + (_outside(statistics, context) or ([] if found else _size(statistics, context)))


def masked_ranges(statistics: ColumnStatistics) -> np.ndarray:
    """Ranges of METHOD section 1 with sentinels and outliers left out, shape (D,); 0 for constants.

    Outliers are left out by taking the range from the quartiles: a few gross cells are not another scale.
    """
    ranges = statistics.ranges.copy()
    wild = has_outliers(statistics)
    inner = (statistics.quantile(0.75) - statistics.quantile(0.25)) * _RANGE_PER_IQR
    ranges[wild] = np.minimum(ranges, inner)[wild]
    sentinels = find_sentinels(statistics)
    for spike in statistics.spikes:
        if spike.column in sentinels and spike.value in sentinels[spike.column]:
            ranges[spike.column] = spike.rest_high - spike.rest_low
    return ranges


def _unlike(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    ranges = masked_ranges(statistics)
    ratio = range_ratio(ranges)
    if ratio <= context.thresholds.range_ratio:
        return []
    order = np.argsort(ranges)
    order = order[np.isfinite(ranges[order]) & (ranges[order] > 0)]
    small, large = order[0], order[-1]
    most = context.thresholds.most_columns_shown
    return [
        Finding(
            "data.scaling",
            None,
            context.split,
            "error",
            f"the columns have unlike scales: '{statistics.names[small]}' spans {number(ranges[small])}, "
            f"'{statistics.names[large]}' {number(ranges[large])}, {number(ranges[large] / ranges[small])} times as "
            "much; the largest own the loss",
            {
                "range_ratio": ratio,
                "threshold": context.thresholds.range_ratio,
                "largest": worst(statistics.names, {"range": ranges}, order[::-1], most),
                "smallest": worst(statistics.names, {"range": ranges}, order, most),
            },
            _REMEDY,
        )
    ]


def _outside(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """Values that a bounded output cannot give."""
    output = context.output_range
    if output is None or not output.bounded:
        return []
    per_column = outside_share(statistics, output)
    weight = statistics.n_finite / max(1, statistics.n_finite.sum())
    share = float(np.nansum(per_column * weight))
    if share <= context.thresholds.outside_share:
        return []
    order = np.argsort(-np.nan_to_num(per_column))
    low, high = float(np.nanmin(statistics.minimum)), float(np.nanmax(statistics.maximum))
    fits = np.isfinite(output.low) and np.isfinite(output.high)
    return [
        Finding(
            "data.scaling",
            None,
            context.split,
            "error",
            f"{percent(share)} of the values lie outside [{number(output.low)}, {number(output.high)}], all that the "
            f"output activation '{output.name}' can give (values from {number(low)} to {number(high)})",
            {
                "outside_share": share,
                "output_low": output.low,
                "output_high": output.high,
                "output_activation": output.name,
                "minimum": low,
                "maximum": high,
                "worst": worst(statistics.names, {"outside_share": per_column}, order, 5),
            },
            ("Bring the data into that range (preprocessing.scaling: minmax), or make" if fits else "Make")
            + " the output linear (model.output_activation: linear).",
        )
    ]


def outside_share(statistics: ColumnStatistics, output: OutputRange) -> np.ndarray:
    """Share of each column's finite values outside the output range, read off its quantiles, shape (D,)."""
    shares = np.zeros(len(statistics.names))
    slack = 1e-6 * np.nanmax(np.abs([statistics.minimum, statistics.maximum]), initial=1.0, axis=0)
    for j in range(len(shares)):
        curve = statistics.quantiles[:, j]
        if np.isnan(curve).any():
            continue
        if curve[0] < output.low - slack[j]:
            shares[j] += _rank(curve, output.low, "left")
        if curve[-1] > output.high + slack[j]:
            shares[j] += 1 - _rank(curve, output.high, "right")
    return shares


def _rank(curve: np.ndarray, value: float, side: str) -> float:
    """Share of the values below `value` ("left") or not above it ("right"), linear between quantiles."""
    i = int(np.searchsorted(curve, value, side="left" if side == "left" else "right"))
    if i == 0 or i == len(curve):
        return float(i > 0)
    if curve[i] == value or curve[i] == curve[i - 1]:
        return QUANTILES[i] if side == "left" else QUANTILES[i - 1]
    return float(np.interp(value, curve[i - 1 : i + 1], QUANTILES[i - 1 : i + 1]))


def _typical(statistics: ColumnStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd per column, from the quartiles where sentinels or outliers would own them; (D,) each."""
    wild = has_outliers(statistics)
    wild[list(find_sentinels(statistics))] = True
    inner = (statistics.quantile(0.75) - statistics.quantile(0.25)) * _SD_PER_IQR
    return np.where(wild, statistics.quantile(0.5), statistics.mean), np.where(wild, inner, statistics.sd)


def _size(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """Values that are large or tiny as a whole: harmless to Adam with a linear output, a fault to plain SGD."""
    limits = context.thresholds
    count = statistics.n_finite.astype(np.float64)
    used = (count > 0) & np.isfinite(statistics.sd)
    if not used.any():
        return []
    weight = count[used] / count[used].sum()
    centre, spread = _typical(statistics)
    mean = float(weight @ centre[used])
    sd = float(np.sqrt(weight @ (spread[used] ** 2 + (centre[used] - mean) ** 2)))
    low, high = float(statistics.minimum[used].min()), float(statistics.maximum[used].max())
    evidence = {"pooled_mean": mean, "pooled_sd": sd, "minimum": low, "maximum": high}
    whole = bool((statistics.n_integer == statistics.n_finite).all())
    if sd > limits.large_sd and whole and low == 0 and _LIGHT <= high <= _WHITE:
        message = (
            f"the values are whole numbers from 0 to {number(high)}, like grey levels, not within [0, 1]: large as a "
            f"whole (standard deviation {number(sd)}), so that plain SGD diverges on them"
        )
        remedy = "Bring them into [0, 1], as a sigmoid output and cross-entropy need: preprocessing.scaling: minmax."
        return [Finding("data.scaling", None, context.split, "warning", message, evidence, remedy)]
    if sd > limits.large_sd or 0 < sd < limits.tiny_sd:
        size = "large" if sd > limits.large_sd else "tiny"
        message = f"the values are {size} as a whole (standard deviation {number(sd)}): plain SGD "
        message += "diverges on them" if size == "large" else "hardly moves on them"
        return [Finding("data.scaling", None, context.split, "warning", message, evidence, _REMEDY)]
    if low >= 0 and high > limits.counts_maximum:
        message = (
            f"no value is negative and the largest is {number(high)}: counts, pixels or lengths, not within [0, 1]"
        )
        remedy = "For a sigmoid output or cross-entropy, use preprocessing.scaling: minmax."
        return [Finding("data.scaling", None, context.split, "info", message, evidence, remedy)]
    return []
