"""Tests of aetfx.validation.tfdv, tfdv_columns, tfdv_features and drift: TFDV's own results on the same files."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aetfx.data import open_source, rows_from
from aetfx.data.split import held_out
from aetfx.report.validation import print_validation
from aetfx.report.validation_page import write_page
from aetfx.validation import api, drift, tfdv
from aetfx.validation.files import load
from aetfx.validation.pipeline import compute
from aetfx.validation.statistics import BUCKETS, summarize
from aetfx.validation.tfdv_features import POOLED, pooled

SETS = ["iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"]


@pytest.fixture(scope="module")
def tf_validation():
    return pytest.importorskip("tensorflow_data_validation")


def table(name: str) -> pd.DataFrame:
    """One of scikit-learn's sets with what its rows are as text, a column of integers with gaps, and a few words."""
    data = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    frame = data.data.iloc[:, :6].copy()
    if name in ("diabetes", "linnerud"):
        frame["label"] = np.where(data.target.to_numpy().reshape(len(frame), -1)[:, 0] > 100, "high", "low")
    else:
        frame["label"] = [f"is {data.target_names[i]}" for i in data.target]
    frame["label"] = frame["label"].where(np.arange(len(frame)) % 11 > 0, None)
    frame["visit"] = pd.array(np.arange(len(frame)) % 5, "Int64")
    frame.loc[frame.index[::9], "visit"] = pd.NA
    frame["note"] = [f'said "{i}", Zoë' for i in range(len(frame))]
    return frame


def by_name(proto):
    return {feature.path.step[0]: feature for feature in proto.datasets[0].features}


def same(mine, theirs):
    """Two features of text, or of lists, as TFDV writes them: equal but for the order of values equally frequent."""
    assert mine.type == theirs.type
    assert mine.WhichOneof("stats") == theirs.WhichOneof("stats")
    if mine.WhichOneof("stats") == "num_stats":
        assert mine.num_stats == theirs.num_stats
        return
    one, other = mine.string_stats, theirs.string_stats
    assert one.common_stats == other.common_stats
    assert (one.unique, one.avg_length) == (other.unique, pytest.approx(other.avg_length))
    if one.unique > 1000:  # TFDV writes no more values, and any of the equally frequent
        assert len(one.rank_histogram.buckets) == len(other.rank_histogram.buckets)
        return
    ranks = [{b.label: b.sample_count for b in stats.rank_histogram.buckets} for stats in (one, other)]
    assert ranks[0] == ranks[1]


@pytest.fixture(scope="module")
def local():
    """Beam's own local runner: the default would first look for another one on the network."""
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"])


