"""Tests of aetfx.validation.api and pipeline: real files through Beam, TFX's layout, TFDV's own readers and figures."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from sklearn import datasets

from aetfx.data import open_source, rows_from
from aetfx.data.split import held_out
from aetfx.errors import DataError
from aetfx.validation import api, tfdv
from aetfx.validation.pipeline import compute
from aetfx.validation.statistics import summarize


@pytest.fixture(scope="module")
def frame():
    found = datasets.load_breast_cancer(as_frame=True).data.iloc[:, :6].copy()
    found.iloc[3:9, 1] = np.nan
    found["zeros"] = np.where(np.arange(569) % 3 == 0, 0.0, np.arange(569) * 0.5)
    return found


@pytest.fixture(scope="module")
def csv_file(frame, tmp_path_factory):
    """The frame as CSV with one bad cell: line 21."""
    path = tmp_path_factory.mktemp("data") / "wdbc.csv"
    text = frame.to_csv(index=False).splitlines()
    text[20] = "oops," + text[20].split(",", 1)[1]
    path.write_text("\n".join(text) + "\n")
    return path


@pytest.fixture(scope="module")
def saved(csv_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return out, api.validate(csv_file, eval_fraction=0.2, seed=3, out=out)


def equal(one, other):
    assert one.names == other.names
    assert one.n_rows == other.n_rows
    for name in ("n_missing", "n_infinite", "n_zero", "n_integer", "minimum", "maximum", "quantiles", "n_distinct"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("mean", "sd", "histogram", "deciles"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, err_msg=name)
    assert [(s.column, s.value, s.count) for s in one.spikes] == [(s.column, s.value, s.count) for s in other.spikes]


def test_the_pipeline_and_summarize_agree_and_split_alike(csv_file, saved):
    rows = rows_from(csv_file)
    chosen = held_out(rows.values, 0.2, seed=3)
    statistics = saved[1].statistics
    equal(statistics["train"], summarize(rows.values[~chosen], rows.names))
    equal(statistics["eval"], summarize(rows.values[chosen], rows.names))


def test_rows_are_conserved(saved):
    rows = saved[1].to_json()["rows"]
    assert rows["train"]["read"] + rows["eval"]["read"] == 569
    assert rows["train"]["quarantined"] == 1
    assert all(r["read"] == r["counted"] + r["quarantined"] for r in rows.values())


def test_shards_do_not_change_the_result(frame, tmp_path, monkeypatch):
    monkeypatch.setattr("aetfx.data.sources.npy.SHARD_BYTES", 5000)
    values = frame.to_numpy()
    np.save(tmp_path / "a.npy", values[:300])
    np.save(tmp_path / "b.npy", values[300:])
    source = open_source(tmp_path / "*.npy")
    assert len(source.shards()) > 5
    equal(compute(source).statistics["train"], summarize(values))


def test_the_layout_is_tfxs(saved):
    out, _ = saved
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {
        "statistics/Split-train/FeatureStats.pb",
        "statistics/Split-eval/FeatureStats.pb",
        "schema/schema.pbtxt",
        "anomalies/Split-eval/SchemaDiff.pb",
        "findings.json",
        "quarantine/train.csv",
    }
    written = json.loads((out / "findings.json").read_text())
    assert list(written) == ["schema_version", "rows", "findings"]
    assert written["schema_version"] == 1
    # Six empty cells in a row, in a table whose diagnoses come in runs.
    found = {"data.scaling", "data.missing", "data.missing.blocks", "data.row_order"}
    assert {f["code"] for f in written["findings"]} == found
    keys = {"code", "feature", "split", "severity", "message", "evidence", "remedy", "study"}
    assert set(written["findings"][0]) == keys
    (bad,) = pd.read_csv(out / "quarantine" / "train.csv").itertuples(index=False)
    assert bad.position == 21
    assert bad.reason == "column 'mean radius': 'oops' is not a number"


def test_tfdv_reads_and_judges_what_was_written(saved):
    import tensorflow_data_validation as tf_validation

    out, validation = saved
    statistics = {
        split: tf_validation.load_stats_binary(str(out / "statistics" / f"Split-{split}" / "FeatureStats.pb"))
        for split in ("train", "eval")
    }
    assert statistics["train"] == validation.statistics_protos["train"]
    schema = tf_validation.load_schema_text(str(out / "schema" / "schema.pbtxt"))
    assert schema == tf_validation.infer_schema(statistics["train"])
    assert not tf_validation.validate_statistics(statistics["eval"], schema).anomaly_info
    assert not validation.anomalies["eval"].anomaly_info


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "diabetes", "iris", "digits", "linnerud"])
def test_figures_are_tfdvs(name):
    import tensorflow_data_validation as tf_validation

    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).data.astype(float)
    frame.iloc[::9, 1] = np.nan
    theirs = tf_validation.generate_statistics_from_dataframe(frame).datasets[0]
    ours = tfdv.to_proto(summarize(frame.to_numpy(), list(frame.columns))).datasets[0]
    assert ours.num_examples == theirs.num_examples
    by_name = {feature.path.step[0]: feature for feature in theirs.features}
    for mine in ours.features:
        other = by_name[mine.path.step[0]]
        assert mine.type == other.type
        assert mine.num_stats.common_stats == other.num_stats.common_stats
        for figure in ("mean", "std_dev", "min", "max", "num_zeros"):
            expected = pytest.approx(getattr(other.num_stats, figure), rel=1e-9, abs=1e-12)
            assert getattr(mine.num_stats, figure) == expected, figure
        values = np.sort(frame[mine.path.step[0]].dropna())
        same_rank(values, mine.num_stats.median, other.num_stats.median)
        for a, b in zip(mine.num_stats.histograms, other.num_stats.histograms, strict=True):
            assert a.type == b.type
            assert len(a.buckets) == len(b.buckets)
            ours_below, theirs_below = (np.cumsum([bucket.sample_count for bucket in h.buckets]) for h in (a, b))
            if a.type == a.STANDARD:
                edges = np.append([p.low_value for p in a.buckets], a.buckets[-1].high_value)
                np.testing.assert_allclose(np.histogram(values, edges)[0].cumsum(), ours_below, rtol=1e-9)
                # TFDV interpolates its counts from quantiles: at a value that many rows share it may be far off.
                np.testing.assert_allclose(edges[:-1], [q.low_value for q in b.buckets], rtol=1e-9, atol=1e-12)
                assert ours_below[-1] == pytest.approx(theirs_below[-1])
            else:
                for p, q in zip(a.buckets, b.buckets, strict=True):
                    same_rank(values, p.low_value, q.low_value)
                    same_rank(values, p.high_value, q.high_value)


def same_rank(values: np.ndarray, ours: float, theirs: float) -> None:
    """Both stand for the same quantile: TFDV takes one of the values, we go between two, both within TFDV's 1 %."""
    slack = 0.01 + 1 / len(values)
    low, high = (
        np.searchsorted(values, [min(ours, theirs)], "right")[0],
        np.searchsorted(values, max(ours, theirs), "left"),
    )
    assert (high - low) / len(values) <= slack, (ours, theirs)


