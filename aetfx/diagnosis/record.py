"""The content of `diagnosis.json` (public format, DESIGN section 8) and of the files beside it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.diagnosis.causes import REGISTRY, Cause, in_order
from aetfx.diagnosis.engine import Outcome, Step
from aetfx.diagnosis.halves import Halves
from aetfx.diagnosis.more_rows import CODE as MORE_ROWS
from aetfx.diagnosis.opaque import not_rewritable
from aetfx.diagnosis.order import RowOrder
from aetfx.diagnosis.status import Status
from aetfx.evaluation.baselines import knee
from aetfx.training.recipe import Recipe
from aetfx.words import percent

SCHEMA_VERSION = 1


def build_record(
    *,
    lab: Lab,
    outcome: Outcome,
    status: Status,
    study_name: str,
    data: dict[str, Any],
    seconds: float,
    score_as_given: float | None,
    halves: Halves | None = None,
    order: RowOrder | None = None,
) -> dict[str, Any]:
    """Builds the whole record. See DESIGN section 8 for the fields."""
    first, last = outcome.steps[0], outcome.steps[-1]
    split = lab.split()
    scorer = lab.scorer()
    before = measured(lab, outcome, first.case.recipe)
    after = measured(lab, outcome, outcome.recipe) if outcome.repaired else None
    detectable = last.confirmation.detectable()
    return {
        "schema_version": SCHEMA_VERSION,
        "status": status.word,
        "healthy": status.word == "healthy",
        "score_metric": scorer.metric,
        "study_name": study_name,
        "data": {
            **data,
            "columns": int(np.prod(lab.shape)),
            "shape": list(lab.shape),
            "features": scorer.features,
            "binary": scorer.metric == "deviance",
            "excluded": list(scorer.excluded),
            "judged_on": lab.judge or "all",
            "padding": lab.padding,
        },
        "model": describe_recipe(first),
        "causes": [cause.to_json() for cause in outcome.causes],
        "improvements": [item.to_json() for item in outcome.improvements],
        "suspected": outcome.suspected,
        "notes": [*_notes(first), *(["row_order"] if order is not None else [])],
        "row_order": None if order is None else dataclasses.asdict(order),
        "statements": [
            *status.statements,
            *(f"The training broke off: {sentence}." for sentence in first.case.numerics),
            *not_rewritable(outcome),
            *(part.sentence for part in (halves, order) if part is not None),
        ],
        "halves": None if halves is None else dataclasses.asdict(halves),
        "ruled_out": ruled_out(outcome),
        "experiments": [item for step in outcome.steps for item in experiments(step)],
        "code_curve": code_curve(last),
        "code_knee": _knee(last),
        "learning_curve": outcome.promise.points if outcome.promise else [],
        "baseline": {
            "score": before[0],
            "score_interval": list(before[1]),
            "pca_score": first.case.pca,
            "bottleneck": first.case.architecture.code_width,
            "mean_score": 1.0,
            **first.case.sequence_scores,
            "score_as_given": score_as_given,
            "train_score": first.case.train_score,
        },
        **_parts(lab, outcome),
        "fixed": None
        if after is None
        else {
            "score": after[0],
            "interval": list(after[1]),
            # PCA on the rows as the repaired model gets them; on unscaled rows PCA keeps the large columns only.
            "pca_score": last.case.pca,
            "path": "fixed/model.keras",
        },
        "sensitivity": {
            "detectable_gain": detectable,
            "sentence": ""
            if detectable is None
            else f"A fault worth {percent(detectable)} or more would have been found with 80 % power.",
        },
        "target": last.case.target,
        "rows": {"train": len(split.train), "select": len(split.select), "confirm": len(split.confirm)},
        "cost": {"training_multiple": round(lab.spent, 2), "seconds": round(seconds, 1)},
        "trials": len(lab.trials),
        "seed": lab.seed,
        "truncated": outcome.truncated,
        "next": _next(outcome),
    }


def measured(lab: Lab, outcome: Outcome, recipe: Recipe | None) -> tuple[float, tuple[float, float]]:
    """Returns a recipe's mean score over its confirming trials and a 95 % interval of that mean (on the log scale)."""
    assert recipe is not None
    scores = list(outcome.pools.get(recipe.identity, {}).values())
    if not scores:
        value = lab.score(lab.trial(recipe), "held_out").value
        return value, (value, value)
    if len(scores) < 2:
        return scores[0], (scores[0], scores[0])
    from scipy.special import stdtrit

    logs = np.log(np.maximum(scores, 1e-6))
    share = 1 / len(logs) + (len(lab.split().held_out) / len(lab.split().train) if lab.resplits else 0.0)
    half = float(stdtrit(len(logs) - 1, 0.975)) * math.sqrt(float(logs.var(ddof=1)) * share)
    middle = float(logs.mean())
    return float(np.mean(scores)), (math.exp(middle - half), math.exp(middle + half))


