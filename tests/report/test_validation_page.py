"""Tests of `aetfx.report.validation_page`: what `validate` found, as Chromium shows it from a file, offline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from aetfx.errors import RunError
from aetfx.report.validation import print_validation, refusal
from aetfx.report.validation_page import write_page
from aetfx.study import load_study
from aetfx.validation.api import Validation, validate
from aetfx.validation.checks import run_checks
from aetfx.validation.pipeline import RowCounts
from aetfx.validation.statistics import summarize
from tests.report.test_html import Visit

HOSTILE = "<script>alert(1)</script>"


def save(found: Validation, directory: Path, *, broken: bool = False) -> Path:
    """Saves a validation with a given schema and anomalies, because inferring them takes TFDV's import of 15 s."""
    anomalies = anomalies_pb2.Anomalies()
    if broken:
        anomalies.anomaly_info["worst area"].severity = anomalies_pb2.AnomalyInfo.ERROR
        anomalies.anomaly_info["worst area"].short_description = "Out-of-range values"
        anomalies.anomaly_info["worst area"].description = "Unexpectedly high value: 4254."
        anomalies.anomaly_info["worst area"].path.step.append("worst area")
    found.__dict__["schema"] = schema_pb2.Schema()
    found.__dict__["anomalies"] = {"eval": anomalies} if broken else {}
    return found.save(directory)


