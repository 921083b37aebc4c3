"""Tests of `aetfx.report.html`: the report as Chromium shows it, from a file and without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetfx.errors import RunError
from aetfx.report.html import write_report
from tests.report.runs import make_run

KINDS = ("table", "image", "two_causes", "healthy", "limited", "inconclusive", "hostile", "bare")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    return {kind: write_report(make_run(folder / kind, kind)) for kind in KINDS}


class Visit:
    """A page opened offline, with everything that it said and asked for."""

    def __init__(self, browser, path: Path, *, width: int = 1280, height: int = 800, dark: bool = False):
        self.said: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", offline=True
        )
        self.context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn=all]", timeout=60_000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_draws_all_its_plots_offline_without_a_complaint(browser, reports, kind):
    with Visit(browser, reports[kind]) as visit:
        places = visit.count("[data-figure]")
        assert places >= (1 if kind == "bare" else 10)
        assert visit.count("[data-figure] .main-svg") >= places
        assert visit.said == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert visit.page.evaluate("window.hacked") is None
        assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_nothing_from_the_data_becomes_an_element(browser, reports):
    with Visit(browser, reports["hostile"]) as visit:
        assert visit.count("body script") == 4  # figures, palette, plotly.js, report.js
        assert visit.count("img") == 0
        assert visit.count("main a[href^='http'], main a[href^='javascript']") == 0
        assert "<script>window.hacked=1</script>" in visit.page.locator("h1").inner_text()


def test_the_first_screen_holds_the_verdict_the_score_the_code_and_the_ladder(browser, reports):
    with Visit(browser, reports["table"]) as visit:
        for selector in ("h1", ".score.was", ".score.is", ".change code", "[data-figure=ladder]"):
            box = visit.page.locator(selector).first.bounding_box()
            assert box["y"] + box["height"] <= 800, selector
        assert "Columns of unlike scales" in visit.page.locator("h1").inner_text()


@pytest.mark.parametrize("kind", ["two_causes", "image"])
def test_the_report_fits_a_phone(browser, reports, kind):
    with Visit(browser, reports[kind], width=390, height=844) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.said == []


def test_dark_readers_get_dark_plots(browser, reports):
    path = reports["table"]
    with Visit(browser, path, dark=True) as visit:
        fill = "document.querySelector('[data-figure=ladder] .bars path').style.fill"
        background = "getComputedStyle(document.body).backgroundColor"
        dark = visit.page.evaluate(fill), visit.page.evaluate(background)
        visit.page.emulate_media(color_scheme="light")
        visit.page.wait_for_timeout(400)
        light = visit.page.evaluate(fill), visit.page.evaluate(background)
        assert dark[0] != light[0]
        assert dark[1] != light[1]


def test_the_report_is_one_file_below_6_mb(reports):
    for kind, path in reports.items():
        assert path.stat().st_size < 6e6, kind
        assert path.parent.joinpath("report.html") == path


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(RunError, match="finished aetfx run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_sample_file_is_named(tmp_path):
    run = make_run(tmp_path / "run", "bare")
    (run / "samples.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(RunError, match=r"samples\.npz: cannot be read"):
        write_report(run)
    assert not (run / "report.html").exists()