def describe_recipe(step: Step) -> dict[str, Any]:
    """Describes the model and how it is trained, for people."""
    architecture, recipe = step.case.architecture, step.case.recipe
    return {
        "kind": architecture.kind,
        "widths": architecture.widths,
        "bottleneck": architecture.code_width,
        "parameters": architecture.n_parameters,
        "activations": [layer.activation for layer in architecture.inner],
        "output_activation": architecture.output.activation if architecture.output else None,
        "loss": recipe.loss_name,
        "optimizer": recipe.optimizer_name,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "preprocessing": dict(recipe.preprocessing),
        "final_train_loss": float(step.case.trial.losses[-1]) if len(step.case.trial.losses) else None,
    }


def ruled_out(outcome: Outcome) -> list[dict[str, Any]]:
    """Lists every cause that was neither named nor suspected, with the step that tried it last, or the last reason."""
    taken = {cause.code for cause in [*outcome.causes, *outcome.improvements]}
    taken |= {item["code"] for item in outcome.suspected}
    return [_why_out(outcome, cause) for cause in in_order() if cause.code not in taken]


def _why_out(outcome: Outcome, cause: Cause) -> dict[str, Any]:
    tries = [[s for s in step.screened if s.experiment.code == cause.code] for step in outcome.steps]
    step, tried = next(
        ((step, tried) for step, tried in zip(outcome.steps[::-1], tries[::-1], strict=True) if tried),
        (outcome.steps[-1], []),
    )
    admission = step.admissions[cause.code]
    entry: dict[str, Any] = {
        "code": cause.code,
        "title": cause.title,
        "experiment": None,
        "experiment_name": None,
        "gain": None,
        "tried": bool(tried),
        "step": step.case.step,
        "reason": admission.evidence[0],
    }
    if tried:
        best = max(tried, key=lambda s: s.gain)
        others = ", ".join(f"{s.experiment.recipe.name}: {_signed(s.gain)}" for s in tried)
        entry |= {
            "experiment": best.experiment.recipe.identity,
            "experiment_name": best.experiment.recipe.name,
            "gain": best.gain,
            "reason": f"{admission.evidence[0]}; tried: {others}",
        }
    elif outcome.promise is not None and cause.code == MORE_ROWS:
        entry["reason"] = outcome.promise.reason
    elif admission.admitted and any(e.code == cause.code for e in step.plan.dropped):
        entry["reason"] = "admitted, but the budget did not allow the experiment"
    elif cause.code in step.plan.broken:
        entry["reason"] = f"admitted, but the model cannot take the change: {step.plan.broken[cause.code]}"
    elif admission.admitted:
        entry["reason"] = "admitted, but this model's layers cannot be rewritten for it"
    return entry


def experiments(step: Step) -> list[dict[str, Any]]:
    """Lists what a step screened and confirmed."""
    found = []
    for s in step.screened:
        found.append(
            {
                "name": s.experiment.recipe.name,
                "code": s.experiment.code,
                "title": REGISTRY[s.experiment.code].title,
                "configuration": s.experiment.recipe.identity,
                "stage": "screen",
                "step": step.case.step,
                "score_before": s.before,
                "score": s.score,
                "gain": s.gain,
                "gain_interval": None,
                "decision": "screened",
            }
        )
    for c in step.candidates:
        found.append(
            {
                "name": c.experiment.recipe.name,
                "code": c.experiment.code,
                "title": REGISTRY[c.experiment.code].title,
                "configuration": c.experiment.recipe.identity,
                "stage": "confirm",
                "step": step.case.step,
                "score_before": float(np.mean(c.before)) if c.before else None,
                "score": float(np.mean(c.after)) if c.after else None,
                "gain": c.gain.gain if c.gain else None,
                "gain_interval": list(c.gain.repeated) if c.gain else None,
                "decision": c.decision,
            }
        )
    return found


