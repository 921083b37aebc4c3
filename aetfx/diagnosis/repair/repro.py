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
      ModelError: the model cannot be written down: code of the user's own that has no source, or fixed weights.
    """
    if before.frozen:
        raise ModelError(
            f"layer '{before.frozen[0]}' keeps weights that no training sets: a script cannot hold them. "
            "Send fixed/model.keras of the run with it."
        )
    codes = list(dict.fromkeys(cause.code for cause in causes))
    first, last = causes[0].score_before, causes[-1].score_after
    own = _own_code({**before.homes, **after.homes}, {**before.recipe.source.objects, **after.recipe.source.objects})
    same = before.recipe.source.blueprint == after.recipe.source.blueprint
    gaps = bool(rows["sentinels"]) or any("missing" in _spec(side.recipe) for side in (before, after))
    masked = before.recipe.masked_loss or after.recipe.masked_loss
    parts = [
        [
            f'"""A fault and its fix: {", ".join(codes)}.',
            "",
            f"aetfx measured a score of {first:.3f} before and {last:.3f} after.",
            '"""',
        ],
        _imports(before, after),
        *([own] if own else []),
        [*reading_lines(rows, run), *_facts(rows, gaps)],
        *([_MASKED.strip("\n").splitlines()] if masked else []),
        *([["def build():", *_indented(_building(before.recipe, "model")), "    return model"]] if same else []),
        ["def as_it_is():", *_indented(_training(before.recipe, rows, same))],
        [
            "def repaired():",
            *_indented([f"# {remedy}" for remedy in dict.fromkeys(cause.remedy for cause in causes)]),
            *_indented(_training(after.recipe, rows, same)),
        ],
        _scoring(rows, gaps),
        [
            "for run in (as_it_is, repaired):",
            f"    keras.utils.set_random_seed({rows['seed']})",
            '    print(f"{run.__name__}: {score(run()):.3f}")',
        ],
    ]
    text = ""
    for part in parts:
        blank = (
            "\n\n\n"
            if part[0].startswith(("def ", "class ", "for ")) or text.endswith("\n    return model")
            else "\n\n"
        )
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


def _building(recipe: Recipe, variable: str) -> list[str]:
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


def _training(recipe: Recipe, rows: Mapping[str, Any], same: bool) -> list[str]:
    spec = _spec(recipe)
    loss = recipe.loss if isinstance(recipe.loss, dict) else None
    loss_text = expression(loss) if loss is not None else json.dumps(recipe.loss).replace("null", "None")
    if recipe.masked_loss and recipe.loss is not None:
        loss_text = f"of_known({loss_text})"
    settings = f"epochs={recipe.epochs}, batch_size={recipe.batch_size}, verbose=0"
    prepared = _preparing(spec, rows)
    x, v = ("x", "v") if prepared else ("train", "held_out")
    y = "y" if "missing" in spec and recipe.masked_loss else x
    if recipe.early_stopping:
        settings += f", validation_data=({v}, {v}), callbacks=[best]"
    return [
        *prepared,
        *(["model = build()"] if same else _building(recipe, "model")),
        f"model.compile({expression(recipe.optimizer)}, loss={loss_text})",
        *(
            [f"best = keras.callbacks.EarlyStopping(patience={recipe.epochs}, restore_best_weights=True)"]
            if recipe.early_stopping
            else []
        ),
        f"model.fit({x}, {y}, {settings})",
        f"return model.predict({v}, verbose=0)" + (" * scale + center" if "scaling" in spec else ""),
    ]


def _preparing(spec: Mapping[str, str], rows: Mapping[str, Any]) -> list[str]:
    """Returns the preprocessing as lines that bind x, y (targets with gaps) and v to train and held-out rows as fed."""
    if not spec.keys() & {"scaling", "missing", "outliers"}:
        return []
    lines = ["x, v = marked(train), marked(held_out)" if "missing" in spec else "x, v = train, held_out"]
    if "outliers" in spec:
        if not rows["fences"]:
            lines += [
                "q1, q3 = np.nanquantile(x, [0.25, 0.75], axis=0)",
                "reach = np.where(q3 > q1, 3 * (q3 - q1), np.inf)  # Tukey's outer fences",
                "low, high = q1 - reach, q3 + reach",
            ]
        lines.append("x, v = (np.clip(a, low, high) for a in (x, v))")
    if "missing" in spec:
        how = {"zero": "np.zeros(x.shape[1:])"}.get(spec["missing"], f"np.nan{spec['missing']}(x, axis=0)")
        lines.append(f"fill = {how}")
    if "scaling" in spec:
        axis = "" if spec.get("scope") == "pooled" else ", axis=0"
        lines.append(f"center, scale = {_FIGURES[spec['scaling']].format(axis=axis)}")
        lines.append("scale = np.where(scale > 0, scale, 1)")
        scaled = "x, v, fill" if "missing" in spec else "x, v"
        lines.append(f"{scaled} = ((a - center) / scale for a in ({scaled}))")
    if "missing" in spec:
        lines += ["y = x", "x, v = (np.where(np.isnan(a), fill, a) for a in (x, v))"]
    return lines


def _facts(rows: Mapping[str, Any], gaps: bool) -> list[str]:
    """Returns what was found in the rows as lines: fences, and numbers that stand for "missing"."""
    lines = []
    if _has_fences(rows):
        for name, side, edge in (("low", 0, "-np.inf"), ("high", 1, "np.inf")):
            values = ", ".join(edge if value is None else f"{value:.6g}" for value in rows["fences"][side])
            lines.append(f"{name} = np.array([{values}]).reshape(train.shape[1:])")
    if gaps:
        lines += ["", "", "def marked(x):  # missing cells become NaN", "    x = np.where(np.isfinite(x), x, np.nan)"]
        if rows["sentinels"]:
            marks = ", ".join(f"{column}: {values}" for column, values in rows["sentinels"])
            lines += [
                "    flat = x.reshape(len(x), -1)",
                f"    for column, values in {{{marks}}}.items():",
                "        flat[np.isin(flat[:, column], values), column] = np.nan",
            ]
        lines.append("    return x")
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


def _has_fences(rows: Mapping[str, Any]) -> bool:
    return bool(rows["fences"]) and len(rows["fences"][0]) <= _MOST_FENCES


def _clips_by_rows(rows: Mapping[str, Any]) -> bool:
    """Whether fences are known, but too many to be written down."""
    return bool(rows["fences"]) and not _has_fences(rows)


def _scoring(rows: Mapping[str, Any], gaps: bool) -> list[str]:
    lines = [
        "def score(restored):  # fraction of variance unexplained: 0 is perfect, 1 is the mean of the train rows",
        "    truth, known = " + ("marked(held_out), marked(train)" if gaps else "held_out, train"),
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
