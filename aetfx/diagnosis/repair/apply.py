"""The repair as a model to train: the user's own, made anew with every fix that concerns model, compile and data.

  repair = diagnosis.apply(model)
  fixed = repair.fit(x_train)              # raw rows in; the model that comes back takes and gives raw rows

or by hand, with one's own callbacks and loops:

  repair.model.fit(repair.prepare(x_train), repair.targets(x_train), **repair.fit_arguments)
  restored = repair.restore(repair.model.predict(repair.prepare(x_new)))

Scaling and imputing stay outside `repair.model`, because the loss has to be computed on the rows as fed: in raw units
one large column would own it again. Once trained, they go inside: that is the model that `repair.fit` returns.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.diagnosis.repair.recipes import Side
from aetfx.errors import ModelError
from aetfx.models.code import outline
from aetfx.models.load import from_factory
from aetfx.models.serial import ModelSource, describe_model, names_in, with_names, without_names
from aetfx.preprocessing.transform import Preprocessing
from aetfx.training.build import own_objects
from aetfx.training.recipe import Recipe

_HELD_OUT = 0.2  # of the rows, where the repair is to stop early and no held-out rows are given


@dataclass
class Repair:
    """What `diagnosis.apply` returns.

    Attributes:
      model: a fresh, compiled Keras model; takes and gives rows as fed. Its weights are new.
      fit_arguments: `epochs` and `batch_size` for `model.fit`.
      preprocessing: fitted on the train rows of the diagnosis.
      stops_early: the fix is to keep the epoch that does best on held-out rows.
    """

    model: Any
    fit_arguments: dict[str, int]
    preprocessing: Preprocessing
    stops_early: bool
    seed: int
    masked: bool

    def prepare(self, x: np.ndarray) -> np.ndarray:
        """Returns raw rows (n, *shape) as the model is fed them, float32."""
        return self.preprocessing.apply(x)

    def targets(self, x: np.ndarray) -> np.ndarray:
        """Returns raw rows as the loss wants them, float32: as prepared, with missing cells NaN where it skips them."""
        return self.preprocessing.apply(x, impute=not self.masked)

    def restore(self, y: np.ndarray) -> np.ndarray:
        """Returns what the model gave back in raw units, float64 (n, *shape)."""
        return self.preprocessing.invert(y)

    def fit(self, x: np.ndarray, x_val: np.ndarray | None = None, **fit_arguments: Any) -> Any:
        """Trains `model` on raw rows.

        Args:
          x: train rows (n, *shape) in raw units.
          x_val: held-out rows, for `val_loss` and where the repair stops early; then a fifth of `x` by default.
          fit_arguments: for `model.fit`, in place of or beside `self.fit_arguments`.

        Returns:
          A Keras model that takes and gives raw rows, with the trained weights.
        """
        import keras

        from aetfx.data.split import held_out
        from aetfx.preprocessing.layers import wrap

        arguments: dict[str, Any] = {**self.fit_arguments, **fit_arguments}
        x = np.asarray(x)
        if self.stops_early:
            if x_val is None:
                out = held_out(x, _HELD_OUT, self.seed)
                x, x_val = x[~out], x[out]
            best = keras.callbacks.EarlyStopping(patience=arguments["epochs"], restore_best_weights=True)
            arguments["callbacks"] = [*(arguments.get("callbacks") or []), best]
        if x_val is not None:
            arguments["validation_data"] = (self.prepare(x_val), self.targets(x_val))
        self.model.fit(self.prepare(x), self.targets(x), **arguments)
        return wrap(self.model, self.preprocessing)


def apply(before: Side, after: Side, model: Any, *, seed: int) -> Repair:
    """Makes the repaired model.

    Args:
      before, after: what was diagnosed and what it became.
      model: the user's model, or a function that returns one: it tells names, own classes and the weights of layers
        that are not trained. It is only read. None uses what the run knows.

    Raises:
      ModelError: `model` is not the one that was diagnosed, or parts of it are not known to this process.
    """
    recipe = after.recipe
    source = _source(before, after) if model is None else _source_like(model, before, after)
    recipe = dataclasses.replace(recipe, source=source)
    return Repair(
        model=_compiled(recipe),
        fit_arguments={"epochs": recipe.epochs, "batch_size": recipe.batch_size},
        preprocessing=after.fitted,
        stops_early=recipe.early_stopping,
        seed=seed,
        masked=recipe.masked_loss,
    )


def _compiled(recipe: Recipe) -> Any:
    from aetfx.training.workshop import compile_model

    model = recipe.source.build()
    compile_model(model, recipe, padded=False, n_rows=1)  # one row: one step per execution, as Keras does it
    return model


def _source(before: Side, after: Side) -> ModelSource:
    unknown = sorted(set(after.homes) - set(after.recipe.source.objects))
    if unknown:
        homes = ", ".join(sorted({after.homes[name] for name in unknown}))
        raise ModelError(
            f"this process does not know {homes}, which the model is made of. Import the module first, or give your "
            "model: diagnosis.apply(model)."
        )
    if before.frozen:
        raise ModelError(
            f"layer '{before.frozen[0]}' keeps weights that no training sets, and the run does not hold them. "
            "Give your model: diagnosis.apply(model)."
        )
    return after.recipe.source


def _source_like(model: Any, before: Side, after: Side) -> ModelSource:
    import keras

    if not isinstance(model, keras.Model):
        if not callable(model):
            raise ModelError(
                f"model must be a keras.Model, or a function that returns one, but got {type(model).__name__}."
            )
        model = from_factory(model, getattr(model, "__name__", "model"))
    was = before.recipe.source
    given = describe_model(model, was.shape)
    if without_names(given.blueprint) != without_names(was.blueprint):
        raise ModelError(
            f"this is not the model that was diagnosed: {_first_difference(was, given)}. "
            "Give that model, or diagnose this one."
        )
    names = dict(zip(names_in(was.blueprint), names_in(given.blueprint), strict=True))
    return ModelSource(
        with_names(after.recipe.source.blueprint, names),
        was.shape,
        {**after.recipe.source.objects, **given.objects, **own_objects(model)},
        given.frozen,
    )


def _first_difference(was: ModelSource, given: ModelSource) -> str:
    lines = [outline(without_names(source.blueprint)) for source in (was, given)]
    changes = [
        line for line in difflib.unified_diff(*lines, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))
    ]
    told = {line[0]: line[1:].split(": ", 1)[-1] for line in reversed(changes)}
    if not told:
        return "an argument of a layer differs"
    return f"it had {told.get('-', 'nothing')} where this has {told.get('+', 'nothing')}"
