"""Faulty, healthy, limited or inconclusive: the first that holds (METHOD section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.divergence import collapse, has_divergence
from aetfx.diagnosis.engine import Outcome
from aetfx.evaluation.baselines import entropy_floor, linear_bound

_PCA_HEALTHY = 1.1  # no worse than this times PCA at the same width
_NOISE_SLACK = 0.97  # share of the linear bound: on noise nobody does better, up to sampling error
_NO_BETTER = 0.97  # than the mean, whose score is 1, up to sampling error


@dataclass(frozen=True)
class Status:
    """The status word, and plain sentences that explain it."""

    word: str
    statements: list[str]


def decide(outcome: Outcome, case: Case, score: float) -> Status:
    """Decides the status.

    Args:
      outcome: of the chain.
      case: of its last step.
      score: of the last recipe, on rows nobody selected on.
    """
    statements = [*_noise_statements(outcome, case, score), *_entropy_statements(case)]
    if outcome.truncated:
        statements.append(
            "The work was ended before the plan was done: what was not tried is neither named nor ruled out."
        )
    if outcome.causes:
        return Status("faulty", statements)
    if outcome.suspected:
        codes = ", ".join(item["code"] for item in outcome.suspected)
        if outcome.only_signs:
            return Status("inconclusive", [*statements, f"Signs were seen of {codes}."])
        return Status("inconclusive", [*statements, f"A suspicion is left that these rows could not settle: {codes}."])
    if outcome.truncated:
        return Status("inconclusive", statements)
    linear = case.linear_reference
    as_good = case.denoiser if case.is_denoising else case.pca_of_any_code
    name = "the best linear map to the targets" if case.is_denoising else "PCA"
    if score <= case.target:
        sentence = f"The score of {score:.3f} is below the target of {case.target:g}."
        if case.behind:
            sentence += f" {name} with as many numbers reaches {case.pca:.3f}, and nothing that was tried says why."
        return Status("healthy", [*statements, sentence])
    if case.is_noise and score >= _NOISE_SLACK * _bound(case):
        return Status("limited", statements)
    if as_good is not None and score <= _PCA_HEALTHY * as_good:
        if score >= _NO_BETTER:
            sentence = (
                f"Neither the model ({score:.3f}) nor {name} with the same code width ({as_good:.3f}) gives these rows "
                "back better than their mean does (1)."
            )
            return Status("limited", [*statements, sentence])
        sentence = f"The model does as well as {name} with the same code width ({score:.3f} against {as_good:.3f})."
        return Status("healthy", [*statements, sentence])
    if trade_off := _divergence_statement(outcome, score):
        return Status("limited", [*statements, trade_off])
    if outcome.short_of_budget:
        return Status(
            "inconclusive",
            [*statements, "The budget ended before all admitted causes were tried. Raise diagnosis.budget."],
        )
    if linear is not None and score <= case.thresholds.pca_far * linear:
        sentence = (
            f"A code of {case.architecture.code_width} numbers explains the score: {name} with as many reaches "
            f"{linear:.3f}, the model {score:.3f}. Only a wider code keeps more; how much more is a choice."
        )
        return Status("limited", [*statements, sentence])
    return Status(
        "inconclusive",
        [
            *statements,
            "Nothing that was tried changes the score enough, and the score is not good. More rows would tell more.",
        ],
    )


def _divergence_statement(outcome: Outcome, score: float) -> str:
    """Says what a divergence (KL) under which the code lives on costs: a choice and no fault; "" without one."""
    if not outcome.steps:
        return ""
    step = outcome.steps[-1]
    if not has_divergence(step.case) or collapse(step.case):
        return ""
    tried = [s for s in step.screened if s.experiment.code == "model.regularization"]
    best = max(tried, key=lambda s: s.gain, default=None)
    if best is None or best.gain < step.case.thresholds.least_gain:
        return ""
    return (
        f"The KL divergence in the loss explains the score of {score:.3f}: the same model with "
        f"{best.experiment.recipe.name} reaches {best.score:.3f}. No unit of the code is lost to it, and less of it "
        "always lowers the error, so how much to keep is a choice."
    )


def _bound(case: Case) -> float:
    return linear_bound(case.fed_cells.shape[1], case.architecture.code_width or 0)


def _noise_statements(outcome: Outcome, case: Case, score: float) -> list[str]:
    if not case.is_noise or case.architecture.code_width is None:
        return []
    width, k = case.fed_cells.shape[1], case.architecture.code_width
    bound = _bound(case)
    tried = [s.score for step in outcome.steps for s in step.screened if not s.experiment.late]
    best = min([score, *tried])
    statements = [
        (
            f"The columns look like independent noise: no linear code of {k} numbers for {width} columns can do "
            f"better than 1 - {k}/{width} = {bound:.3f}, and the best of the {len(tried) + 1} trained models reached "
            f"{best:.3f}."
        )
    ]
    for step in outcome.steps:
        for s in step.screened:
            if s.experiment.code == "data.scaling" and step.admissions["data.scaling"].report_only:
                before = s.before
                verdict = "did not matter" if abs(before - s.score) < 0.05 else "changed little that counts here"
                statements.append(
                    f"A uniform scale {verdict} to {step.case.recipe.optimizer_name.capitalize()} with a "
                    f"{step.case.architecture.output_range.name} output: {before:.3f} as given, {s.score:.3f} scaled."
                )
    return statements


def _entropy_statements(case: Case) -> list[str]:
    """On grey values cross-entropy cannot reach 0: what looks like a loss that is stuck may be all there is to it."""
    cells = case.fed_cells[np.isfinite(case.fed_cells)]
    grey = cells.size > 0 and cells.min() >= 0 and cells.max() <= 1 and not case.is_binary
    if case.recipe.loss_name != "bce" or not grey or case.trial.diverged:
        return []
    floor, last = entropy_floor(cells), float(case.trial.losses[-1])
    sentence = (
        f"Binary cross-entropy on grey values cannot fall below their own entropy, {floor:.3f} here; the training "
        f"ended at {last:.3f}. The distance between the two counts, not the distance from 0."
    )
    return [sentence]
