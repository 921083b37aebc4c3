"""A finding as a card: what is wrong, the figures that show it, and the change to make, in words and for the study."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aetfx.figures.words import row_place
from aetfx.report.markup import Markup, escape, join, tag
from aetfx.report.page import code
from aetfx.validation.checks.base import number
from aetfx.validation.files import Anomaly, ValidationFiles
from aetfx.validation.findings import settings
from aetfx.words import listed, percent

_SEVERITY = {"error": "Error", "warning": "Warning", "info": "Worth knowing"}
_MOST_KEPT = 200  # columns that `data.features` may list: a longer block helps nobody
_MOST_ANOMALIES = 100
_MOST_ROWS = 5


def finding_card(
    item: dict[str, Any], anchor: str, names: Sequence[str], files: ValidationFiles, places: Mapping[str, int]
) -> Markup:
    """Returns the card of one finding.

    Args:
      item: an entry of `findings.json`.
      anchor: the card's id.
      names: all columns that the finding is about, as far as known.
      places: column name to its place among the columns of the page, for small histograms beside the evidence.
    """
    severity = str(item.get("severity"))
    splits = len(files.features) > 1 or item.get("split") != "train"
    head, rest = _sentence(str(item.get("message") or item.get("code")))
    return tag(
        "article",
        tag(
            "div",
            tag("span", tag("span", class_=f"dot {severity}"), _SEVERITY.get(severity, severity), class_="severity"),
            tag("span", item.get("code"), class_="tag"),
            splits and tag("span", f"in {item.get('split')}", class_="quiet small"),
            class_="head",
        ),
        tag(
            "div",
            tag("div", tag("h3", _unbroken(head)), rest and tag("p", _unbroken(rest)), _remedy(item, names, files)),
            tag("div", _evidence(item.get("evidence") or {}, places), class_="evidence"),
            class_="halves",
        ),
        class_="card finding",
        id=anchor,
    )


def anomalies_table(anomalies: Sequence[Anomaly]) -> Markup | None:
    """Returns what TFDV said, errors first; None where it said nothing."""
    if not anomalies:
        return None
    lines = [
        tag(
            "tr",
            tag("td", tag("span", class_=f"dot {'error' if a.is_error else 'warning'}"), a.feature or "all columns"),
            tag("td", a.title, tag("div", a.description, class_="quiet")),
            tag("td", a.split, class_="quiet"),
        )
        for a in anomalies[:_MOST_ANOMALIES]
    ]
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in ("Column", "Anomaly", "Split")]))
    more = len(anomalies) - len(lines)
    return tag(
        "div",
        tag("div", tag("table", head, tag("tbody", lines), class_="stack"), class_="scroll"),
        tag("p", f"{more:,} more are in anomalies/.", class_="quiet small") if more else None,
        class_="card",
    )


def study_blocks(item: dict[str, Any], names: Sequence[str], files: ValidationFiles) -> list[str]:
    """Returns the remedy as YAML to put into a study: alternatives, any one of which will do.

    Args:
      item: an entry of `findings.json`.
      names: all columns that the finding is about.
    """
    import yaml

    parts = list(item["study"]) if "study" in item else settings(str(item.get("remedy") or ""))
    if not parts and "data.features" in str(item.get("remedy")):
        parts = _kept(item, names, files)
    # Lists of columns stand in lines, settings below each other: both fit a phone.
    return [
        yaml.safe_dump(part, sort_keys=False, allow_unicode=True, default_flow_style=_flow(part), width=52)
        for part in parts
    ]


def _flow(part: dict[str, Any]) -> bool | None:
    return None if any(isinstance(v, list) for section in part.values() for v in section.values()) else False


def _kept(item: dict[str, Any], names: Sequence[str], files: ValidationFiles) -> list[dict[str, Any]]:
    """The columns to keep, where the finding's own are all known and a list of the others is short enough to read."""
    left = [feature.name for feature in files.features.get("train", []) if feature.name not in set(names)]
    complete = len(names) == (item.get("evidence") or {}).get("columns")
    return [{"data": {"features": left}}] if complete and 0 < len(left) <= _MOST_KEPT else []


def _remedy(item: dict[str, Any], names: Sequence[str], files: ValidationFiles) -> Markup | None:
    remedy = item.get("remedy")
    if not remedy:
        return None
    blocks: list[Any] = []
    for block in study_blocks(item, names, files):
        blocks += [tag("p", "or", class_="quiet small or") if blocks else None, code(block)]
    return tag("div", tag("p", remedy), blocks, class_="remedy")


def _sentence(message: str) -> tuple[str, str]:
    """Parts a message into what is seen and what follows from it.

    >>> _sentence("38 cells are missing, in 2 columns; one such cell turns the loss to NaN")
    ('38 cells are missing, in 2 columns', 'One such cell turns the loss to NaN.')
    """
    head, _, rest = message.partition("; ") if "; " in message else message.partition(": ")
    return _capital(head), f"{_capital(rest).rstrip('.')}." if rest else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unbroken(text: str) -> Markup:
    """A text whose percentages stay in one line."""
    return Markup(escape(text).replace(" %", "&nbsp;%"))


