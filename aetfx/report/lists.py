"""Terminal lists beside the diagnosis: findings about the data, the leaderboard of a comparison, model families."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aetfx.figures import words
from aetfx.figures.theme import percent, short
from aetfx.report.plain import output, plain, say

_MARKS = {"error": ("ERROR", "bold red"), "warning": ("warn", "yellow"), "info": ("info", "dim")}
_MOST = 5  # columns named per code
_MOST_ROWS = 3  # named per finding


def print_findings(findings_json: dict[str, Any], *, console: Console | None = None) -> None:
    """Prints the findings, worst first, those of one kind together, and whether all rows were accounted for.

    Args:
      findings_json: the content of `findings.json`.
      console: standard output by default.
    """
    console = output(console)
    found = findings_json.get("findings") or []
    console.print()
    if not found:
        console.print(Text("No findings: nothing in these data stands in the way of training.", "bold"))
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in found:
        groups.setdefault((str(item.get("severity")), str(item.get("code"))), []).append(item)
    order = list(_MARKS)
    for (severity, code), items in sorted(
        groups.items(), key=lambda entry: order.index(entry[0][0]) if entry[0][0] in order else len(order)
    ):
        mark, style = _MARKS.get(severity, (severity, ""))
        count = f"  {len(items)} columns" if len(items) > 1 else ""
        console.print(Text.assemble((f"{mark:<6}", style), plain(code, "bold"), (count, "dim")))
        for item in items[:_MOST]:
            name = f"{item['feature']}: " if item.get("feature") else ""
            say(console, plain(f"{name}{item.get('message') or ''}"), indent=6)
            rows = (item.get("evidence") or {}).get("rows")
            if rows:
                say(console, plain("worst: " + ", ".join(map(words.row_place, rows[:_MOST_ROWS])), "dim"), indent=6)
        if len(items) > _MOST:
            console.print(f"      and {len(items) - _MOST} more columns")
        remedies = list(dict.fromkeys(str(item["remedy"]) for item in items if item.get("remedy")))
        for remedy in remedies[:2]:
            say(console, plain(remedy, "cyan"), indent=8, mark="      > ")
        console.print()
    rows = words.findings_rows(findings_json)
    if rows:
        say(console, plain(rows, "dim"))


def print_comparison(rows: list[dict[str, Any]], *, console: Console | None = None) -> None:
    """Prints the leaderboard, best score first.

    Args:
      rows: one dictionary per configuration: `name`, `score`, and where known `interval` [low, high], `gain` over the
        baseline with `gain_interval`, `seeds`, `seconds`; the references (mean, PCA) carry `"kind": "reference"`;
        `dropped_at` (an epoch) or `failed` (why) of those that were not trained to the end.
      console: standard output by default.
    """
    console = output(console)
    table = Table(box=box.SIMPLE_HEAD if not console.options.ascii_only else box.ASCII2, pad_edge=False)
    table.add_column("Configuration", overflow="fold")
    has_gain = any(row.get("gain") is not None for row in rows)
    for head in ("Score", "95 % interval", *(["Gain"] if has_gain else []), "Seeds", "Time"):
        table.add_column(head, justify="right", no_wrap=True)
    ordered = sorted(rows, key=lambda row: float("inf") if row.get("score") is None else row["score"])
    best = next((row for row in ordered if row.get("kind") != "reference"), None)
    for row in ordered:
        if row.get("dropped_at") or row.get("failed"):
            continue  # these are told below
        style = "bold" if row is best else "dim" if row.get("kind") == "reference" else ""
        table.add_row(
            plain(row.get("name") or "?"),
            short(row.get("score")),
            words.interval(row.get("interval"), short) or "-",
            *([_gain(row)] if has_gain else []),
            str(row["seeds"]) if row.get("seeds") else "-",
            words.duration(row["seconds"]) if row.get("seconds") is not None else "-",
            style=style,
        )
    console.print(table)
    console.print(Text("Score: 0 is perfect, 1 is predicting the mean. Held-out rows, original units.", "dim"))
    if has_gain:
        console.print(Text("Gain: what part of the baseline's score is gone; ~ where it may be chance (95 %).", "dim"))
    dropped = [row for row in ordered if row.get("dropped_at")]
    if dropped:
        names = [f"{row['name']} (epoch {row['dropped_at']})" for row in dropped[:_MOST]]
        more = f" and {len(dropped) - _MOST} more" if len(dropped) > _MOST else ""
        say(console, plain(f"Dropped early: {', '.join(names)}{more}.", "dim"))
    for row in ordered:
        if row.get("failed"):
            say(console, plain(f"Failed: {row['name']}: {row['failed']}", "yellow"))


def _gain(row: dict[str, Any]) -> str:
    """Words the gain over the baseline.

    >>> _gain({"gain": 0.25, "gain_interval": [0.1, 0.4]}), _gain({"gain": -0.5, "gain_interval": [-2.0, 0.1]})
    ('25 %', '~ -50 %')
    """
    if row.get("gain") is None:
        return "-"
    low, high = row.get("gain_interval") or (0.0, 0.0)
    return f"{'~ ' if low <= 0 <= high else ''}{percent(row['gain'])}"


def print_families(catalogue: dict[str, Any], *, console: Console | None = None) -> None:
    """Prints the model families, or those that suit some rows.

    Args:
      catalogue: `shape` (of one row, or None) and `families`, as of `aetfx.models.families.catalogue`.
      console: standard output by default.
    """
    console = output(console)
    shape, families = catalogue["shape"], catalogue["families"]
    console.print()
    if shape is not None:
        say(console, plain(f"One row: {' x '.join(map(str, shape))}. model.family: auto chooses the marked one."))
        console.print()
    for item in families:
        if item.get("refused"):
            continue
        mark = "  < auto" if item.get("chosen") else ""
        console.print(
            Text.assemble((f"{item['name']:<11}", "bold"), (mark, "green")) if mark else Text(item["name"], "bold")
        )
        say(console, plain(item["title"]), indent=4)
        if item.get("defaults"):
            sizes = ", ".join(f"{key}: {value}" for key, value in item["defaults"].items())
        else:
            sizes = ", ".join(item["keys"])
        say(console, plain(sizes, "dim"), indent=4)
    refused = [item for item in families if item.get("refused")]
    if refused:
        console.print()
        for item in refused:
            say(console, plain(f"{item['name']} {item['refused']}.", "dim"))
    console.print()
