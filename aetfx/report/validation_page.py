"""Writes `validation.html`: what is wrong with the data, and one small histogram per column.

One file that opens offline, in light and dark, on a desktop and on a phone. The histograms are not drawn until they
are scrolled to (`validation.js`), from one block of JSON: 5,000 columns are 1-3 MB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aetfx.figures.data_columns import UNFLAGGED, data_columns
from aetfx.figures.histograms import SIZE, TALL
from aetfx.report.finding_cards import anomalies_table, finding_card
from aetfx.report.left_out import left_out_table
from aetfx.report.markup import Markup, join, json_block, tag
from aetfx.report.page import Page, asset, document
from aetfx.run import write_text
from aetfx.validation.files import ValidationFiles, load
from aetfx.validation.findings import SEVERITIES
from aetfx.validation.members import members

_MOST_FINDINGS = 100  # cards; the others are in findings.json
# Of the worst severity: the colour of the page's head, a word, and a sentence.
_STATES = {
    "error": ("faulty", "Mend these data", "An autoencoder will fail on these data as they are."),
    "warning": ("inconclusive", "Look at these data", "These data may hold an autoencoder back."),
    "": ("healthy", "Fit to train on", "Nothing was found in these data that stands in the way of training."),
}


def write_page(directory: str | Path) -> Path:
    """Writes `validation.html` into a run directory from the files that `validate` left there.

    Args:
      directory: holds `findings.json`; histograms come from `statistics/`, where that is there.

    Returns:
      The path of the page.

    Raises:
      RunError: a file cannot be read, or the page cannot be written.
    """
    files = load(Path(directory))
    path = files.directory / "validation.html"
    write_text(path, render(files))
    return path


def render(files: ValidationFiles) -> str:
    """Returns the whole page."""
    named = members(files)
    columns = data_columns(files, named)
    page = _build(files, named, columns)
    block = {"size": SIZE, "tall": TALL, "splits": list(files.features), "codes": _codes(files), "columns": columns}
    return document(
        page,
        name=files.directory.resolve().name,
        title=_headline(files),
        footer="Made by aetfx. Figures of a column are over its finite cells.",
        style=asset("report.css", "validation.css"),
        data=[json_block(block, id="columns")],
        scripts=[asset("copy.js", "validation.js")],
    )


def _build(files: ValidationFiles, named: list[list[str]], columns: list[dict[str, Any]]) -> Page:
    page = Page()
    page.hero = _hero(files)
    found = files.found
    places = {column["name"]: index for index, column in enumerate(columns)}
    cards = [
        finding_card(item, f"finding-{index}", names, files, places)
        for index, (item, names) in enumerate(zip(found[:_MOST_FINDINGS], named, strict=False))
    ]
    more = len(found) - len(cards)
    page.section(
        "findings",
        "Findings",
        "Findings",
        None,
        cards,
        tag("p", f"{more:,} more are in findings.json.", class_="quiet") if more > 0 else None,
    )
    page.section(
        "anomalies",
        "Schema",
        "What breaks the schema",
        "Found by TensorFlow Data Validation.",
        anomalies_table(files.anomalies),
    )
    if columns:
        page.section("all-columns", "Columns", "Columns", None, _browser(files, columns))
    page.section(
        "left-out",
        "Left out",
        "Left out",
        "These columns hold no numbers, or lists of any length: no model is trained on them.",
        left_out_table(files),
    )
    return page


def _headline(files: ValidationFiles) -> str:
    """The result in a few words: "4 errors and 1 warning"."""
    counts = _counts(files)
    said = [
        f"{counts[severity]:,} {severity}{'s' * (counts[severity] != 1)}"
        for severity in ("error", "warning")
        if counts[severity]
    ]
    if said:
        return " and ".join(said)
    return "nothing stands in the way of training"


def _counts(files: ValidationFiles) -> dict[str, int]:
    return {name: sum(item.get("severity") == name for item in files.found) for name in SEVERITIES}


def _hero(files: ValidationFiles) -> Markup:
    counts = _counts(files)
    worst = next((name for name in SEVERITIES if counts[name]), None)
    state, chip, verdict = _STATES.get(str(worst), _STATES[""])
    widths = sorted({len(features) for features in files.features.values()})
    about = ", ".join(f"{width:,} column{'s' * (width != 1)}" for width in widths)
    big = [
        tag(
            "div",
            tag("b", f"{counts[name]:,}"),
            tag("span", label + "s" * (name != "info" and counts[name] != 1)),
            class_=f"score {name}" + " none" * (not counts[name]),
        )
        for name, label in zip(SEVERITIES, ("error", "warning", "worth knowing"), strict=True)
    ]
    return tag(
        "div",
        tag(
            "div",
            tag("div", chip, about and tag("span", about, class_="quiet"), class_="chip"),
            tag("h1", verdict),
            tag("div", big, class_="scores"),
        ),
        _rows(files),
        class_=f"hero {state}",
    )


def _rows(files: ValidationFiles) -> Markup:
    """How many rows were read, that none was lost, and the first that could not be used."""
    lines, lost = [], 0
    for split, counts in (files.findings.get("rows") or {}).items():
        read, used, bad = (int(counts.get(key) or 0) for key in ("read", "counted", "quarantined"))
        lost += read - used - bad
        cells = [tag("td", tag("span", class_=f"key {split}"), split)]
        cells += [tag("td", f"{count:,}", class_="number") for count in (read, used, bad)]
        lines.append(tag("tr", cells))
    head = [tag("th", "Split", scope="col")]
    head += [tag("th", name, class_="number", scope="col") for name in ("Rows read", "Used", "Quarantined")]
    bad_rows = [
        tag("li", f"{Path(file).name}:{position}: {reason}")
        for rows in files.quarantined.values()
        for file, position, reason in rows
    ]
    note = "Every row is accounted for." if not lost else f"{lost:,} rows are not accounted for: please report this."
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", head)), tag("tbody", lines)),
        tag("p", note, class_="quiet small"),
        [tag("ul", bad_rows, class_="say small"), tag("p", "All of them: quarantine/", class_="quiet small")]
        if bad_rows
        else None,
        class_="card rows",
    )


def _browser(files: ValidationFiles, columns: list[dict[str, Any]]) -> Markup:
    """The place that `validation.js` fills with histograms, and what chooses among them."""
    flagged = sum(column["severity"] < UNFLAGGED for column in columns)
    keys = [tag("span", tag("span", class_=f"key {split}"), split) for split in files.features]
    return join(
        tag(
            "div",
            tag(
                "input",
                type="search",
                id="search",
                placeholder="Search columns and findings",
                aria_label="Search columns and findings",
                autocomplete="off",
                spellcheck="false",
            ),
            tag(
                "div",
                tag("button", f"All {len(columns):,}", type="button", data_only="all", aria_pressed="true"),
                tag("button", f"With findings {flagged:,}", type="button", data_only="found", aria_pressed="false"),
                class_="choice",
            )
            if 0 < flagged < len(columns)
            else None,
            tag("span", id="shown", class_="quiet small", aria_live="polite"),
            tag("span", keys, class_="keys small") if len(keys) > 1 else None,
            class_="tools",
        ),
        tag("noscript", tag("p", "The histograms are drawn by JavaScript, which is off in this browser.")),
        tag("div", id="grid"),
        tag("div", id="end"),
    )


def _codes(files: ValidationFiles) -> list[str]:
    return [str(item.get("code")) for item in files.found]
