"""Tests of aetfx.evaluation.record and .blessing: intervals by simulation, what is told, and what is refused."""

import numpy as np
import pytest

from aetfx.data.split import row_hash
from aetfx.evaluation.blessing import bless
from aetfx.evaluation.record import Configuration, Figures, make_record, make_table
from aetfx.evaluation.score import Scorer
from aetfx.evaluation.slices import make_slicer
from aetfx.evaluation.tally import Plan, Tally
from aetfx.study import Thresholds
from benchmarks.evaluation import coverage

NAMES = tuple("abcde")


def problem(seed, n):
    """Rows, and two reconstructions whose errors hang together."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 5))
    shared = rng.normal(size=truth.shape) * rng.gamma(1.0, size=(n, 1))
    return truth, truth + 0.6 * shared + 0.1 * rng.normal(size=truth.shape), truth + 0.5 * shared


SCORER = Scorer.fit(problem(10**6, 20_000)[0], names=NAMES)


def figures_of(truth, given_back, configurations, slices=()):
    owners = [i for i, c in enumerate(configurations) for _ in c.predictors]
    plan = Plan(SCORER, tuple(owners), make_slicer(slices, NAMES, truth), extremes=2, sample=8, n_draws=100)
    keys = row_hash(truth, 0, purpose=b"bootstrap")
    return Figures(Tally(plan).add(truth, [[one] for one in given_back], keys=keys), tuple(configurations))


A, B = Configuration("id-a", "a", predictors=(0,)), Configuration("id-b", "b", predictors=(1,))


def test_intervals_cover_the_truth():
    """1,000 evaluations of 500 rows; of recipes with three seeds, and of single models."""
    for name, share in coverage(1000).items():
        assert 0.93 <= share <= 0.97, name


def test_a_gain_is_surer_than_the_scores():
    """Both scores are off by the same rows."""
    truth, a, b = problem(0, 250)
    figures = figures_of(truth, [a, b], [A, B])
    (pair,) = figures.paired()
    (low_a, high_a), (low_b, high_b) = figures.interval(A), figures.interval(B)
    assert pair["high"] - pair["low"] < 0.5 * ((1 - low_b / high_a) - (1 - high_b / low_a))


def test_spread_between_seeds_widens_intervals():
    truth, a, b = problem(0, 400)
    seeds = [a, truth + 1.5 * (a - truth), truth + 0.6 * (a - truth)]
    alone = figures_of(truth, [a, b], [A, B])
    several = figures_of(truth, [*seeds, b, b], [
        Configuration("id-a", "a", seeds=(0, 1, 2), predictors=(0, 1, 2)),
        Configuration("id-b", "b", seeds=(0, 1), predictors=(3, 4)),
    ])  # fmt: skip

    def width(figures):
        low, high = figures.interval(figures.configurations[0])
        return np.log(high / low)

    assert width(several) > 2 * width(alone)
    scores = several.scores(several.configurations[0])
    assert scores == pytest.approx([alone.scores(A)[0] * k for k in (1, 2.25, 0.36)], rel=1e-9)
    record = make_record(several, study_name="x", n_train=10, n_quarantined=0)
    assert record["configurations"][0]["score"] == pytest.approx(scores.mean())
    assert record["configurations"][0]["seeds"] == 3
    # The gain is that of the geometric means, as everywhere.
    (pair,) = record["paired"]
    assert pair["gain"] == pytest.approx(
        1 - several.scores(several.configurations[1])[0] / np.exp(np.log(scores).mean())
    )


def test_record_and_table_tell_the_same():
    truth, a, b = problem(0, 300)
    a[5] = np.nan
    failed = Configuration("id-c", "c", failed="it does not load")
    figures = figures_of(truth, [a, b], [A, B, failed], ["a@2"])
    record = make_record(
        figures, study_name="x", n_train=None, n_quarantined=2, references=[("mean", 1.0), ("itself", 1)]
    )
    assert [c["failed"] for c in record["configurations"]] == [None, None, "it does not load"]
    assert [c["n_not_finite"] for c in record["configurations"]] == [1, 0, 0]
    assert record["configurations"][2]["score"] is None
    assert record["references"][1]["score"] == record["configurations"][1]["score"]
    assert record["rows"] == {"scored": 300, "train": None, "without_a_scored_cell": 0, "outside_fences": 0,
                              "quarantined": 2}  # fmt: skip
    assert [part["n_rows"] for part in record["slices"]] == [300, 150, 150]  # no row lacks a value: no slice for those
    table = make_table(figures, "eval").to_pylist()
    whole = [
        row for row in table if (row["slice"], row["metric"], row["feature"], row["seed"]) == ("all", "fvu", None, -1)
    ]
    assert [row["value"] for row in whole] == [c["score"] for c in record["configurations"][:2]]
    assert [row["low"] for row in whole] == [c["low"] for c in record["configurations"][:2]]
    mine = {row["feature"]: row["value"] for row in table if row["configuration"] == "id-b" and row["slice"] == "all"
            and row["metric"] == "mse" and row["feature"]}  # fmt: skip
    assert mine == pytest.approx(dict(zip(NAMES, ((b - truth) ** 2).mean(axis=0), strict=True)), rel=1e-6)
    sliced = {row["slice"] for row in table}
    assert sliced == {part["name"] for part in record["slices"]}


@pytest.mark.parametrize(
    ("asked", "reasons"),
    [
        ({}, []),
        ({"score": 0.9}, []),
        ({"score": 0.01}, ["above 0.01"]),
        ({"slices": {"a > 0": 0.9}}, []),
        ({"score": 0.01, "slices": {"a > 0": 0.02}}, ["above 0.01", "slice 'a > 0'"]),
        ({"slices": {"a > 1000": 0.9}}, ["no row"]),
        ({"against": "a.keras"}, []),  # b is better than a
        ({"against": "a.keras", "at_most": 0.1}, ["at most 0.1 times"]),
    ],
)
def test_blessing(asked, reasons):
    truth, a, b = problem(0, 300)
    figures = figures_of(truth, [a, b], [A, B], ["a > 0", "a > 1000"])
    thresholds = Thresholds(**asked)
    found = bless(figures, thresholds, A if thresholds.against else None)
    assert found["name"] == "b"
    assert found["blessed"] == (not reasons)
    assert len(found["reasons"]) == len(reasons)
    for said, expected in zip(found["reasons"], reasons, strict=True):
        assert expected in said


def test_a_model_that_cannot_be_evaluated_is_not_blessed():
    truth, a, _ = problem(0, 100)
    figures = figures_of(truth, [a], [A, Configuration("id-b", "b", failed="too narrow")])
    found = bless(figures, Thresholds(at_most=2.0, against="a.keras"), A)
    assert not found["blessed"]
    assert "too narrow" in found["reasons"][0]
