"""An optimizer that hardly moves with these data and this model."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import compile_line
from aetfx.training.recipe import plain_optimizer

_SLOW = {
    "sgd": "plain SGD takes the same step for every weight, however flat the loss is there",
    "adadelta": "Adadelta's steps start near 0, and Keras's default rate makes them a thousandth of the published ones",
    "adagrad": "Adagrad's steps shrink with every update",
    # McMahan et al. (2013): weights are a function of what was summed up since the start, which is nothing at first.
    "ftrl": "FTRL, made for sparse linear models, lets weights start from 0 whatever they were set to",
}

_RATES = (1e-3, 5e-3)  # Adam's default, and what a short training needs


class OptimizerChoice(Cause):
    code = "optimizer.choice"
    title = "An optimizer that hardly moves"
    meaning = "The steps of this optimizer are too small here, in some or in all directions, to get anywhere."
    order = 75

    def admit(self, case: Case) -> Admission:
        name, config = case.recipe.optimizer_name, case.recipe.optimizer["config"]
        if name not in _SLOW:
            return Admission.no(f"{case.recipe.optimizer['class_name']} adapts its steps")
        if name == "sgd" and config.get("momentum"):
            return Admission.no(f"SGD has a momentum of {config['momentum']:g}")
        behind = case.far_behind_pca and case.train_score - (case.linear_reference or 0.0) > case.thresholds.least_drop
        slow = case.at_the_mean or behind
        if case.trial.diverged:
            return Admission.no("the training broke off: larger steps would not have helped")
        if not slow:
            return Admission.yes(
                f"Adam is tried, though the loss moves under {case.recipe.optimizer['class_name']}", has_sign=False
            )
        return Admission.yes(f"the train score is still {case.train_score:.3f}, and {_SLOW[name]}")

    def experiments(self, case: Case) -> list[Experiment]:
        import keras

        found = []
        for rate in _RATES:
            name = "optimizer=adam" if rate == _RATES[0] else f"optimizer=adam,learning_rate={rate:g}"
            recipe = case.recipe.changed(name=name, optimizer=plain_optimizer(keras.optimizers.Adam(rate)))
            found.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy=f"Use Adam at {rate:g} instead of {case.recipe.optimizer['class_name']}.",
                    keras=compile_line(recipe),
                    study={"training.optimizer": "adam", "training.learning_rate": rate},
                    shortenable=False,
                )
            )
        return found

    def unusual(self, case: Case) -> bool:
        # A rate that suits one of these may be far off once another fault is mended; Adam's seldom is.
        return case.recipe.optimizer_name in _SLOW
