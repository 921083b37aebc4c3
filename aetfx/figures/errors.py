"""How the error is spread over the held-out rows, before and after the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetfx.figures.theme import LIGHT, figure, guide, numbers, short

_BINS = 44


def error_distribution(samples: Mapping[str, Any], height: int = 340) -> dict[str, Any] | None:
    """Draws histograms of the error per row on a logarithmic axis.

    Args:
      samples: the arrays of `samples.npz`; uses `errors_before` and `errors_after`, each (rows,), the fraction
        of variance unexplained of each row.
      height: in pixels.
    """
    sides = {}
    for side in ("before", "after"):
        errors = np.asarray(samples.get(f"errors_{side}", []), float).ravel()
        errors = errors[np.isfinite(errors)]
        if len(errors):
            sides[side] = np.maximum(errors, 1e-6)
    if not sides:
        return None
    pooled = np.concatenate(list(sides.values()))
    # A few rows far out must not squeeze the rest: the outer bins take what lies beyond.
    low, high = np.quantile(pooled, [0.002, 0.998])
    low, high = max(low / 1.15, 1e-6), max(high * 1.15, low * 2)
    edges = np.geomspace(low, high, _BINS + 1)
    traces = []
    for side, errors in sides.items():
        share = np.histogram(np.clip(errors, edges[0], edges[-1]), edges)[0] / len(errors)
        label = {"before": "before" if len(sides) > 1 else "as it is", "after": "after"}[side]
        centres = np.sqrt(edges[:-1] * edges[1:])
        traces.append(
            {
                "type": "scatter",
                "x": numbers(np.concatenate([[edges[0]], centres, [edges[-1]]])),
                "y": numbers(np.concatenate([[0], share, [0]])),
                "mode": "lines",
                "line": {"shape": "hvh", "color": LIGHT[side], "width": 1.8},
                "fill": "tozeroy",
                "fillcolor": LIGHT[f"{side}_soft"],
                "name": f"{label}, median {short(float(np.median(errors)))}",
                "hovertemplate": f"{label}: %{{y:.1%}} of rows near %{{x:.2g}}<extra></extra>",
            }
        )
    inside = low < 1 < high
    return figure(
        traces,
        title="Error per row",
        caption=f"{len(next(iter(sides.values()))):,} held-out rows; further left is better."
        + (" The dotted line is predicting the mean." if inside else ""),
        height=height,
        showlegend=True,
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
        xaxis={
            "type": "log",
            "range": [float(np.log10(low)), float(np.log10(high))],
            "title": {"text": "variance unexplained of a row", "standoff": 8},
            "dtick": 1,
            "exponentformat": "none",
        },
        yaxis={"tickformat": ".0%", "rangemode": "tozero", "nticks": 5},
        shapes=[guide(x=1)] if inside else [],
    )
