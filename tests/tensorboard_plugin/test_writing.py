"""Tests of what is written for the dashboard: the event file as TensorBoard's own reader sees it."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto import summary_pb2
from tensorboard.util import tensor_util

from aetfx.tensorboard_plugin import payload, rows
from aetfx.tensorboard_plugin.live import LiveBoard
from aetfx.tensorboard_plugin.projector import write_codes
from aetfx.tensorboard_plugin.writing import update_dashboard, write_dashboard
from aetfx.training.progress import Standing
from tests.report.runs import make_run
from tests.tensorboard_plugin.runs import make_evaluation


def read(run):
    """Returns report, tensors by tag, and steps by tag, through TensorBoard's reader (it checks the checksums)."""
    (file,) = (run / "tensorboard" / "aetfx").glob("*tfevents*")
    tensors, steps = {}, {}
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            tensors[value.tag], steps[value.tag] = tensor_util.make_ndarray(value.tensor), event.step
            if value.tag.startswith("aetfx/"):
                assert value.metadata.data_class == summary_pb2.DATA_CLASS_TENSOR
                assert value.metadata.plugin_data.plugin_name == "aetfx"
    return json.loads(tensors["aetfx/report"].ravel()[0]), tensors, steps


@pytest.mark.parametrize("kind", ["table", "picture", "sequence"])
def test_the_event_file_holds_the_run(tmp_path, kind):
    made = make_evaluation(tmp_path, kind)
    write_dashboard(tmp_path)
    report, tensors, steps = read(tmp_path)
    samples, n = made.samples, len(made.samples["truth"])
    assert [item["id"] for item in report["evaluation"]["configurations"]] == ["c0000000", "c0000001", "c0000002"]
    assert report["rows"]["place"] == samples["place"].tolist()
    np.testing.assert_array_equal(tensors[payload.TRUTH], samples["truth"].reshape(n, -1))
    np.testing.assert_array_equal(tensors[payload.ERRORS], samples["error"])
    np.testing.assert_allclose(tensors[payload.FEATURES], made.features, rtol=1e-6)
    np.testing.assert_array_equal(tensors[payload.PLANES][1], samples["plane_1"])
    centre, spread = tensors[payload.SCALE]
    cells = tensors[payload.rows_tag(2)]
    assert cells.dtype == np.float16
    np.testing.assert_allclose(
        (centre + cells.astype(float) * spread - samples["restored_2"].reshape(n, -1)) / spread, 0, atol=0.01
    )
    assert {step for tag, step in steps.items() if tag.startswith("aetfx/")} == {report["step"]}
    assert all("tfevents" in path.name for path in (tmp_path / "tensorboard" / "aetfx").glob("*tfevents*"))


def test_slice_scores_are_those_of_the_parquet_file(tmp_path):
    make_evaluation(tmp_path, "table")
    write_dashboard(tmp_path)
    report, *_ = read(tmp_path)
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "evaluation.parquet").to_pylist()
    for c, item in enumerate(report["evaluation"]["configurations"]):
        for s, part in enumerate(report["evaluation"]["slices"]):
            (line,) = (
                r
                for r in table
                if (r["configuration"], r["slice"], r["feature"], r["metric"])
                == (item["id"], part["name"], None, "fvu")
            )
            assert report["slice_scores"][0][c][s] == pytest.approx(line["value"], rel=1e-4)
            assert report["slice_scores"][1][c][s] == pytest.approx(line["low"], rel=1e-4)


def test_any_file_may_be_missing(tmp_path):
    files = ("evaluation.json", "evaluation.parquet", "samples.npz")
    for number, missing in enumerate([(), *((name,) for name in files), files]):
        run = tmp_path / str(number)
        make_evaluation(run, "table")
        for name in missing:
            (run / name).unlink()
        write_dashboard(run)
        report, tensors, _ = read(run)
        assert report["problems"] == []
        assert ("evaluation" in report) == ("evaluation.json" not in missing)
        assert (payload.TRUTH in tensors) == (not {"evaluation.json", "samples.npz"} & set(missing))
        assert (payload.FEATURES in tensors) == (not {"evaluation.json", "evaluation.parquet"} & set(missing))


