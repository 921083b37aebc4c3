"""`evaluation.parquet`: every score of the run in long form, one row per configuration, seed, split and metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.diagnosis.engine import Outcome
from aetfx.run import atomic


def write_evaluation(path: Path, lab: Lab, outcome: Outcome) -> None:
    """Writes pooled and per-column scores of all trials on the main split, and the confirming scores of the rest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    records: list[dict[str, Any]] = []
    metric = lab.scorer().metric
    names = {trial.recipe.identity: trial.recipe.name for trial in lab.trials.values()}
    for (identity, seed, index), trial in lab.trials.items():
        if index != 0:
            continue
        base = {"configuration": identity, "name": names[identity], "seed": seed, "slice": "all"}
        score = lab.score(trial, "select")
        n_rows = len(lab.split().select)
        records.append(
            {**base, "split": "select", "feature": None, "metric": metric, "value": score.value, "n_rows": n_rows}
        )
        for name, value in zip(lab.names, score.per_feature, strict=True):
            if np.isfinite(value):
                records.append(
                    {
                        **base,
                        "split": "select",
                        "feature": name,
                        "metric": metric,
                        "value": float(value),
                        "n_rows": n_rows,
                    }
                )
    for identity, scores in outcome.pools.items():
        for (seed, index), value in scores.items():
            base = {"configuration": identity, "name": names.get(identity, identity), "seed": seed, "slice": "all"}
            split = "confirm" if index == 0 else f"confirm-{index}"
            rows = len(lab.split(index).confirm if index == 0 else lab.split(index).held_out)
            records.append({**base, "split": split, "feature": None, "metric": metric, "value": value, "n_rows": rows})
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
        pq.write_table(pa.Table.from_pylist(records, schema=schema), temporary)