def code_curve(step: Step) -> list[dict[str, Any]]:
    """Returns score against code width: PCA's at many widths, the model's at its own and at those that were tried."""
    case = step.case
    code = case.architecture.code
    if code is None:
        return []
    points = {code.width: case.select_score}
    for s in step.screened:
        if s.experiment.late:  # a filter of a convolution is as many values as the map has places
            points[int(s.experiment.study["model.bottleneck"]) * code.width // code.units] = s.score
    pca = case.pca_curve or ({k: case.pca_at(k) for k in points} if case.pca is not None else {})
    return [{"bottleneck": k, "score": points.get(k), "pca": pca.get(k)} for k in sorted({*points, *pca})]


def _knee(step: Step) -> int | None:
    """Returns the width behind which PCA gains little."""
    curve = step.case.pca_curve
    return knee(list(curve), list(curve.values()))


def histories(lab: Lab, outcome: Outcome) -> dict[str, Any]:
    """Returns loss and score curves of the trials on the main split, by configuration name."""
    codes = {s.experiment.recipe.identity: s.experiment.code for step in outcome.steps for s in step.screened}
    found = {}
    for (_, seed, index), trial in lab.trials.items():
        if seed == lab.seed and index == 0:
            found[trial.recipe.name] = {
                "code": codes.get(trial.recipe.identity, ""),
                "loss": [float(v) if np.isfinite(v) else None for v in trial.losses],
                "score": [[epoch, score] for epoch, score in sorted(trial.scores.items())],
            }
    return found


def _next(outcome: Outcome) -> str | None:
    """Says what to do where the user ended the work early; None leaves it to the report."""
    if outcome.truncated:
        return "Give it more time (diagnosis.max_seconds) and run the same command again: finished trials are kept."
    if outcome.only_signs:
        return "These are signs and no causes: nothing was verified. Run it with experiments to know."
    return None


def _parts(lab: Lab, outcome: Outcome) -> dict[str, Any]:
    """Scores of each part of the rows, as they are and repaired, for models with several inputs."""
    if lab.parts is None:
        return {}
    scorer = lab.scorer()
    before = lab.score(lab.trial(outcome.steps[0].case.recipe), "held_out").per_part
    after = lab.score(lab.trial(outcome.recipe), "held_out").per_part if outcome.repaired and outcome.recipe else {}
    pooled = set(scorer.part_of_group or ()) - {
        name for name in scorer.part_of_group or () if (scorer.part_of_group or ()).count(name) > 1
    }
    return {
        "parts": [
            {
                "name": part.name,
                "shape": list(part.shape),
                "scored": part.scored,
                "features": "tensor" if part.declared_shape or part.name in pooled else "table",
                "score": before.get(part.name),
                "score_after": after.get(part.name),
            }
            for part in lab.parts.parts
        ]
    }


def _notes(step: Step) -> list[str]:
    architecture, found = step.case.architecture, []
    width = architecture.code_width
    if architecture.bypassed:
        found.append("skip_connections")
    elif width is not None and width >= math.prod(step.case.lab.shape):
        found.append("no_bottleneck")
    if step.case.lab.relation.kind == "backwards":
        found.append("backwards")
    # Keras counts how often the largest value of a row is predicted to be the largest: a question about classes.
    if any("acc" in name.lower() for name in step.case.recipe.metrics):
        found.append("accuracy_metric")
    return found


def _signed(gain: float) -> str:
    return (
        f"{percent(gain)} better"
        if gain >= 0
        else f"{percent(-gain)} worse"
        if gain > -1
        else f"{1 - gain:.1f} times worse"
    )
