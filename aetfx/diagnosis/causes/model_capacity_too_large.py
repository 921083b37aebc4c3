"""A model that learns its train rows by heart, or so deep a one that it hardly learns."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import asked, rows_so_far, width_line
from aetfx.models.reading import LayerFacts
from aetfx.models.rewriting import leave_out, set_kernel_penalty, set_widths


class CapacityTooLarge(Cause):
    code = "model.capacity_too_large"
    title = "Capacity too large for the rows"
    meaning = "The model learns its train rows by heart, or is so deep that it hardly learns: new rows come back worse."
    order = 93

    def admit(self, case: Case) -> Admission:
        seen = f"score {case.train_score:.3f} on train rows, {case.select_score:.3f} on held-out rows"
        if _is_deep(case):
            n = len(case.architecture.repeated)
            return Admission.yes(
                f"{n} layers repeat the width of the one before, and not even the train rows come back"
            )
        if case.trial.diverged or case.overfit_ratio <= case.thresholds.overfit_ratio:
            return Admission.no(f"no overfitting: {seen}")
        return Admission.yes(f"{seen}: {case.overfit_ratio:.1f} times worse on rows that it has not seen")

    def experiments(self, case: Case) -> list[Experiment]:
        recipe = case.recipe
        if _is_deep(case):
            return [self._shallower(case)]
        fed, targets = rows_so_far(case, recipe)
        y = asked(case, recipe)
        found = [
            self._experiment(
                recipe.changed(name="early_stopping", early_stopping=True),
                "Stop at the epoch that does best on held-out rows.",
                'stop = keras.callbacks.EarlyStopping("val_loss", patience=10, restore_best_weights=True)\n'
                f"model.fit({fed}, {targets}, validation_data=(x_val, {y}_val), callbacks=[stop], ...)"
                + ("" if fed == "x_train" else "  # x_val prepared likewise"),
            )
        ]
        if not case.rewritable:
            return found
        names = {layer.name for layer in case.architecture.layers}
        for l2 in (1e-4, 1e-3):
            blueprint = set_kernel_penalty(recipe.source.blueprint, names, l2)
            found.append(
                self._experiment(
                    recipe.with_blueprint(blueprint, name=f"l2={l2:g}"),
                    f"Penalise large weights (L2 {l2:g} on every layer).",
                    f"keras.layers.Dense(..., kernel_regularizer=keras.regularizers.L2({l2:g}))  # each layer",
                )
            )
        for divisor in (4, 16):
            hidden = [layer for layer in case.architecture.hidden if layer.resizable]
            widths = {layer.name: max(_least_units(case, layer), layer.units // divisor) for layer in hidden}
            if all(widths[layer.name] >= layer.units for layer in hidden):
                continue
            widths = {layer.name: min(widths[layer.name], layer.units) for layer in hidden}
            blueprint = set_widths(recipe.source.blueprint, widths)
            found.append(
                self._experiment(
                    recipe.with_blueprint(blueprint, name=f"hidden=/{divisor}"),
                    f"Make the hidden layers {divisor} times narrower.",
                    "\n".join(width_line(layer, widths[layer.name]) for layer in hidden),
                )
            )
        return found

    def _shallower(self, case: Case) -> Experiment:
        names = [layer.name for layer in case.architecture.repeated]
        blueprint = leave_out(case.recipe.source.blueprint, set(names))
        lines = "\n".join(f'# leave out layer "{name}"' for name in names)
        return self._experiment(
            case.recipe.with_blueprint(blueprint, name="depth=once"),
            f"Leave out the {len(names)} layers that repeat the width of the one before.",
            lines,
        )

    def _experiment(self, recipe, remedy: str, keras: str) -> Experiment:  # type: ignore[no-untyped-def]
        return Experiment(self.code, recipe, remedy=remedy, keras=keras, shortenable=False)


def _is_deep(case: Case) -> bool:
    """Whether layers are stacked that need not be, and the model learns too little for it to be overfitting."""
    deep = len(case.architecture.repeated) >= case.thresholds.repeated_layers
    return deep and case.rewritable and case.train_score > case.target


def _least_units(case: Case, layer: LayerFacts) -> int:
    """Units at which a layer is twice as wide as the code; for convolutions and sequences a unit is many values."""
    values_per_unit = max(1, layer.width // layer.units)
    return max(1, -(-2 * (case.architecture.code_width or 1) // values_per_unit))
