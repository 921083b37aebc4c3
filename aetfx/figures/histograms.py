"""The distribution of one column, small enough that a page can hold thousands of them.

Not a Plotly figure: a few dozen whole numbers that a page draws as one path (`report/validation.js`). All splits of
a column share an axis and a scale of heights: a bar's area is its share of the column's cells, so that splits of
unlike size and buckets of unlike width compare.

A few cells far outside would leave everything else in one bucket of equal width. Such a column is drawn from its
quantiles instead, over the bulk of the values, and the picture says how far the values go on beyond its edges.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

SIZE = 1000  # positions along the axis, from its low end to its high end
TALL = 100  # the height of the tallest bar
_ZOOM = 8.0  # full range / range of the middle 80 %, from where on equal widths show too little (normal: about 3)
_BESIDE = 0.6  # of the middle 80 % shown on each side of it, once zoomed
_LEAST = 2  # height of a bar that stands for a single cell: rare values must be seen


def histogram(columns: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> dict[str, Any] | None:
    """Lays out the bars of one column.

    Args:
      columns: per split the counts in equal-width buckets between the smallest and the largest value, shape (k,),
        and the quantiles at 0, 1/m, ..., 1, shape (m + 1,). Without quantiles there is nothing to place the
        buckets by, and the split is left out.

    Returns:
      `low` and `high` (ends of the axis), `below` and `above` (the extreme values where they lie beyond the axis,
      else None), `bars`: per split a list of [start, end, height, share]: positions within 0..SIZE, heights within
      0..TALL, shares of the finite cells. None where no split has a finite cell.
    """
    known = [(np.asarray(c, float), np.asarray(q, float)) for c, q in columns if q is not None and np.sum(c) > 0]
    if not known:
        return None
    # In units of the largest value, so that no difference overflows or vanishes.
    unit = max(float(np.abs(q[[0, -1]]).max()) for _, q in known) or 1.0
    known = [(c, q / unit) for c, q in known]
    low, high = (float(end(q[place] for _, q in known)) for end, place in ((min, 0), (max, -1)))
    inner_low, inner_high = _middle(known)
    span = inner_high - inner_low
    zoomed = span > 0 and high - low > _ZOOM * span
    start, end = low, high
    if zoomed:
        start, end = max(low, inner_low - _BESIDE * span), min(high, inner_high + _BESIDE * span)
    if not end > start:  # a constant column, in the middle of its axis
        room = abs(low) * 0.5 or 1.0
        start, end = low - room, high + room
    drawn = []
    for counts, quantiles in known:
        edges, shares = (_bulk if zoomed else _even)(counts, quantiles, start, end)
        drawn.append((edges, shares))
    return {
        "low": _digits(start * unit),
        "high": _digits(end * unit),
        "below": _digits(low * unit) if low < start else None,
        "above": _digits(high * unit) if high > end else None,
        "bars": _bars(drawn, start, end),
    }


def _middle(known: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Where the middle 80 % of the cells of all splits lie."""
    lows, highs = [], []
    for _, quantiles in known:
        levels = np.linspace(0, 1, len(quantiles))
        lows.append(float(np.interp(0.1, levels, quantiles)))
        highs.append(float(np.interp(0.9, levels, quantiles)))
    return min(lows), max(highs)


def _even(counts: np.ndarray, quantiles: np.ndarray, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Buckets of equal width as (start, end) pairs, shape (k, 2), and their shares, shape (k,)."""
    low, high = quantiles[0], quantiles[-1]
    if not high > low:
        least = (end - start) / 24
        return np.array([[low - least, low + least]]), np.ones(1)
    edges = np.linspace(low, high, len(counts) + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1), counts / counts.sum()


def _bulk(counts: np.ndarray, quantiles: np.ndarray, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Buckets of equal share between `start` and `end`; equal quantiles become one narrow bar."""
    step = 1.0 / (len(quantiles) - 1)
    least = (end - start) / 40
    whole = np.linspace(quantiles[0], quantiles[-1], len(counts) + 1)
    beyond_low = counts[whole[1:] <= start].sum() / counts.sum()
    beyond_high = counts[whole[:-1] >= end].sum() / counts.sum()
    parts: list[list[float]] = []  # [start, end, share]
    for a, b in itertools.pairwise(quantiles):
        if b < start or a > end:
            continue
        # The outermost parts reach far beyond the axis; what the equal widths count out there is not drawn.
        share = max(0.0, step - (beyond_low if a < start else 0.0) - (beyond_high if b > end else 0.0))
        a, b = max(a, start), min(b, end)
        if parts and b - parts[-1][0] < 2 * least and parts[-1][1] - parts[-1][0] < least and b - a < least:
            parts[-1][1:] = b, parts[-1][2] + share
        else:
            parts.append([a, b, share])
    for part in parts:
        if part[1] - part[0] < least:  # one value, or nearly: a narrow bar around it
            middle = min(max((part[0] + part[1]) / 2, start + least / 2), end - least / 2)
            part[:2] = middle - least / 2, middle + least / 2
    made = np.array(parts).reshape(-1, 3)
    return made[:, :2], made[:, 2]


def _bars(drawn: list[tuple[np.ndarray, np.ndarray]], start: float, end: float) -> list[list[list[float]]]:
    drawn = [((edges - start) / (end - start), shares) for edges, shares in drawn]
    densities = [shares / np.maximum(edges[:, 1] - edges[:, 0], 1 / SIZE) for edges, shares in drawn]
    tallest = max((float(density.max()) for density in densities if len(density)), default=0.0) or 1.0
    bars = []
    for (edges, shares), density in zip(drawn, densities, strict=True):
        places = np.clip(np.rint(edges * SIZE), 0, SIZE).astype(int)
        heights = np.maximum(np.rint(density / tallest * TALL), _LEAST).astype(int)
        bars.append(
            [
                [min(int(a), SIZE - 1), max(int(b), min(int(a), SIZE - 1) + 1), int(height), float(f"{share:.3g}")]
                for (a, b), height, share in zip(places, heights, shares, strict=True)
                if share > 0
            ]
        )
    return bars


def _digits(value: float) -> float:
    limit = np.finfo(float).max
    return float(f"{min(max(value, -0.9 * limit), 0.9 * limit):.5g}")
