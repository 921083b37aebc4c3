"""The score of each column before and after the change; for pictures, as a map over the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetfx.figures import columns
from aetfx.figures.theme import HEAT, LIGHT, figure, guide, numbers, text

_LIMIT = 20


def feature_scores(samples: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draws a dot before and a dot after for each column, joined, worst first.

    Args:
      samples: the arrays of `samples.npz`; uses `feature_score_before` and `feature_score_after`, (columns,) each.
    """
    before, after = _scores(samples)
    if before is None:
        return None
    scored = np.flatnonzero(~np.isnan(before))  # columns that never change have no score
    if not len(scored):
        return None
    order = scored[np.argsort(-before[scored], kind="stable")][:_LIMIT]
    names = columns.names(samples, len(before))
    shown = [before[order]] + ([after[order]] if after is not None else [])
    values = np.concatenate(shown)
    values = values[np.isfinite(values) & (values > 0)]
    wide = len(values) > 0 and values.max() > 4.5
    floor = 1e-4
    place = list(range(len(order)))
    traces: list[dict[str, Any]] = []
    if after is not None:
        ends = np.stack([before[order], after[order], np.full(len(order), np.nan)], axis=1).ravel()
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": numbers(np.maximum(ends, floor) if wide else ends),
                "y": [p for p in place for _ in range(3)],
                "line": {"color": LIGHT["muted"], "width": 3},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    for side, values_side in (("before", before), ("after", after)):
        if values_side is None:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": numbers(np.maximum(values_side[order], floor) if wide else values_side[order]),
                "y": place,
                "text": [text(names[i]) for i in order],
                "name": side if after is not None else "as it is",
                "marker": {"color": LIGHT[side], "size": 9},
                "hovertemplate": f"%{{text}}<br>{side}: %{{x:.3g}}<extra></extra>",
            }
        )
    more = f" The {_LIMIT} worst of {len(scored):,}." if len(scored) > _LIMIT else ""
    ticks: dict[str, Any] = {"type": "log", "dtick": 1, "exponentformat": "none"} if wide else {"rangemode": "tozero"}
    return figure(
        traces,
        title="Score of each column",
        caption=f"0 is perfect; the dotted line is predicting the mean.{more}",
        height=90 + 18 * len(order),
        showlegend=after is not None,
        margin={"l": 8, "r": 16, "t": 34, "b": 36},
        xaxis=ticks,
        yaxis={
            "range": [len(order) - 0.4, -0.6],
            "tickvals": place,
            "ticktext": [text(names[i], 24) for i in order],
            "tickfont": {"size": 11},
        },
        shapes=[guide(x=1)],
    )


def feature_maps(samples: Mapping[str, Any], side: str) -> dict[str, Any] | None:
    """Draws the score of each pixel as a map; None where rows are no pictures.

    Args:
      samples: the arrays of `samples.npz`.
      side: `before` or `after`.
    """
    shape = columns.picture_shape(samples)
    scores = dict(zip(("before", "after"), _scores(samples), strict=True))[side]
    if shape is None or scores is None or len(scores) != np.prod(shape):
        return None
    with np.errstate(all="ignore"):
        pixels = np.where(np.isfinite(scores), scores, np.nan).reshape(shape)
        grid = np.full(shape[:2], np.nan)
        seen = np.isfinite(pixels).any(axis=2)
        grid[seen] = np.nanmean(pixels[seen], axis=1)
    step = max(1, max(shape[:2]) // 64)
    grid = grid[::step, ::step]
    return figure(
        [
            {
                "type": "heatmap",
                "z": numbers(grid, 3),
                "zmin": 0,
                "zmax": 1,
                "colorscale": HEAT,
                "showscale": True,
                "colorbar": {"thickness": 8, "outlinewidth": 0, "len": 0.9, "tickvals": [0, 0.5, 1], "x": 1.02},
                "hovertemplate": "row %{y}, column %{x}<br>score %{z:.2f}<extra></extra>",
            }
        ],
        title="Score of each pixel" + (f", {side}" if samples.get("feature_score_after") is not None else ""),
        caption="1 is no better than predicting the mean; blank pixels never change.",
        height=330,
        margin={"l": 8, "r": 8, "t": 10, "b": 10},
        xaxis={"visible": False, "constrain": "domain"},
        yaxis={"visible": False, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
    )


def _scores(samples: Mapping[str, Any]) -> tuple[np.ndarray | None, np.ndarray | None]:
    found: list[np.ndarray | None] = []
    for side in ("before", "after"):
        values = np.asarray(samples.get(f"feature_score_{side}", []), float).ravel()
        found.append(values if len(values) else None)
    before, after = found
    if before is not None and after is not None and len(before) != len(after):
        after = None
    return before, after
