"""What `aetfx find-lr` shows: a page with one figure, and a list of bars in the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from aetfx.figures.learning_rates import learning_rates
from aetfx.figures.theme import DARK, LIGHT, short
from aetfx.report.html import plotly_script
from aetfx.report.markup import json_block, tag
from aetfx.report.page import Page, asset, document
from aetfx.report.plain import output, plain, say
from aetfx.run import write_text

_BAR = 30  # characters of the highest loss


def verdict(found: dict[str, Any]) -> str:
    """Says in one sentence which rate to take.

    >>> verdict({"current": 0.001, "best": 0.003, "good": [0.0005, 0.01]})
    '0.001 is among the rates that suit this model (0.0005 to 0.01).'
    >>> verdict({"current": 1e-05, "best": 0.003, "good": [0.0005, 0.01]})
    '1e-05 is too low for so many updates: 0.0005 to 0.01 do better, 0.003 best.'
    >>> verdict({"current": 0.5, "best": 0.1, "good": [0.1, 0.1]})
    '0.5 is too high: 0.1 does better.'
    """
    if found["best"] is None:
        return "Every rate diverged, even the lowest: the data or the model are at fault, not the rate."
    current, (low, high) = found["current"], found["good"]
    if low <= current <= high:
        return f"{current:.3g} is among the rates that suit this model ({low:.3g} to {high:.3g})."
    kind = "too low for so many updates" if current < low else "too high"
    better = f"{low:.3g} to {high:.3g} do better, {found['best']:.3g} best" if low < high else f"{low:.3g} does better"
    return f"{current:.3g} is {kind}: {better}."


def write_page(found: dict[str, Any], directory: Path) -> Path:
    """Writes `learning_rates.html` into a run directory and returns its path."""
    page = Page()
    page.hero = tag("div", tag("div", tag("h1", verdict(found))), class_="hero healthy")
    page.section("rates", "Rates", "What each rate comes to", None, page.plot("rates", learning_rates(found)))
    path = directory / "learning_rates.html"
    text = document(
        page,
        name=str(found["study_name"]),
        title="learning rates",
        footer="Made by aetfx. Losses are those of the train rows, in the first few hundred updates.",
        style=asset("report.css"),
        data=[
            json_block(page.figures, id="figures"),
            json_block({LIGHT[role]: DARK[role] for role in LIGHT}, id="palette"),
        ],
        scripts=[plotly_script(), asset("copy.js", "report.js")],
        images="data: blob:",
    )
    write_text(path, text)
    return path


def print_rates(found: dict[str, Any], page: Path, *, console: Console | None = None) -> None:
    """Prints the verdict and a bar for the loss of each rate, on a logarithmic scale."""
    console = output(console)
    console.print()
    say(console, plain(verdict(found), "bold"))
    console.print()
    losses = [item["loss"] for item in found["rates"] if item["loss"] is not None and item["loss"] > 0]
    full = "#" if console.options.ascii_only else "█"
    for item in found["rates"]:
        rate, loss = item["rate"], item["loss"]
        good = found["good"] is not None and found["good"][0] <= rate <= found["good"][1]
        mark = "< the study's" if rate == found["current"] else ""
        said = "diverges" if loss is None else short(loss)
        line = Text(f"  {rate:>9.3g}  {said:>9}  ")
        if loss is not None and loss > 0:
            span = math.log(max(losses) / min(losses)) or 1.0
            line.append(full * (1 + round((_BAR - 1) * math.log(loss / min(losses)) / span)), "blue" if good else "dim")
        console.print(line.append(f"  {mark}" if mark else ""))
    console.print()
    console.print(Text.assemble(("Page    ", "dim"), plain(page)), soft_wrap=True)
