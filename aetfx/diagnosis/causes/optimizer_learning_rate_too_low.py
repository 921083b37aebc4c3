"""A learning rate so low that training ends long before it is done."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import compile_line


class LearningRateTooLow(Cause):
    code = "optimizer.learning_rate_too_low"
    title = "Learning rate too low"
    meaning = "Steps are so small that the given epochs end long before the loss is down."
    order = 71
    equal_cost = True

    def admit(self, case: Case) -> Admission:
        if case.trial.diverged:
            return Admission.no("the training broke off: a higher rate would not have helped")
        if case.learnt:
            return Admission.no(case.learnt)
        best, _ = case.best_rate
        rate = case.recipe.learning_rate
        if rate >= case.thresholds.range_test_share * best * 0.999:
            return Admission.no(f"a range test likes {best:.2g} best, near the rate of {rate:g}")
        if not case.still_falling:
            return Admission.yes(
                f"a range test finds {best:.2g} best, {best / rate:,.0f} times the rate of {rate:g}, though the loss "
                f"has settled: it {case.fall_in_words}",
                has_sign=False,
            )
        fall = "the train score is still at the mean" if case.at_the_mean else f"the loss still {case.fall_in_words}"
        return Admission.yes(
            f"{fall}, and a range test finds {best:.2g} best, {best / rate:,.0f} times the rate of {rate:g}"
        )

    def experiments(self, case: Case) -> list[Experiment]:
        best, _ = case.best_rate
        rate = case.recipe.learning_rate
        rates = {rate * factor for factor in (3, 10, 100, 1000) if best / 30 <= rate * factor <= best * 3.1} | {best}
        found = []
        for new in sorted(float(f"{value:.3g}") for value in rates if value > rate * 1.01):
            recipe = case.recipe.with_learning_rate(new).changed(name=f"learning_rate={new:g}")
            found.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy=f"Raise the learning rate from {rate:g} to {new:g}.",
                    keras=compile_line(recipe),
                    study={"training.learning_rate": new},
                    shortenable=False,
                    priority=0 if new == float(f"{best:.3g}") else 1,
                )
            )
        return found

    def may_be_named(self, case: Case, gains: dict[str, float]) -> bool:
        # A settled loss: one higher rate may do better by chance, two not.
        enough = sum(gain >= case.thresholds.settled_gain for gain in gains.values())
        return case.still_falling or enough >= min(2, len(gains))

    def is_generous(self, case: Case) -> bool:
        # Within the usual range a higher rate is like more epochs: nearly every model gets further with it.
        return not self.unusual(case)

    def unusual(self, case: Case) -> bool:
        return not case.usual_rate and case.recipe.learning_rate < case.thresholds.usual_rate_low
