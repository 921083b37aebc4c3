"""From rows to anomalies in TFX's layout (aetfx.steps.data, aetfx.steps.configurations)."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from aetfx.errors import DataError, StudyError
from aetfx.steps import data
from aetfx.steps.configurations import configuration, configurations, on_examples, read, values_of
from aetfx.study import parse_study

RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    table = pd.DataFrame(RNG.normal(size=(400, 3)) * [1, 10, 100], columns=["a", "b", "c"])
    table["kind"] = [f"k{i % 3}" for i in range(400)]
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def text(rows):
    return parse_study({"data": {"train": str(rows)}, "compare": {"model.bottleneck": [4, 8]}}).to_yaml()


@pytest.fixture(scope="module")
def made(text, tmp_path_factory):
    """All steps up to the anomalies, once: their folders and what they told."""
    folder = tmp_path_factory.mktemp("steps")
    told = data.example_gen(text, data.data_digest(text), str(folder / "examples"))
    told |= data.statistics_gen(str(folder / "examples"), folder / "statistics", folder / "report.html")
    told |= data.schema_gen(folder / "statistics", folder / "schema")
    told |= data.example_validator(folder / "statistics", folder / "schema", folder / "anomalies")
    return folder, told


def test_layout_is_that_of_tfx(made):
    folder, _ = made
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [
        "anomalies/Split-eval/SchemaDiff.pb",
        "anomalies/Split-train/SchemaDiff.pb",
        "examples/Split-eval/data_tfrecord-00000-of-00001.gz",
        "examples/Split-train/data_tfrecord-00000-of-00001.gz",
        "examples/examples.json",
        "report.html",
        "schema/schema.pbtxt",
        "statistics/Split-eval/FeatureStats.pb",
        "statistics/Split-train/FeatureStats.pb",
        "statistics/findings.json",
        "statistics/schema.pbtxt",
    ]


def test_metadata_tell_rows_and_features(made):
    _, told = made
    assert (told["examples"]["rows"], told["examples"]["features"]) == (400, 3)
    assert told["examples"]["rows_train"] + told["examples"]["rows_eval"] == 400
    assert told["statistics"]["rows"] == 400
    assert json.loads(told["examples"]["split_names"]) == ["train", "eval"]
    assert told["anomalies"]["blessed"] == {"train": 1, "eval": 1}


def test_tfdv_reads_statistics_schema_and_anomalies(made):
    import tensorflow_data_validation as tfdv

    folder, _ = made
    statistics = tfdv.load_stats_binary(str(folder / "statistics" / "Split-train" / "FeatureStats.pb"))
    names = {feature.path.step[0] if feature.path.step else feature.name for feature in statistics.datasets[0].features}
    assert {"a", "b", "c", "kind"} <= names
    schema = tfdv.load_schema_text(str(folder / "schema" / "schema.pbtxt"))
    assert not tfdv.validate_statistics(statistics, schema).anomaly_info
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    raw = (folder / "anomalies" / "Split-eval" / "SchemaDiff.pb").read_bytes()
    anomalies = anomalies_pb2.Anomalies.FromString(raw)
    assert not anomalies.anomaly_info
    assert {feature.name for feature in anomalies.baseline.feature} == {feature.name for feature in schema.feature}


def test_strict_refuses_what_breaks_a_reviewed_schema(made, tmp_path):
    folder, _ = made
    narrow = (folder / "schema" / "schema.pbtxt").read_text().replace('"k2"', '"other"')
    (tmp_path / "reviewed.pbtxt").write_text(narrow)
    told = data.schema_gen(folder / "statistics", tmp_path / "schema", given=str(tmp_path / "reviewed.pbtxt"))
    assert told["schema"]["source"] == "given"
    told = data.example_validator(folder / "statistics", tmp_path / "schema", tmp_path / "anomalies")
    assert (told["anomalies"]["refused"], told["anomalies"]["anomalies_train"]) == (True, 1)
    with pytest.raises(DataError, match=r"the data are refused: .*'kind'"):
        data.example_validator(folder / "statistics", tmp_path / "schema", tmp_path / "again", strict=True)


def test_rows_that_changed_since_are_refused(rows, text, tmp_path):
    with pytest.raises(
        DataError, match=r"content has changed since the pipeline was started \(digest \w{16}, not old\)"
    ):
        data.example_gen(text, "old", str(tmp_path / "examples"))


def test_the_digest_is_of_content_and_not_of_the_path(tmp_path):
    digests = []
    for folder, first in (("one", "1"), ("two", "1"), ("three", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text(f"a\n{first}\n2\n")
        digests.append(data.data_digest(parse_study({"data": {"train": str(tmp_path / folder / "t.csv")}}).to_yaml()))
    assert digests[0] == digests[1] != digests[2]


def test_configurations_have_an_identity_before_they_are_trained(text):
    found = configurations(read(text))
    named = [(one.name, one.values) for one in found]
    assert named == [
        ("baseline", {}),
        ("bottleneck=4", {"model.bottleneck": 4}),
        ("bottleneck=8", {"model.bottleneck": 8}),
    ]
    assert [one.identity.rsplit("-", 1)[0] for one in found] == [name for name, _ in named]
    assert len({one.identity.rsplit("-", 1)[1] for one in found}) == 3
    again = configuration(read(text), {"model.bottleneck": 4})
    assert again.identity == found[1].identity
    assert on_examples(again.study, "gs://b/x").data.eval == "gs://b/x/Split-eval/data_tfrecord-*.gz"


def test_what_changes_no_result_changes_no_identity(text):
    study = read(text)
    quick = study.with_changes({"training.processes": 1, "training.checkpoint_seconds": 0.0})
    other = study.with_changes({"training.epochs": 3})
    mine, same, another = (configuration(one, {}).identity for one in (study, quick, other))
    assert mine == same != another


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"data": {"train": "a.npy", "target": "b.npy"}}, "ask the rows themselves back"),
        ({"data": {"train": {"x": "a.npy", "y": "b.npy"}}, "model": {"factory": "m:f"}}, "take rows from one path"),
    ],
)
def test_studies_that_pipelines_cannot_run(tree, said):
    with pytest.raises(StudyError, match=said):
        read(parse_study(tree).to_yaml())


def test_drawn_configurations_cannot_be_dealt_out():
    tree = {
        "data": {"train": "a.npy"},
        "compare": {"training.learning_rate": {"low": 0.001, "high": 0.1}},
        "sweep": {"choose": "random"},
    }
    with pytest.raises(StudyError, match=r"drawn \(training.learning_rate\) one after the other"):
        configurations(read(parse_study(tree).to_yaml()))


@pytest.mark.parametrize("text", ["[1]", "{", "3"])
def test_values_are_a_json_object(text):
    with pytest.raises(StudyError, match="values"):
        values_of(text)
