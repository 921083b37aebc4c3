"""Tests of the dashboard in Chromium against a real TensorBoard process."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request

import numpy as np
import pytest

from aetfx.tensorboard_plugin import payload
from aetfx.tensorboard_plugin.writing import write_dashboard, write_standings
from aetfx.training.progress import Standing
from tests.tensorboard_plugin.runs import HOSTILE, make_evaluation
from tests.tensorboard_plugin.server import tensorboard
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
def test_every_view_draws_in_both_themes_without_a_complaint(desk, kind, view):
    for dark in (False, True):
        desk.go(kind, view=view, dark=dark)
        desk.wait(DRAWN[view])
        assert desk.view() == view
        assert desk.run("document.documentElement.scrollWidth <= innerWidth")
        assert not re.search(r"\[object|undefined|\bnull\b", desk.text())
        desk.shot(f"{view}_{kind}{'_dark' if dark else ''}")
        desk.assert_clean()


def test_the_first_screen_says_which_is_best_by_how_much_and_how_surely(browser, address, made):
    evaluation = made["table"].evaluation
    best = min(evaluation["configurations"], key=lambda item: item["score"])
    with Visit.fresh(browser, address, "table") as visit:
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
        visit.wait(DRAWN["leaderboard"])
        visit.assert_clean()


def test_sorting_filtering_and_picking_change_the_table_the_pair_and_the_address(desk, made):
    configurations = made["table"].evaluation["configurations"]
    desk.go("table")
    desk.wait(".pair .say")
    desk.run("document.querySelector('aside').dataset.same = 'yes'")
    filter_ = desk.frame.get_by_label("Filter configurations")
    filter_.fill("scaling=standard")
    desk.wait(".list .tools span:text('6 of 12')")
    assert "filter=scaling%3Dstandard" in desk.hash()
    assert desk.frame.locator(".board tbody tr").count() == 6
    filter_.fill("nothing of the kind")
    desk.wait("p:text('No configuration matches')")
    filter_.fill("")
    desk.frame.get_by_label("Sort by").select_option("bottleneck")
    desk.wait(".board tbody tr td.setting:text-is('2')")
    widths = [int(t) for t in desk.frame.locator(".board tbody td.setting:nth-child(3)").all_inner_texts()]
    assert widths == sorted(widths)
    third = configurations[3]["id"]
    desk.frame.locator(f"tr[data-id={third}] button.pick.p0").click()
    desk.wait(f"tr[data-id={third}].picked.p0")
    assert desk.frame.locator("tr.picked").count() == 2
    assert f"a={third}" in desk.hash()
    assert "sort=bottleneck" in desk.hash()
    assert "filter" not in desk.hash()
    desk.wait(f".versus:has-text('{configurations[3]['name'].replace(',', ', ')}')")
    assert desk.run("document.querySelector('aside').dataset.same") == "yes", "the view was not made anew"
    desk.assert_clean()


def test_the_keyboard_alone_moves_picks_and_opens_rows(desk, made):
    ranked = sorted(made["table"].evaluation["configurations"], key=lambda item: item["score"])
    desk.go("table")
    desk.frame.locator(".board tbody tr").first.focus()
    desk.page.keyboard.press("ArrowDown")
    desk.page.keyboard.press("ArrowDown")
    desk.page.keyboard.press("b")
    desk.wait(f"tr[data-id={ranked[2]['id']}].picked.p1")
    assert desk.run("document.activeElement.dataset.id") == ranked[2]["id"], "the focus stays"
    desk.page.keyboard.press("Enter")
    desk.wait("html[data-view=rows]")
    assert f"a={ranked[2]['id']}" in desk.hash()
    desk.run("document.activeElement.blur()")
    desk.page.keyboard.press("6")
    desk.wait("html[data-view=diagnosis]")
    desk.frame.locator("[role=tab][aria-selected=true]").focus()
    desk.page.keyboard.press("ArrowLeft")
    desk.page.keyboard.press("Enter")
    desk.wait("html[data-view=data]")
    desk.assert_clean()


def test_a_link_brings_back_view_picks_slice_and_page(browser, address, made):
    evaluation = made["table"].evaluation
    a, b = evaluation["configurations"][5]["id"], evaluation["configurations"][2]["id"]
    slice_name = evaluation["slices"][1]["name"]
    with Visit.fresh(browser, address, "table", view="rows", a=a, b=b, slice=slice_name, order="best") as visit:
        visit.wait(".row-head")
        assert visit.view() == "rows"
        chosen = visit.frame.locator(".lens select").evaluate_all("all => all.map((item) => item.value)")
        assert chosen[:2] == [a, b]
        assert slice_name in chosen
        heads = visit.frame.locator(".row-head").all_inner_texts()
        assert all(slice_name in head for head in heads)
        visit.frame.locator("[data-key=after]").click()
        visit.wait(".tools-line span:has-text('9 to 16')")
        before = visit.hash()
        visit.page.reload()
        visit.wait(".tools-line span:has-text('9 to 16')")
        assert visit.hash() == before
        visit.page.evaluate("location.hash = location.hash.replace('view=rows', 'view=errors')")
        visit.wait("html[data-view=errors]")
        visit.assert_clean()


def test_rows_are_the_worst_first_and_show_their_true_cells(desk, made):
    samples, evaluation = made["table"].samples, made["table"].evaluation
    best = min(range(12), key=lambda i: evaluation["configurations"][i]["score"])
    worst = np.argsort(-samples["error"][best])[0]
    desk.go("table", view="rows")
    desk.wait(".row-head")
    assert f"Row {samples['place'][worst]}" in desk.text(".row-head")
    spread = np.where((samples["why"] & 1)[:, None] > 0, samples["truth"], np.nan)
    miss = np.abs(samples[f"restored_{best}"][worst] - samples["truth"][worst]) / np.nanstd(spread, axis=0)
    named = desk.frame.locator(".cells tbody th").first.inner_text()
    assert named == evaluation["names"][int(np.argmax(miss))]


@pytest.mark.parametrize("run", ["sequence", "diagnosed"])
def test_a_click_on_a_point_shows_its_row(desk, run):
    desk.go(run, view="latent")
    desk.wait(".plot[data-drawn=yes] canvas")
    canvas = desk.frame.locator(".plot canvas").first
    box = canvas.bounding_box()
    tip = desk.frame.locator(".tip")
    middle = [(box["width"] * x / 20, box["height"] * y / 20) for y in range(6, 14) for x in range(4, 16)]
    for x, y in middle:  # until a point is near
        canvas.hover(position={"x": x, "y": y})
        if tip.count():
            break
    said = tip.inner_text()
    canvas.click(position={"x": x, "y": y})
    desk.wait("[data-row] .row-head")
    assert said.split(",")[0].lower() in desk.text("[data-row] .row-head").lower()
    desk.assert_clean()


def test_data_are_shown_before_and_after_preprocessing(desk):
    desk.go("diagnosed", view="data")
    desk.wait(".plot[data-drawn=yes]")
    titles = desk.frame.locator(".figure h2").all_inner_texts()
    assert titles == ["Raw, as your model got them", "As the repaired model gets them"]


def test_rows_that_are_not_finite_are_said_and_drawn(desk):
    desk.go("nan")
    assert "10 rows not finite" in desk.text(".board")
    desk.go("nan", view="rows", a="c0000002")
    desk.wait(".row-head")
    assert "NaN or infinity" in desk.text("h1")
    assert "not finite" in desk.text(".row-head")
    desk.assert_clean()


@pytest.mark.parametrize("view", DRAWN)
def test_nothing_from_a_run_becomes_an_element(desk, view):
    desk.go(HOSTILE, view=view)
    desk.wait(DRAWN[view])
    assert desk.run("document.querySelectorAll('img, main script').length") == 0
    assert desk.run("window.hacked") is None
    if view == "leaderboard":
        assert HOSTILE in desk.text("h1")
        desk.shot("leaderboard_hostile")
    desk.assert_clean()


def test_the_theme_follows_tensorboard_while_it_is_open(desk):
    desk.go("table", view="errors")
    desk.wait(".plot[data-drawn=yes]")
    line = "document.querySelector('.plot .lines path').style.stroke"
    light = desk.run("getComputedStyle(document.body).backgroundColor"), desk.run(line)
    desk.page.evaluate("document.body.classList.add('dark-mode')")
    desk.wait("html[data-theme=dark]")
    assert desk.run("getComputedStyle(document.body).backgroundColor") != light[0]
    desk.page.wait_for_function(f"([line]) => frames[0].{line} !== line", arg=[light[1]])


def test_an_empty_log_directory_says_what_to_do_and_shows_the_first_run(browser, made, tmp_path):
    """With the slow loader and behind a prefix, so that both are tried too."""
    (tmp_path / "logs").mkdir()
    options = ("--load_fast=false", "--path_prefix=/tb/x")
    with tensorboard(tmp_path / "logs", tmp_path / "tensorboard", *options) as url, Visit.fresh(browser, url) as visit:
        assert url.endswith("/tb/x/")
        assert "No aetfx run" in visit.text("h1")
        assert "aetfx compare" in visit.text()
        visit.shot("empty")
        shutil.copytree(made["picture"].directory, tmp_path / "logs" / "picture")
        visit.wait("h1:has-text('reconstructs best')")
        visit.frame.locator("[data-tab=rows]").click()
        visit.wait(DRAWN["rows"])
        assert visit.run("window.violations") == []
        # TensorBoard 2.16 asks for its own fonts without the prefix.
        assert [line for line in visit.said if line[:3].isdigit() and "/font-roboto/" not in line] == []


def test_a_run_that_comes_changes_and_goes_while_tensorboard_is_open(desk, address, logs):
    run = logs / "late"
    write_standings(run, "late", [Standing("baseline", 1.0, 0.5, "trained"), Standing("wider", 0.4, None, "")])
    _wait(address, lambda runs: any(item["run"].startswith("late/") for item in runs))
    desk.go("late")
    assert "baseline leads with 0.50" in desk.text("h1")
    desk.shot("sweep")
    write_standings(run, "late", [Standing("baseline", 1.0, 0.5, "trained"), Standing("wider", 0.6, 0.4, "")])
    desk.wait("h1:has-text('wider leads with 0.40')")  # a sweep is followed without a click
    before = next(item["step"] for item in _runs(address) if item["run"].startswith("late/"))
    make_evaluation(run, "table")
    write_dashboard(run)
    _wait(address, lambda runs: any(r["run"].startswith("late/") and r["step"] != before for r in runs))
    desk.page.locator(".reload-button").click()  # TensorBoard's own
    desk.wait("h1:has-text('reconstructs best')")
    shutil.rmtree(run)
    _wait(address, lambda runs: not any(item["run"].startswith("late/") for item in runs))
    desk.frame.locator("[data-tab=rows]").click()
    desk.wait(".note:has-text('This run is not there any more')")
    desk.frame.get_by_role("button", name="Refresh").click()
    desk.wait(".warn:has-text('is not here')")
    assert [line for line in desk.said if "error" in line and "404" not in line] == []


def test_an_event_file_that_ends_early_shows_what_is_there(desk, address, logs):
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
    desk.go("cut")
    assert "reconstructs best" in desk.text("h1")
    desk.go("cut", view="rows")
    assert desk.text("h1") == "Not there"
    assert "their file ends early" in desk.text()
    desk.shot("cut")


def test_a_run_of_another_version_says_so_and_leaves_the_others_to_choose(desk, address, logs, made, monkeypatch):
    run = logs / "newer"
    shutil.copytree(made["nan"].directory, run, ignore=shutil.ignore_patterns("tensorboard"))
    monkeypatch.setattr(payload, "FORMAT", payload.FORMAT + 1)
    write_dashboard(run)
    _wait(address, lambda runs: any(item["run"].startswith("newer/") for item in runs))
    desk.go("newer")
    assert "written by another version" in desk.text()
    desk.frame.get_by_label("Run").select_option("nan/tensorboard/aetfx")
    desk.wait("h1:has-text('reconstructs best')")


def test_tensorboard_that_goes_away_is_said(browser, address):
    with Visit.fresh(browser, address, "table") as visit:
        visit.page.route("**/data/plugin/aetfx/start*", lambda route: route.abort())
        visit.frame.get_by_role("button", name="Refresh").click()
        visit.wait("h1:text('No answer')")
        visit.frame.locator("[data-tab=leaderboard]").click()
        visit.wait("h1:text('No answer')")
        visit.page.unroute("**/data/plugin/aetfx/start*")
        visit.wait("h1:has-text('reconstructs best')")  # without a click


def _runs(address: str) -> list[dict]:
    with urllib.request.urlopen(f"{address}data/plugin/aetfx/start") as answer:
        return json.load(answer)["runs"]


def _wait(address: str, there) -> None:
    end = time.monotonic() + 60
    while not there(_runs(address)):
        assert time.monotonic() < end, _runs(address)
        time.sleep(0.2)


def test_tensorboards_own_tabs_are_fed(desk, address):
    desk.go("picture")
    desk.page.evaluate("location.hash = '#images'")
    desk.page.locator("text=worst rows").first.wait_for(timeout=30_000)
    with urllib.request.urlopen(f"{address}data/plugin/projector/runs") as answer:
        runs = json.load(answer)
    assert any(re.match("picture/", run) for run in runs)


def test_a_visit_notices_what_it_should(desk):
    desk.go("table")
    desk.run("document.head.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    desk.page.wait_for_timeout(300)
    assert desk.run("window.violations") != []
    with pytest.raises(AssertionError):
        desk.assert_clean()
