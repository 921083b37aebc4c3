"""The terminal summary of an evaluation: scores with intervals, the slices, and whether thresholds are met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from aetfx.figures.theme import percent, short
from aetfx.report.lists import print_comparison
from aetfx.report.plain import output, plain, say
from aetfx.run import read_json

_MOST = 8  # slices named


def print_evaluation(record: dict[str, Any], directory: Path | None, *, console: Console | None = None) -> None:
    """Prints the scores, best first.

    Args:
      record: the content of `evaluation.json`.
      directory: where the files were written; None prints no place.
      console: standard output by default.
    """
    console = output(console)
    configurations = record["configurations"]
    rows = [
        {
            "name": c["name"],
            "score": c["score"],
            "interval": None if c["low"] is None else [c["low"], c["high"]],
            "seeds": c["seeds"],
            "failed": c["failed"],
        }
        for c in configurations
    ]
    rows += [
        {**reference, "kind": "reference"} for reference in record["references"] if "nats" not in reference["name"]
    ]
    print_comparison(rows, console=console)
    n_rows = record["rows"]
    say(console, plain(f"{n_rows['scored']:,} rows scored{_left_out(n_rows)}", "dim"))
    for c in configurations:
        if c["n_not_finite"]:
            said = f"{c['name']}: gave NaN or infinity for {c['n_not_finite']:,} rows; each counts with a score of 4"
            say(console, plain(said, "yellow"))
    names = {c["id"]: c["name"] for c in configurations}
    first = configurations[0]["id"]
    for pair in record["paired"]:
        if pair["a"] == first:
            said = f"{names[pair['b']]}: {_less(pair['gain'])} error than {names[first]}"
            ends = sorted((pair["low"], pair["high"]), reverse=max(pair["low"], pair["high"]) < 0)
            say(console, plain(f"{said} (95 % between {_less(ends[0])} and {_less(ends[1])})"))
    slices = record["slices"][1:]
    if slices:
        shown = ", ".join(f"{part['name']} ({part['n_rows']:,})" for part in slices[:_MOST])
        more = f" and {len(slices) - _MOST} more" if len(slices) > _MOST else ""
        say(console, plain(f"slices: {shown}{more}; their scores are in evaluation.parquet", "dim"))
    for reference in record["references"]:
        if "nats" in reference["name"]:
            say(console, plain(f"{reference['name']}: {short(reference['score'])}", "dim"))
    for note in record["notes"]:
        say(console, plain(note, "dim"))
    if record["thresholds"] is not None and record["thresholds"]["blessed"]:
        say(console, plain("Blessed: all thresholds are met.", "bold green"))
    if directory is not None:
        say(console, plain(f"{directory}/evaluation.json, evaluation.parquet, samples.npz", "dim"))


def refusal(record: dict[str, Any]) -> str | None:
    """Returns why a model is not good enough, in one line; None where it is, or nothing was asked for."""
    told = record.get("thresholds")
    if told is None or told["blessed"]:
        return None
    return f"not blessed: {'; '.join(told['reasons'])}."


def refusal_of_run(directory: Path) -> str | None:
    """Returns `refusal` of a run directory; None also where it holds no evaluation."""
    path = directory / "evaluation.json"
    return refusal(read_json(path)) if path.exists() else None


def _less(gain: float) -> str:
    """Words a gain, "20 % less"; "20 % more" for one below 0."""
    return f"{percent(abs(gain))} {'less' if gain >= 0 else 'more'}"


def _left_out(rows: dict[str, Any]) -> str:
    found = []
    if rows.get("outside_fences"):
        found.append(f"{rows['outside_fences']:,} more hold gross outliers")
    if rows.get("without_a_scored_cell"):
        found.append(f"{rows['without_a_scored_cell']:,} without a cell that can be scored")
    if rows.get("quarantined"):
        found.append(f"{rows['quarantined']:,} more could not be read")
    return "".join(f", {part}" for part in found)
