"""How the error is spread over rows: before and after a change, or of several configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aetfx.figures.theme import LIGHT, decades, figure, guide, numbers, short, text, worded

_BINS = 44
LEAST = 1e-6  # smaller errors are drawn as this


def error_distribution(samples: Mapping[str, Any], height: int = 340) -> dict[str, Any] | None:
    """Draws histograms of the error per row on a logarithmic axis.

    Args:
      samples: the arrays of `samples.npz`; uses `errors_before` and `errors_after`, each (rows,), the fraction
        of variance unexplained of each row.
      height: in pixels.
    """
    sides = [(side, np.asarray(samples.get(f"errors_{side}", []), float).ravel(), side) for side in ("before", "after")]
    there = [(name, errors, role) for name, errors, role in sides if np.isfinite(errors).any()]
    if len(there) == 1 and there[0][0] == "before":
        there = [("as it is", *there[0][1:])]
    return error_distributions(there, height=height)


def error_distributions(
    sides: Sequence[tuple[str, np.ndarray, str]], *, height: int = 340, rows: str = "held-out rows"
) -> dict[str, Any] | None:
    """Draws one histogram upon another.

    Args:
      sides: name, error of each row (n,) and role (colour, with a soft one) of each configuration.
      height: in pixels.
      rows: what the rows are called.
    """
    known = []
    for name, errors, role in sides:
        finite = np.asarray(errors, float)
        finite = finite[np.isfinite(finite)]
        if len(finite):
            known.append((name, np.maximum(finite, LEAST), role))
    if not known:
        return None
    pooled = np.concatenate([errors for _, errors, _ in known])
    # A few rows far out must not squeeze the rest: the outer bins take what lies beyond.
    low, high = np.quantile(pooled, [0.002, 0.998])
    low, high = max(low / 1.15, LEAST), max(high * 1.15, low * 2)
    edges = np.geomspace(low, high, _BINS + 1)
    traces = []
    for name, errors, role in known:
        share = np.histogram(np.clip(errors, edges[0], edges[-1]), edges)[0] / len(errors)
        centres = np.sqrt(edges[:-1] * edges[1:])
        label = text(name, 36)
        traces.append(
            {
                "type": "scatter",
                "x": numbers(np.concatenate([[edges[0]], centres, [edges[-1]]])),
                "y": numbers(np.concatenate([[0], share, [0]])),
                "mode": "lines",
                "line": {"shape": "hvh", "color": LIGHT[role], "width": 1.8},
                "fill": "tozeroy",
                "fillcolor": LIGHT[f"{role}_soft"],
                "name": f"{label}, median {short(float(np.median(errors)))}",
                "hovertemplate": f"{label}: %{{y:.1%}} of rows near %{{x:.2g}}<extra></extra>",
            }
        )
    inside = low < 1 < high
    ticks = decades(float(np.log10(low)), float(np.log10(high)))
    return figure(
        traces,
        title="Error per row",
        caption=f"{max(len(errors) for _, errors, _ in known):,} {rows}; further left is better."
        + (" The dotted line is predicting the mean." if inside else ""),
        height=height,
        showlegend=True,
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
        xaxis={
            "type": "log",
            "range": [float(np.log10(low)), float(np.log10(high))],
            "title": {"text": "variance unexplained of a row", "standoff": 8},
            "tickvals": ticks,
            "ticktext": [worded(tick) for tick in ticks],
        },
        yaxis={"tickformat": ".0%", "rangemode": "tozero", "nticks": 5},
        shapes=[guide(x=1)] if inside else [],
    )
