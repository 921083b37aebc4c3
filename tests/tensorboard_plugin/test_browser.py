"""Tests of the dashboard in Chromium against a real TensorBoard process."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request

import numpy as np
import pytest

from aetfx.tensorboard_plugin.writing import write_dashboard, write_standings
from aetfx.training.progress import Standing
from tests.tensorboard_plugin.runs import HOSTILE, make_evaluation
from tests.tensorboard_plugin.server import tensorboard, wait_for_runs
from tests.tensorboard_plugin.visit import Visit

DRAWN = {
    "leaderboard": ".pair .say",
    "errors": "html[data-heat=drawn] .plot[data-drawn=yes]",
    "rows": "main .card canvas, main .card svg.line-plot",
    "latent": ".plot[data-drawn=yes]",
    "data": ".histogram svg path",
    "diagnosis": ".plot[data-drawn=yes]",
}
KINDS = ("picture", "sequence", "wide", "nan")
CASES = [
    *(("table", view) for view in DRAWN),
    *((kind, view) for kind in KINDS for view in ("leaderboard", "errors", "rows", "latent")),
]


@pytest.mark.parametrize(("kind", "view"), CASES)
def test_every_view_draws_in_both_themes_without_a_complaint(browser, address, kind, view):
    for dark in (False, True) if kind == "table" else (False,):
        with Visit(browser, address, kind, view=view, dark=dark) as visit:
            visit.wait(DRAWN[view])
            assert visit.view() == view
            assert visit.run("document.documentElement.scrollWidth <= innerWidth")
            visit.shot(f"{view}_{kind}{'_dark' if dark else ''}")
            visit.assert_clean()


def test_the_first_screen_says_which_is_best_by_how_much_and_how_surely(browser, address, made):
    evaluation = made["table"].evaluation
    best = min(evaluation["configurations"], key=lambda item: item["score"])
    with Visit(browser, address, "table") as visit:
        facts = visit.frame.locator(".facts")
        box = facts.bounding_box()
        assert box["y"] + box["height"] <= 800
        assert best["name"].replace(",", ", ") in visit.text("h1")
        assert f"{100 * best['score']:.1f} %" in visit.text("h1")
        pair = next(
            p for p in evaluation["paired"] if (p["a"], p["b"]) == (evaluation["configurations"][0]["id"], best["id"])
        )
        assert f"{100 * pair['gain']:.0f} % less error" in visit.text(".facts")
        first = visit.frame.locator(".board tbody tr").first
        assert first.get_attribute("data-id") == best["id"]
        scores = [float(text.split()[0]) for text in visit.frame.locator(".board td.score").all_inner_texts()]
        assert scores == sorted(scores)
        assert len(scores) == len(evaluation["configurations"])


def test_sorting_filtering_and_picking_change_the_table_the_pair_and_the_address(browser, address, made):
    configurations = made["table"].evaluation["configurations"]
    with Visit(browser, address, "table") as visit:
        visit.frame.get_by_label("Filter configurations").fill("scaling=standard")
        visit.wait(".list .tools span:text('6 of 12')")
        assert visit.frame.locator(".board tbody tr").count() == 6
        visit.frame.get_by_label("Filter configurations").fill("")
        visit.frame.get_by_label("Sort by").select_option("bottleneck")
        visit.wait(".board tbody tr td.setting:text-is('2')")
        widths = [int(t) for t in visit.frame.locator(".board tbody td.setting:nth-child(3)").all_inner_texts()]
        assert widths == sorted(widths)
        third = configurations[3]["id"]
        visit.frame.locator(f"tr[data-id={third}] button.pick.p0").click()
        visit.wait(f"tr[data-id={third}].picked.p0")
        assert f"a={third}" in visit.hash()
        assert "sort=bottleneck" in visit.hash()
        visit.wait(f".versus:has-text('{configurations[3]['name'].replace(',', ', ')}')")
        visit.assert_clean()


def test_the_keyboard_alone_moves_picks_and_opens_rows(browser, address, made):
    ranked = sorted(made["table"].evaluation["configurations"], key=lambda item: item["score"])
    with Visit(browser, address, "table") as visit:
        visit.frame.locator(".board tbody tr").first.focus()
        visit.page.keyboard.press("ArrowDown")
        visit.page.keyboard.press("ArrowDown")
        visit.page.keyboard.press("b")
        visit.wait(f"tr[data-id={ranked[2]['id']}].picked.p1")
        assert visit.run("document.activeElement.dataset.id") == ranked[2]["id"], "the focus stays"
        visit.page.keyboard.press("Enter")
        visit.wait("html[data-view=rows]")
        assert f"a={ranked[2]['id']}" in visit.hash()
        visit.run("document.activeElement.blur()")
        visit.page.keyboard.press("6")
        visit.wait("html[data-view=diagnosis]")
        visit.frame.locator("[role=tab][aria-selected=true]").focus()
        visit.page.keyboard.press("ArrowLeft")
        visit.page.keyboard.press("Enter")
        visit.wait("html[data-view=data]")
        visit.assert_clean()


def test_a_link_brings_back_view_picks_and_slice(browser, address, made):
    evaluation = made["table"].evaluation
    a, b = evaluation["configurations"][5]["id"], evaluation["configurations"][2]["id"]
    slice_name = evaluation["slices"][1]["name"]
    with Visit(browser, address, "table", view="rows", a=a, b=b, slice=slice_name, order="best") as visit:
        visit.wait(".row-head")
        assert visit.view() == "rows"
        chosen = visit.frame.locator(".lens select").evaluate_all("all => all.map((item) => item.value)")
        assert chosen[:2] == [a, b]
        assert slice_name in chosen
        heads = visit.frame.locator(".row-head").all_inner_texts()
        assert all(slice_name in head for head in heads)
        before = visit.hash()
        visit.page.reload()
        visit.wait(".row-head")
        assert visit.hash() == before
        visit.page.evaluate("location.hash = location.hash.replace('view=rows', 'view=errors')")
        visit.wait("html[data-view=errors]")
        visit.assert_clean()


def test_rows_are_the_worst_first_and_show_their_true_cells(browser, address, made):
    samples, evaluation = made["table"].samples, made["table"].evaluation
    best = min(range(12), key=lambda i: evaluation["configurations"][i]["score"])
    worst = np.argsort(-samples["error"][best])[0]
    with Visit(browser, address, "table", view="rows") as visit:
        visit.wait(".row-head")
        assert f"Row {samples['place'][worst]}" in visit.text(".row-head")
        spread = np.where((samples["why"] & 1)[:, None] > 0, samples["truth"], np.nan)
        miss = np.abs(samples[f"restored_{best}"][worst] - samples["truth"][worst]) / np.nanstd(spread, axis=0)
        named = visit.frame.locator(".cells tbody th").first.inner_text()
        assert named == evaluation["names"][int(np.argmax(miss))]


def test_a_click_on_a_point_shows_its_row(browser, address):
    with Visit(browser, address, "sequence", view="latent") as visit:
        visit.wait(".plot[data-drawn=yes] .points path")
        visit.frame.locator(".points path").nth(3).click(force=True)
        visit.wait("[data-row] .row-head")
        visit.assert_clean()


def test_rows_that_are_not_finite_are_said_and_drawn(browser, address):
    with Visit(browser, address, "nan") as visit:
        assert "10 rows not finite" in visit.text(".board")
    with Visit(browser, address, "nan", view="rows", a="c0000002") as visit:
        visit.wait(".row-head")
        assert "NaN or infinity" in visit.text("h1")
        assert "not finite" in visit.text(".row-head")
        visit.assert_clean()


@pytest.mark.parametrize("view", DRAWN)
def test_nothing_from_a_run_becomes_an_element(browser, address, view):
    with Visit(browser, address, HOSTILE, view=view) as visit:
        visit.wait("main h1")
        visit.page.wait_for_timeout(700)
        assert visit.run("document.querySelectorAll('img, main script').length") == 0
        assert visit.run("window.hacked") is None
        if view == "leaderboard":
            assert HOSTILE in visit.text("h1")
            visit.shot("leaderboard_hostile")
        visit.assert_clean()


def test_the_theme_follows_tensorboard_while_it_is_open(browser, address):
    with Visit(browser, address, "table", view="errors") as visit:
        visit.wait(".plot[data-drawn=yes]")
        line = "document.querySelector('.plot .lines path').style.stroke"
        colours = f"[getComputedStyle(document.body).backgroundColor, {line}]"
        light = visit.run(colours)
        visit.page.evaluate("document.body.classList.add('dark-mode')")
        visit.wait("html[data-theme=dark]")
        visit.page.wait_for_timeout(500)
        dark = visit.run(colours)
        assert dark[0] != light[0]
        assert dark[1] != light[1]


def test_an_empty_log_directory_says_what_to_do(browser, tmp_path):
    (tmp_path / "logs").mkdir()
    with (
        tensorboard(tmp_path / "logs", tmp_path / "tensorboard") as url,
        Visit(browser, url) as visit,
    ):
        assert "No aetfx run" in visit.text("h1")
        assert "aetfx compare" in visit.text()
        visit.shot("empty")
        visit.assert_clean()


def test_a_run_that_comes_changes_and_goes_while_tensorboard_is_open(browser, address, logs):
    run = logs / "late"
    write_standings(run, "late", [Standing("baseline", 1.0, 0.5, "trained"), Standing("wider", 0.4, None, "")])
    _wait(address, lambda runs: any(item["run"].startswith("late/") for item in runs))
    with Visit(browser, address, "late") as visit:
        assert "baseline leads with 0.50" in visit.text("h1")
        visit.shot("sweep")
        before = next(item["step"] for item in _runs(address) if item["run"].startswith("late/"))
        make_evaluation(run, "table")
        write_dashboard(run)
        _wait(address, lambda runs: any(r["run"].startswith("late/") and r["step"] != before for r in runs))
        visit.page.locator(".reload-button").click()  # TensorBoard's own
        visit.wait("h1:has-text('reconstructs best')")
        shutil.rmtree(run)
        _wait(address, lambda runs: not any(item["run"].startswith("late/") for item in runs))
        visit.frame.get_by_role("button", name="Refresh").click()
        visit.wait(".warn:has-text('is not here')")
        assert [line for line in visit.said if "error" in line] == []


def test_an_event_file_that_ends_early_shows_what_is_there(browser, address, logs):
    run = logs / "cut"
    make_evaluation(run, "picture")
    write_dashboard(run)
    (file,) = (run / "tensorboard" / "aetfx").glob("events.out.tfevents.*")
    whole = file.read_bytes()
    shutil.rmtree(run / "tensorboard")
    file.parent.mkdir(parents=True)
    at = whole.index(b"aetfx/truth")
    file.write_bytes(whole[: at + 50])
    _wait(address, lambda runs: any(item["run"].startswith("cut/") for item in runs))
    with Visit(browser, address, "cut") as visit:
        assert "reconstructs best" in visit.text("h1")
    with Visit(browser, address, "cut", view="rows") as visit:
        assert "Not there yet" in visit.text("h1")
        visit.shot("cut")


def _runs(address: str) -> list[dict]:
    with urllib.request.urlopen(f"{address}data/plugin/aetfx/start") as answer:
        return json.load(answer)["runs"]


def _wait(address: str, there) -> None:
    end = time.monotonic() + 60
    while not there(_runs(address)):
        assert time.monotonic() < end, _runs(address)
        time.sleep(0.5)


def test_tensorboards_own_tabs_are_fed(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{address}#images")
    page.locator("text=worst rows").first.wait_for(timeout=30_000)
    with urllib.request.urlopen(f"{address}data/plugin/projector/runs") as answer:
        runs = json.load(answer)
    assert any(re.match("picture/", run) for run in runs)
    context.close()


def test_it_works_behind_a_prefix_and_with_the_slow_loader(browser, logs, tmp_path):
    options = ("--load_fast=false", "--path_prefix=/tb/x")
    with tensorboard(logs, tmp_path, *options) as url:
        assert url.endswith("/tb/x/")
        wait_for_runs(url, 6)
        with Visit(browser, url, "picture", view="rows") as visit:
            visit.wait(DRAWN["rows"])
            assert visit.run("window.violations") == []
            # TensorBoard 2.16 asks for its own fonts without the prefix.
            assert [line for line in visit.said if line[:3].isdigit() and "/font-roboto/" not in line] == []


def test_a_visit_notices_what_it_should(browser, address):
    with Visit(browser, address, "table") as visit:
        visit.run("document.head.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
        visit.page.wait_for_timeout(300)
        assert visit.run("window.violations") != []
        with pytest.raises(AssertionError):
            visit.assert_clean()
