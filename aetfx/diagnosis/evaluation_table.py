"""The scores of a diagnosis in long form: those of all trials on select, and those that confirmed."""

from __future__ import annotations

from pathlib import Path

from aetfx.comparison.evaluation_table import trial_records
from aetfx.comparison.lab import Lab
from aetfx.diagnosis.engine import Outcome
from aetfx.evaluation.table import write_records


def write_evaluation(path: Path, lab: Lab, outcome: Outcome) -> None:
    """Writes pooled and per-column scores of all trials on the main split, and the confirming scores of the rest."""
    metric = lab.scorer().metric
    names = {trial.recipe.identity: trial.recipe.name for trial in lab.trials.values()}
    main = [trial for (_, _, index), trial in lab.trials.items() if index == 0]
    records = [record for trial in main for record in trial_records(lab, trial, "select")]
    for identity, scores in outcome.pools.items():
        for (seed, index), value in scores.items():
            base = {"configuration": identity, "name": names.get(identity, identity), "seed": seed, "slice": "all"}
            split = "confirm" if index == 0 else f"confirm-{index}"
            rows = len(lab.split(index).confirm if index == 0 else lab.split(index).held_out)
            records.append({**base, "split": split, "feature": None, "metric": metric, "value": value, "n_rows": rows})
    write_records(path, records)
