"""aetfx.demo: the published data, written once, and the model of a beginner."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aetfx.demo import demo_study
from aetfx.study import parse_study

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo")
    return directory, demo_study(directory)


def test_data_are_the_published_ones(written):
    from sklearn.datasets import load_breast_cancer

    published = load_breast_cancer()
    with open(written[0] / "data" / "wdbc.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == list(published.feature_names)
    assert [[float(value) for value in row] for row in rows] == published.data.tolist()


def test_study_is_what_a_beginner_would_write(written):
    directory, study = written
    assert study.name == "demo"
    assert study.data.train == str(directory / "data" / "wdbc.csv")
    assert study.preprocessing.scaling == study.preprocessing.missing == study.preprocessing.outliers == "none"
    assert (study.model.hidden, study.model.bottleneck) == ([16], 8)
    assert study.training.epochs == 150
    assert parse_study(study.to_tree()) == study


def run(directory: Path, hide_sklearn: bool) -> subprocess.CompletedProcess[str]:
    """Makes the demo's study in a fresh process and prints whether scikit-learn and NumPy were loaded."""
    script = (
        "import sys, pathlib\n"
        + ("sys.modules['sklearn'] = None\n" if hide_sklearn else "")  # what an absent package looks like
        + "from aetfx.demo import demo_study\n"
        "demo_study(pathlib.Path(sys.argv[1]))\n"
        "print('sklearn' in sys.modules, 'numpy' in sys.modules)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(directory)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_second_run_loads_neither_scikit_learn_nor_numpy(written):
    assert run(written[0], hide_sklearn=False).stdout == "False False\n"


def test_changed_data_are_written_again(written, tmp_path):
    original = (written[0] / "data" / "wdbc.csv").read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wdbc.csv").write_bytes(original[:-100])
    demo_study(tmp_path)
    assert (tmp_path / "data" / "wdbc.csv").read_bytes() == original


def test_without_scikit_learn_it_says_what_to_install(tmp_path):
    result = run(tmp_path, hide_sklearn=True)
    assert result.returncode == 1
    assert "AetfxError: the demo's data come with scikit-learn" in result.stderr
    assert "pip install 'aetfx[demo]'" in result.stderr
    assert not list(tmp_path.iterdir())