@pytest.mark.parametrize(
    "name", ["evaluation.json", "evaluation.parquet", "samples.npz", "diagnosis.json", "findings.json"]
)
def test_a_damaged_file_is_named_and_stops_no_other(tmp_path, name):
    make_evaluation(tmp_path, "table")
    (tmp_path / name).write_bytes(b'{"half')
    write_dashboard(tmp_path)
    report, *_ = read(tmp_path)
    assert len(report["problems"]) == 1
    assert report["problems"][0].startswith(name)
    assert str(tmp_path) not in json.dumps(report), "no path of this machine"


def test_samples_of_another_evaluation_are_left_out(tmp_path):
    make_evaluation(tmp_path, "table", configurations=4)
    samples = (tmp_path / "samples.npz").read_bytes()
    make_evaluation(tmp_path, "table")
    (tmp_path / "samples.npz").write_bytes(samples)
    write_dashboard(tmp_path)
    report, tensors, _ = read(tmp_path)
    assert "another evaluation" in report["problems"][0]
    assert payload.TRUTH not in tensors


def test_a_comparison_without_evaluation_becomes_a_leaderboard(tmp_path):
    row = {"score": 0.2, "interval": [0.18, 0.22], "gain": 0.5, "gain_interval": [0.4, 0.6], "seeds": 2, "seconds": 1.0}
    rows_ = [
        row | {"name": "wide", "configuration": "w"},
        row | {"name": "baseline", "configuration": "b", "score": 0.4, "gain": None, "gain_interval": None},
        {"name": "wild", "configuration": "x", "score": None, "failed": "its loss became NaN", "rungs": []},
        {"name": "PCA, 8 numbers", "kind": "reference", "score": 0.3},
    ]
    record = {"study_name": "s", "score_metric": "fvu", "features": "table", "rows": rows_, "held_out_rows": 50}
    (tmp_path / "comparison.json").write_text(json.dumps(record))
    write_dashboard(tmp_path)
    report, *_ = read(tmp_path)
    assert [item["name"] for item in report["evaluation"]["configurations"]] == ["baseline", "wide", "wild"]
    assert report["evaluation"]["paired"] == [{"a": "b", "b": "w", "gain": 0.5, "low": 0.4, "high": 0.6}]
    assert report["evaluation"]["references"] == [{"name": "PCA, 8 numbers", "score": 0.3}]


def test_a_diagnosis_alone_becomes_two_configurations_with_rows(tmp_path):
    make_run(tmp_path, "table")
    write_dashboard(tmp_path)
    report, tensors, _ = read(tmp_path)
    with np.load(tmp_path / "samples.npz") as samples:
        np.testing.assert_allclose(tensors[payload.TRUTH], samples["kept_rows"], rtol=1e-6)
        np.testing.assert_allclose(tensors[payload.ERRORS][1], samples["kept_error_after"], rtol=1e-5)
        np.testing.assert_allclose(tensors[payload.PLANES][0], samples["kept_plane_before"], rtol=1e-6)
        why = dict(zip(report["rows"]["place"], report["rows"]["why"], strict=True))
        worst = samples["row_index"][samples["row_kind"] == "worst"]
        assert {i for i, bits in why.items() if bits & payload.WORST} == set(worst.tolist())
        drawn = samples["kept_index"][samples["kept_random"]]
        assert {i for i, bits in why.items() if bits & payload.RANDOM} == set(drawn.tolist())
        for stage, quantiles in zip(report["prepared"]["stages"], tensors[payload.QUANTILES], strict=True):
            np.testing.assert_allclose(quantiles, samples[f"quantiles_{stage}"], rtol=1e-6)
    assert [item["name"] for item in report["evaluation"]["configurations"]] == [
        "your model",
        "repaired (scaling=standard)",
    ]


def test_a_diagnosis_of_an_older_aetfx_shows_its_few_rows(tmp_path):
    make_run(tmp_path, "table")
    with np.load(tmp_path / "samples.npz") as samples:
        old = {name: samples[name] for name in samples.files if not name.startswith("kept_")}
    np.savez(tmp_path / "samples.npz", **old)
    write_dashboard(tmp_path)
    report, tensors, _ = read(tmp_path)
    np.testing.assert_allclose(tensors[payload.TRUTH], old["rows"], rtol=1e-6)
    assert report["rows"]["place"] == old["row_index"].tolist()
    assert not report["rows"]["planes"]