def test_types_and_text_are_tfdvs_for_the_same_csv(tf_validation, local, tmp_path):
    """Six sets side by side in one file; the shorter ones end in missing cells."""
    frame = pd.concat([table(name).add_prefix(f"{name} ") for name in SETS], axis=1)
    frame.to_csv(tmp_path / "a.csv", index=False)
    theirs = by_name(tf_validation.generate_statistics_from_csv(str(tmp_path / "a.csv"), pipeline_options=local))
    found = api.validate(tmp_path / "a.csv")
    ours = by_name(found.statistics_protos["train"])
    assert found.skipped_text == tuple(f"{name} {column}" for name in SETS for column in ("label", "note"))
    assert ours.keys() == theirs.keys()
    assert {key: feature.type for key, feature in ours.items()} == {key: f.type for key, f in theirs.items()}
    for name in SETS:
        visits, labels = ours[f"{name} visit"], ours[f"{name} label"]
        assert visits.type == visits.INT
        assert visits.num_stats.common_stats == theirs[f"{name} visit"].num_stats.common_stats
        n = len(table(name))
        assert labels.string_stats.common_stats.num_non_missing == n - -(-n // 11)
    for column in found.skipped_text:
        same(ours[column], theirs[column])


def test_text_follows_its_row_and_quarantined_rows_are_in_no_figure(tf_validation, tmp_path):
    """Each row's text says its numbers, so that the eval split's text tells which rows it must be."""
    values = sklearn.datasets.load_wine().data[:, :3]
    lines = [f"{a!r},r{a!r}/{b!r},{b!r},{c!r}" for a, b, c in values.tolist()]
    lines[40] = "oops,bad,1,2"
    lines[77] = "1,ragged"
    (tmp_path / "a.csv").write_text("a,t,b,c\n" + "\n".join(lines) + "\n")
    found = api.validate(tmp_path / "a.csv", eval_fraction=0.3, seed=5)
    rows = rows_from(tmp_path / "a.csv").values
    chosen = held_out(rows, 0.3, seed=5)
    for split, part in (("train", rows[~chosen]), ("eval", rows[chosen])):
        proto = found.statistics_protos[split]
        assert proto.datasets[0].num_examples == found.rows[split].counted == len(part)
        labels = {
            bucket.label: bucket.sample_count for bucket in by_name(proto)["t"].string_stats.rank_histogram.buckets
        }
        assert labels == pd.Series([f"r{a!r}/{b!r}" for a, b, _ in part.tolist()]).value_counts().to_dict()
    assert found.rows["train"].quarantined == 2


def test_shards_and_files_do_not_change_what_is_said_of_text(tmp_path, monkeypatch):
    frame = table("breast_cancer")
    frame.to_csv(tmp_path / "whole.csv", index=False)
    frame[:200].to_csv(tmp_path / "part1.csv", index=False)
    frame[200:].to_csv(tmp_path / "part2.csv", index=False)
    whole = compute(open_source(tmp_path / "whole.csv").with_others(["label", "note"]))
    monkeypatch.setattr("aetfx.data.sources.csv.BLOCK_BYTES", 4000)
    source = open_source(tmp_path / "part*.csv").with_others(["label", "note"])
    assert len(source.shards()) > 5
    parts = by_name(compute(source).others["train"])
    for name, feature in by_name(whole.others["train"]).items():
        same(parts[name], feature)


def test_ragged_and_text_features_are_tfdvs_for_the_same_tfrecord(tf_validation, local, tmp_path):
    import tensorflow as tf

    digits = sklearn.datasets.load_digits()
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as out:
        for row, target in zip(digits.data[:300], digits.target, strict=False):
            lit = row[row > 0]
            feature = {
                "pixels": tf.train.Feature(float_list=tf.train.FloatList(value=row)),
                "lit": tf.train.Feature(float_list=tf.train.FloatList(value=lit)),
                "places": tf.train.Feature(int64_list=tf.train.Int64List(value=np.flatnonzero(row > 8))),
                "words": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[b"%d" % target] * int(rng.integers(1, 4)))
                ),
                "sum": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(row.sum())])),
            }
            if rng.random() < 0.2:
                del feature["lit"]
            out.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    theirs = by_name(
        tf_validation.generate_statistics_from_tfrecord(str(tmp_path / "a.tfrecord"), pipeline_options=local)
    )
    found = api.validate(tmp_path / "a.tfrecord")
    ours = by_name(found.statistics_protos["train"])
    assert found.skipped_text == ("lit", "places", "words")
    for name in found.skipped_text:
        same(ours[name], theirs[name])
    assert ours["sum"].type == theirs["sum"].type == ours["sum"].INT
    assert ours["pixels,0"].type == ours["pixels,0"].FLOAT


