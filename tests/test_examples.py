"""examples/: every study parses and is expected to come to something; the cheapest is run for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aetfx.diagnosis.causes import REGISTRY
from aetfx.study import FAMILIES, load_study

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
COMPARED = sorted(path.stem for path in EXAMPLES.glob("*.yaml") if load_study(path).compare)
STUDIES = sorted({path.stem for path in EXAMPLES.glob("*.yaml")} - set(COMPARED))
CHEAPEST = "healthy"

sys.path.insert(0, str(EXAMPLES))
import check  # noqa: E402
import make_data  # noqa: E402


def test_each_example_is_expected_to_come_to_something():
    scripts = {name for name in check.EXPECTED if (EXAMPLES / f"{name}.py").exists()}
    assert set(check.EXPECTED) == set(STUDIES) | scripts
    for expected in check.EXPECTED.values():
        assert (expected.status == "faulty") == (expected.cause in REGISTRY)


def test_every_cause_has_an_example():
    shown = {expected.cause for expected in check.EXPECTED.values()} - {None}
    assert shown == set(REGISTRY)


@pytest.mark.parametrize("name", STUDIES)
def test_study_is_plain(name):
    """It parses, its data are made by make_data.py, it leaves the engine's thresholds and budget alone."""
    study = load_study(EXAMPLES / f"{name}.yaml")
    assert Path(study.data.train).name in make_data.FILES
    assert not study.diagnosis.thresholds
    assert study.diagnosis.budget is None
    first, second, third = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[:3]
    assert first.startswith("# ")
    assert second.startswith("# Expected: ")
    assert not third.startswith("#")
    assert str(check.EXPECTED[name]) in second


def test_each_family_has_an_example_to_compare():
    assert set(COMPARED) == set(FAMILIES)
    for name in COMPARED:
        study = load_study(EXAMPLES / f"{name}.yaml")
        assert study.model.family == name
        assert Path(study.data.train).name in make_data.FILES
        assert f"aetfx compare examples/{name}.yaml" in (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")


def test_data_are_the_published_ones_and_the_same_each_time(tmp_path):
    from sklearn.datasets import load_wine

    names = ["wine.csv", "breast_cancer_holes.csv", "turning_camera.npy"]
    first, second = (make_data.make(names, tmp_path / folder) for folder in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    np.testing.assert_array_equal(np.genfromtxt(first[0], delimiter=",", skip_header=1), load_wine().data)
    assert np.isnan(np.genfromtxt(first[1], delimiter=",", skip_header=1)).mean() == pytest.approx(0.03, abs=0.005)
    assert make_data.make(None, tmp_path / "a") == [
        tmp_path / "a" / name for name in make_data.FILES if name not in names
    ]


def test_misses_are_found():
    record = {"status": "faulty", "causes": [{"code": "data.scaling"}], "statements": ["it is so"]}
    assert check.misses(record, check.Expected("faulty", "data.scaling", ("is so",))) == []
    assert check.misses(record, check.Expected("limited", said=("never",))) == [
        "status faulty instead of limited",
        "first cause data.scaling instead of None",
        "nowhere said: 'never'",
    ]


def test_an_unknown_name_is_refused():
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "check.py"), "helthy"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "no example named helthy. Known: capacity_too_small" in done.stderr


def test_example_comes_out_as_its_comment_says(tmp_path):
    make_data.make()
    result = check.run_example(CHEAPEST, tmp_path)
    assert result.misses == ()
    assert check.line(result).startswith(f"ok   {CHEAPEST} ")