def test_values_too_large_for_half_a_float_come_through(tmp_path):
    truth = np.random.default_rng(0).normal(3e7, 1e6, (30, 3)).astype(np.float32)
    samples = {"truth": truth, "why": np.ones(30, np.uint8)}
    kept = rows.choose(samples, {"features": "table"}, None, 1)
    cells = kept.cells(truth * 1.01).astype(float)
    np.testing.assert_allclose(kept.scale[0] + cells * kept.scale[1], truth * 1.01, rtol=1e-3)
    assert np.isnan(kept.cells(np.full_like(truth, np.nan))).all()


def test_what_is_kept_is_bounded_and_the_worst_rows_stay():
    rng = np.random.default_rng(0)
    why = np.ones(400, np.uint8)
    why[::10] |= payload.WORST
    truth = rng.random((400, 200, 200, 3), dtype=np.float32)
    kept = rows.choose({"truth": truth, "why": why}, {"features": "tensor"}, None, 20)
    assert kept.shape == (66, 66, 3)
    assert kept.reduced == 3
    assert kept.truth.nbytes <= rows.MOST_BYTES
    assert set(np.flatnonzero(why & payload.WORST)) <= set(kept.chosen)
    block = truth[kept.chosen[0], :3, 3:6, 1].mean()
    assert kept.truth[0].reshape(66, 66, 3)[0, 1, 1] == pytest.approx(block, rel=1e-5)
    wide = rows.choose(
        {"truth": rng.random((20, 9_000), dtype=np.float32)}, {"features": "table"}, np.linspace(0, 1, 9_000)[None], 1
    )
    np.testing.assert_array_equal(wide.columns, np.arange(5_000, 9_000))


def test_codes_that_are_not_finite_never_reach_the_projector(tmp_path):
    codes = np.random.default_rng(0).normal(size=(20, 5))
    codes[4, 2] = np.nan
    labels = {"row": [f"row\t{i}\n<b>" for i in range(20)], "error": list(range(20))}
    assert write_codes(tmp_path, codes, labels)
    lines = (tmp_path / "codes.tsv").read_text().splitlines()
    assert len(lines) == 19
    np.testing.assert_allclose([float(v) for v in lines[0].split("\t")], codes[0], rtol=1e-5)
    about = (tmp_path / "codes_rows.tsv").read_text().splitlines()
    assert len(about) == 20
    assert all(line.count("\t") == 1 for line in about)
    assert 'tensor_path: "codes.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    assert not write_codes(tmp_path, np.full((20, 5), np.nan), labels)
    assert not (tmp_path / "projector_config.pbtxt").exists()


def test_a_finished_run_is_not_written_again_and_a_changed_one_is(tmp_path):
    make_evaluation(tmp_path, "table")
    update_dashboard(tmp_path)
    first = read(tmp_path)[0]["step"]
    update_dashboard(tmp_path)
    assert read(tmp_path)[0]["step"] == first
    later = time.time() + 5
    os.utime(tmp_path / "evaluation.json", (later, later))
    update_dashboard(tmp_path)
    assert read(tmp_path)[0]["step"] > first


def test_a_running_sweep_is_written_now_and_then_and_passed_on(tmp_path):
    told = []

    class Inner:
        def update(self, doing, done, total):
            told.append(doing)

        def show(self, standings):
            told.append(len(standings))

    board = LiveBoard(Inner(), tmp_path, "mine")
    board.update("baseline", 1.0, 2.0)
    board.show([Standing("baseline", 0.5, 0.4, "")])
    step = read(tmp_path)[0]["step"]
    board.show([Standing("baseline", 0.6, 0.3, "")])
    report = read(tmp_path)[0]
    assert told == ["baseline", 1, 1]
    assert report["step"] == step, "not at every call"
    assert report["standings"] == [{"name": "baseline", "part": 0.5, "score": 0.4, "ended": ""}]
    LiveBoard(None, tmp_path / "file.txt", "mine").update("x", 0, 1)


def test_a_sweep_goes_on_where_its_board_cannot_be_written(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    LiveBoard(None, tmp_path, "mine").show([Standing("baseline")])
