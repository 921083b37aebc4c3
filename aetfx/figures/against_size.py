"""What the curves of a score against a size (code width, train rows) share: a line, and the axes it is drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aetfx.figures.theme import LIGHT, figure, numbers


def line(sizes: Sequence[int], scores: Sequence[float], name: str, role: str, dash: str, unit: str) -> dict[str, Any]:
    """Returns a line with a dot for each size; gaps (NaN) are bridged."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(sizes),
        "y": numbers(scores),
        "name": name,
        "line": {"color": LIGHT[role], "width": 2.4, "dash": dash},
        "marker": {"size": 8},
        "connectgaps": True,
        "hovertemplate": f"{name}, %{{x:,}} {unit}: %{{y:.3g}}<extra></extra>",
    }


def against(traces: list[dict[str, Any]], sizes: Sequence[int], axis: str, **rest: Any) -> dict[str, Any]:
    """Draws lines over a logarithmic axis of sizes; `rest` as for `theme.figure`."""
    return figure(
        traces,
        height=340,
        showlegend=True,
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
        xaxis={
            "type": "log",
            "tickvals": list(sizes),
            "ticktext": [f"{size:,}" for size in sizes],
            "title": {"text": axis, "standoff": 8},
        },
        yaxis={"rangemode": "tozero", "nticks": 6},
        **rest,
    )
