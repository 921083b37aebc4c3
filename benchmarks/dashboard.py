"""How fast the dashboard is in a real browser: the first view, each later interaction, and what is sent.

    python -m benchmarks.dashboard [--configurations 60] [--features 800] [--rows 1000] [--repeats 3] [--json FILE]

A run directory of made-up rows and principal components is written as the evaluator leaves it, then the event file
(timed), then a real TensorBoard serves it to headless Chromium at 1280 x 800. *First view* is the time from the click
on the tab until the leaderboard stands, in a fresh browser with an empty cache; every other line is the time from a
click until the new view says that it is drawn, without the figures of plotly.js, and `+ figures` until they stand as
well.
Exits 1 where the first view takes more than 2 s or an interaction more than 300 ms (medians).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FIRST_SECONDS = 2.0
LATER_SECONDS = 0.3
_READY = "html[data-view='{}']"


def visit(address: str, repeats: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Returns the seconds of each interaction, and the bytes of each answer of the last visit by its path."""
    from playwright.sync_api import sync_playwright

    times: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(repeats):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.on("response", lambda answer: _note(sizes, answer))
            page.goto(f"{address}#timeseries")
            page.locator("[data-plugin-id='aetfx']").wait_for(timeout=60_000)
            page.wait_for_timeout(1500)  # TensorBoard's own start is not ours
            frame = page.frame_locator("iframe[src*='name=aetfx']")

            def timed(name: str, act: Callable[[], Any], ready: str, *, page: Any = page, frame: Any = frame) -> None:
                started = time.perf_counter()
                act()
                frame.locator(ready).first.wait_for(state="attached", timeout=60_000)
                page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                times.setdefault(name, []).append(time.perf_counter() - started)

            timed("first view", page.locator("[data-plugin-id='aetfx']").click, _READY.format("leaderboard"))
            frame.locator("aside .plot[data-drawn=yes]").wait_for(timeout=60_000)  # plotly.js is there from here on
            fourth = frame.locator(".board tbody tr:nth-child(4)")
            other = fourth.get_attribute("data-id")
            timed("pick", fourth.locator("button.pick.p1").click, ".board tr:nth-child(4).picked.p1")
            timed("pick + figures", lambda: None, f"html[data-pair$='{other}'] aside .plot[data-drawn=yes]")
            times["pick + figures"][-1] += times["pick"][-1]
            sort, filter_ = frame.get_by_label("Sort by"), frame.get_by_label("Filter configurations")
            first = ".board tbody tr:first-child td:has-text('baseline')"
            timed("sort", lambda: sort.select_option("order"), first)  # noqa: B023
            timed("filter", lambda: filter_.fill("bottleneck=24"), ".tools span:has-text(' of ')")  # noqa: B023
            for view, figures in (
                ("errors", "[data-heat=drawn] .plot[data-drawn=yes]"),
                ("rows", ".strip canvas"),
                ("latent", ".plot[data-drawn=yes]"),
            ):
                tab = frame.locator(f"[data-tab={view}]")
                timed(view, tab.click, _READY.format(view))
                timed(f"{view} + figures", lambda: None, figures)
                times[f"{view} + figures"][-1] += times[view][-1]
            frame.locator("[data-tab=rows]").click()
            frame.locator(_READY.format("rows")).wait_for(state="attached")
            timed("more rows", frame.locator("[data-key=after]").click, ".tools-line span:has-text('9 to 16')")
            slices = frame.get_by_label("Slice")
            timed("another slice", lambda: slices.select_option(index=2), ".tools-line span:has-text('1 to 8')")  # noqa: B023
            context.close()
        browser.close()
    return times, sizes


def _note(sizes: dict[str, int], answer: Any) -> None:
    if "/data/plugin/aetfx/" in answer.url:
        path = answer.url.split("/data/plugin/aetfx/")[1].split("?")[0]
        sizes[path] = int(answer.headers.get("content-length", 0))


def main() -> int:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=60)
    parser.add_argument("--features", type=int, default=800)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    from aetfx.tensorboard_plugin.writing import write_dashboard
    from tests.tensorboard_plugin.runs import make_evaluation
    from tests.tensorboard_plugin.server import tensorboard, wait_for_runs

    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        run = Path(folder) / "logs" / "wide"
        make_evaluation(
            run,
            "wide",
            configurations=arguments.configurations,
            columns=arguments.features,
            kept=arguments.rows,
        )
        started = time.perf_counter()
        write_dashboard(run)
        written = time.perf_counter() - started
        size = sum(path.stat().st_size for path in (run / "tensorboard").rglob("*") if path.is_file())
        with tensorboard(run.parent, Path(folder)) as address:
            started = time.perf_counter()
            wait_for_runs(address, 1)
            read = time.perf_counter() - started
            times, sizes = visit(address, arguments.repeats)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"written in {written:.1f} s, {size / 1e6:.0f} MB; read by TensorBoard {read:.1f} s after its start\n")
    for name, median in medians.items():
        print(f"{name:<28} {1000 * median:7.0f} ms   ({', '.join(f'{1000 * v:.0f}' for v in times[name])})")
    print()
    for path, length in sorted(sizes.items(), key=lambda entry: -entry[1]):
        print(f"{path:<44} {length / 1000:9.1f} kB")
    if arguments.json:
        record = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            "asked": {key: value for key, value in vars(arguments).items() if key != "json"},
            "seconds": times,
            "bytes": sizes,
            "written_seconds": written,
        }
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    late = [n for n, v in medians.items() if v > (FIRST_SECONDS if n == "first view" else LATER_SECONDS)]
    if late:
        print(f"\ntoo slow: {', '.join(late)}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
