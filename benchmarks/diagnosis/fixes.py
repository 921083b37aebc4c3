"""A named fix, applied outside aetfx: the change as the verdict words it, plain Keras, judged by the suite's own score.

What a verdict names is a change of settings (`study`: dotted keys) or of the architecture (then the experiment's saved
model in the run directory has it, and only its config is used). Both are built anew here with fresh weights and fitted
with Keras. A fix that cannot be applied in this way (also one of what a model's own train step adds to the loss, which
leaves the architecture as it was) returns None; it then counts for the strict score only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.evaluation.layout import layout
from benchmarks.diagnosis.plain import (
    compiled_loop,
    is_table,
    judge,
    known_cells,
    scores,
    train,
    without_convolutions,
)
from benchmarks.diagnosis.program import Case, Data, Program

SEEDS = range(300, 305)  # used neither by the verification nor by diagnoses
MISMATCH = "code.train_eval_preprocessing_mismatch"
ONE_MAP = 0.99  # R2 of the quantiles of all columns together (METHOD section 3)


def scores_after(
    program: Program, case: Case, data: Data, causes: Sequence[dict[str, Any]], run: Path
) -> dict[str, list[float]] | None:
    """Trains a case with the fixes of some causes, five fresh seeds.

    Args:
      causes: entries of `diagnosis.json`, in the order of the chain; none for the case as it is.
      run: the run directory.

    Returns:
      The scores of `plain.scores`, or None.
    """
    import keras

    prepared = _prepared(data, causes)
    make = _maker(program, case, causes, run)
    stops = any("early_stopping" in cause["experiment_name"] for cause in causes)
    if prepared is None or make is None or (stops and data.x_val is None):
        return None
    changed, restore = prepared
    fit = program.fit(case)
    for cause in causes:
        for key in ("epochs", "batch_size"):
            fit[key] = cause["study"].get(f"training.{key}", fit[key])
    found: dict[str, list[float]] = {"score": [], "as_given": []}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        model = make()
        model.optimizer.build(model.trainable_variables)
        run = compiled_loop(model) if without_convolutions(model) else None
        if stops:
            _stopped(model, run, changed, fit, seed)
        else:
            train(model, run, changed, fit, seed)
        for name, value in scores(model, data, program.draws, changed, restore).items():
            found[name].append(value)
        keras.backend.clear_session()
    return found


def _stopped(model: Any, run: Any, data: Data, fit: dict[str, Any], seed: int) -> None:
    """Fits and keeps the weights of the epoch that does best on the user's own held-out rows."""
    least, best = np.inf, model.get_weights()
    held = (data.x_val, data.x_val if data.y_val is None else data.y_val)
    for epoch in range(fit["epochs"]):
        train(model, run, data, {**fit, "epochs": 1}, seed + 1000 * epoch)
        loss = float(np.ravel(model.test_on_batch(*held))[0])
        if loss < least:
            least, best = loss, model.get_weights()
    model.set_weights(best)


def _maker(program: Program, case: Case, causes: Sequence[dict[str, Any]], run: Path) -> Callable[[], Any] | None:
    """Returns a function that builds the compiled, fixed model."""
    import keras

    study = {key: value for cause in causes for key, value in cause["study"].items()}
    unworded = [cause for cause in causes if not cause["study"] and not cause["code"].startswith(("code.", "data."))]
    rebuilt = [cause for cause in causes if any(key.startswith("model.") for key in cause["study"])] + unworded
    saved = None
    if rebuilt:
        last = max(rebuilt, key=lambda cause: cause["step"])
        saved = next(iter(run.glob(f"configurations/*-{last['experiment'][:8]}/*/model.keras")), None)
        if saved is None or not _differs(saved, program.build(case)):
            return None
    masked = "preprocessing.missing" in study

    def make() -> Any:
        model = program.build(case)
        optimizer, loss = model.optimizer, model.loss
        if saved is not None:
            core = _core(saved)
            model = type(core).from_config(core.get_config())
            model(keras.ops.zeros((1, *np.shape(program.data(case).x_train)[1:])))
        if "training.optimizer" in study or "training.learning_rate" in study:
            config = {} if "training.optimizer" in study else optimizer.get_config()
            config["learning_rate"] = study.get("training.learning_rate", 0.001)
            name = study.get("training.optimizer", type(optimizer).__name__)
            optimizer = keras.optimizers.get({"class_name": name, "config": config})
        else:
            optimizer = type(optimizer).from_config(optimizer.get_config())
        loss = study.get("training.loss", loss)
        if masked:
            loss = _masked(keras.losses.get(loss))
        model.compile(optimizer=optimizer, loss=loss)
        return model

    return make


