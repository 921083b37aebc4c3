"""Tests of the sentences above the views: they say what the numbers say."""

from __future__ import annotations

import numpy as np

from aetfx.tensorboard_plugin import answers, views
from aetfx.tensorboard_plugin.store import Report


def report(scores, *, paired=(), diagnosis=None, slice_scores=None, **more):
    configurations = [
        {"id": f"c{i}", "name": f"n{i}", "score": score, "low": score and score * 0.9, "high": score and score * 1.1}
        for i, score in enumerate(scores)
    ]
    evaluation = {
        "metric": "fvu",
        "configurations": configurations,
        "paired": list(paired),
        "slices": [{"name": "all"}, {"name": "night"}],
    }
    content = {"evaluation": evaluation, "diagnosis": diagnosis, "slice_scores": slice_scores, **more}
    return Report("run", 1, content)


def facts(made, features=None):
    return {fact["title"]: fact for fact in answers.board(made, features)["facts"]}


def pair(a, b, gain, low, high):
    return {"a": a, "b": b, "gain": gain, "low": low, "high": high}


def test_the_best_is_named_with_its_gain_and_the_runner_up():
    made = report([0.4, 0.1, 0.2], paired=[pair("c0", "c1", 0.75, 0.7, 0.8), pair("c1", "c2", -1.0, -1.2, -0.8)])
    assert answers.board(made, None)["headline"] == "n1 reconstructs best: 10 % of the variance is lost."
    found = facts(made)
    assert found["Against the baseline"]["value"] == "75 % less error"
    assert found["Against the baseline"]["text"] == "95 % interval 70 % to 80 %"
    assert found["How surely"]["value"] == "ahead of all others"
    assert "50 % less error than n2" in found["How surely"]["text"]


def test_a_tie_is_said():
    made = report([0.4, 0.10, 0.11], paired=[pair("c2", "c1", 0.09, -0.02, 0.2), pair("c0", "c1", 0.7, 0.6, 0.8)])
    assert facts(made)["How surely"] == {"title": "How surely", "value": "not told apart from another", "text": "n2"}


def test_pairs_that_were_not_measured_are_told_apart_by_their_intervals_only():
    measured = [pair("c0", "c1", 0.75, 0.7, 0.8)]
    assert facts(report([0.4, 0.1, 0.11], paired=measured))["How surely"]["text"] == "n2"
    assert facts(report([0.4, 0.1, 0.2], paired=measured))["How surely"]["value"] == "ahead of all others"


def test_a_slice_that_is_clearly_worse_is_where_it_fails():
    slices = [[[0.4, 0.4], [0.1, 0.3]], [[None, None], [None, None]], [[None] * 2] * 2]
    made = report([0.4, 0.1], slice_scores=slices, features={"names": ["age", "height"]})
    fails = facts(made, np.array([[0.1, 0.1], [0.05, 0.2]]))["Where it still fails"]
    assert fails["value"] == "slice night"
    assert "0.30 there" in fails["text"]
    assert "height" in fails["text"]
    made.content["slice_scores"][1][1][1] = 0.08  # its interval reaches the score on all rows
    assert facts(made, np.array([[0.1, 0.1], [0.05, 0.2]]))["Where it still fails"]["value"] == "height"


def test_rows_that_are_not_finite_come_before_slices():
    made = report([0.4, 0.1])
    made.configurations[1]["n_not_finite"] = 7
    assert facts(made)["Where it still fails"]["value"] == "7 rows are not finite"


def test_a_diagnosis_says_why():
    causes = [{"title": "Columns of unlike scales", "gain": 0.74}]
    why = facts(report([0.4, 0.1], diagnosis={"status": "faulty", "causes": causes}))["Why the baseline fails"]
    assert (why["value"], why["view"]) == ("Columns of unlike scales", "diagnosis")


def test_bad_and_missing_scores_are_said_as_they_are():
    assert "worse than predicting the mean: 1.30" in answers.board(report([1.3]), None)["headline"]
    assert "None of 2 configurations" in answers.board(report([None, None]), None)["headline"]
    assert answers.board(report([]), None)["headline"].startswith("Nothing has been scored")


def test_errors_and_rows_tell_true_quantiles():
    values = np.linspace(0.0, 1.0, 101)
    said = answers.errors(["a", "b"], [values, values * 2])
    assert (
        said == "Under a half of the rows lose less than 50 %, one in twenty more than 95 %; under b 100 % and 190 %."
    )
    said = answers.rows("a", "all", np.array([0.2, 1.5, 3.0]), 3)
    assert said == "The worst row of a has an error of 3.00; 2 of 3 kept rows are worse off than with the mean."
    assert "NaN or infinity for 1 of 3" in answers.rows("a", "night", np.array([0.2, np.nan, 3.0]), 3)
    assert answers.rows("a", "night", np.array([]), 0) == "No kept row is in this slice."


def test_the_rim_of_the_code_is_said_where_errors_are_there():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 2))
    away = np.linalg.norm(points, axis=1)
    assert "fails at the rim" in answers.latent("a", points, away**4)
    assert "fare like" in answers.latent("a", points, np.ones(500))


def test_of_many_rows_some_are_drawn_and_that_is_said():
    why = np.ones(1000, np.uint8)
    why[::50] |= views.payload.WORST
    chosen = views._thinned(why)
    assert len(chosen) == 700
    assert set(np.flatnonzero(why & views.payload.WORST)) <= set(chosen)
    assert views._shown(chosen, 1000) == " Shown are 700 of 1,000 kept rows, the worst among them."
    assert views._thinned(why[:500]).tolist() == list(range(500))
    assert views._shown(np.arange(500), 500) == ""
    assert len(np.unique(views._thinned(why | views.payload.WORST))) == 700
