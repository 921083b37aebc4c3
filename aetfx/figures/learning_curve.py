"""Score against the number of train rows: what was measured with fewer of them, and what more of them promise."""

from __future__ import annotations

from typing import Any

from aetfx.figures.against_size import against, line
from aetfx.figures.theme import LIGHT, numbers


def learning_curve(diagnosis: dict[str, Any]) -> dict[str, Any] | None:
    """Draws the measured points, and with a dashed line and whiskers those that are foreseen.

    Args:
      diagnosis: the content of `diagnosis.json`; uses `learning_curve`.
    """
    points = sorted(diagnosis.get("learning_curve") or [], key=lambda point: point["rows"])
    measured = [point for point in points if point.get("measured")]
    foreseen = [point for point in points if not point.get("measured")]
    if not measured or not foreseen:
        return None
    ahead = [measured[-1], *foreseen]
    whiskers = [point.get("interval") or [point["score"], point["score"]] for point in ahead]
    traces: list[dict[str, Any]] = [
        {
            **_line(ahead, "foreseen", "after", "dash"),
            "error_y": {
                "type": "data",
                "array": numbers([max(0.0, high - p["score"]) for p, (_, high) in zip(ahead, whiskers, strict=True)]),
                "arrayminus": numbers(
                    [max(0.0, p["score"] - low) for p, (low, _) in zip(ahead, whiskers, strict=True)]
                ),
                "color": LIGHT["after"],
                "thickness": 1.5,
                "width": 5,
            },
        },
        _line(measured, "measured", "before", "solid"),
    ]
    return against(
        traces,
        [int(point["rows"]) for point in points],
        "train rows",
        title="Score against train rows",
        caption="At equal updates. Whiskers: 95 % interval of what more rows of the same kind would give.",
    )


def _line(points: list[dict[str, Any]], name: str, role: str, dash: str) -> dict[str, Any]:
    sizes = [int(point["rows"]) for point in points]
    return line(sizes, [point["score"] for point in points], name, role, dash, "rows")