def _differs(saved: Path, model: Any) -> bool:
    """Whether a saved model has another architecture, which includes penalties and initial weights, than the user's."""
    return _described(_core(saved).get_config()) != _described(model.get_config())


def _described(config: Any) -> Any:
    """Returns a config without names, which count up from model to model, and without what building adds."""
    if isinstance(config, dict):
        left_out = ("name", "build_config", "registered_name", "module")
        return {key: _described(value) for key, value in config.items() if key not in left_out}
    if isinstance(config, (list, tuple)):
        return [_described(item) for item in config]
    return config


def _core(saved: Path) -> Any:
    """Returns the network inside a saved model that takes raw rows."""
    import keras

    import aetfx.preprocessing.layers  # noqa: F401  (registers the layers around a saved model)

    model = keras.models.load_model(saved, compile=False)
    names = [layer.name for layer in model.layers]
    if "prepare" not in names or "restore" not in names:
        return model
    inner = [layer for layer in model.layers if hasattr(layer, "layers")]
    return inner[0]


def _masked(loss: Any) -> Any:
    from keras import ops

    def masked(y_true: Any, y_pred: Any) -> Any:
        missing = ops.isnan(y_true)
        return loss(ops.where(missing, ops.stop_gradient(y_pred), y_true), y_pred)

    return masked


def _prepared(data: Data, causes: Sequence[dict[str, Any]]) -> tuple[Data, Callable[[np.ndarray], np.ndarray]] | None:
    """Returns the rows as fixed, and what takes predictions back to the units that the user's rows have."""
    study = {key: value for cause in causes for key, value in cause["study"].items()}
    codes = {cause["code"] for cause in causes}
    if codes & {"data.constant_features", "data.too_few_rows"}:
        return None
    if "code.target_mismatch" in codes:
        turned = any("target=turned" in cause["experiment_name"] for cause in causes)
        data = _turned(data) if turned else dataclasses.replace(data, y_train=None, y_val=None)
    if MISMATCH in codes:
        return _aligned(data)
    if "data.train_eval_shift" in codes and data.x_val is not None:
        # Rows like the fresh ones take the place of as many train rows.
        half = len(data.x_val) // 2
        mixed = {"x_train": np.concatenate([data.x_train[half:], data.x_val[:half]])}
        if data.y_train is not None and data.y_val is not None:
            mixed["y_train"] = np.concatenate([data.y_train[half:], data.y_val[:half]])
        data = dataclasses.replace(data, **mixed)
    keys = ("preprocessing.outliers", "preprocessing.missing", "preprocessing.scaling")
    if not any(key in study for key in keys):
        return data, lambda rows: rows
    return _preprocessed(data, *(study.get(key) for key in keys))


