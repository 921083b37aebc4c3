"""aetfx.comparison.learning_rates and aetfx.report.learning_rates: `find-lr`, from a study to a page."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console

from aetfx.comparison import learning_rates
from aetfx.comparison.learning_rates import find_learning_rates, judged
from aetfx.figures.learning_rates import learning_rates as figure
from aetfx.report.learning_rates import print_rates, verdict, write_page
from aetfx.run import read_json
from aetfx.study import parse_study

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(200, 5))).astype("float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished test of a rate that is far too low: its folder, what was found, and the study."""
    folder = tmp_path_factory.mktemp("rates")
    np.save(folder / "rows.npy", ROWS)
    study = parse_study(
        {
            "name": "<b>rates",
            "data": {"train": str(folder / "rows.npy")},
            "model": {"hidden": [8], "bottleneck": 2},
            "training": {"learning_rate": 3e-6, "optimizer": "sgd"},
        }
    )
    return folder / "run", find_learning_rates(study, folder / "run"), study


def test_a_rate_that_is_too_low_is_seen_and_better_ones_are_named(run):
    folder, found, _ = run
    assert read_json(folder / "learning_rates.json") == found
    assert found["current"] == 3e-6
    assert len(found["rates"]) == 23
    losses = {item["rate"]: item["loss"] for item in found["rates"]}
    assert losses[10.0] is None, "it diverges"
    assert losses[3e-6] > 10 * losses[found["best"]]
    assert found["good"][0] <= found["best"] <= found["good"][1]
    assert verdict(found).startswith("3e-06 is too low for so many updates: ")


def test_a_finished_test_is_shown_again(run, monkeypatch):
    folder, found, study = run
    monkeypatch.setattr(learning_rates, "range_test", None)
    assert find_learning_rates(study, folder) == found


def test_the_page_stands_alone_and_names_are_text(run):
    folder, found, _ = run
    text = write_page(found, folder).read_text()
    assert verdict(found) in text
    assert "<b>rates" not in text
    assert "&lt;b&gt;rates" in text
    assert "http://" not in text.split("</head>")[0]


def test_the_terminal_has_a_bar_for_each_rate_and_marks_the_studys(run):
    folder, found, _ = run
    stream = io.StringIO()
    print_rates(found, folder / "learning_rates.html", console=Console(file=stream, width=80))
    lines = stream.getvalue().splitlines()
    [mine] = [line for line in lines if "< the study's" in line]
    assert mine.split()[0] == "3e-06"
    assert sum("diverges" in line for line in lines) == sum(item["loss"] is None for item in found["rates"])


def test_where_every_rate_diverges_there_is_no_figure_but_an_answer(tmp_path):
    found = {
        "study_name": "s", "optimizer": "sgd", "loss_name": "mse", "current": 0.1,
        "rates": [{"rate": 0.1, "loss": None}, {"rate": 1.0, "loss": None}], **judged({0.1: math.inf, 1.0: math.inf}),
    }  # fmt: skip
    assert figure(found) is None
    assert "Every rate diverged" in write_page(found, tmp_path).read_text()
    print_rates(found, tmp_path / "x.html", console=Console(file=io.StringIO()))
