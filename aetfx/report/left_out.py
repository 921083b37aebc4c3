"""Columns that no model is trained on because they hold no numbers of one length, as the validation page lists them."""

from __future__ import annotations

from aetfx.report.markup import Markup, tag
from aetfx.validation.checks.base import number
from aetfx.validation.files import Feature, ValidationFiles
from aetfx.words import percent, replace_unprintable

_MOST = 100  # columns
_MOST_VALUES = 3  # of a column
_MOST_CHARACTERS = 40  # of a value


def left_out_table(files: ValidationFiles) -> Markup | None:
    """Returns the table of these columns; None where there is none."""
    names = [str(name) for name in files.findings.get("left_out") or []]
    if not names:
        return None
    found = {split: {feature.name: feature for feature in features} for split, features in files.left_out.items()}
    lines = []
    for name in names[:_MOST]:
        for place, (split, features) in enumerate(found.items() or [("", {})]):
            cells = [tag("td", replace_unprintable(name) if place == 0 else "")]
            cells += [tag("td", split, class_="quiet")] + [tag("td", text) for text in _cells(features.get(name))]
            lines.append(tag("tr", cells))
    titles = ("Column", "Split", "Distinct values", "Most frequent", "Missing")
    head = tag("thead", tag("tr", [tag("th", title, scope="col") for title in titles]))
    more = len(names) - _MOST
    return tag(
        "div",
        tag("div", tag("table", head, tag("tbody", lines), class_="stack"), class_="scroll"),
        tag("p", f"{more:,} more are in findings.json.", class_="quiet small") if more > 0 else None,
        class_="card",
    )


def _cells(feature: Feature | None) -> tuple[str, str, str]:
    """Distinct values, most frequent values and missing cells of a column in one split."""
    if feature is None:
        return "", "not looked at: TFDV takes no such column", ""
    missing = percent(feature.missing / feature.rows, 1) if feature.missing and feature.rows else "none"
    if feature.top:
        shown = [f"{_short(value)} ({percent(count / feature.rows, 1)})" for value, count in feature.top[:_MOST_VALUES]]
        return f"{feature.unique:,}", ", ".join(shown), missing
    if feature.minimum is not None and feature.maximum is not None:
        low, high = feature.lengths
        length = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        return "", f"lists of {length} numbers from {number(feature.minimum)} to {number(feature.maximum)}", missing
    return "", "nothing in any row", missing


def _short(value: str) -> str:
    text = replace_unprintable(value)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
