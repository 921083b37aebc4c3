"""Score against code width, beside PCA: more code always buys less error, and here is the price list."""

from __future__ import annotations

from typing import Any

from aetfx.figures.theme import LIGHT, figure, guide, numbers


def code_curve(diagnosis: dict[str, Any]) -> dict[str, Any] | None:
    """Draws the score of the model and of PCA over code widths, with the user's width marked.

    Args:
      diagnosis: the content of `diagnosis.json`; uses `code_curve` and `baseline.bottleneck`.
    """
    points = sorted(
        (item for item in diagnosis.get("code_curve") or [] if item.get("bottleneck")), key=lambda p: p["bottleneck"]
    )
    if len(points) < 2:
        return None
    widths = [int(point["bottleneck"]) for point in points]
    traces = []
    for key, name, role, dash in (("pca", "PCA", "reference", "dot"), ("score", "your model", "after", "solid")):
        values = [point.get(key) for point in points]
        if all(value is None for value in values):
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": widths,
                "y": numbers([float("nan") if value is None else value for value in values]),
                "name": name,
                "line": {"color": LIGHT[role], "width": 2.4, "dash": dash},
                "marker": {"size": 8},
                "connectgaps": True,
                "hovertemplate": f"{name}, %{{x}} units: %{{y:.3g}}<extra></extra>",
            }
        )
    knee = diagnosis.get("code_knee")
    mine = (diagnosis.get("baseline") or {}).get("bottleneck")
    marked = mine in widths
    return figure(
        traces,
        title="Score against code width",
        caption=" ".join(
            sentence
            for sentence in (
                "The dotted line is your width." if marked else "",
                f"Behind {knee} units PCA gains little more." if knee else "",
            )
            if sentence
        ),
        height=340,
        showlegend=True,
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
        xaxis={
            "type": "log",
            "tickvals": widths,
            "ticktext": [f"{w:,}" for w in widths],
            "title": {"text": "code width (units)", "standoff": 8},
        },
        yaxis={"rangemode": "tozero", "nticks": 6},
        shapes=[guide(x=mine, role="before")] if marked else [],
    )
