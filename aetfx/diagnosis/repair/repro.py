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

from aetfx.diagnosis.repair.preparing_code import (
    asks_targets,
    ends_in_functions,
    facts_lines,
    has_gaps,
    preparing_lines,
    scoring_lines,
    steps_of,
)
from aetfx.diagnosis.repair.recipes import Side, rescaling_of
from aetfx.diagnosis.repair.rows_code import reading_lines
from aetfx.errors import ModelError
from aetfx.models.arguments import without_stand_ins
from aetfx.models.code import expression, model_code, slim
from aetfx.models.passing import has_call
from aetfx.models.serial import dictionaries
from aetfx.training.recipe import Recipe

_MASKED = """
def of_known(loss):  # missing targets are NaN and do not count
    loss = keras.losses.get(loss)
    return lambda y, p: loss(keras.ops.where(keras.ops.isnan(y), keras.ops.stop_gradient(p), y), p)
"""


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
    mended = [cause for cause in causes if cause.verdict != "supported"]  # a script cannot add rows
    codes = list(dict.fromkeys(cause.code for cause in mended))
    first, last = mended[0].score_before, mended[-1].score_after
    own = _own_code({**before.homes, **after.homes}, {**before.recipe.source.objects, **after.recipe.source.objects})
    same = _building(before.recipe, "model") == _building(after.recipe, "model")
    shared = preparing_lines(before.recipe, rows)
    if shared != preparing_lines(after.recipe, rows):
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
        [
            *reading_lines(rows, run),
            *facts_lines(rows),
            *(["", ""] if ends_in_functions(rows) and shared else []),
            *shared,
        ],
        *([_MASKED.strip("\n").splitlines()] if masked else []),
        *([["def build():", *_indented(_returned(_building(before.recipe, "model")))]] if same else []),
        ["def as_it_is():", *_indented(_training(before.recipe, rows, same, bool(shared)))],
        [
            "def repaired():",
            *_indented([f"# {remedy}" for remedy in dict.fromkeys(cause.remedy for cause in mended)]),
            *_indented(_training(after.recipe, rows, same, bool(shared))),
        ],
        scoring_lines(rows),
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
    opaque = any(_code(side.recipe, "model") is None for side in (before, after))
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
    if rescaling_of(rows) is not None:
        return "the targets of noisy rows are on another scale than these"
    if recipe.target == "turned":
        return "the targets are turned otherwise than their rows"
    if recipe.objective.keys() - {"attributes"}:
        return "the repair rewrites what the model minimises"
    if recipe.step.own and recipe.early_stopping:
        return "the model trains itself, and the repair keeps its best epoch"
    if rows.get("padding") is not None and "missing" in steps_of(recipe):
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


def _code(recipe: Recipe, variable: str) -> list[str] | None:
    """Returns the statements that make the model; None where only Keras can read its description."""
    import keras

    blueprint = recipe.source.blueprint
    lines = model_code(blueprint, variable)
    own = recipe.source.objects.get(str(blueprint.get("class_name")))
    if lines is not None or own is None or own.from_config.__func__ is not keras.Model.from_config.__func__:
        return lines
    arguments = {key: value for key, value in blueprint["config"].items() if key != "dtype"}
    if any("class_name" in node for node in dictionaries(arguments)):
        return None
    return [
        f"{variable} = {expression(without_stand_ins(blueprint))}"
    ]  # Keras itself calls the class with what is described


def _made(recipe: Recipe, variable: str) -> list[str]:
    lines = _code(recipe, variable)
    if lines is not None:
        return lines
    objects = ", ".join(f'"{name}": {item.__name__}' for name, item in recipe.source.objects.items())
    text = json.dumps(slim(without_stand_ins(recipe.source.blueprint)), separators=(",", ":"))
    return [
        f"with keras.saving.custom_object_scope({{{objects}}}):",
        f"    {variable} = keras.saving.deserialize_keras_object(json.loads({text!r}), safe_mode=False)",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


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
    step, asks = recipe.step, asks_targets(recipe, rows)
    loss = recipe.loss if isinstance(recipe.loss, dict) else None
    loss_text = expression(loss) if loss is not None else json.dumps(recipe.loss).replace("null", "None")
    if recipe.masks_targets:
        loss_text = f"of_known({loss_text})"
    settings = f"epochs={recipe.epochs}, batch_size={recipe.batch_size}, verbose=0"
    prepared = preparing_lines(recipe, rows)
    x, v, y, w = ("x", "v", "y", "w") if prepared else ("train", "held_out", "asked", "held_out_asked")
    if not asks:
        y, w = y if has_gaps(recipe) else x, v
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
        *_predicting(recipe, v),
    ]


def _predicting(recipe: Recipe, v: str) -> list[str]:
    """Returns the lines that return the reconstruction of `v` in raw units, also of a model that trains itself."""
    lines, given = [], f"model.predict({v}, verbose=0)"
    if recipe.step.own:
        own = recipe.source.objects.get(str(recipe.source.blueprint.get("class_name")))
        if own is None or has_call(own):
            lines = [f"given = keras.tree.flatten({given})"]
            given = f"next(output for output in given if output.shape == {v}.shape)"
        else:
            lines = [f"codes = keras.tree.flatten(model.encoder({v}))  # mean, spread and a draw; or fewer"]
            given = "np.asarray(model.decoder(codes[-1 if len(codes) > 2 else 0]))"
    spec = steps_of(recipe)
    if "scaling" in spec:
        given += " * scale + center"
    if "constant" in spec:
        given = f"np.where(still, usual, {given})"
    return [*lines, f"return {given}"]
