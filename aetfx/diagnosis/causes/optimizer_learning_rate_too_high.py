"""A learning rate so high that training jumps about or never settles."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import compile_line


class LearningRateTooHigh(Cause):
    code = "optimizer.learning_rate_too_high"
    title = "Learning rate too high"
    meaning = "Steps overshoot: the loss rises, jumps, becomes NaN, or gets stuck far from where it could be."
    order = 70

    def admit(self, case: Case) -> Admission:
        rate = f"{case.recipe.optimizer_name} at learning rate {case.recipe.learning_rate:g}"
        if case.unsteady:
            return Admission.yes(f"{rate}: {case.unsteady}", *case.numerics)
        if case.at_the_mean and not case.usual_rate and case.recipe.learning_rate > case.thresholds.usual_rate_high:
            return Admission.yes(
                f"{rate}: above the usual range, and nothing is learnt (train score {case.train_score:.2f})"
            )
        if case.overfit_ratio > case.thresholds.overfit_ratio and not self.unusual(case):
            return Admission.no(
                f"{rate}: the loss is calm; that a lower rate learns less by heart is overfitting's cure"
            )
        if case.still_falling and case.best_rate[0] >= case.recipe.learning_rate / case.thresholds.range_test_share:
            return Admission.no(f"{rate}: the loss is calm, and a range test likes {case.best_rate[0]:.2g} better")
        return Admission.yes(f"{rate}: lower rates are tried, though the loss is calm", has_sign=False)

    def experiments(self, case: Case) -> list[Experiment]:
        found = []
        for divisor in (3, 10, 30, 100):
            if divisor > 10 and not (case.unsteady or self.unusual(case)):
                continue
            rate = float(f"{case.recipe.learning_rate / divisor:.3g}")
            recipe = case.recipe.with_learning_rate(rate).changed(name=f"learning_rate={rate:g}")
            found.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy=f"Lower the learning rate from {case.recipe.learning_rate:g} to {rate:g}.",
                    keras=compile_line(recipe),
                    study={"training.learning_rate": rate},
                    shortenable=False,
                )
            )
        return found

    def may_be_named(self, case: Case, gains: dict[str, float]) -> bool:
        if case.unsteady or self.unusual(case):
            return True
        # A calm loss: one lower rate may do better by chance, a third and a tenth not; nor one that leaves the mean.
        if case.at_the_mean and max(gains.values(), default=0.0) >= case.thresholds.sure_gain:
            return True
        return len(gains) >= 2 and sum(gain >= case.thresholds.settled_gain for gain in gains.values()) >= 2

    def unusual(self, case: Case) -> bool:
        return not case.usual_rate and case.recipe.learning_rate > case.thresholds.usual_rate_high
