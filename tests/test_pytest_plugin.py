"""aetfx.pytest_plugin: what `pytest --aetfx study.yaml` says and when it fails, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

ROOT = Path(__file__).resolve().parents[1]
STUDY = """
data: {train: rows.csv}
preprocessing: {scaling: standard}
model: {hidden: [12], bottleneck: 4}
training: {epochs: EPOCHS, batch_size: 16}
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "aetfx.pytest_plugin", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a test of its own and a study of wine's 178 rows."""
    folder = tmp_path_factory.mktemp("project")
    rows = load_wine().data
    np.savetxt(folder / "rows.csv", rows, delimiter=",", header=",".join(f"c{i}" for i in range(13)), comments="")
    (folder / "study.yaml").write_text(STUDY.replace("EPOCHS", "15"))
    (folder / "other.yaml").write_text("a: 1\n")
    (folder / "test_own.py").write_text("def test_own():\n    pass\n")
    return folder


def test_it_is_registered_as_a_plugin_and_is_light():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"aetfx": "aetfx.pytest_plugin"}
    script = (
        "import sys, pytest, aetfx.pytest_plugin\n"
        "print(sorted({'tensorflow', 'keras', 'numpy', 'msgspec', 'aetfx.study'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_the_option_nothing_is_collected(project):
    done = run_pytest(project, "--collect-only", "-q")
    assert "test_own" in done.stdout
    assert "study" not in done.stdout


def test_a_study_is_one_item_beside_the_other_tests(project):
    done = run_pytest(project, "--aetfx", "study.yaml", "--collect-only", "-q")
    found = sorted(line for line in done.stdout.splitlines() if "::" in line)
    assert found == ["study.yaml::reconstruction", "test_own.py::test_own"]
    done = run_pytest(project, "--aetfx", "study.yaml", "study.yaml", "--collect-only", "-q", "--strict-markers")
    assert [line for line in done.stdout.splitlines() if "::" in line] == ["study.yaml::reconstruction"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--aetfx", "gone.yaml"], "--aetfx gone.yaml: no such study file"),
        (["--aetfx", "study.yaml", "--aetfx-seeds", "1"], "--aetfx-seeds must be at least 2"),
    ],
)
def test_a_mistake_is_one_line(project, arguments, said):
    done = run_pytest(project, *arguments)
    assert done.returncode == 4
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_broken_study_fails_without_a_traceback(project):
    done = run_pytest(project, "--aetfx", "other.yaml", "-m", "aetfx")
    assert done.returncode == 1
    assert "unknown key 'a'" in done.stdout
    assert "Traceback" not in done.stdout
    assert ".py:" not in done.stdout


def test_reference_regression_and_update(project):
    # Without a reference the target of the study decides.
    done = run_pytest(project, "--aetfx", "study.yaml", "--aetfx-seeds", "2", "-m", "aetfx", "--junitxml=r.xml")
    assert done.returncode == 1
    assert "study.yaml: the reconstruction misses its target" in done.stdout
    assert "target     0.3" in done.stdout
    properties = ElementTree.parse(project / "r.xml").getroot().iter("property")
    score = {item.get("name"): float(item.get("value")) for item in properties}["aetfx_score"]
    assert 0.5 < score < 0.9
    assert not (project / "study.aetfx.json").exists()

    done = run_pytest(project, "--aetfx", "study.yaml", "--aetfx-update", "-m", "aetfx")
    assert done.returncode == 0, done.stdout
    assert "kept as the reference in study.aetfx.json" in done.stdout
    kept = json.loads((project / "study.aetfx.json").read_text())
    assert list(kept["scores"]) == ["0", "1", "2"]
    assert kept["score_metric"] == "fvu"

    # Comments and names change nothing.
    (project / "study.yaml").write_text("# the same\nname: again" + STUDY.replace("EPOCHS", "15"))
    done = run_pytest(project, "--aetfx", "study.yaml")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert "0 % less error" in done.stdout
    assert "warning" not in done.stdout

    (project / "study.yaml").write_text(STUDY.replace("EPOCHS", "5"))
    done = run_pytest(project, "--aetfx", "study.yaml", "-m", "aetfx")
    assert done.returncode == 1
    for said in (
        "study.yaml: the reconstruction got worse",
        "reference  0.7",
        "95 % interval",
        "changed    the model or its training",
        "aetfx diagnose study.yaml",
        "pytest --aetfx study.yaml --aetfx-update",
    ):
        assert said in done.stdout
    assert "Traceback" not in done.stdout
    assert json.loads((project / "study.aetfx.json").read_text()) == kept, "only --aetfx-update writes"