def test_the_columns_of_parquet_that_tfdv_can_take_are_handed_on(tmp_path):
    n = 200
    kinds = pa.array(["a", None, "b", "b"] * (n // 4))
    columns = {
        "x": np.arange(n) / 7,
        "count": np.arange(n, dtype=np.int16),
        "kind": kinds,
        "code": kinds.dictionary_encode(),
        "day": pa.array(pd.date_range("2020-01-01", periods=4).tolist() * (n // 4)),
        "lists": pa.array([[1, 2], None, [], [3, None, 4]] * (n // 4), pa.list_(pa.int32())),
        "pair": pa.array([["u", "v"], ["u", None]] * (n // 2), pa.list_(pa.string(), 2)),
        "struct": pa.array([{"a": 1}] * n),
        "none": pa.nulls(n),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=60)
    source = open_source(tmp_path / "a.parquet")
    found = compute(source.with_others(source.skipped_text))
    assert found.others["train"].datasets[0].num_examples == n
    features = by_name(found.others["train"])
    assert list(features) == ["kind", "code", "day", "lists", "pair", "none"]
    for name in ("kind", "code"):
        stats = features[name].string_stats
        assert (stats.unique, stats.common_stats.num_missing, stats.top_values[0].value) == (2, 50, "b")
    assert features["day"].string_stats.unique == 4
    assert features["day"].string_stats.top_values[0].value.startswith("2020-01-0")
    lists = features["lists"].num_stats
    assert features["lists"].type == features["lists"].INT
    assert (lists.common_stats.num_missing, lists.common_stats.tot_num_values, lists.mean) == (50, 200, 2.5)
    assert (lists.common_stats.min_num_values, lists.common_stats.max_num_values) == (0, 2)
    assert features["pair"].string_stats.common_stats.tot_num_values == 300
    assert features["none"].string_stats.common_stats.num_missing == n
    assert found.statistics["train"].whole.tolist() == [False, True]


def test_frames_say_the_same_as_their_file(tmp_path):
    frame = table("wine")
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame[:90].to_csv(tmp_path / "b.csv", index=False)
    of_frame, of_file = api.validate(frame, frame[:90]), api.validate(tmp_path / "a.csv", tmp_path / "b.csv")
    assert of_frame.skipped_text == of_file.skipped_text == ("label", "note")
    for split in ("train", "eval"):
        assert of_frame.statistics_protos[split] == of_file.statistics_protos[split]


@pytest.mark.parametrize(
    ("text", "whole"),
    [("1\n2\n\"\"\n", True), ("1\n2.0\n", False), ("1\n\n-3\n", True), ("1e3\n2\n", False), ("0x1\n1\n", None),
     (" 7 \n8\n", True), ("99999999999999999999\n1\n", False)],
)  # fmt: skip
def test_a_csv_column_is_of_integers_where_all_cells_are_written_so(text, whole, tmp_path):
    (tmp_path / "a.csv").write_text("k,x\n" + "".join(f"{line},0.5\n" for line in text.splitlines()))
    source = open_source(tmp_path / "a.csv")
    assert source.names == (("k", "x") if whole is not None else ("x",))
    assert source.whole == ((whole, False) if whole is not None else (False,))


def test_one_decimal_point_late_in_a_file_makes_a_column_of_floats(tmp_path, monkeypatch):
    monkeypatch.setattr("aetfx.data.sources.csv.BLOCK_BYTES", 500)
    rows = [[i, i, i] for i in range(500)]
    rows[400][1], rows[450][2] = "400.0", "oops"
    (tmp_path / "a.csv").write_text("a,b,c\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    assert open_source(tmp_path / "a.csv").whole == (True, False, True)


@pytest.mark.parametrize(("dtype", "is_whole"), [(np.uint8, True), (np.bool_, True), (np.float32, False)])
def test_arrays_are_of_integers_by_their_dtype(dtype, is_whole, tmp_path):
    digits = sklearn.datasets.load_digits().images.astype(dtype)
    np.save(tmp_path / "a.npy", digits)
    for data in (tmp_path / "a.npy", digits):
        features = by_name(api.validate(data).statistics_protos["train"])
        assert {feature.type for feature in features.values()} == {0 if is_whole else 1}


def test_a_tensor_is_one_feature_more_with_its_pooled_figures(tf_validation, tmp_path):
    images = sklearn.datasets.load_digits().images[:, :4]
    images[::50] = np.nan
    images[7, 1, 1] = np.nan
    np.save(tmp_path / "a.npy", images)
    found = api.validate(tmp_path / "a.npy", out=tmp_path / "run")
    features = by_name(found.statistics_protos["train"])
    assert len(features) == 33
    (mine,) = [feature for feature in features.values() if feature.custom_stats]
    assert (mine.custom_stats[0].name, mine.custom_stats[0].num) == (POOLED, 32)
    lists = pa.array([None if np.isnan(row).all() else row.ravel().tolist() for row in images])
    theirs = _tfdv_of(tf_validation, {"values": lists}, tmp_path)["values"]
    one, other = mine.num_stats, theirs.num_stats
    assert mine.path == theirs.path
    assert one.common_stats == other.common_stats
    for figure in ("mean", "std_dev", "num_zeros", "min", "max"):
        assert getattr(one, figure) == pytest.approx(getattr(other, figure), rel=1e-9), figure
    assert [h.num_nan for h in one.histograms] == [h.num_nan for h in other.histograms] == [1, 1]
    cells = np.sort(images[np.isfinite(images)])
    deciles = [b.high_value for b in one.histograms[1].buckets]
    for level, value in zip(np.arange(1, 11) / 10, deciles, strict=True):
        low, high = (
            np.searchsorted(cells, value, "left") / len(cells),
            np.searchsorted(cells, value, "right") / len(cells),
        )
        assert low - 0.01 <= level <= high + 0.01
    counts = [b.sample_count for b in one.histograms[0].buckets]
    assert sum(counts) == pytest.approx(len(cells))
    np.testing.assert_allclose(counts, np.histogram(cells, BUCKETS)[0], atol=0.015 * len(cells))
    assert [len(columns) for columns in load(tmp_path / "run").features.values()] == [32]


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (30, 3), elements=st.floats(-50, 50) | st.just(np.nan) | st.integers(0, 3).map(float)))
def test_pooled_figures_are_those_of_all_cells_together(values):
    found = pooled(summarize(values), "t")
    cells = values[~np.isnan(values)]
    if not len(cells):
        assert found is None
        return
    assert (found.n_finite, found.minimum, found.maximum) == (len(cells), cells.min(), cells.max())
    assert found.n_zero == np.count_nonzero(cells == 0)
    np.testing.assert_allclose([found.mean, found.sd], [cells.mean(), cells.std()], rtol=1e-9, atol=1e-9)
    assert found.counts.sum() == pytest.approx(len(cells))
    assert (np.diff(found.deciles) >= 0).all()
    assert found.present * 3 == found.n_finite + found.n_nan


def _tfdv_of(tf_validation, columns, folder):
    """TFDV's own statistics of columns of lists."""
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = pipeline | beam.Create([batch]) | tf_validation.GenerateStatistics(tf_validation.StatsOptions())
        _ = found | tf_validation.WriteStatisticsToBinaryFile(str(folder / "theirs.pb"))
    return by_name(tf_validation.load_stats_binary(str(folder / "theirs.pb")))


@pytest.fixture(scope="module")
def halves():
    """A set in two random halves, and the second half with four columns and the label moved."""
    frame = table("breast_cancer").drop(columns=["note", "visit"])
    chosen = np.random.default_rng(1).random(len(frame)) < 0.5
    moved = frame[chosen].copy()
    moved.iloc[:, :4] += 2 * frame.iloc[:, :4].std()
    moved["label"] = np.where(np.arange(len(moved)) % 2, "malignant", moved["label"])
    return frame[~chosen], frame[chosen], moved


def test_two_halves_of_one_set_have_not_drifted_and_moved_columns_have(tf_validation, halves, tmp_path):
    train, evaluation, moved = halves
    assert not api.validate(train, evaluation).anomalies["eval"].anomaly_info
    found = api.validate(train, moved, out=tmp_path)
    anomalies = found.anomalies["eval"]
    assert set(anomalies.anomaly_info) == {*train.columns[:4], "label"}
    diff = (tmp_path / "anomalies" / "Split-eval" / "SchemaDiff.pb").read_bytes()
    assert type(anomalies).FromString(diff) == anomalies
    schema = tf_validation.load_schema_text(str(tmp_path / "schema" / "schema.pbtxt"))
    before, after = (
        tf_validation.load_stats_binary(str(tmp_path / "statistics" / f"Split-{split}" / "FeatureStats.pb"))
        for split in ("train", "eval")
    )
    judged = tf_validation.validate_statistics(after, schema, previous_statistics=before)
    assert judged.anomaly_info == anomalies.anomaly_info
    # And TFDV, from its own statistics of the same data.
    own = [tf_validation.generate_statistics_from_dataframe(data.reset_index(drop=True)) for data in (train, moved)]
    judged = tf_validation.validate_statistics(own[1], schema, previous_statistics=own[0])
    assert set(judged.anomaly_info) == set(anomalies.anomaly_info)
    measured = [
        {item.path.step[0]: item.drift_measurements[0].value for item in which.drift_skew_info}
        for which in (anomalies, judged)
    ]
    assert measured[0] == pytest.approx(measured[1], abs=0.02)


def test_our_divergence_is_tfdvs(tf_validation, halves):
    from tensorflow_metadata.proto.v0 import schema_pb2

    train, evaluation, _ = halves
    train, evaluation = (
        half.select_dtypes("number").assign(flat=flat) for half, flat in ((train, 1.0), (evaluation, 2.0))
    )
    one, other = (summarize(half.to_numpy(), list(half.columns)) for half in (train, evaluation))
    schema = schema_pb2.Schema()
    for name in one.names:
        feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
        feature.drift_comparator.jensen_shannon_divergence.threshold = 0.9
    measured = tfdv.find_anomalies(tfdv.to_proto(other), schema, tfdv.to_proto(one)).drift_skew_info
    theirs = {item.path.step[0]: item.drift_measurements[0].value for item in measured}
    ours = drift.divergence(*[(s.minimum, s.maximum, s.histogram.T) for s in (one, other)])
    assert dict(zip(one.names, ours, strict=True)) == pytest.approx(theirs, abs=1e-6)
    assert theirs["flat"] == 1


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "lognormal", "poisson"])
def test_splits_of_clean_data_stay_below_their_thresholds(name):
    """Without the part that chance plays, TFDV would find over a tenth of these columns to have drifted."""
    rng = np.random.default_rng(0)
    made = {"lognormal": rng.lognormal(0, 1.5, (1000, 8)), "poisson": rng.poisson(2, (1000, 8)).astype(float)}
    values = made[name] if name in made else getattr(sklearn.datasets, f"load_{name}")().data
    above, fixed = 0, 0
    for seed in range(3):
        held = np.random.default_rng(seed).random(len(values)) < 0.5
        one, other = summarize(values[~held], deep=True), summarize(values[held])
        found = drift.divergence(*[(s.minimum, s.maximum, s.histogram.T) for s in (one, other)])
        for column, curve in drift._curves(one).items():
            if curve.values[0] < curve.values[-1]:
                n, m, j = one.n_rows, other.n_rows, int(column)
                above += found[j] > drift.divergence_by_chance(curve, n, m, 1e-3 / values.shape[1], rng)
                fixed += found[j] > 0.0144
    assert above == 0
    assert fixed > 0.1 * 3 * values.shape[1]


def test_comparators_of_a_schema_that_was_handed_in_are_kept(tf_validation, halves, tmp_path):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    train, _, moved = halves
    schema = schema_pb2.Schema()
    names = list(train.columns)
    feature = schema.feature.add(name=names[0], type=schema_pb2.FLOAT)
    feature.skew_comparator.jensen_shannon_divergence.threshold = 0.2
    feature = schema.feature.add(name=names[1], type=schema_pb2.FLOAT)
    feature.drift_comparator.jensen_shannon_divergence.threshold = 0.999
    for name in names[2:-1]:
        schema.feature.add(name=name, type=schema_pb2.FLOAT)
    schema.feature.add(name="label", type=schema_pb2.BYTES)
    text = text_format.MessageToString(schema)
    (tmp_path / "schema.pbtxt").write_text(text)
    found = api.validate(train, moved, schema=tmp_path / "schema.pbtxt", out=tmp_path / "run")
    assert (tmp_path / "run" / "schema" / "schema.pbtxt").read_text() == text
    (info,) = found.anomalies["eval"].anomaly_info.values()
    assert info.path.step[0] == names[0]
    assert "between training and serving" in info.description
    assert not found.anomalies["train"].anomaly_info


def test_text_that_the_train_split_never_held_is_an_anomaly(tmp_path):
    frame = table("iris")[["petal width (cm)", "label"]]
    other = frame.copy()
    other["label"] = other["label"].replace("is virginica", "is a rose")
    info = api.validate(frame, other).anomalies["eval"].anomaly_info["label"]
    assert "is a rose" in info.description


def test_tfdvs_viewer_draws_what_was_written(tf_validation, halves, tmp_path, monkeypatch):
    import base64
    import re

    from tensorflow_data_validation.utils import display_util
    from tensorflow_metadata.proto.v0 import statistics_pb2

    train, evaluation, _ = halves
    api.validate(train, evaluation, out=tmp_path)
    left, right = (
        tf_validation.load_stats_binary(str(tmp_path / "statistics" / f"Split-{split}" / "FeatureStats.pb"))
        for split in ("train", "eval")
    )
    page = display_util.get_statistics_html(left, right, "train", "eval")
    drawn = base64.b64decode(re.search(r'proto-input="([^"]+)"', page)[1])
    datasets = statistics_pb2.DatasetFeatureStatisticsList.FromString(drawn).datasets
    assert [data.name for data in datasets] == ["train", "eval"]
    assert [[f.path.step[0] for f in data.features] for data in datasets] == [list(train.columns)] * 2
    shown = []
    monkeypatch.setattr(display_util, "display", shown.append)
    tf_validation.visualize_statistics(left)
    assert len(shown) == 1


def test_the_page_and_the_terminal_name_what_was_left_out(tmp_path, capsys):
    frame = table("iris")
    frame["tags"] = [[1.0] * (i % 3) for i in range(len(frame))]
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "a.parquet")
    found = api.validate(tmp_path / "a.parquet", eval_fraction=0.2, out=tmp_path / "run")
    assert found.to_json()["left_out"] == ["label", "note", "tags"]
    write_page(tmp_path / "run")
    page = (tmp_path / "run" / "validation.html").read_text()
    section = page[page.index('id="left-out"') :]
    for words in ("setosa", "versicolor", "lists of 0 to 2 numbers from 1 to 1", "Distinct values", "said &#34;"):
        assert words in section.replace("&quot;", "&#34;"), words
    assert "5 columns" in page[: page.index('id="left-out"')]
    print_validation(tmp_path / "run")
    assert "Left out, because they hold no numbers of one length: label, note, tags." in " ".join(
        capsys.readouterr().out.split()
    )


def test_numbers_alone_do_not_pay_for_tfdv(tmp_path, monkeypatch):
    table("wine").drop(columns=["label", "note"]).to_csv(tmp_path / "a.csv", index=False)
    for name in ("tensorflow_data_validation", "aetfx.validation.tfdv_columns"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    found = api.validate(tmp_path / "a.csv", eval_fraction=0.3)
    assert found.others == {}
    assert found.rows["train"].counted + found.rows["eval"].counted == 178
