"""Horizontal bars whose labels stand above them: readable with long names, on a phone as on a desktop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from aetfx.figures.theme import LIGHT, text

PIXELS = 46  # of height for one bar and its label


def labels(names: Sequence[str], positions: Sequence[float], *, bold: Collection[int] = ()) -> list[dict[str, Any]]:
    """Returns the annotations that write each name above its bar, at the left edge of the plot.

    Args:
      names: plain text, one per bar.
      positions: the bar's place on the (reversed) y axis.
      bold: indices of names to stress.
    """
    return [
        {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "xshift": -2,
            "y": position - 0.22,
            "yref": "y",
            "yanchor": "bottom",
            "text": f"<b>{text(name, 60)}</b>" if index in bold else text(name, 60),
            "showarrow": False,
            "align": "left",
            "font": {"size": 12.5, "color": LIGHT["ink"]},
        }
        for index, (name, position) in enumerate(zip(names, positions, strict=True))
    ]


def whole(bounds: Any) -> list[float] | None:
    """Returns `[low, high]`, or None where either end is missing (JSON has no infinity)."""
    if not bounds or bounds[0] is None or bounds[1] is None:
        return None
    return [float(bounds[0]), float(bounds[1])]


def y_axis(count: float) -> dict[str, Any]:
    """Returns a hidden axis that runs downwards with room above the first bar for its label."""
    return {"range": [count - 0.45, -0.85], "visible": False}


def bars(
    values: Sequence[float],
    positions: Sequence[float],
    bounds: Sequence[Any],
    colours: Sequence[str],
    *,
    widths: Sequence[float],
    hover: list[str] | None = None,
) -> list[dict[str, Any]]:
    """Returns bar traces, those with an interval apart from those without, so that no empty whisker is drawn.

    Args:
      values: length of each bar.
      positions: place on the y axis.
      bounds: `[low, high]` of each bar, or None.
      colours: of each bar.
      widths: thickness in units of the y axis.
      hover: text shown when pointed at (already escaped); none by default.
    """
    traces = []
    for whiskers in (True, False):
        keep = [i for i, bound in enumerate(bounds) if bool(bound) is whiskers]
        if not keep:
            continue
        trace: dict[str, Any] = {
            "type": "bar",
            "orientation": "h",
            "x": [values[i] for i in keep],
            "y": [positions[i] for i in keep],
            "width": [widths[i] for i in keep],
            "marker": {"color": [colours[i] for i in keep], "cornerradius": 3},
            "hoverinfo": "skip",
        }
        if hover:
            trace |= {"customdata": [hover[i] for i in keep], "hovertemplate": "%{customdata}<extra></extra>"}
            del trace["hoverinfo"]
        if whiskers:
            trace["error_x"] = {
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, bounds[i][1] - values[i]) for i in keep],
                "arrayminus": [max(0.0, values[i] - bounds[i][0]) for i in keep],
                "color": LIGHT["ink"],
                "thickness": 1.2,
                "width": 4,
            }
        traces.append(trace)
    return traces
