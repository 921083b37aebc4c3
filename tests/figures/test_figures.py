"""Tests of `aetfx.figures`: every figure on real runs is a valid Plotly figure and shows the numbers it should."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest

from aetfx import figures
from aetfx.figures import columns, png, theme, words
from aetfx.report.load import load
from tests.report.runs import make_run

KINDS = ("table", "image", "two_causes", "healthy", "limited", "inconclusive", "hostile", "bare")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {kind: load(make_run(folder / kind, kind)) for kind in KINDS}


def all_figures(files):
    made = {
        "ladder": figures.ladder(files.diagnosis),
        "gains": figures.gains(files.diagnosis),
        "code_curve": figures.code_curve(files.diagnosis),
        "learning_curve": figures.learning_curve(files.diagnosis),
        "loss": figures.loss_curves(files.histories, files.diagnosis),
        "scores": figures.score_curves(files.histories, files.diagnosis),
        "errors": figures.error_distribution(files.samples),
        "features": figures.feature_scores(files.samples),
    }
    for side in ("before", "after"):
        made[f"map_{side}"] = figures.feature_maps(files.samples, side)
        made[f"latent_{side}"] = figures.latent(files.samples, side)
    for kind in ("worst", "median", "best"):
        made[f"rows_{kind}"] = figures.rows(files.samples, kind)
    for stage in ("raw", "fed_before", "fed_after"):
        made[f"data_{stage}"] = figures.distributions(files.samples, stage)
    return {name: figure for name, figure in made.items() if figure is not None}


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_valid_json_and_accepted_by_plotly(runs, kind):
    graph_objects = pytest.importorskip("plotly.graph_objects")
    for name, made in all_figures(runs[kind]).items():
        json.dumps(made, allow_nan=False)
        graph_objects.Figure(made)  # raises on an unknown attribute or an invalid value
        assert made["layout"]["meta"]["title"], name


def test_a_figure_without_its_data_is_left_out(runs):
    assert set(all_figures(runs["bare"])) == {"ladder"}
    assert "latent_after" not in all_figures(runs["healthy"])
    assert "code_curve" in all_figures(runs["limited"])
    assert "learning_curve" in all_figures(runs["inconclusive"])


@pytest.mark.parametrize(
    "missing", ["names", "shape", "row_index", "error_before", "quantile_levels", "latent_error_before"]
)
def test_figures_cope_with_one_missing_array(runs, missing):
    files = runs["table"]
    rest = {key: value for key, value in files.samples.items() if key != missing}
    for kind in ("worst", "median", "best"):
        assert figures.rows(rest, kind) is not None
    figures.distributions(rest, "raw")
    assert figures.latent(rest, "before") is not None
    assert figures.feature_scores(rest) is not None


def test_a_column_that_never_changes_has_no_place_among_the_worst(runs):
    samples = dict(runs["table"].samples)
    scores = samples["feature_score_before"].copy()
    scores[:5] = np.nan
    made = figures.feature_scores({**samples, "feature_score_before": scores})
    worst = made["layout"]["yaxis"]["ticktext"][0]
    assert worst == columns.names(samples, len(scores))[int(np.nanargmax(scores))]
    assert figures.feature_scores({**samples, "feature_score_before": np.full_like(scores, np.nan)}) is None


def test_the_learning_curve_goes_on_where_the_measured_rows_end():
    points = [
        {"rows": 50, "score": 0.4, "interval": None, "measured": True},
        {"rows": 100, "score": 0.2, "interval": None, "measured": True},
        {"rows": 200, "score": 0.1, "interval": [0.05, 0.2], "measured": False},
    ]
    foreseen, measured = figures.learning_curve({"learning_curve": points})["data"]
    assert (measured["x"], measured["y"]) == ([50, 100], [0.4, 0.2])
    assert (foreseen["x"], foreseen["y"]) == ([100, 200], [0.2, 0.1])
    assert foreseen["error_y"]["array"] == pytest.approx([0.0, 0.1])
    assert foreseen["error_y"]["arrayminus"] == pytest.approx([0.0, 0.05])
    assert figures.learning_curve({"learning_curve": points[:2]}) is None
    (alone,) = figures.learning_curve({"learning_curve": [*points[:2], {**points[2], "measured": True}]})["data"]
    assert (alone["y"], alone["error_y"]["array"]) == ([0.4, 0.2, 0.1], pytest.approx([0.0, 0.0, 0.1]))


def test_nan_and_infinity_are_drawn_as_gaps(runs):
    samples = dict(runs["table"].samples)
    broken = samples["reconstruction_before"].copy()
    broken[:, :3], broken[:, 3] = np.nan, np.inf
    samples["reconstruction_before"] = broken
    samples["errors_before"] = np.full_like(samples["errors_before"], np.nan)
    for made in (figures.rows(samples, "worst"), figures.error_distribution(samples)):
        json.dumps(made, allow_nan=False)


def test_the_ladder_goes_from_the_mean_down_to_pca(runs):
    diagnosis = runs["two_causes"].diagnosis
    made = figures.ladder(diagnosis)
    drawn = {place: value for trace in made["data"] for place, value in zip(trace["y"], trace["x"], strict=True)}
    causes = diagnosis["causes"]
    expected = [1.0, causes[0]["score_before"], *(c["score_after"] for c in causes), diagnosis["fixed"]["pca_score"]]
    assert [drawn[place] for place in sorted(drawn)] == pytest.approx(expected)


def test_a_confirmed_gain_replaces_its_screen(runs):
    made = figures.gains(runs["table"].diagnosis)
    gain = runs["table"].diagnosis["causes"][0]["gain"]
    drawn = [value for trace in made["data"] for value in trace["x"]]
    assert drawn.count(pytest.approx(gain)) == 1


def test_only_the_best_screened_variant_of_a_cause_is_drawn():
    screens = [
        {"name": f"learning_rate={rate}", "code": "optimizer.learning_rate_too_high", "stage": "screen", "gain": gain}
        for rate, gain in ((0.1, -0.3), (0.01, 0.2), (0.001, 0.1))
    ]
    made = figures.gains({"experiments": screens})
    assert [value for trace in made["data"] for value in trace["x"]] == [0.2]


def test_nulls_of_a_diverged_run_are_survived(runs):
    diagnosis = json.loads(json.dumps(runs["two_causes"].diagnosis))
    diagnosis["baseline"] |= {"score": None, "score_interval": [None, None], "pca_score": None}
    diagnosis["fixed"] = None
    for item in (*diagnosis["experiments"], *diagnosis["causes"]):
        item["gain_interval"] = [None, None]
    assert figures.ladder(diagnosis) is not None
    assert figures.gains(diagnosis) is not None


def test_the_error_histogram_holds_all_rows(runs):
    for trace in figures.error_distribution(runs["table"].samples)["data"]:
        assert sum(trace["y"]) == pytest.approx(1, abs=2e-3)


def test_losses_are_relative_to_their_first_epoch(runs):
    files = runs["table"]
    made = figures.loss_curves(files.histories, files.diagnosis)
    assert all(trace["y"][0] == 1.0 for trace in made["data"])
    assert [trace["name"] for trace in made["data"]][-2:] == ["as it is", "scaling=standard"]


def test_column_scores_are_drawn_worst_first(runs):
    samples = runs["table"].samples
    made = figures.feature_scores(samples)
    dots = [trace for trace in made["data"] if trace["mode"] == "markers"]
    assert dots[0]["x"] == sorted(dots[0]["x"], reverse=True)
    assert dots[0]["x"][0] == pytest.approx(samples["feature_score_before"].max(), rel=1e-3)


def test_spread_from_quantiles_agrees_with_numpy():
    rows = np.random.default_rng(1).normal(5, 2, (4000, 3)) * [1, 10, 0.01]
    levels = np.linspace(0, 1, 201)
    samples = {"quantile_levels": levels, "quantiles_raw": np.quantile(rows, levels, axis=0)}
    centre, spread = columns.centre_and_spread(samples, rows[:5])
    np.testing.assert_allclose(centre, rows.mean(0), rtol=0.01)
    np.testing.assert_allclose(spread, rows.std(0), rtol=0.03)


def test_shapes_are_read_as_pictures_only_where_they_are():
    assert columns.picture_shape({"shape": np.array([28, 28])}) == (28, 28, 1)
    assert columns.picture_shape({"shape": np.array([32, 32, 3])}) == (32, 32, 3)
    assert columns.picture_shape({"shape": np.array([100, 6])}) is None
    assert columns.picture_shape({"shape": np.array([30])}) is None


def test_png_holds_the_pixels_given():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    content = png.encode(pixels)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (7, 5)
    start = content.index(b"IDAT") + 4
    length = struct.unpack(">I", content[start - 8 : start - 4])[0]
    lines = np.frombuffer(zlib.decompress(content[start : start + length]), np.uint8).reshape(5, 29)
    np.testing.assert_array_equal(lines[:, 1:].reshape(5, 7, 4), pixels)
    with pytest.raises(ValueError, match="Expected uint8 pixels"):
        png.encode(pixels.astype(float))


def test_roles_have_colours_of_their_own_in_both_schemes():
    assert theme.LIGHT.keys() == theme.DARK.keys()
    assert len(set(theme.LIGHT.values())) == len(theme.LIGHT)


def test_recolour_leaves_no_light_colour(runs):
    only_light = set(theme.LIGHT.values()) - set(theme.DARK.values())
    for name, made in all_figures(runs["table"]).items():
        dark = json.dumps(figures.recolour(made))
        assert not [colour for colour in only_light if colour in dark], name


def test_names_from_data_are_escaped(runs):
    for name, made in all_figures(runs["hostile"]).items():
        drawn = json.dumps(made)
        assert "<script>" not in drawn, name
        assert "<img" not in drawn, name


def test_row_pairs_mark_who_is_better_row_by_row():
    first, second = np.array([0.1, 1.0, 0.5, np.nan]), np.array([0.2, 0.5, 0.05, 1.0])
    made = figures.row_pairs(first, second, ("a<b>", "c"), np.array([7, 8, 9, 10]))
    worse, better = made["data"]
    assert (worse["y"], worse["customdata"], worse["marker"]["color"]) == ([0.2], [7], theme.LIGHT["before"])
    assert (better["y"], better["customdata"], better["marker"]["color"]) == ([0.5, 0.05], [8, 9], theme.LIGHT["after"])
    assert "67 %" in made["layout"]["meta"]["caption"]
    assert "<b>" not in json.dumps(made["layout"]["xaxis"])
    assert figures.row_pairs(first[:1], second[:1], ("a", "b")) is None


def test_scatters_leave_room_for_their_labels_and_need_no_second_drawing():
    rng = np.random.default_rng(0)
    rows = figures.row_pairs(rng.lognormal(0, 3, 90), rng.lognormal(0, 3, 90), ("a", "b"))
    planes = [
        figures.plane(unit * rng.normal(size=(50, 2)), np.ones(50), title="t", words=words, role="after", log=True)
        for unit, words in ((1.0, "e"), (1e-3, "a name of many letters"), (1e9, "<b>"), (0.0, "e"))
    ]
    for made in (rows, *planes):
        layout = made["layout"]
        assert layout["margin"]["autoexpand"] is False
        assert not layout["xaxis"]["automargin"]
        assert not layout["yaxis"]["automargin"]
        assert 30 < layout["margin"]["l"] < 100
    narrow, wide, escaped, _ = (made["layout"]["margin"] for made in planes)
    assert narrow["l"] < wide["l"]
    assert narrow["r"] < wide["r"]
    assert escaped["r"] == narrow["r"], "of what is seen, not of how it is written"


def test_overlaid_distributions_hold_each_its_own_rows():
    rng = np.random.default_rng(0)
    sides = [(f"n{i}", rng.lognormal(i, 1, 300), theme.PICKED[i]) for i in range(4)]
    made = figures.error_distributions([*sides, ("lost", np.full(3, np.nan), "after")])
    assert len(made["data"]) == 4
    for trace, (_, errors, role) in zip(made["data"], sides, strict=True):
        assert sum(trace["y"]) == pytest.approx(1, abs=2e-3)
        assert trace["name"].endswith(theme.short(float(np.median(errors))))
        assert trace["line"]["color"] == theme.LIGHT[role]


def test_the_plane_is_coloured_by_the_values_given():
    graph_objects = pytest.importorskip("plotly.graph_objects")
    points, values = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50.0)
    linear = figures.plane(points, values, title="t", words="age", role="after", log=False, bounds=(0.0, 49.0))
    assert linear["data"][0]["marker"]["color"] == values.tolist()
    logged = figures.plane(points, values + 1, title="t", words="e", role="after", log=True, bounds=(0.0, 1.0))
    assert logged["data"][0]["marker"]["color"][0] == 0.0
    assert logged["data"][0]["marker"]["color"][20] == 1.0, "what lies beyond has the last colour"
    nothing = figures.plane(points, np.full(50, np.nan), title="t", words="e", role="before", log=True)
    assert nothing["data"][0]["marker"]["color"] == theme.LIGHT["before"]
    for made in (linear, logged, nothing):
        graph_objects.Figure(made)


@pytest.mark.parametrize(("after", "times"), [(0.3, "twice"), (0.2, "four times")])
def test_the_gain_of_more_rows_is_told_with_how_many(after, times):
    points = [{"rows": n, "score": score} for n, score in ((25, 0.9), (50, 0.7), (100, 0.5), (200, 0.3), (400, 0.2))]
    cause = {
        "code": "data.too_few_rows", "title": "Too few rows", "verdict": "supported", "gain": 1 - after / 0.5,
        "score_before": 0.5, "score_after": after,
    }  # fmt: skip
    diagnosis = {"status": "faulty", "causes": [cause], "learning_curve": points, "baseline": {"score": 0.5}}
    assert f"{times} as many would remove" in words.verdict(diagnosis)
    assert f"with {times} the rows (foreseen)" in str(figures.ladder(diagnosis))
    for point in points:
        point["measured"] = True  # the user's own eval rows stood in
    ladder = str(figures.ladder(diagnosis))
    assert f"with {times} the rows" in ladder
    assert "foreseen" not in ladder


def test_more_rows_that_promise_more_stand_before_the_change_that_was_measured_without_them():
    rows = {
        "code": "data.too_few_rows", "title": "Too few rows", "verdict": "supported", "gain": 0.6, "step": 1,
        "score_before": 0.5, "score_after": 0.2,
    }  # fmt: skip
    smaller = {
        "code": "model.capacity_too_large", "title": "Capacity too large", "verdict": "verified", "gain": 0.4,
        "score_before": 0.5, "score_after": 0.3, "experiment_name": "early_stopping", "step": 1,
    }  # fmt: skip
    diagnosis = {"status": "faulty", "causes": [rows, smaller], "baseline": {"score": 0.5}, "fixed": {"score": 0.3}}
    said = words.verdict(diagnosis)
    assert "as many would remove about 60 % of the error" in said
    assert said.endswith("Without them: capacity too large, 40 %.")
    assert words.before_after(diagnosis) == (0.5, 0.3)
    told = str(figures.ladder(diagnosis))
    assert "with early_stopping" in told
    assert "then early_stopping" not in told
    behind = str(figures.ladder({**diagnosis, "causes": [smaller, rows]}))
    assert "or with twice the rows" in behind
