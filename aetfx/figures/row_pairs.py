"""The error of each row under one configuration against that under another."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.figures.errors import LEAST
from aetfx.figures.theme import LIGHT, decades, figure, fixed_margin, numbers, percent, text, worded


def row_pairs(
    first: np.ndarray, second: np.ndarray, names: tuple[str, str], places: np.ndarray | None = None
) -> dict[str, Any] | None:
    """Draws a point per row on logarithmic axes; below the diagonal the second configuration is better.

    Args:
      first, second: error of each row, (n,) each; rows where one of them is not finite are left out.
      names: of the two configurations.
      places: numbers of the rows, (n,), kept as `customdata`.
    """
    there = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    if len(there) < 2:
        return None
    x, y = (np.maximum(np.asarray(side, float)[there], LEAST) for side in (first, second))
    low = np.log10(min(np.quantile(x, 0.002), np.quantile(y, 0.002))) - 0.1
    high = np.log10(max(x.max(), y.max())) + 0.1
    ticks = decades(float(low), float(high))
    better = y < x
    words = [worded(tick) for tick in ticks]
    axis: dict[str, Any] = {"type": "log", "range": [float(low), float(high)], "tickvals": ticks, "ticktext": words}
    axis["automargin"] = False
    traces = []
    # One colour per trace: a browser takes three times as long where each point brings its own.
    for side, role in ((~better, "before"), (better, "after")):
        trace = {
            "type": "scatter",
            "mode": "markers",
            "x": numbers(x[side]),
            "y": numbers(y[side]),
            "marker": {"size": 5, "opacity": 0.7, "line": {"width": 0}, "color": LIGHT[role]},
            "hovertemplate": "%{x:.2g} → %{y:.2g}<extra></extra>",
        }
        if places is not None:
            trace["customdata"] = [int(place) for place in np.asarray(places)[there][side]]
        traces.append(trace)
    title = {"font": {"size": 12}}
    return figure(
        traces,
        title="Error of each row",
        caption=f"Below the line {names[1]} is better: {percent(float(better.mean()))} of these rows.",
        height=262,
        margin=fixed_margin(words, r=12, t=6, b=38),
        xaxis=axis | {"title": title | {"text": text(names[0], 40), "standoff": 6}},
        yaxis=axis | {"title": title | {"text": text(names[1], 28), "standoff": 4}},
        shapes=[
            {
                "type": "line",
                "layer": "below",
                "x0": 10**low,
                "x1": 10**high,
                "y0": 10**low,
                "y1": 10**high,
                "line": {"color": LIGHT["reference"], "width": 1.2, "dash": "dot"},
            }
        ],
    )
