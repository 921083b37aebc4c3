"""A loss that does not fit the data."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import REGISTRY, Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import compile_line
from aetfx.diagnosis.divergence import other_reconstruction
from aetfx.models.rewriting import set_activations
from aetfx.words import percent

_DIRECTIONS = ("categorical_crossentropy", "kl_divergence", "cosine_similarity")
_MARGINS = ("hinge", "squared_hinge", "categorical_hinge")


class LossMismatch(Cause):
    code = "loss.mismatch"
    title = "A loss that does not fit the data"
    meaning = "The loss rewards something else than giving the rows back, or barely notices what matters in them."
    order = 30

    def admit(self, case: Case) -> Admission:
        if case.recipe.loss is None:
            return _of_own_step(case)
        s, loss = case.statistics, case.recipe.loss_name
        broken = case.non_finite
        if broken is not None and broken.place in ("loss", "slope") and broken.largest < case.thresholds.ordinary:
            return Admission.yes(broken.sentence)
        low, high = float(np.nanmin(s.minimum)), float(np.nanmax(s.maximum))
        if loss == "bce" and (low < -1e-6 or high > 1 + 1e-6):
            return Admission.yes(f"binary cross-entropy on values from {low:.4g} to {high:.4g}: it needs 0 to 1")
        if loss in _DIRECTIONS:
            return Admission.yes(f"{loss} compares directions or class shares, not values")
        if loss in _MARGINS:
            return Admission.yes(f"{loss} asks on which side of a margin a value lies, not for the value")
        if loss == "mape":
            nearest = float(np.nanmin(np.abs(case.fed_cells)))
            return Admission.yes(
                f"percentage errors are divided by the values, which come as near to 0 as {nearest:.3g}"
            )
        if loss == "msle" and low < 0:
            return Admission.yes(f"a logarithmic loss on values down to {low:.4g}")
        if loss == "poisson" and low < 0:
            return Admission.yes(f"a Poisson loss on values down to {low:.4g}")
        if case.is_binary and loss in ("mse", "mae", "huber", "log_cosh"):
            ones = float(np.nanmean(case.fed_cells))
            if ones <= case.thresholds.sparse_ones:
                return Admission.yes(
                    f"{loss} on binary rows with {percent(ones, 1)} ones: answering 0 everywhere is nearly free"
                )
            if case.behind:
                return Admission.yes(
                    f"{loss} on binary rows: what comes back scores {case.select_score:.3f} as probabilities, and PCA "
                    f"with as many numbers {case.pca:.3f}"
                )
            return Admission.no(f"{loss} on binary rows with {percent(ones)} ones does little harm")
        if loss == "mae" and (share := _mostly_one_value(case.train_part.targets)) >= case.thresholds.rare_variance:
            return Admission.yes(
                f"an absolute error, whose best answer is the median: {percent(share)} of the variance lies in columns "
                "that hold one and the same value in most rows"
            )
        return Admission.no(f"{loss} fits the data")

    def experiments(self, case: Case) -> list[Experiment]:
        if case.recipe.loss is None:
            ways = other_reconstruction(case)
            return [Experiment(self.code, way.recipe, remedy=way.remedy, keras=way.keras) for way in ways]
        if not case.is_binary:
            recipe = case.recipe.with_loss("mse").changed(name="loss=mse")
            return [self._experiment(recipe, {"training.loss": "mse"}, "Use the mean squared error.")]
        recipe = case.recipe.with_loss("bce").changed(name="loss=bce")
        study = {"training.loss": "bce"}
        remedy = "Use binary cross-entropy."
        output = case.architecture.output
        if output and output.activation != "sigmoid":
            if not case.rewritable or output.activation_fixed or output.recurrent:
                return []
            # Cross-entropy is defined for probabilities: the output activation is part of this loss.
            blueprint = set_activations(recipe.source.blueprint, case.architecture, "sigmoid", {output.name})
            recipe = recipe.with_blueprint(blueprint, name="loss=bce,output=sigmoid")
            study["model.output_activation"] = "sigmoid"
            remedy = "Use binary cross-entropy with a sigmoid output."
        return [self._experiment(recipe, study, remedy)]

    def _experiment(self, recipe, study: dict, remedy: str) -> Experiment:  # type: ignore[no-untyped-def]
        keras = compile_line(recipe)
        if "model.output_activation" in study:
            keras = 'keras.layers.Dense(n_columns, activation="sigmoid")  # the last layer\n' + keras
        return Experiment(self.code, recipe, remedy=remedy, keras=keras, study=study)


def _of_own_step(case: Case) -> Admission:
    """Judges a loss that nobody can read by what it leads to: no divergence brings rows back worse than their mean."""
    t = case.thresholds
    if case.trial.diverged or case.train_score <= t.worse_than_mean or not other_reconstruction(case):
        return Admission.no("the model computes its loss itself")
    if REGISTRY["model.output_activation"].admit(case).admitted:
        return Admission.no("the model computes its loss itself, and its output cannot give the values")
    losses = case.trial.losses
    return Admission.yes(
        f"the loss that the model computes itself went from {losses[0]:.4g} to {losses[-1]:.4g}, and its train rows "
        f"come back worse than their mean does (score {case.train_score:.3f})"
    )


def _mostly_one_value(rows: np.ndarray) -> float:
    """Returns the share of the variance that lies in columns most of whose cells are one value (black pixels)."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    flat = flat[:, np.isfinite(flat).all(axis=0)]
    variance = flat.var(axis=0)
    if not variance.sum() > 0:
        return 0.0
    same = (flat == np.median(flat, axis=0)).mean(axis=0) > 0.5
    return float(variance[same].sum() / variance.sum())
