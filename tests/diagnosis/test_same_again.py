"""The same seed gives the same `diagnosis.json`, also after the process was killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

RNG = np.random.default_rng(0)


@pytest.fixture
def study(tmp_path):
    """Standardised images of 6 x 6 behind a sigmoid output: one fault, and enough trials to be killed among."""
    codes = RNG.normal(size=(500, 3))
    np.save(tmp_path / "rows.npy", (codes @ RNG.normal(size=(3, 36)) / 3).reshape(500, 6, 6).astype("float32"))
    tree = {
        "data": {"train": "rows.npy"},
        "model": {"hidden": [24], "bottleneck": 3, "output_activation": "sigmoid"},
        "training": {"epochs": 20},
        "diagnosis": {"budget": 8},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def command(study, out):
    code = "from aetfx.cli import main; main()"
    return [sys.executable, "-c", code, "diagnose", str(study), "--out", str(out), "--quiet"]


def told(run):
    record = json.loads((run / "diagnosis.json").read_text())
    del record["cost"]["seconds"]
    return json.dumps(record, indent=1)


def test_a_killed_run_ends_in_the_same_diagnosis(study, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command(study, whole), check=True, capture_output=True)
    process = subprocess.Popen(command(study, cut), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(cut.glob("configurations/*/*/trial.json"))) < 4 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in cut.glob("configurations/*/*/trial.json")}
    assert not (cut / "diagnosis.json").exists()
    subprocess.run(command(study, cut), check=True, capture_output=True)
    assert told(cut) == told(whole)
    assert "model.output_activation" in told(cut)
    again = [str(path.relative_to(cut)) for path, when in kept.items() if path.stat().st_mtime_ns != when]
    assert not again, "these were trained twice"