def _turned(data: Data) -> Data:
    """Lays each target of pictures that were turned apart as its input lies."""

    def laid(targets: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        ways = [np.rot90(side, turn, axes=(1, 2)) for side in (targets, targets[:, ::-1]) for turn in range(4)]
        off = [np.square(way - inputs).reshape(len(inputs), -1).sum(axis=1) for way in ways]
        return np.stack(ways)[np.argmin(off, axis=0), np.arange(len(inputs))]

    y_train, y_val = laid(data.y_train, data.x_train), laid(data.y_val, data.x_val)
    return dataclasses.replace(data, y_train=y_train, y_val=y_val)


def fresh_score(data: Data, predict: Callable[[np.ndarray], Any], codes: Collection[str]) -> float:
    """Scores what a trained model that takes raw rows gives back for the fresh rows, in original units.

    Rows that were prepared unlike the train rows are prepared as those are where that is the remedy.
    """
    aligned = _aligned(data) if MISMATCH in codes else None
    fed, back = aligned or (data, np.asarray)
    return round(judge(data, back(np.asarray(predict(fed.x_fresh)))), 5)


def _aligned(data: Data) -> tuple[Data, Callable[[np.ndarray], np.ndarray]] | None:
    """Brings val and fresh rows to the order of train's cells, or to its scale by the deciles of each column."""
    if data.x_val is None:
        return None
    order = layout(data.x_train, data.x_val)
    if order is not None:
        back = np.argsort(order.order)
        return _mapped(data, order), lambda rows: rows.reshape(len(rows), -1)[:, back].reshape(rows.shape)
    shape = data.x_fresh.shape[1:]
    train, val = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (data.x_train, data.x_val))
    cuts = np.linspace(5, 95, 19)
    ends = float(train.min() + train.max())
    if _is_negative(train, val, ends):
        return _mapped(data, lambda rows: ends - rows), lambda rows: ends - rows
    alike = np.square(np.corrcoef(np.percentile(train, cuts), np.percentile(val, cuts))[0, 1])
    if not is_table(data.x_val) and alike > ONE_MAP:  # else each column was scaled by itself
        train, val = train.reshape(-1, 1), val.reshape(-1, 1)
    one, other = np.percentile(train, cuts, axis=0), np.percentile(val, cuts, axis=0)
    spread = other.std(axis=0)
    spans = (one.std(axis=0) > 0) & (spread > 0)
    slope = np.where(spans, one.std(axis=0) / np.where(spans, spread, 1.0), _moments_ratio(train, val))
    offset = np.where(
        spans, one.mean(axis=0) - slope * other.mean(axis=0), train.mean(axis=0) - slope * val.mean(axis=0)
    )
    if len(slope) > 1:
        slope, offset = slope.reshape(shape), offset.reshape(shape)
    return _mapped(data, lambda rows: rows * slope + offset), lambda rows: (rows - offset) / slope


def _mapped(data: Data, change: Callable[[np.ndarray], np.ndarray]) -> Data:
    worn = None if data.x_worn is None else change(data.x_worn).astype("float32")
    return dataclasses.replace(data, x_fresh=change(data.x_fresh).astype("float32"), x_worn=worn)


def _is_negative(train: np.ndarray, val: np.ndarray, ends: float) -> bool:
    """Whether the column means of val agree with those of train where dark and bright change places, and only so."""
    same, turned = (float(np.corrcoef(train.mean(axis=0), side.mean(axis=0))[0, 1]) for side in (val, ends - val))
    return turned > 0.9 > 0 > same


def _moments_ratio(train: np.ndarray, val: np.ndarray) -> np.ndarray:
    """For columns that hold one value nearly everywhere, whose deciles say nothing."""
    sd = val.std(axis=0)
    return np.where(sd > 0, train.std(axis=0) / np.where(sd > 0, sd, 1.0), 1.0)


def _preprocessed(
    data: Data, outliers: str | None, missing: str | None, scaling: str | None
) -> tuple[Data, Callable[[np.ndarray], np.ndarray]]:
    """Fits the preprocessing that was named to the user's train rows, with the marks and fences that are named too."""
    from aetfx.preprocessing.fit import fit_rows
    from aetfx.validation.checks.missing import find_sentinels
    from aetfx.validation.checks.outliers import inner_fences
    from aetfx.validation.statistics import summarize

    statistics = summarize(data.x_train)
    known = np.where(known_cells(data.x_train), data.x_train, np.nan)
    # Where the scale is fitted anew without gross cells or marks, it is that of each column.
    table = is_table(known) or (known.ndim == 2 and bool(outliers or missing))
    fitted = fit_rows(
        {"outliers": outliers or "none", "missing": missing or "none", "scaling": scaling or "none"},
        data.x_train,
        scope="column" if table else "pooled",
        sentinels=find_sentinels(statistics),
        fences=inner_fences(statistics) if outliers else None,
    )
    y_train = None
    if missing:
        y_train = fitted.apply(data.x_train, impute=False)
    elif data.y_train is not None:
        y_train = fitted.apply(data.y_train)
    changed = _mapped(data, fitted.apply)
    return dataclasses.replace(changed, x_train=fitted.apply(data.x_train), y_train=y_train), fitted.invert
