"""The plan of a diagnosis in the terminal: what will be tried, what it costs, what is ruled out already."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from aetfx.report.plain import output, plain, say

_STATES = {
    "will be tried": ("Will be tried", ""),
    "after the first training": ("Decided by the first training", ""),
    "ruled out": ("Ruled out already", "dim"),
}


def print_plan(planned: dict[str, Any], *, console: Console | None = None) -> None:
    """Prints a plan.

    Args:
      planned: what `aetfx.diagnosis.planning.plan_request` returned.
      console: standard output by default.
    """
    console = output(console)
    unit = planned["unit_seconds"]
    for state, (heading, style) in _STATES.items():
        causes = [cause for cause in planned["causes"] if cause["state"] == state]
        if not causes:
            continue
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for cause in causes:
            tried = cause["experiments"]
            names = ", ".join(e["name"] for e in tried) if tried else cause["reason"]
            cost = f"{sum(e['cost'] for e in tried):.1f} T" if tried else ""
            table.add_row(*(plain(cell, style) for cell in (cause["code"], names, cost)))
        console.print()
        console.print(plain(heading, "bold"))
        console.print(Padding(table, (0, 0, 0, 2)))
    console.print()
    say(
        console,
        plain(
            f"T is one training as the study has it, about {unit:.0f} s. At most {planned['budget']:.0f} T "
            f"({planned['budget'] * unit:.0f} s) are spent: 1 T for the model as it is, then screens, and "
            f"{planned['confirmation']:.0f} T to confirm one cause with {planned['pairs']} paired trainings. "
            "What the budget does not reach is listed in the result."
        ),
    )
