"""The error of each row under one configuration against that under another."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.figures.errors import LEAST
from aetfx.figures.theme import LIGHT, decades, figure, numbers, percent, text, worded


def row_pairs(first: np.ndarray, second: np.ndarray, names: tuple[str, str], **trace: Any) -> dict[str, Any] | None:
    """Draws a point per row on logarithmic axes; below the diagonal the second configuration is better.

    Args:
      first, second: error of each row, (n,) each.
      names: of the two configurations.
      **trace: more of the Plotly trace, e.g. `customdata` of the n rows.
    """
    there = np.isfinite(first) & np.isfinite(second)
    if there.sum() < 2:
        return None
    x, y = (np.maximum(np.where(there, side, np.nan), LEAST) for side in (first, second))
    low = np.log10(min(np.nanquantile(x, 0.002), np.nanquantile(y, 0.002))) - 0.1
    high = np.log10(max(np.nanmax(x), np.nanmax(y))) + 0.1
    ticks = decades(float(low), float(high))
    better = float(np.mean(second[there] < first[there]))
    words = [worded(tick) for tick in ticks]
    axis = {"type": "log", "range": [float(low), float(high)], "tickvals": ticks, "ticktext": words}
    return figure(
        [
            {
                "type": "scatter",
                "mode": "markers",
                "x": numbers(x),
                "y": numbers(y),
                "marker": {
                    "size": 5,
                    "opacity": 0.7,
                    "line": {"width": 0},
                    "color": [LIGHT["after"] if b < a else LIGHT["before"] for a, b in zip(x, y, strict=True)],
                },
                "hovertemplate": "%{x:.2g} → %{y:.2g}<extra></extra>",
            }
            | trace
        ],
        title="Error of each row",
        caption=f"Below the line {names[1]} is better: {percent(better)} of the rows.",
        height=300,
        margin={"l": 8, "r": 12, "t": 6, "b": 40},
        xaxis=axis | {"title": {"text": text(names[0], 40), "standoff": 6}},
        yaxis=axis | {"title": {"text": text(names[1], 32), "standoff": 4}},
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
