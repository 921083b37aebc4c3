"""Score against code width, beside PCA: more code always buys less error, and here is the price list."""

from __future__ import annotations

from typing import Any

from aetfx.figures.against_size import against, line
from aetfx.figures.theme import guide


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
        scores = [float("nan") if value is None else value for value in values]
        traces.append(line(widths, scores, name, role, dash, "units"))
    knee = diagnosis.get("code_knee")
    mine = (diagnosis.get("baseline") or {}).get("bottleneck")
    marked = mine in widths
    return against(
        traces,
        widths,
        "code width (units)",
        title="Score against code width",
        caption=" ".join(
            sentence
            for sentence in (
                "The dotted line is your width." if marked else "",
                f"Behind {knee} units PCA gains little more." if knee else "",
            )
            if sentence
        ),
        shapes=[guide(x=mine, role="before")] if marked else [],
    )
