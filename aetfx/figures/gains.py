"""The measured gain of every experiment, beside the line that a cause must reach."""

from __future__ import annotations

from typing import Any

from aetfx.figures import rungs
from aetfx.figures.theme import LIGHT, figure, guide, percent, short, text

NAMED_FROM = 0.25  # METHOD section 4: a cause gains at least this much
_LOWEST = -0.5  # worse is drawn as this much, its true value written beside
_COLOURS = {"verified": "after", "supported": "after", "improvement": "improvement", "suspected": "suspected"}


def gains(diagnosis: dict[str, Any], limit: int = 24) -> dict[str, Any] | None:
    """Draws one bar per experiment, best first within each step of the chain.

    Args:
      diagnosis: the content of `diagnosis.json`; uses `experiments`.
      limit: at most this many bars; confirmed experiments and then the largest gains are kept.
    """
    chosen = _final(diagnosis.get("experiments") or [], limit)
    if not chosen:
        return None
    fixes = {cause.get("step"): cause.get("experiment_name") for cause in diagnosis.get("causes") or []}
    steps = sorted({item.get("step") or 1 for item in chosen})
    names, values, places, colours, hover, headers = [], [], [], [], [], []
    bounds: list[Any] = []
    place = 0.0
    for step in steps:
        if len(steps) > 1:
            after = fixes.get(step - 1)
            headers.append((place, f"Step {step}" + (f", after {after}" if after else "")))
            place += 0.75
        for item in (item for item in chosen if (item.get("step") or 1) == step):
            gain = item["gain"]
            names.append(str(item.get("name") or item.get("code")))
            values.append(min(1.0, max(_LOWEST, gain)))
            low_high = rungs.whole(item.get("gain_interval"))
            bounds.append([max(_LOWEST, low_high[0]), min(1.0, low_high[1])] if low_high else None)
            places.append(place)
            pale = "faint" if item.get("stage") == "screen" else "muted"
            colours.append(LIGHT[_COLOURS.get(str(item.get("decision")), pale)])
            hover.append(_hover(item))
            place += 1
    bars = rungs.bars(values, places, bounds, colours, widths=[0.4] * len(values), hover=hover)
    annotations = rungs.labels(names, places)
    for index, item in enumerate(chosen):
        end = max(values[index], bounds[index][1] if bounds[index] else 0, 0)
        annotations.append(
            {
                "x": end,
                "y": places[index],
                "xanchor": "left",
                "xshift": 6,
                "text": percent(item["gain"]),
                "showarrow": False,
                "font": {"size": 12, "color": LIGHT["ink"]},
            }
        )
    for at, words in headers:
        annotations += [
            label | {"font": {"size": 11, "color": LIGHT["quiet"]}} for label in rungs.labels([words], [at + 0.12])
        ]
    low = min([0.0, *values, *(b[0] for b in bounds if b)])
    return figure(
        bars,
        title="What each change gained",
        caption="Share of the score removed by changing one thing. Whiskers: 95 % interval over fresh seeds; "
        "without them, the best short screening run of that cause. The dotted line is what a cause must reach.",
        height=60 + round(rungs.PIXELS * place),
        margin={"l": 8, "r": 16, "t": 4, "b": 40},
        xaxis={"range": [low * 1.1, 1.12], "tickformat": ".0%", "tickvals": [-0.5, 0, 0.25, 0.5, 0.75, 1]},
        yaxis=rungs.y_axis(place),
        annotations=annotations,
        shapes=[
            guide(x=NAMED_FROM, role="before"),
            guide(x=0) | {"line": {"color": LIGHT["axis"], "width": 1}},
        ],
    )


def _final(experiments: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Keeps confirmed results, and the best screened variant of each cause; best first within each step."""
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    seen: set[tuple[Any, ...]] = set()
    for item in experiments:
        if item.get("gain") is None:
            continue
        key = (item.get("step") or 1, item.get("code"), item.get("name"))
        if key not in last or item.get("stage") == "confirm":
            last[key] = item
    # Of the variants of one cause that were only screened, the best says it all.
    for key, item in sorted(last.items(), key=lambda entry: entry[1]["gain"], reverse=True):
        group = (key[0], key[1])
        if item.get("stage") != "confirm" and item.get("code"):
            if group in seen:
                del last[key]
            seen.add(group)
    ranked = sorted(last.values(), key=lambda item: (item.get("stage") != "confirm", -item["gain"]))[:limit]
    return sorted(ranked, key=lambda item: (item.get("step") or 1, -item["gain"]))


def _hover(item: dict[str, Any]) -> str:
    interval = rungs.whole(item.get("gain_interval"))
    lines = [
        f"<b>{text(item.get('name') or item.get('code'))}</b>",
        text(item.get("code") or ""),
        f"score {short(item.get('score_before'))} → {short(item.get('score'))}",
        f"gain {percent(item['gain'])}" + (f" ({percent(interval[0])} to {percent(interval[1])})" if interval else ""),
        text(f"{item.get('stage') or ''}: {item.get('decision') or ''}"),
    ]
    return "<br>".join(lines)
