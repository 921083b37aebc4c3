"""Too few epochs."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import fit_line

_USUAL_RATE = 1e-3  # Adam's default


class Undertrained(Cause):
    code = "optimizer.undertrained"
    title = "Too few epochs"
    meaning = "Training ended while the loss was still falling at a learning rate that is right."
    order = 80
    generous = True

    def admit(self, case: Case) -> Admission:
        if not case.still_falling:
            return Admission.no(f"the loss has settled: it {case.fall_in_words}")
        if case.learnt:
            return Admission.no(case.learnt)
        best, _ = case.best_rate
        rate = case.recipe.learning_rate
        usual = case.usual_rate and case.recipe.optimizer_name != "sgd"
        if not usual and rate < case.thresholds.range_test_share * best * 0.999:
            return Admission.no(
                f"the learning rate of {rate:g} is the nearer reason: a range test finds {best:.2g} best"
            )
        return Admission.yes(
            f"after {case.recipe.epochs} epochs "
            + ("the train score is still at the mean" if case.at_the_mean else f"the loss still {case.fall_in_words}")
        )

    def unusual(self, case: Case) -> bool:
        # Adam moves a weight by about its learning rate per update, so that below 1 the weights cannot have left the
        # size of their initial values: then it is the epochs that are odd, not a learning rate that is usual.
        # Of a low rate and few updates the odder is the one that is farther from what is usual.
        t, rate = case.thresholds, case.recipe.learning_rate
        odder = t.usual_updates / max(case.updates, 1) > _USUAL_RATE / rate
        return case.usual_rate and not case.large_batch and rate * case.updates < t.least_reach and odder

    def excused(self, case: Case) -> bool:
        return not self.unusual(case) and not _steep(case)

    def experiments(self, case: Case) -> list[Experiment]:
        found = []
        far = case.at_the_mean or _steep(case) or self.unusual(case)
        for factor in (2, 4, 16) if far else (2, 4):
            recipe = case.recipe.changed(
                name=f"epochs={case.recipe.epochs * factor}", epochs=case.recipe.epochs * factor
            )
            found.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy=f"Train for {recipe.epochs} epochs instead of {case.recipe.epochs}.",
                    keras=fit_line(case, recipe),
                    study={"training.epochs": recipe.epochs},
                    shortenable=False,
                    # An LSTM can sit at the mean for ten times the user's epochs (METHOD section 3).
                    last_resort=factor == 16 and case.at_the_mean,
                )
            )
        return found


def _steep(case: Case) -> bool:
    """Whether the training was ended in the middle of its fall."""
    return case.still_falling and case.fall > case.thresholds.steep_fall
