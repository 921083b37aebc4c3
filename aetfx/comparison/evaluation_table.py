"""`evaluation.parquet`: scores in long form, one row per configuration, seed, split, slice, feature and metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.run import atomic
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


def write_records(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes records with the columns of DESIGN section 8; what a record lacks is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("configuration", "name")),
            ("seed", pa.int64()),
            *((name, pa.string()) for name in ("split", "slice", "feature", "metric")),
            *((name, pa.float64()) for name in ("value", "low", "high")),
            ("n_rows", pa.int64()),
        ]
    )
    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(records), schema=schema), temporary)
