"""A script of some 30 lines that shows fault and fix with Keras and NumPy alone, to be sent with a question.

It trains both once and prints the fraction of variance unexplained (FVU) of each on held-out rows. These are drawn at
random, where the diagnosis draws them by row hash and trains several times: the figures are near the diagnosis's.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aetfx.diagnosis.repair.recipes import Side
from aetfx.diagnosis.repair.rows_code import reading_lines
from aetfx.errors import ModelError
from aetfx.models.code import expression, model_code, slim
from aetfx.models.passing import has_call
from aetfx.training.recipe import Recipe

_MOST_FENCES = 40  # columns whose fences are written down; those of more are computed in a simpler way
_MASKED = """
def of_known(loss):  # missing targets are NaN and do not count
    loss = keras.losses.get(loss)
    return lambda y, p: loss(keras.ops.where(keras.ops.isnan(y), keras.ops.stop_gradient(p), y), p)
"""
_FIGURES = {
    "standard": "np.nanmean(x{axis}), np.nanstd(x{axis})",
    "minmax": "np.nanmin(x{axis}), np.nanmax(x{axis}) - np.nanmin(x{axis})",
    "robust": "np.nanmedian(x{axis}), np.subtract(*np.nanquantile(x, [0.75, 0.25]{axis})) / 1.349",
}


def repro(before: Side, after: Side, rows: Mapping[str, Any], causes: Sequence[Any], run: Path | None) -> str:
    """Returns the script.

    Args:
      before, after: both recipes.
      rows: of `recipes.json`.
      causes: `CauseVerdict`s, in the order of the chain.
      run: the run directory, where there is one.

    Raises:
      ModelError: model or repair cannot be written down: code of the user's own that has no source, fixed weights,
        several inputs, or a repair that is neither in the model nor in its training.
    """
    if because := _cannot_be_written(before, after, rows):
        raise ModelError(f"{because}: a script cannot show that. Send fixed/model.keras of the run instead.")
    codes = list(dict.fromkeys(cause.code for cause in causes))
    first, last = causes[0].score_before, causes[-1].score_after
    own = _own_code({**before.homes, **after.homes}, {**before.recipe.source.objects, **after.recipe.source.objects})
    same = _building(before.recipe, "model") == _building(after.recipe, "model")
    shared = _preparing(before.recipe, rows)
    if shared != _preparing(after.recipe, rows):
        shared = []
    masked = before.recipe.masks_targets or after.recipe.masks_targets
    parts = [
        [
            f'"""A fault and its fix: {", ".join(codes)}.',
            "",
            f"aetfx measured a score of {first:.3f} before and {last:.3f} after.",
            '"""',
        ],
        _imports(before, after),
        *([own] if own else []),
        [*reading_lines(rows, run), *_facts(rows), *(["", ""] if _has_functions(rows) and shared else []), *shared],
        *([_MASKED.strip("\n").splitlines()] if masked else []),
        *([["def build():", *_indented(_returned(_building(before.recipe, "model")))]] if same else []),
        ["def as_it_is():", *_indented(_training(before.recipe, rows, same, bool(shared)))],
        [
            "def repaired():",
            *_indented([f"# {remedy}" for remedy in dict.fromkeys(cause.remedy for cause in causes)]),
            *_indented(_training(after.recipe, rows, same, bool(shared))),
        ],
        _scoring(rows),
        [
            "for run in (as_it_is, repaired):",
            f"    keras.utils.set_random_seed({rows['seed']})",
            '    print(f"{run.__name__}: {score(run()):.3f}")',
        ],
    ]
    text = ""
    for part in parts:
        blank = "\n\n\n" if part[0].startswith(("def ", "class ", "for ")) else "\n\n"
        text += (blank if text else "") + "\n".join(part)
    return text + "\n"


def _imports(before: Side, after: Side) -> list[str]:
    opaque = any(model_code(side.recipe.source.blueprint) is None for side in (before, after))
    return [*(["import json", ""] if opaque else []), "import keras", "import numpy as np", "from keras import layers"]


