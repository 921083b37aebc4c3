"""What `aetfx evaluate` prints (aetfx.report.evaluation)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from aetfx.report.evaluation import print_evaluation, refusal


def configuration(name, score, **more):
    told = {"id": name, "name": name, "score": score, "low": score and 0.9 * score, "high": score and 1.1 * score}
    return {**told, "seeds": 1, "n_not_finite": 0, "failed": None, **more}


def record(**more):
    return {
        "configurations": [
            configuration("old", 0.4),
            configuration("[bold]new", 0.2, n_not_finite=3),
            configuration("worse", 0.5),
            configuration("narrow", None, failed="takes rows of shape (4,)"),
        ],
        "references": [{"name": "mean of the train rows", "score": 1.0}],
        "rows": {"scored": 1200, "without_a_scored_cell": 2, "outside_fences": 5, "quarantined": 1},
        "paired": [
            {"a": "old", "b": "[bold]new", "gain": 0.5, "low": 0.45, "high": 0.55},
            {"a": "old", "b": "worse", "gain": -0.25, "low": -0.6, "high": 0.1},
            {"a": "old", "b": "narrow", "gain": -1.0, "low": -1.2, "high": -0.8},
            {"a": "[bold]new", "b": "worse", "gain": -1.5, "low": -2.0, "high": -1.0},
        ],
        "slices": [{"name": "all", "n_rows": 1200}, {"name": "sex=1", "n_rows": 600}],
        "thresholds": None,
        "notes": [],
        **more,
    }


def said(record):
    console = Console(file=io.StringIO(), width=160, color_system=None)
    print_evaluation(record, Path("runs/x"), console=console)
    return " ".join(console.file.getvalue().split())


def test_what_is_printed():
    text = said(record())
    for line in (
        "takes rows of shape (4,)",
        "1,200 rows scored, 5 more hold gross outliers, 2 without a cell that can be scored, 1 more could not be read",
        "[bold]new: gave NaN or infinity for 3 rows; each counts with a score of 4",
        "[bold]new: 50 % less error than old (95 % between 45 % less and 55 % less)",
        "worse: 25 % more error than old (95 % between 60 % more and 10 % less)",
        "narrow: 100 % more error than old (95 % between 80 % more and 120 % more)",
        "slices: sex=1 (600); their scores are in evaluation.parquet",
    ):
        assert line in text
    assert "than [bold]new" not in text, "each is compared with the first"
    assert "Blessed" not in text


@pytest.mark.parametrize(("blessed", "line"), [(True, None), (False, "not blessed: its score is 0.4; so is that.")])
def test_a_refusal_is_one_line(blessed, line):
    judged = {"blessed": blessed, "reasons": [] if blessed else ["its score is 0.4", "so is that"]}
    found = record(thresholds=judged)
    assert refusal(found) == line
    assert ("Blessed: all thresholds are met." in said(found)) == blessed
    assert refusal(record()) is None
