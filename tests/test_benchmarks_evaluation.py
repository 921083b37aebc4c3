"""benchmarks.evaluation at a tiny size: a real process for each tool, and the same scores from both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_both_tools_give_the_same_scores(tmp_path):
    results = tmp_path / "results.json"
    subprocess.run(
        [
            sys.executable, "-m", "benchmarks.evaluation", "--only", "speed: predict", "--rows", "300", "--models", "2",
            "--rounds", "1", "--data", str(tmp_path), "--results", str(results),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    subprocess.run(
        [
            sys.executable, "-m", "benchmarks.evaluation", "--only", "speed: aetfx, 1 worker", "--rows", "300",
            "--models", "2", "--rounds", "1", "--data", str(tmp_path), "--results", str(results),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    measured = json.loads(results.read_text())["measured"]
    assert set(measured) == {"speed: predict", "speed: predict in batches of 4,096", "speed: aetfx, 1 worker"}
    scores = [items[0]["scores"] for items in measured.values()]
    for other in scores[1:]:
        assert all(abs(a - b) < 1e-5 * a for a, b in zip(scores[0], other, strict=True))