def test_a_missing_column_value_in_eval_is_an_anomaly(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
    (tmp_path / "b.csv").write_text("a,b\n1,2\n,4\n")
    found = api.validate(tmp_path / "a.csv", tmp_path / "b.csv")
    assert list(found.anomalies["eval"].anomaly_info) == ["a"]
    assert found.rows["eval"].read == 2
    (tmp_path / "schema.pbtxt").write_text('feature { name: "zz" type: FLOAT presence { min_fraction: 1 } }')
    judged = api.validate(tmp_path / "a.csv", schema=tmp_path / "schema.pbtxt").anomalies
    assert "zz" in judged["train"].anomaly_info


def test_frames_arrays_and_paths_give_the_same(frame, csv_file):
    of_frame = api.validate(frame)
    equal(of_frame.statistics["train"], summarize(frame.to_numpy(), list(frame.columns)))
    of_array = api.validate(frame.to_numpy())
    assert of_array.statistics["train"].names[0] == "0"
    np.testing.assert_array_equal(of_array.statistics["train"].quantiles, of_frame.statistics["train"].quantiles)
    assert [f.code for f in of_array.findings] == [f.code for f in of_frame.findings]
    chosen = api.validate(frame, features=["zeros", "mean area"]).statistics["train"].names
    assert chosen == ("zeros", "mean area") == api.validate(csv_file, features=list(chosen)).statistics["train"].names


def test_errors_are_one_line_and_nothing_is_written(tmp_path):
    (tmp_path / "nan.csv").write_text("a,b\n1,\n2,\n")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1,2\n")
    (tmp_path / "c.csv").write_text("a,c\n1,2\n")
    np.save(tmp_path / "v.npy", np.ones((3, 5)))
    out = tmp_path / "out"
    cases = [
        ("nan.csv", {}, "column 'b' holds no numbers at all"),
        ("a.csv", {"eval_fraction": 0.3}, "0 rows are left for"),
        ("a.csv", {"against": tmp_path / "c.csv"}, "no column 'b'"),
        ("a.csv", {"against": tmp_path / "v.npy", "features": "table"}, "rows of shape (5,) but"),
        ("a.csv", {"schema": tmp_path / "c.csv"}, "not a TFDV schema"),
        ("a.csv", {"eval_fraction": 2.0}, "eval_fraction must be between 0 and 1 but got 2.0"),
    ]
    for name, arguments, message in cases:
        with pytest.raises(DataError) as caught:
            api.validate(tmp_path / name, out=out, **arguments)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not out.exists()


def test_a_file_damaged_behind_its_header_is_said_without_a_traceback(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1000, 3)))
    source = open_source(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:5000])
    with pytest.raises(DataError, match=r"^\S*a.npy: the .npy file is truncated or damaged") as caught:
        compute(source)
    assert "\n" not in str(caught.value)


def test_import_is_light_and_nothing_reaches_the_terminal(csv_file):
    code = (
        "import sys; from aetfx.validation import api;"
        "heavy = {'apache_beam', 'tensorflow', 'tensorflow_data_validation', 'pandas'} & set(sys.modules);"
        "assert not heavy, heavy;"
        f"found = api.validate({str(csv_file)!r}, eval_fraction=0.2); found.anomalies"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
