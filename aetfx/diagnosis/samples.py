"""Rows, reconstructions and figures to look at: small arrays, chosen once, kept in `samples.npz`.

The report draws the worst, median and best rows. The dashboard draws `kept_...`: these, and rows drawn at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.evaluating import column_quantiles
from aetfx.diagnosis.case import Case
from aetfx.evaluation.baselines import pca
from aetfx.models.reading import layer_outputs
from aetfx.run import atomic
from aetfx.training.trial import Trial

_EACH = 5  # worst, median and best rows
_MOST_LATENT = 600
_MOST_KEPT = 300  # rows drawn at random, for the dashboard
_MOST_CELLS = 1_000_000  # of them


def collect_samples(case: Case, fixed: Trial | None) -> dict[str, Any]:
    """Collects what the report shows.

    Args:
      case: of step 1, so the user's own recipe.
      fixed: the repaired recipe's trial on the same split, or None.

    Returns:
      Arrays by name; those that end in `_before` and `_after` belong to the user's recipe and the repaired one.
    """
    lab = case.lab
    scorer = lab.scorer()
    rng = np.random.default_rng(lab.seed)
    trials = {"before": case.trial} | ({"after": fixed} if fixed is not None else {})
    predictions = {}
    for when, trial in trials.items():
        rows, predictions[when] = lab.compared(trial.recipe, trial.predict, "held_out")
    errors = {when: scorer.row_errors(rows, predicted) for when, predicted in predictions.items()}
    # A row whose error is not a number is the worst there is.
    order = np.argsort(np.nan_to_num(errors["before"], nan=np.inf), kind="stable")
    middle = max(0, len(order) // 2 - _EACH // 2)
    picks = {"worst": order[::-1][:_EACH], "median": order[middle : middle + _EACH], "best": order[:_EACH]}
    chosen = np.concatenate(list(picks.values()))
    found: dict[str, Any] = {
        "names": np.array(lab.names),
        "shape": np.array(lab.shape),
        "rows": rows[chosen].reshape(len(chosen), -1),
        "row_kind": np.array([kind for kind, index in picks.items() for _ in index]),
        "row_index": chosen,
    }
    found |= column_quantiles(lab, trials)
    few = rng.permutation(len(rows))[:_MOST_LATENT]
    random = few[: max(1, min(_MOST_KEPT, _MOST_CELLS // max(1, rows[0].size)))]
    kept = np.union1d(chosen, random)
    found |= {"kept_rows": _flat(rows[kept]), "kept_index": kept, "kept_random": np.isin(kept, random)}
    for when, trial in trials.items():
        found[f"reconstruction_{when}"] = predictions[when][chosen].reshape(len(chosen), -1)
        found[f"error_{when}"] = errors[when][chosen]
        found[f"errors_{when}"] = errors[when]
        found[f"kept_reconstruction_{when}"] = _flat(predictions[when][kept])
        found[f"kept_error_{when}"] = errors[when][kept]
        found[f"feature_score_{when}"] = scorer.score(rows, predictions[when], rows=lab.judged_rows).per_feature
        latent = _latent(case, trial, lab.judged_on(trial.recipe, "held_out")[0][few])
        if latent is not None:
            found[f"latent_{when}"], found[f"latent_explained_{when}"] = latent
            found[f"latent_error_{when}"] = errors[when][few]
            plane = np.full((len(kept), 2), np.nan)
            plane[np.searchsorted(kept, random)] = found[f"latent_{when}"][: len(random)]
            found[f"kept_plane_{when}"] = plane
    return found


def write_samples(path: Path, samples: dict[str, Any]) -> None:
    """Writes the arrays atomically, without pickles."""
    with atomic(path) as temporary:
        np.savez_compressed(temporary, **samples)


def _flat(rows: np.ndarray) -> np.ndarray:
    """Returns rows as (n, D) in half the space: they are looked at, not computed with."""
    return rows.reshape(len(rows), -1).astype(np.float32)


def _latent(case: Case, trial: Trial, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the codes of rows in two principal directions, and the share of variance of each."""
    code = case.architecture.code
    if code is None:
        return None
    outputs = layer_outputs(trial.model, trial.preprocessing.apply(rows), only=code.last)
    codes = outputs.get(code.last)
    if codes is None:
        return None
    codes = np.asarray(codes, dtype=np.float64).reshape(len(rows), -1)
    if not np.isfinite(codes).all() or len(codes) < 3:
        return None
    mean, directions = pca(codes, 2)
    flat = (codes - mean) @ directions.T
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    total = codes.var(axis=0).sum()
    return flat, flat.var(axis=0) / total if total > 0 else np.zeros(2)
