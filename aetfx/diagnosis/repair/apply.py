"""The repair as a model to train: the user's own, made anew with every fix that concerns model, compile and data.

  repair = diagnosis.apply(model)
  fixed = repair.fit(x_train)              # raw rows in; the model that comes back takes and gives raw rows

or by hand, with one's own callbacks and loops:

  repair.model.fit(repair.prepare(x_train), repair.targets(x_train), **repair.fit_arguments)
  restored = repair.restore(repair.model.predict(repair.prepare(x_new)))

Scaling and imputing stay outside `repair.model`, because the loss has to be computed on the rows as fed: in raw units
one large column would own it again. Once trained, they go inside: that is the model that `repair.fit` returns.

Of a model with several inputs `repair.model` takes and gives flat rows, in which the inputs lie side by side.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.data.parts import Parts, pack
from aetfx.data.split import held_out
from aetfx.data.turning import turned_back
from aetfx.diagnosis.repair.preparing_code import asks_targets
from aetfx.diagnosis.repair.recipes import Side, parts_of, rescaling_of
from aetfx.errors import DataError, ModelError
from aetfx.models.code import outline
from aetfx.models.load import from_factory
from aetfx.models.packing import unpack_model
from aetfx.models.serial import ModelSource, describe_model, names_in, with_names, without_names
from aetfx.preprocessing.transform import Preprocessing
from aetfx.training.build import as_autoencoder, own_objects
from aetfx.training.recipe import Recipe

_HELD_OUT = 0.2  # of the rows, where the repair is to stop early and no held-out rows are given


@dataclass
class Repair:
    """What `diagnosis.apply` returns.

    Attributes:
      model: a fresh, compiled Keras model; takes and gives rows as fed. Its weights are new.
      fit_arguments: `epochs` and `batch_size` for `model.fit`.
      preprocessing: fitted on the train rows of the diagnosis.
      recipe: what is trained.
      asks_targets: your `model.fit(x, y)` asks something else back than the rows, and rightly so (denoising).
      rescaling: scale and offset that bring these targets to the scale of the rows, where the repair does that.
      parts: where the inputs of a model with several of them lie in a flat row.
      seed: of the diagnosis.
    """

    model: Any
    fit_arguments: dict[str, int]
    preprocessing: Preprocessing
    recipe: Recipe
    asks_targets: bool = False
    rescaling: tuple[Any, Any] | None = None
    parts: Parts | None = None
    seed: int = 0

    def prepare(self, x: Any) -> np.ndarray:
        """Returns raw rows (n, *shape), or the parts of such, as the model is fed them, float32.

        Raises:
          DataError: the rows have another shape, or other parts, than those that were diagnosed.
        """
        return self.preprocessing.apply(self._rows(x, "x"))

    def targets(self, x: Any) -> np.ndarray:
        """Returns raw rows as the loss wants them, float32: as prepared, with missing cells NaN where it skips them.

        Raises:
          DataError: as for `prepare`.
        """
        return self._asked(self._rows(x, "x"))

    def restore(self, y: np.ndarray) -> Any:
        """Returns what the model gave back in raw units, float64 (n, *shape); of several parts in their structure."""
        rows = self.preprocessing.invert(y)
        return rows if self.parts is None else self.parts.split(rows)

    def fit(self, x: Any, x_val: Any = None, *, y: Any = None, y_val: Any = None, **fit_arguments: Any) -> Any:
        """Trains `model` on raw rows.

        Args:
          x: train rows (n, *shape) in raw units, or the parts of such.
          x_val: held-out rows, for `val_loss` and where the repair stops early; then a fifth of `x` by default.
          y, y_val: what is asked back for them, where that is not the rows themselves.
          fit_arguments: for `model.fit`, in place of or beside `self.fit_arguments`.

        Returns:
          A Keras model that takes and gives raw rows, with the trained weights.

        Raises:
          DataError: the rows or targets have another shape than those that were diagnosed, or `y` is missing.
        """
        import keras

        from aetfx.training.whole import raw_model

        arguments: dict[str, Any] = {**self.fit_arguments, **fit_arguments}
        rows, asked = self._pairs(x, y, "x", "y")
        rows_val, asked_val = (None, None) if x_val is None else self._pairs(x_val, y_val, "x_val", "y_val")
        if self.recipe.early_stopping and rows_val is None:
            out = held_out(rows, _HELD_OUT, self.seed)
            rows_val, asked_val, rows, asked = rows[out], asked[out], rows[~out], asked[~out]
        own_step = self.recipe.step.own  # Keras may not know how to evaluate such a model
        if rows_val is not None and asked_val is not None and not own_step:
            arguments["validation_data"] = (self.preprocessing.apply(rows_val), self._asked(asked_val))
        if self.recipe.early_stopping:
            best: Any = keras.callbacks.EarlyStopping(patience=arguments["epochs"], restore_best_weights=True)
            if own_step:
                best = _keep_best(self.preprocessing.apply(rows_val), self._asked(asked_val))
            arguments["callbacks"] = [*(arguments.get("callbacks") or []), best]
        fed = self.preprocessing.apply(rows)
        if self.recipe.step.feeding == "rows":
            self.model.fit(fed, **arguments)
        else:
            self.model.fit(fed, self._asked(asked), **arguments)
        whole = raw_model(self.model, self.preprocessing)
        return whole if self.parts is None else unpack_model(whole, self.parts)

    def _pairs(self, x: Any, y: Any, name: str, target_name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns raw rows and what is asked back for them."""
        rows = self._rows(x, name)
        if not self.asks_targets:
            return rows, rows
        if y is None:
            raise DataError(
                f"{target_name}: missing. The model was diagnosed with targets of its own: give what is to come back "
                f"for each row of {name}, as in model.fit(x, y)."
            )
        asked = self._rows(y, target_name)
        if len(asked) != len(rows):
            raise DataError(
                f"{target_name}: {len(asked):,} targets for the {len(rows):,} rows of {name}. "
                "Give one target for each row."
            )
        return rows, turned_back(asked, rows) if self.recipe.target == "turned" else asked

    def _rows(self, x: Any, name: str) -> np.ndarray:
        if self.parts is None:
            rows, shape = np.asarray(x), self.preprocessing.shape
            if rows.shape[1:] != shape:
                raise DataError(f"{name}: rows of shape {rows.shape[1:]}, but those that were diagnosed have {shape}.")
            return rows
        rows, parts = pack(x, name)
        found, known = ([(part.name, part.shape) for part in each.parts] for each in (parts, self.parts))
        if found != known:
            raise DataError(f"{name}: its parts are {found}, but those that were diagnosed are {known}.")
        return rows

    def _asked(self, rows: np.ndarray) -> np.ndarray:
        if self.rescaling is not None:
            rows = rows * self.rescaling[0] + self.rescaling[1]
        return self.preprocessing.apply(rows, impute=not self.recipe.masks_targets)


