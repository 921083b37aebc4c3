"""What the columns look like raw, as the model got them, and as the repaired model gets them.

Each column is a box of quantiles: the line runs from the 1st to the 99th percentile (or as far as the stored
quantiles go), the bar holds the middle half, the tick is the median. Columns whose scales differ by more than
a factor of 30 are drawn on an inverse hyperbolic sine axis: linear around 0, logarithmic far from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetfx.figures import columns
from aetfx.figures.theme import LIGHT, figure, numbers, short, text

_LIMIT = 30
_POOL_FROM = 100  # columns of one unit, such as pixels, are pooled into one histogram from here on
_WORDS = {
    "raw": ("Raw", "reference"),
    "fed_before": ("As your model got them", "before"),
    "fed_after": ("As the repaired model gets them", "after"),
}


def distributions(samples: Mapping[str, Any], stage: str) -> dict[str, Any] | None:
    """Draws one box per column, or one histogram where a row is a wide tensor.

    Args:
      samples: the arrays of `samples.npz`; uses `quantile_levels` (Q,) and `quantiles_<stage>` (Q, D).
      stage: `raw`, `fed_before` or `fed_after`. None is returned for `fed_before` where nothing was changed
        before the model, because it would repeat `raw`.
    """
    levels, quantiles = _quantiles(samples, stage)
    if quantiles is None:
        return None
    title, role = _WORDS[stage]
    raw = _quantiles(samples, "raw")[1]
    if stage == "fed_before" and raw is not None and same(raw, quantiles):
        return None
    fed = _quantiles(samples, "fed_before")[1]
    if stage == "raw" and fed is not None and same(quantiles, fed):
        title, role = "Raw, as your model got them", "before"
    if quantiles.shape[1] >= _POOL_FROM:
        return _pooled(quantiles, title, role)
    return _boxes(samples, levels, quantiles, title, role)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two sets of quantiles are equal to the precision of float32."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True))


def _quantiles(samples: Mapping[str, Any], stage: str) -> tuple[np.ndarray, np.ndarray | None]:
    levels = np.asarray(samples.get("quantile_levels", []), float).ravel()
    quantiles = np.asarray(samples.get(f"quantiles_{stage}", []), float)
    if quantiles.ndim < 2 or len(levels) < 3 or len(quantiles) != len(levels):
        return levels, None
    return levels, quantiles.reshape(len(levels), -1)


def _boxes(
    samples: Mapping[str, Any], levels: np.ndarray, quantiles: np.ndarray, title: str, role: str
) -> dict[str, Any]:
    count = quantiles.shape[1]
    names = columns.names(samples, count)
    keep = columns.worst(samples, count, _LIMIT)

    def at(level: float) -> np.ndarray:
        return np.array([np.interp(level, levels, quantiles[:, j]) for j in keep])

    low, first, middle, third, high = (at(level) for level in (0.01, 0.25, 0.5, 0.75, 0.99))
    axis, place = _axis(low, high)
    y = list(range(len(keep)))
    hover = [
        f"{text(names[j])}<br>median {short(middle[i])}<br>half between {short(first[i])} and {short(third[i])}"
        f"<br>98 % between {short(low[i])} and {short(high[i])}"
        for i, j in enumerate(keep)
    ]

    def segments(start: np.ndarray, end: np.ndarray, width: float, colour: str) -> dict[str, Any]:
        ends = np.stack([place(start), place(end), np.full(len(start), np.nan)], axis=1).ravel()
        return {
            "type": "scatter",
            "mode": "lines",
            "x": numbers(ends),
            "y": [p for p in y for _ in range(3)],
            "line": {"color": colour, "width": width},
            "hoverinfo": "skip",
        }

    traces = [
        segments(low, high, 1.6, LIGHT[role]),
        segments(first, third, 7, LIGHT[role]),
        {
            "type": "scatter",
            "mode": "markers",
            "x": numbers(place(middle)),
            "y": y,
            "customdata": hover,
            "marker": {"size": 6, "color": LIGHT["surface"], "line": {"color": LIGHT[role], "width": 2}},
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    ]
    more = f"{len(keep)} of {count:,} columns. " if len(keep) < count else ""
    return figure(
        traces,
        title=title,
        caption=more,
        height=56 + 20 * len(keep),
        margin={"l": 8, "r": 14, "t": 4, "b": 36},
        xaxis=axis,
        yaxis={
            "range": [len(keep) - 0.4, -0.6],
            "tickvals": y,
            "ticktext": [text(names[j], 18) for j in keep],
            "tickfont": {"size": 10.5},
            "showgrid": False,
        },
    )


def _axis(low: np.ndarray, high: np.ndarray) -> tuple[dict[str, Any], Any]:
    """Returns a linear or an asinh axis for columns between `low` and `high`, and the map onto it."""
    ranges = np.asarray(high - low)
    ranges = ranges[np.isfinite(ranges) & (ranges > 0)]
    if not len(ranges) or max(ranges.max() / np.median(ranges), np.median(ranges) / ranges.min()) <= 30:
        return {"nticks": 6}, lambda values: values
    # Linear up to the size of the small columns, logarithmic beyond.
    unit = float(np.quantile(ranges, 0.1))

    def place(values: Any) -> np.ndarray:
        return np.arcsinh(np.asarray(values, float) / unit)

    largest = float(np.nanmax(np.abs(np.concatenate([low, high]))))
    powers = 10.0 ** np.arange(np.ceil(np.log10(unit)), np.floor(np.log10(largest)) + 1)
    powers = powers[:: max(1, -(-len(powers) // 5))]
    ticks = [0.0, *powers.tolist()]
    if np.nanmin(low) < -unit:
        ticks = [-p for p in powers.tolist() if p <= -np.nanmin(low)][::-1] + ticks
    words = [f"{tick:,.0f}" if abs(tick) >= 1 or tick == 0 else f"{tick:g}" for tick in ticks]
    return {"tickvals": numbers(place(ticks)), "ticktext": words}, place


def _pooled(quantiles: np.ndarray, title: str, role: str) -> dict[str, Any]:
    values = quantiles[np.isfinite(quantiles)]
    low, high = (float(v) for v in (values.min(), values.max())) if values.size else (0.0, 1.0)
    share, edges = np.histogram(values, bins=40, range=(low, high if high > low else low + 1))
    share = share / max(1, values.size)
    return figure(
        [
            {
                "type": "bar",
                "x": numbers((edges[1:] + edges[:-1]) / 2),
                "y": numbers(share),
                "marker": {"color": LIGHT[role]},
                "hovertemplate": "%{y:.1%} of the values near %{x:.3g}<extra></extra>",
            }
        ],
        title=title,
        caption=f"Values of all {quantiles.shape[1]:,} columns together.",
        height=280,
        bargap=0.06,
        xaxis={"nticks": 6},
        yaxis={"tickformat": ".0%", "nticks": 5},
    )
