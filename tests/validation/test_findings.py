"""Tests of `aetfx.validation.findings`: the public format, against its own JSON Schema."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetfx.validation.api import Validation
from aetfx.validation.checks import run_checks
from aetfx.validation.checks.base import Context
from aetfx.validation.findings import Finding, findings_json, schema, settings
from aetfx.validation.output_range import OutputRange
from aetfx.validation.pipeline import RowCounts
from aetfx.validation.statistics import summarize

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def checker():
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


@pytest.fixture
def real(tmp_path):
    """What the checks say of breast cancer with every kind of damage, as it is written to the file."""
    from sklearn.datasets import load_breast_cancer

    from aetfx.run import write_json

    values = load_breast_cancer().data.copy()
    values[::9, 0], values[5, 1], values[::30, 2], values[7, 12], values[:, 3] = np.nan, np.inf, -999.0, 9e5, 1.0
    statistics = {"train": summarize(values)}
    findings = run_checks(statistics, Context(output_range=OutputRange(0.0, float("inf"), "relu")))
    write_json(
        tmp_path / "findings.json", Validation(findings, {"train": RowCounts(570, 569, 1)}, statistics).to_json()
    )
    return json.loads((tmp_path / "findings.json").read_text())


def test_real_findings_are_valid(checker, real):
    assert len({finding["code"] for finding in real["findings"]}) >= 4
    checker.validate(real)


@pytest.mark.parametrize(
    ("place", "value"),
    [("severity", "fatal"), ("code", "Missing"), ("split", "test"), ("message", ""), ("feature", 3), ("study", {})],
)
def test_the_schema_refuses_what_is_no_finding(checker, real, place, value):
    real["findings"][0][place] = value
    assert not checker.is_valid(real)


def test_the_schema_asks_for_every_field_and_allows_more(checker, real):
    real["findings"][0]["added_later"] = 1
    real["added_later"] = 1
    assert checker.is_valid(real)
    for key in Finding("data.x", None, "train", "info", "m").to_json():
        without = {**real, "findings": [{k: v for k, v in real["findings"][0].items() if k != key}]}
        assert not checker.is_valid(without), key
    for key in ("schema_version", "rows", "findings"):
        assert not checker.is_valid({k: v for k, v in real.items() if k != key})
    assert not checker.is_valid({**real, "rows": {"train": {"read": 3, "counted": -1, "quarantined": 4}}})


def test_every_remedy_of_the_checks_is_a_setting_or_names_none(real):
    for finding in real["findings"]:
        assert finding["study"] or finding["code"] == "data.constant_features", finding["remedy"]


def test_settings_are_read_from_a_sentence():
    said = "Bring the data into range (preprocessing.scaling: minmax), or widen it: model.hidden: [64, 32]."
    assert settings(said) == [{"preprocessing": {"scaling": "minmax"}}, {"model": {"hidden": [64, 32]}}]
    assert settings("Use training.learning_rate: 1.0e-4 and training.loss: huber.") == [
        {"training": {"learning_rate": 1e-4, "loss": "huber"}}
    ]
    assert settings("Leave them out with data.features.") == []


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_remedy_breaks_the_format(words, value):
    finding = Finding("data.missing", None, "train", "info", "m", {}, f"{words} training.loss: {value}")
    found = findings_json([finding], {"train": RowCounts(1, 1).to_json()})
    jsonschema.Draft202012Validator(schema()).validate(json.loads(json.dumps(found, default=str)))