def apply(before: Side, after: Side, rows: Mapping[str, Any], model: Any, *, seed: int) -> Repair:
    """Makes the repaired model.

    Args:
      before, after: what was diagnosed and what it became.
      rows: of `recipes.json`.
      model: the user's model, or a function that returns one: it tells names, own classes and the weights of layers
        that are not trained. It is only read. None uses what the run knows.

    Raises:
      ModelError: `model` is not the one that was diagnosed, or parts of it are not known to this process.
    """
    recipe, parts = after.recipe, parts_of(rows)
    source = _source(before, after) if model is None else _source_like(model, before, after, parts)
    recipe = dataclasses.replace(recipe, source=source)
    return Repair(
        model=_compiled(recipe),
        fit_arguments={"epochs": recipe.epochs, "batch_size": recipe.batch_size},
        preprocessing=after.fitted,
        recipe=recipe,
        asks_targets=asks_targets(recipe, rows),
        rescaling=rescaling_of(rows) if recipe.target == "rescaled" else None,
        parts=parts,
        seed=seed,
    )


def _compiled(recipe: Recipe) -> Any:
    from aetfx.training.workshop import compile_model, own_compiled

    one = 1  # row: one step per execution, as Keras does it
    if recipe.step.own_compile:
        return own_compiled(recipe, n_rows=one)
    model = recipe.source.build()
    compile_model(model, recipe, padded=False, n_rows=one)
    return model


def _source(before: Side, after: Side) -> ModelSource:
    if not before.recipe.source.blueprint:
        raise ModelError(
            "the model cannot describe itself, and the run does not hold the function that makes it. "
            "Give that function: diagnosis.apply(build)."
        )
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


def _source_like(model: Any, before: Side, after: Side, parts: Parts | None) -> ModelSource:
    import keras

    was = before.recipe.source
    factory = None
    if not isinstance(model, keras.Model):
        if not callable(model):
            raise ModelError(
                f"model must be a keras.Model, or a function that returns one, but got {type(model).__name__}."
            )
        factory = model
        model = from_factory(model, getattr(model, "__name__", "model"))
    if not was.blueprint:
        if factory is None:
            raise ModelError(
                "the model cannot describe itself, so that it cannot be made anew from the one given. "
                "Give the function that makes it: diagnosis.apply(build)."
            )
        return dataclasses.replace(after.recipe.source, factory=factory)
    objects = own_objects(model)
    given = describe_model(as_autoencoder(model, was.shape, parts)[0], was.shape)
    if without_names(given.blueprint) != without_names(was.blueprint):
        raise ModelError(
            f"this is not the model that was diagnosed: {_first_difference(was, given)}. "
            "Give that model, or diagnose this one."
        )
    names = dict(zip(names_in(was.blueprint), names_in(given.blueprint), strict=True))
    return ModelSource(
        with_names(after.recipe.source.blueprint, names),
        was.shape,
        {**after.recipe.source.objects, **given.objects, **objects},
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


def _keep_best(fed: np.ndarray, asked: np.ndarray) -> Any:
    """Makes a callback that keeps the weights of the epoch that reconstructs held-out rows best.

    For models that train themselves, which Keras cannot evaluate.
    """
    import keras

    from aetfx.models.draws import undisturbed
    from aetfx.models.passing import reconstruct

    class KeepBest(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.least, self.weights = np.inf, None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            with undisturbed(self.model):
                error = float(np.nanmean(np.square(np.asarray(reconstruct(self.model, fed)) - asked)))
            if error < self.least:
                self.least, self.weights = error, self.model.get_weights()

        def on_train_end(self, logs: Any = None) -> None:
            if self.weights is not None:
                self.model.set_weights(self.weights)

    return KeepBest()