def _evidence(evidence: dict[str, Any], places: Mapping[str, int]) -> Markup | None:
    tables: dict[str, list[dict[str, Any]]] = {}
    facts = []
    shown: set[str] = set()
    for key, value in evidence.items():
        if key == "rows" and isinstance(value, list):
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            # The smallest of a few columns are also among the largest: each is listed once.
            tables[key] = [line for line in value if line.get("column") is None or line["column"] not in shown]
            shown |= {str(line["column"]) for line in value if line.get("column") is not None}
        elif isinstance(value, list | dict):
            facts += [(key, _listed(value))] if value else []
        elif key != "columns":  # their number is in the message, and below the list
            facts.append((key, _figure(key, value)))
    ranges = [float(line.get("range") or 0) for lines in tables.values() for line in lines]
    return join(
        [_table(key, lines, places, ranges, evidence.get("columns")) for key, lines in tables.items() if lines],
        _rows_table(evidence["rows"]) if evidence.get("rows") else None,
        tag("dl", [tag("div", tag("dt", _label(key)), tag("dd", said)) for key, said in facts], class_="figures")
        if facts
        else None,
    )


def _table(key: str, lines: list[dict[str, Any]], places: Mapping[str, int], ranges: list[float], count: Any) -> Markup:
    """One line per column, with its picture and its figures."""
    figures = [name for name in lines[0] if name != "column"]
    pictures = [_picture(line, places, ranges) for line in lines]
    title = "Column" if key == "worst" else _label(key)
    head = [tag("th", title if "column" in lines[0] else "", scope="col")]
    head += [tag("th", "", class_="picture")] if any(pictures) else []
    head += [tag("th", _label(name), class_="number", scope="col") for name in figures]
    body = []
    for line, picture in zip(lines, pictures, strict=True):
        name = Markup(escape(line.get("column", "")).replace("_", "_<wbr>"))
        cells = [tag("td", name, class_="name")]
        cells += [tag("td", picture, class_="picture")] if any(pictures) else []
        cells += [tag("td", _figure(name, line.get(name)), class_="number") for name in figures]
        body.append(tag("tr", cells))
    more = count - len(lines) if key == "worst" and isinstance(count, int) else 0
    return join(
        tag(
            "div",
            tag(
                "table", tag("thead", tag("tr", head)), tag("tbody", body), class_="many" if len(figures) > 3 else None
            ),
            class_="scroll",
        ),
        tag("p", f"and {more:,} more", class_="quiet small") if more > 0 else None,
    )


def _rows_table(rows: Sequence[dict[str, Any]]) -> Markup:
    """The worst rows: where each stands, how far out it is, and which of its cells are to blame."""
    lines = [
        tag(
            "tr",
            tag("td", row_place(row), class_="name", title=row.get("file")),
            tag("td", _figure("distance", row.get("distance")), class_="number"),
            tag("td", listed(row.get("columns") or [], 3, lambda c: f"{c['column']} {_figure('value', c['value'])}")),
        )
        for row in rows[:_MOST_ROWS]
    ]
    titles = [tag("th", "Row", scope="col"), tag("th", "Distance", scope="col", class_="number")]
    head = tag("thead", tag("tr", [*titles, tag("th", "Cells", scope="col")]))
    more = len(rows) - len(lines)
    return join(
        tag("div", tag("table", head, tag("tbody", lines)), class_="scroll"),
        tag("p", f"and {more:,} more in findings.json", class_="quiet small") if more > 0 else None,
    )


def _picture(line: dict[str, Any], places: Mapping[str, int], ranges: list[float]) -> Markup | None:
    """The column's histogram; where ranges are compared, its range beside the others', on a logarithmic scale."""
    if line.get("range") and min(ranges) > 0 and max(ranges) > min(ranges):
        share = math.log(line["range"] / min(ranges)) / math.log(max(ranges) / min(ranges))
        width = f"width:{4 + 96 * share:.0f}%"
        return tag("div", tag("i", style=width), class_="range", title="on a logarithmic scale")
    place = places.get(str(line.get("column")))
    return None if place is None else tag("div", class_="small-plot", data_column=place)


def _label(key: str) -> str:
    """`range_ratio` becomes "Range ratio"."""
    if key == "sd":
        return "SD"
    return _capital(re.sub(r"[_\s]+", " ", str(key)).strip())


def _figure(key: str, value: Any) -> str:
    """Words one figure: shares in percent, other numbers in three digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return percent(value, 1) if str(key).endswith("share") and 0 <= value <= 1 else number(value)


def _listed(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_label(key).lower()} {_figure(key, entry)}" for key, entry in list(value.items())[:6])
    return listed(value, 6, lambda entry: _figure("", entry))
