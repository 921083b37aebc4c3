"""The tables of the report: findings about the data, improvements, suspects, and what was ruled out."""

from __future__ import annotations

from typing import Any

from aetfx.figures import words
from aetfx.figures.theme import percent, short
from aetfx.report.markup import Markup, tag

_MOST = 40
_ORDER = {"error": 0, "warning": 1, "info": 2}


def findings_table(findings: dict[str, Any]) -> Markup | None:
    """Returns the findings, worst first, and whether all rows were accounted for."""
    found = sorted(findings.get("findings") or [], key=lambda item: _ORDER.get(str(item.get("severity")), 3))
    if not findings:
        return None
    lines = [
        [
            [tag("span", class_=f"dot {item.get('severity')}"), item.get("feature") or "all columns"],
            [item.get("message") or item.get("code"), _sub(item.get("remedy"))],
            tag("span", item.get("code"), class_="tag"),
        ]
        for item in found[:_MOST]
    ]
    more = f"{len(found) - _MOST} more are in findings.json." if len(found) > _MOST else None
    return tag(
        "div",
        tag("figcaption", tag("h3", "Findings" if found else "No findings"), tag("p", words.findings_rows(findings))),
        _table(["Column", "Finding", ""], lines) if lines else None,
        tag("p", more, class_="quiet small") if more else None,
        class_="card",
    )


def experiment_tables(diagnosis: dict[str, Any]) -> list[Markup]:
    """Returns what was not named as a cause: improvements, suspects, and what was ruled out."""
    cards = []
    improvements = [
        [
            [words.title(item), _sub(item.get("experiment_name"))],
            [item.get("remedy") or item.get("meaning") or ""],
            _gain(item),
        ]
        for item in diagnosis.get("improvements") or []
    ]
    if improvements:
        cards.append(_card("Improvements", "They help, and are no fault.", ["Change", "", "Gain"], improvements))
    suspects = [
        [
            [words.title(item), tag("div", item.get("code"), class_="tag")],
            [tag("div", line) for line in item.get("evidence") or []],
            _gain(item),
        ]
        for item in diagnosis.get("suspected") or []
    ]
    if suspects:
        cards.append(_card("Suspected", "Signs of a fault, not proved.", ["Suspect", "Sign", "Gain"], suspects))
    ruled_out = [
        [
            [words.title(item), tag("div", item.get("code"), class_="tag")],
            [item.get("reason"), _tried(item)],
            _gain(item),
        ]
        for item in diagnosis.get("ruled_out") or []
    ]
    if ruled_out:
        cards.append(_card("Ruled out", None, ["Cause", "Why not", "Gain"], ruled_out))
    return cards


def _card(title: str, lead: str | None, head: list[str], lines: list[list[Any]]) -> Markup:
    caption = tag("figcaption", tag("h3", title), lead and tag("p", lead))
    return tag("div", caption, _table(head, lines, numeric_last=True), class_="card", style="margin-top:18px")


def _table(head: list[str], lines: list[list[Any]], *, numeric_last: bool = False) -> Markup:
    def kind(index: int) -> str | None:
        return "number" if numeric_last and index == len(head) - 1 else None

    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", [tag("th", name, class_=kind(i), scope="col") for i, name in enumerate(head)])),
            tag("tbody", [tag("tr", [tag("td", c, class_=kind(i)) for i, c in enumerate(line)]) for line in lines]),
            class_="stack",
        ),
        class_="scroll",
    )


def _gain(item: dict[str, Any]) -> Any:
    if item.get("gain") is None:
        return tag("span", "not tried", class_="quiet")
    between = words.interval(item.get("gain_interval"))
    after = item.get("score_after")
    detail = " · ".join(part for part in (between, f"score {short(after)}" if after is not None else "") if part)
    return [percent(item["gain"]), _sub(detail)]


def _tried(item: dict[str, Any]) -> Markup | None:
    """Names the experiment behind a reason, unless the reason does."""
    name = str(item.get("experiment_name") or "")
    return _sub(f"tried: {name}") if name and name not in str(item.get("reason") or "") else None


def _sub(value: Any) -> Markup | None:
    return tag("div", value, class_="quiet") if value else None
