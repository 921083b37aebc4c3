"""The scores of one trial as records of `evaluation.parquet` (`aetfx.evaluation.table`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.training.trial import Trial


def trial_records(lab: Lab, trial: Trial, split: str) -> list[dict[str, Any]]:
    """Returns the pooled score of a trial on the rows of the main split, and that of each column.

    Args:
      lab: which has trained it.
      trial: of any seed.
      split: "select" or "confirm".
    """
    score, metric = lab.score(trial, split), lab.scorer().metric
    base = {
        "configuration": trial.recipe.identity,
        "name": trial.recipe.name,
        "seed": trial.seed,
        "split": split,
        "slice": "all",
        "metric": metric,
        "n_rows": len(lab.split().part(split)),
    }
    columns = [(name, float(v)) for name, v in zip(lab.names, score.per_feature, strict=True) if np.isfinite(v)]
    return [{**base, "feature": name, "value": value} for name, value in [(None, score.value), *columns]]