def table(path: Path, rows: np.ndarray, names: list[str]) -> str:
    lines = [",".join(names), *(",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def cancer(tmp_path_factory):
    """Breast cancer with missing cells, a sentinel, an outlier, a constant column and one row that is no row."""
    from sklearn.datasets import load_breast_cancer

    folder = tmp_path_factory.mktemp("cancer")
    data = load_breast_cancer()
    rows = np.column_stack([data.data, np.full(len(data.data), 3.0)])
    rows[::9, 0] = np.nan
    rows[::30, 21] = -999.0
    rows[7, 12] = 9e5
    names = [HOSTILE, *map(str, data.feature_names[1:]), "device"]
    train = table(folder / "train.csv", rows[:420], names)
    with open(train, "a") as file:
        file.write("oops," * 30 + "oops\n")
    found = validate(train, table(folder / "eval.csv", rows[420:], names))
    run = save(found, folder / "run", broken=True)
    write_page(run)
    return run


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """5,000 columns, in memory; one has a missing cell, one is constant."""
    values = np.random.default_rng(0).normal(size=(60, 5000)).astype(np.float32)
    values[3, 77] = np.nan
    values[:, 4100] = 2.0
    statistics = {"train": summarize(values), "eval": summarize(values[:30] * 1.1)}
    rows = {"train": RowCounts(60, 60), "eval": RowCounts(30, 30)}
    run = save(Validation(run_checks(statistics), rows, statistics), tmp_path_factory.mktemp("wide") / "run")
    write_page(run)
    return run


def names(visit: Visit) -> list[str]:
    """The columns that the page shows at this moment, in their order."""
    return visit.page.eval_on_selector_all(".feature h3 span:last-child", "nodes => nodes.map(n => n.textContent)")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_opens_offline_without_a_complaint(browser, cancer, width, dark):
    with Visit(browser, cancer / "validation.html", width=width, dark=dark) as visit:
        assert visit.said == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:"))] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.count(".feature svg path.train") == 31
        assert visit.count(".feature svg path.eval") == 31
        luminance = visit.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (sum(luminance) < 3 * 60) == dark


def test_columns_with_findings_come_first_the_worst_of_all_at_the_top(browser, cancer):
    findings = json.loads((cancer / "findings.json").read_text())["findings"]
    with Visit(browser, cancer / "validation.html") as visit:
        shown = names(visit)
        assert shown[0] == findings[0]["evidence"]["largest"][0]["column"]
        flagged = visit.page.eval_on_selector_all(".feature", "cards => cards.map(c => !!c.querySelector('.dot'))")
        assert 10 < sum(flagged) < 31
        assert flagged == sorted(flagged, reverse=True)
        assert {HOSTILE, "worst texture", "area error", "device"} <= set(shown[: sum(flagged)])


def test_findings_say_what_is_wrong_with_which_figures_and_what_to_do(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        cards = visit.page.locator(".finding").all_inner_texts()
        findings = json.loads((cancer / "findings.json").read_text())["findings"]
        assert len(cards) == len(findings) >= 5
        for card, finding in zip(cards, findings, strict=True):
            assert finding["code"] in card
            assert finding["remedy"] in card
        missing = next(card for card in cards if "data.missing\n" in card)
        assert re.search(r"47\s+11\.2 %", missing)  # cells and share
        heads = visit.page.locator(".score").all_inner_texts()
        errors, warnings = (sum(f["severity"] == kind for f in findings) for kind in ("error", "warning"))
        assert heads[0].split() == [str(errors), "errors"]
        assert heads[1].split()[0] == str(warnings)


def test_rows_are_accounted_for_and_the_quarantined_one_is_shown(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        said = visit.page.locator(".rows").inner_text()
        assert re.search(r"train\s+421\s+420\s+1", said)
        assert re.search(r"eval\s+149\s+149\s+0", said)
        assert "Every row is accounted for." in said
        assert re.search(r"train\.csv:422: .*oops", said)


def test_what_breaks_the_schema_is_shown_and_its_column_flagged(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        assert "Unexpectedly high value: 4254." in visit.page.locator("#anomalies").inner_text()
        visit.page.fill("#search", "out-of-range")
        assert names(visit) == ["worst area"]


def test_each_remedy_is_a_study_that_loads(browser, cancer, tmp_path):
    with Visit(browser, cancer / "validation.html") as visit:
        blocks = visit.page.locator(".remedy code").all_text_contents()
    assert len(blocks) >= 5
    assert "preprocessing:\n  missing: mean" in blocks
    for block in blocks:
        study = tmp_path / "study.yaml"
        extra = "  train: a.csv\n" if block.startswith("data:") else "data: {train: a.csv}\n"
        study.write_text(block.replace("data:\n", "data:\n" + extra) if block.startswith("data:") else extra + block)
        loaded = load_study(study)
        if "features:" in block:
            assert len(loaded.data.features) == 30
            assert "device" not in loaded.data.features


def test_search_finds_columns_by_name_and_by_finding(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        visit.page.fill("#search", "SYMMETRY")
        assert set(names(visit)) == {"mean symmetry", "symmetry error", "worst symmetry"}
        visit.page.fill("#search", "data.constant")
        assert names(visit) == ["device"]
        visit.page.fill("#search", "no such column")
        assert names(visit) == []
        assert "No column matches." in visit.page.locator("#grid").inner_text()
        visit.page.fill("#search", "")
        visit.page.click("button[data-only=found]")
        assert 10 < len(names(visit)) < 31


def test_names_from_the_data_are_text(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        assert visit.count("body script") == 2  # the columns and validation.js
        assert visit.count("img") == 0
        visit.page.fill("#search", HOSTILE)
        assert names(visit) == [HOSTILE]
        assert HOSTILE in visit.page.locator("#findings").inner_text()


def test_pointing_at_a_bar_reads_it(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        visit.page.fill("#search", "device")
        visit.page.hover(".feature svg")
        assert re.search(r"train 100 %, eval 100 %", visit.page.locator(".read").inner_text())


def test_five_thousand_columns_stay_usable(browser, wide):
    page = wide / "validation.html"
    assert page.stat().st_size < 10e6
    with Visit(browser, page) as visit:
        assert visit.said == []
        assert names(visit)[:2] == ["77", "4100"]
        first = visit.count(".feature")
        assert 2 < first <= 240, "most are drawn when they are scrolled to"
        visit.page.evaluate("window.scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
        visit.page.wait_for_function(f"document.querySelectorAll('.feature').length > {first}")
        visit.page.fill("#search", "4321")
        assert names(visit) == ["4321"]


def test_a_folder_with_findings_alone_gives_a_page_without_histograms(browser, cancer, tmp_path):
    (tmp_path / "findings.json").write_bytes((cancer / "findings.json").read_bytes())
    with Visit(browser, write_page(tmp_path)) as visit:
        assert visit.said == []
        assert visit.count(".finding") >= 5
        assert visit.count("#grid") == 0


def test_clean_data_are_called_fit(browser, tmp_path):
    statistics = {"train": summarize(np.random.default_rng(1).normal(size=(200, 4)))}
    run = save(Validation(run_checks(statistics), {"train": RowCounts(200, 200)}, statistics), tmp_path)
    with Visit(browser, write_page(run)) as visit:
        assert "Nothing was found" in visit.page.locator("h1").inner_text()
        assert visit.count(".finding") == 0
        assert visit.count(".feature") == 4
    assert refusal(run) is None


def test_values_far_beyond_a_histogram_are_marked(browser, cancer):
    with Visit(browser, cancer / "validation.html") as visit:
        visit.page.fill("#search", "perimeter error")
        assert visit.page.locator(".feature .ends .far").inner_text() == "900,000 ▸"
        visit.page.fill("#search", "mean smoothness")
        assert visit.count(".feature .ends .far") == 0


def test_a_text_column_is_shown_by_its_most_frequent_values(browser, tmp_path):
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    feature = statistics.datasets.add(num_examples=9).features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    feature.path.step.append("colour")
    feature.string_stats.common_stats.num_missing = 3
    for label, count in (("<b>red</b>", 4), ("blue", 2)):
        feature.string_stats.rank_histogram.buckets.add(label=label, sample_count=count)
    path = tmp_path / "statistics" / "Split-train" / "FeatureStats.pb"
    path.parent.mkdir(parents=True)
    path.write_bytes(statistics.SerializeToString())
    rows = {"train": {"read": 9, "counted": 9, "quarantined": 0}}
    (tmp_path / "findings.json").write_text(json.dumps({"schema_version": 1, "rows": rows, "findings": []}))
    with Visit(browser, write_page(tmp_path)) as visit:
        assert visit.said == []
        assert visit.page.locator(".top li").all_inner_texts() == ["<b>red</b>\n4", "blue\n2"]
        assert "33.3\u00a0% missing" in visit.page.locator(".feature").inner_text()


def test_a_folder_that_is_no_run_and_a_damaged_file_are_named(cancer, tmp_path):
    with pytest.raises(RunError, match="no such file"):
        write_page(tmp_path)
    (tmp_path / "findings.json").write_bytes((cancer / "findings.json").read_bytes())
    damaged = tmp_path / "statistics" / "Split-train" / "FeatureStats.pb"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x0a\xff not a proto")
    with pytest.raises(RunError, match=r"FeatureStats\.pb: cannot be read"):
        write_page(tmp_path)
    assert not (tmp_path / "validation.html").exists()


def test_the_refusal_names_findings_and_anomalies(cancer):
    said = refusal(cancer)
    assert "data.missing" in said
    assert "data.constant_features" not in said  # a warning
    assert "1 schema anomaly ('worst area': out-of-range values)" in said


def test_the_terminal_says_where_to_look(cancer, capsys):
    print_validation(cancer)
    said = capsys.readouterr().out
    assert "worst area: Unexpectedly high value: 4254." in said
    assert f"{cancer}/validation.html" in said
    assert f"tensorboard --logdir {cancer}/tensorboard" in said


def test_repeated_and_shared_rows_are_told_in_the_page_and_in_the_terminal(browser, tmp_path, capsys):
    train = np.random.default_rng(2).normal(size=(400, 5))
    train[300:] = train[:100]
    np.save(tmp_path / "train.npy", train)
    np.save(tmp_path / "eval.npy", train[:80])
    run = save(validate(str(tmp_path / "train.npy"), str(tmp_path / "eval.npy")), tmp_path / "run")
    write_page(run)
    with Visit(browser, run / "validation.html") as visit:
        cards = visit.page.locator(".finding").all_text_contents()  # notes are folded
        assert re.search(r"Repeated rows\s*100", next(card for card in cards if "data.duplicates" in card))
        assert re.search(r"Shared rows\s*80", next(card for card in cards if "data.leak" in card))
    print_validation(run)
    assert "80 of 80 eval rows" in capsys.readouterr().out
