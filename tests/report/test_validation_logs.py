"""Tests of `aetfx.report.validation_logs`, read back with TensorBoard's own reader and shown by its own plugins."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.histogram.metadata import parse_plugin_metadata
from tensorboard.plugins.text.metadata import PLUGIN_NAME
from tensorboard.util import tensor_util

from aetfx.report.validation_logs import write_logs
from aetfx.validation.api import Validation
from aetfx.validation.checks import run_checks
from aetfx.validation.pipeline import RowCounts
from aetfx.validation.statistics import summarize
from tests.report.test_validation_page import HOSTILE, save


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    values = np.random.default_rng(0).gamma(2.0, size=(400, 3))
    values[::10, 1] = np.nan
    names = ["plain", HOSTILE, "a | b *c*"]
    statistics = {"train": summarize(values, names), "eval": summarize(values[:100] * 2, names)}
    found = Validation(run_checks(statistics), {"train": RowCounts(400, 400), "eval": RowCounts(100, 100)}, statistics)
    return save(found, tmp_path_factory.mktemp("logs"))


def read(folder):
    """The summaries of the one event file in `folder`, by tag."""
    (path,) = folder.glob("events.out.tfevents.*")
    return {value.tag: value for event in EventFileLoader(str(path)).Load() for value in event.summary.value}


def test_findings_are_text_without_markup_from_the_data(run):
    value = read(write_logs(run) / "data")["findings"]
    assert value.metadata.plugin_data.plugin_name == PLUGIN_NAME
    said = tensor_util.make_ndarray(value.tensor).item().decode()
    assert "## Errors" in said
    assert "### data.missing" in said
    assert "400 rows read" in said
    assert "    preprocessing:\n      missing: mean" in said
    assert "<script" not in said
    assert "&lt;script>alert\\(1\\)&lt;/script>" in said


def test_histograms_of_both_splits_are_those_of_the_data(run):
    logs = write_logs(run)
    train, evaluation = read(logs / "data" / "train"), read(logs / "data" / "eval")
    assert next(iter(train)) == HOSTILE, "columns with findings come first"
    assert train.keys() == evaluation.keys() == {"plain", HOSTILE, "a | b *c*"}
    parse_plugin_metadata(train["plain"].metadata.plugin_data.content)
    values = np.random.default_rng(0).gamma(2.0, size=(400, 3))[:, 0]
    counts, edges = np.histogram(values, bins=10)
    shown = tensor_util.make_ndarray(train["plain"].tensor)
    np.testing.assert_allclose(shown[:, 2], counts)
    np.testing.assert_allclose(shown[:, 0], edges[:-1])
    np.testing.assert_allclose(shown[:, 1], edges[1:])


def test_writing_again_replaces_the_logs(run):
    write_logs(run)
    write_logs(run)
    read(run / "tensorboard" / "data")  # fails unless there is one file


def test_tensorflow_is_not_imported(run):
    script = (
        "import sys; from aetfx.report.validation import write_views; write_views(sys.argv[1]); "
        "print('tensorflow' in sys.modules, 'tensorflow_data_validation' in sys.modules, 'apache_beam' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script, str(run)], capture_output=True, text=True, timeout=120)
    assert result.stdout == "False False False\n", result.stderr
