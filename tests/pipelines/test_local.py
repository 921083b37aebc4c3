"""Pipelines on this machine: every component in a process of its own, on real data (pipelines.local)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("kfp")

from aetfx.errors import RunError
from pipelines.local import _alone
from tests.wine import write_wine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    return write_wine(tmp_path_factory.mktemp("wine"))


def start(*arguments):
    command = [sys.executable, "-m", "pipelines", "run", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, **pipes)


def finish(*arguments):
    process = start(*arguments)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return Path(out.strip()), err.splitlines()


def records(run):
    return {path.stem: json.loads(path.read_text()) for path in (run / "steps").glob("*.json")}


def test_a_step_that_was_killed_is_done_again_and_no_other(wine, tmp_path):
    arguments = [
        "validation",
        "--local",
        "--data",
        str(wine / "wine.csv"),
        "--out",
        str(tmp_path),
        "--set",
        "strict=false",
    ]
    killed = start(*arguments)
    end = time.monotonic() + 300
    while not records(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)  # StatisticsGen is under way
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = records(tmp_path)
    assert [record["step"] for record in before.values()] == ["example_gen"]
    artifacts, said = finish(*arguments)
    assert [line.split(":")[0] for line in said] == ["example_gen", "statistics_gen", "schema_gen", "example_validator"]
    assert ["taken over" in line for line in said] == [True, False, False, False]
    (key, first) = next(iter(before.items()))
    assert records(tmp_path)[key]["finished"] == first["finished"]
    assert [path.name for path in artifacts.parent.iterdir()] == [artifacts.name], "the killed run is removed"
    assert len(json.loads((tmp_path / "lineage.json").read_text())["steps"]) == 4


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with _alone(tmp_path), pytest.raises(RunError, match="another run is using it"), _alone(tmp_path):
        pass
    with _alone(tmp_path):
        pass


def test_a_step_that_fails_says_why(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n" + "1,2\n" * 200)
    process = start("validation", "--local", "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "run"))
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    *_, reason, last = err.splitlines()
    assert reason.startswith("error: ")
    assert "0 rows are left" in reason
    assert last.startswith("pipelines: error: the pipeline 'validation' stopped: step example-gen failed")


@pytest.mark.skipif("AETFX_ALL_PIPELINES" not in os.environ, reason="make pipelines-full runs them")
class TestWholePipelines:
    """A minute or two each. tests/components/test_whole.py has their components in one process."""

    def test_diagnosis_equals_that_of_the_command_line(self, wine, tmp_path):
        study, run, pushed = str(wine / "study.yaml"), tmp_path / "run", tmp_path / "serving"
        artifacts, said = finish(
            "diagnosis", "--local", "--study", study, "--out", str(run), "--set", f"push_to={pushed}"
        )
        assert {line.split(":")[0] for line in said} == {
            "example_gen", "statistics_gen", "schema_gen", "example_validator", "transform", "tuner", "trainer",
            "evaluator", "diagnoser", "pusher",
        }  # fmt: skip
        command = [sys.executable, "-m", "aetfx.cli", "diagnose", study, "--out", str(tmp_path / "direct"), "--quiet"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        (mine,) = artifacts.glob("diagnoser/diagnosis/*/diagnosis.json")
        one, other = (json.loads(path.read_text()) for path in (mine, tmp_path / "direct" / "diagnosis.json"))
        for record in (one, other):
            del record["cost"]["seconds"]
        assert one == other
        (blessed,) = artifacts.glob("evaluator/blessing/*/*")
        assert blessed.name == "BLESSED"
        assert len(list(pushed.glob("*/saved_model.pb"))) == 1

    def test_sweep_finds_every_configuration_by_listing(self, wine, tmp_path):
        artifacts, _ = finish("sweep", "--local", "--study", str(wine / "study.yaml"), "--out", str(tmp_path))
        (path,) = artifacts.glob("evaluator-of-many/evaluation/*/evaluation.json")
        found = json.loads(path.read_text())["configurations"]
        assert [one["name"] for one in found] == ["baseline", "bottleneck=6"]
        published = sorted(tmp_path.glob("models/configurations/*/seed-0/model.keras"))
        assert [path.parents[1].name.rsplit("-", 1)[0] for path in published] == ["baseline", "bottleneck=6"]
