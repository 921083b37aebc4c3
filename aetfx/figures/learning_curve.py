"""Score against the number of train rows: what was measured with fewer of them, and what more of them promise."""

from __future__ import annotations

from typing import Any

from aetfx.figures.against_size import against, line
from aetfx.figures.theme import LIGHT, numbers


def learning_curve(diagnosis: dict[str, Any]) -> dict[str, Any] | None:
    """Draws the measured points, with a dashed line those that are foreseen, and whiskers where there are more rows.

    Args:
      diagnosis: the content of `diagnosis.json`; uses `learning_curve`.
    """
    points = sorted(diagnosis.get("learning_curve") or [], key=lambda point: point["rows"])
    measured = [point for point in points if point.get("measured")]
    foreseen = [point for point in points if not point.get("measured")]
    if not measured or not any(point.get("interval") for point in points):
        return None
    traces = [_line(measured, "measured", "before", "solid")]
    if foreseen:
        traces.insert(0, _line([measured[-1], *foreseen], "foreseen", "after", "dash"))
    return against(
        traces,
        [int(point["rows"]) for point in points],
        "train rows",
        title="Score against train rows",
        caption="At equal updates. Whiskers: 95 % interval of what more rows of the same kind would give.",
    )


def _line(points: list[dict[str, Any]], name: str, role: str, dash: str) -> dict[str, Any]:
    sizes, scores = [int(point["rows"]) for point in points], [point["score"] for point in points]
    whiskers = [point.get("interval") or [point["score"]] * 2 for point in points]
    return {
        **line(sizes, scores, name, role, dash, "rows"),
        "error_y": {
            "type": "data",
            "array": numbers([max(0.0, high - score) for score, (_, high) in zip(scores, whiskers, strict=True)]),
            "arrayminus": numbers([max(0.0, score - low) for score, (low, _) in zip(scores, whiskers, strict=True)]),
            "color": LIGHT[role],
            "thickness": 1.5,
            "width": 5,
        },
    }