def _own_code(homes: Mapping[str, str], objects: Mapping[str, Any]) -> list[str]:
    """Returns imports of the user's own classes and functions, or their source where they live in a script."""
    lines: list[str] = []
    for home in dict.fromkeys(homes.values()):
        module, name = home.split(":")
        item = next((objects[key] for key, value in homes.items() if value == home and key in objects), None)
        if module != "__main__" and "." not in name and "<" not in name:
            lines.append(f"from {module} import {name}")
            continue
        try:
            lines += inspect.getsource(item).strip("\n").splitlines()  # type: ignore[arg-type]
        except (OSError, TypeError):
            raise ModelError(
                f"the source of '{name}' cannot be read, so a script cannot hold it. Put it in a module of its own, "
                "import it from there, and run the diagnosis again."
            ) from None
    return lines


def _cannot_be_written(before: Side, after: Side, rows: Mapping[str, Any]) -> str:
    """Says what about model and repair a script of Keras and NumPy cannot hold; "" for nothing."""
    recipe = after.recipe
    if before.frozen:
        return f"layer '{before.frozen[0]}' keeps weights that no training sets"
    if not recipe.source.blueprint:
        return "the model cannot describe itself"
    if rows.get("parts"):
        return "the model has several inputs"
    if recipe.rows:
        return "the repair is in which rows are trained on and held out"
    if recipe.objective.keys() - {"attributes"}:
        return "the repair rewrites what the model minimises"
    if recipe.step.own and recipe.early_stopping:
        return "the model trains itself, and the repair keeps its best epoch"
    if rows.get("padding") is not None and "missing" in _spec(recipe):
        return "sequences are padded and have gaps as well"
    return ""


def _building(recipe: Recipe, variable: str) -> list[str]:
    """Returns the lines that make the model, with the numbers that its objective changes in it."""
    lines = _made(recipe, variable)
    for place, value in recipe.objective.get("attributes", {}).items():
        number, name = place.split(".", 1)
        # As `aetfx.training.objective` counts them: the model first, then its layers.
        holder = variable if number == "0" else f"{variable}._flatten_layers(include_self=False)[{int(number) - 1}]"
        lines.append(f"{holder}.{name} = {value!r}")
    return lines


