"""Thirteen measurements of 178 wines, and a study of them that takes seconds."""

from __future__ import annotations

import json

import pytest

STUDY = {
    "name": "wine",
    "data": {"train": "wine.csv"},
    "preprocessing": {"scaling": "standard"},
    "model": {"hidden": [16], "bottleneck": 3},
    "training": {"epochs": 3, "batch_size": 16, "processes": 1},
    "compare": {"model.bottleneck": [3, 6]},
    "sweep": {"seeds": 1},
    "diagnosis": {"experiments": False},
    "evaluation": {"thresholds": {"score": 1.0}},
}


def write_wine(folder):
    """Writes `wine.csv` and `study.yaml`, and returns the folder."""
    datasets = pytest.importorskip("sklearn.datasets")
    datasets.load_wine(as_frame=True).data.to_csv(folder / "wine.csv", index=False)
    (folder / "study.yaml").write_text(json.dumps(STUDY))
    return folder