def _made(recipe: Recipe, variable: str) -> list[str]:
    blueprint = recipe.source.blueprint
    lines = model_code(blueprint, variable)
    if lines is not None:
        return lines
    objects = ", ".join(f'"{name}": {item.__name__}' for name, item in recipe.source.objects.items())
    text = json.dumps(slim(blueprint), separators=(",", ":"))
    return [
        f"with keras.saving.custom_object_scope({{{objects}}}):",
        f"    {variable} = keras.saving.deserialize_keras_object(json.loads({text!r}), safe_mode=False)",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _spec(recipe: Recipe) -> dict[str, str]:
    return {key: value for key, value in recipe.preprocessing.items() if value != "none"}


def _returned(lines: list[str]) -> list[str]:
    """Turns lines that bind `model` into the body of a function that returns it."""
    last = max(i for i, line in enumerate(lines) if line.lstrip().startswith("model = "))
    if any(line.startswith("model.") for line in lines[last:]):
        return [*lines, "return model"]
    return [*lines[:last], lines[last].replace("model = ", "return ", 1), *lines[last + 1 :]]


def _training(recipe: Recipe, rows: Mapping[str, Any], same: bool, shared: bool) -> list[str]:
    """Returns the body of a function that trains and predicts.

    Args:
      same: the model is built by `build`.
      shared: `x`, `y` and `v` are prepared before, for both sides.
    """
    spec, step, asks = _spec(recipe), recipe.step, _asks(recipe, rows)
    loss = recipe.loss if isinstance(recipe.loss, dict) else None
    loss_text = expression(loss) if loss is not None else json.dumps(recipe.loss).replace("null", "None")
    if recipe.masks_targets:
        loss_text = f"of_known({loss_text})"
    settings = f"epochs={recipe.epochs}, batch_size={recipe.batch_size}, verbose=0"
    prepared = _preparing(recipe, rows)
    x, v, y, w = ("x", "v", "y", "w") if prepared else ("train", "held_out", "asked", "held_out_asked")
    if not asks:
        y, w = y if "missing" in spec and recipe.masks_targets else x, v
    if recipe.early_stopping:
        settings += f", validation_data=({v}, {w}), callbacks=[best]"
    fed = x if step.feeding == "rows" else f"{x}, {y}"
    eager = ", run_eagerly=True" if step.eager else ""
    return [
        *([] if shared else prepared),
        *(["model = build()"] if same else _building(recipe, "model")),
        f"model.compile({expression(recipe.optimizer)}, loss={loss_text}{eager})",
        *(
            [f"best = keras.callbacks.EarlyStopping(patience={recipe.epochs}, restore_best_weights=True)"]
            if recipe.early_stopping
            else []
        ),
        f"model.fit({fed}, {settings})",
        *_predicting(recipe, v, " * scale + center" if "scaling" in spec else ""),
    ]


def _predicting(recipe: Recipe, v: str, unscaled: str) -> list[str]:
    """Returns the lines that return the reconstruction of `v`, also of a model that trains itself."""
    if not recipe.step.own:
        return [f"return model.predict({v}, verbose=0){unscaled}"]
    own = recipe.source.objects.get(str(recipe.source.blueprint.get("class_name")))
    if own is None or has_call(own):
        return [
            f"given = keras.tree.flatten(model.predict({v}, verbose=0))",
            f"return next(output for output in given if output.shape == {v}.shape){unscaled}",
        ]
    return [
        f"codes = keras.tree.flatten(model.encoder({v}))  # mean, spread and a draw; or fewer",
        f"return np.asarray(model.decoder(codes[-1 if len(codes) > 2 else 0])){unscaled}",
    ]


def _asks(recipe: Recipe, rows: Mapping[str, Any]) -> bool:
    """Whether `fit` asks something else back than the rows."""
    return rows.get("targets") is not None and recipe.target == "given"


def _preparing(recipe: Recipe, rows: Mapping[str, Any]) -> list[str]:
    """Returns the preprocessing as lines that bind x and v to train and held-out rows as fed, y and w to targets.

    There is no w where the targets are the rows themselves, and y only where it has gaps that x has not.
    """
    spec = _spec(recipe)
    if not spec.keys() & {"scaling", "missing", "outliers"}:
        return []
    asks, padded = _asks(recipe, rows), rows.get("padding") is not None
    names = {"x": "train", "v": "held_out"} | ({"y": "asked", "w": "held_out_asked"} if asks else {})
    by = "unpadded({})" if padded else "marked({})" if "missing" in spec and rows["sentinels"] else "{}"
    every = ", ".join(names)
    lines = [f"{every} = {', '.join(by.format(name) for name in names.values())}"]
    if "outliers" in spec:
        if not rows["fences"]:
            lines += [
                "q1, q3 = np.nanquantile(x, [0.25, 0.75], axis=0)",
                "reach = np.where(q3 > q1, 3 * (q3 - q1), np.inf)  # Tukey's outer fences",
                "low, high = q1 - reach, q3 + reach",
            ]
        lines.append(f"{every} = (np.clip(a, low, high) for a in ({every}))")
    if "missing" in spec:
        how = {"zero": "np.zeros(x.shape[1:])"}.get(spec["missing"], f"np.nan{spec['missing']}(x, axis=0)")
        lines.append(f"fill = {how}")
    if "scaling" in spec:
        axis = "" if spec.get("scope") == "pooled" else ", axis=0"
        lines.append(f"center, scale = {_FIGURES[spec['scaling']].format(axis=axis)}")
        lines.append("scale = np.where(scale > 0, scale, 1)")
        scaled = f"{every}, fill" if "missing" in spec else every
        lines.append(f"{scaled} = ((a - center) / scale for a in ({scaled}))")
    if "missing" in spec:
        filled = "x, v" if recipe.masks_targets else every
        lines += ["y = x"] if recipe.masks_targets and not asks else []
        lines.append(f"{filled} = (np.where(np.isnan(a), fill, a) for a in ({filled}))")
    if padded:
        lines.append(f"{every} = (np.where(np.isnan(a), {rows['padding']:g}, a) for a in ({every}))")
    return lines


def _facts(rows: Mapping[str, Any]) -> list[str]:
    """Returns what was found in the rows as lines: fences, and numbers that stand for "missing"."""
    lines = []
    if _has_fences(rows):
        for name, side, edge in (("low", 0, "-np.inf"), ("high", 1, "np.inf")):
            values = ", ".join(edge if value is None else f"{value:.6g}" for value in rows["fences"][side])
            lines.append(f"{name} = np.array([{values}]).reshape(train.shape[1:])")
    if rows["sentinels"]:
        marks = ", ".join(f"{column}: {values}" for column, values in rows["sentinels"])
        lines += [
            "",
            "",
            'def marked(x):  # numbers that stand for "missing" become NaN',
            "    flat = x.reshape(len(x), -1).copy()",
            f"    for column, values in {{{marks}}}.items():",
            "        flat[np.isin(flat[:, column], values), column] = np.nan",
            "    return flat.reshape(x.shape)",
        ]
    if rows.get("padding") is not None:
        lines += [
            "",
            "",
            "def unpadded(x):  # steps that only fill a sequence up become NaN",
            f"    same = (x == {rows['padding']:g}).reshape(*x.shape[:2], -1).all(axis=2)",
            "    steps = np.logical_and.accumulate(same[:, ::-1], axis=1)[:, ::-1]",
            "    return np.where(steps.reshape(*steps.shape, *[1] * (x.ndim - 2)), np.nan, x)",
        ]
    if _clips_by_rows(rows):
        lines += [
            "",
            "",
            "def tukey(x):  # outer fences",
            "    q1, q3 = np.nanquantile(x, [0.25, 0.75], axis=0)",
            "    reach = np.where(q3 > q1, 3 * (q3 - q1), np.inf)",
            "    return q1 - reach, q3 + reach",
            "",
            "",
            "low, high = tukey(train)",
        ]
    return lines


def _has_functions(rows: Mapping[str, Any]) -> bool:
    """Whether the facts end with a function, after which Python's style wants two empty lines."""
    return not _clips_by_rows(rows) and bool(rows["sentinels"] or rows.get("padding") is not None)


def _has_fences(rows: Mapping[str, Any]) -> bool:
    return bool(rows["fences"]) and len(rows["fences"][0]) <= _MOST_FENCES


def _clips_by_rows(rows: Mapping[str, Any]) -> bool:
    """Whether fences are known, but too many to be written down."""
    return bool(rows["fences"]) and not _has_fences(rows)


def _scoring(rows: Mapping[str, Any]) -> list[str]:
    targets = rows.get("targets")
    truth, known = ("held_out_asked", "asked") if targets is not None and targets["scored"] else ("held_out", "train")
    by = "unpadded" if rows.get("padding") is not None else "marked" if rows["sentinels"] else ""
    lines = [
        "def score(restored):  # fraction of variance unexplained: 0 is perfect, 1 is the mean of the train rows",
        f"    truth, known = {by}({truth}), {by}({known})" if by else f"    truth, known = {truth}, {known}",
    ]
    if rows["judge"] == "inliers":
        lines += [
            "    inside = ~((truth < low) | (truth > high)).reshape(len(truth), -1).any(axis=1)",
            "    truth, restored = truth[inside], restored[inside]",
            "    known = np.clip(known, low, high)",
        ]
    lines.append("    error, spread = (truth - restored) ** 2, (truth - np.nanmean(known, axis=0)) ** 2")
    lines.append("    if not np.isfinite(restored).all():")
    lines.append("        return 4.0")
    if rows["features"] == "tensor":
        return [*lines, "    return min(4.0, np.nansum(error) / np.nansum(spread))"]
    if rows["excluded"]:
        lines.append(
            "    scored = np.mean(known != np.nanmedian(known, axis=0), axis=0) >= 0.05  # the rest hardly vary"
        )
        lines.append("    error, spread = error[:, scored], spread[:, scored]")
    return [*lines, "    return np.mean(np.minimum(np.nanmean(error, axis=0) / np.nanmean(spread, axis=0), 4))"]
