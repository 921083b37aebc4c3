"""The change as a unified diff of everything that a training is made from, and the Keras code to paste."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from aetfx.diagnosis.repair.recipes import Side
from aetfx.models.code import expression, outline
from aetfx.training.recipe import Recipe

_SAID = ("source", "optimizer", "loss", "epochs", "batch_size", "preprocessing", "name", "metrics")


def describe(recipe: Recipe) -> list[str]:
    """Returns a recipe as lines that read like YAML, one setting or layer each."""
    # A scale per column goes without saying.
    preprocessing = {k: value for k, value in recipe.preprocessing.items() if value not in ("none", "column")}
    lines = [
        *outline(recipe.source.blueprint),
        f"optimizer: {expression(recipe.optimizer, prefix=False)}",
        f"loss: {recipe.loss if isinstance(recipe.loss, str | None) else expression(recipe.loss, prefix=False)}",
        f"epochs: {recipe.epochs}",
        f"batch_size: {recipe.batch_size}",
        "preprocessing:" if preprocessing else "preprocessing: none",
        *(f"  {key}: {value}" for key, value in preprocessing.items()),
    ]
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if field.name not in _SAID and value != field.default and value != {}:
            lines.append(f"{field.name}: {str(value).lower() if isinstance(value, bool) else value}")
    return lines


def diff(before: Side, after: Side, causes: Sequence[Any]) -> str:
    """Returns the diff of two recipes, followed by the Keras code of each cause in the order of the chain.

    Args:
      causes: `CauseVerdict`s.
    """
    changes = difflib.unified_diff(
        describe(before.recipe), describe(after.recipe), "as diagnosed", "repaired", lineterm=""
    )
    parts = ["\n".join(changes)]
    pasted: set[str] = set()
    for number, cause in enumerate(causes, start=1):
        if cause.keras and cause.keras not in pasted:  # two causes that help together only share their code
            pasted.add(cause.keras)
            parts.append(f"# {number}. {cause.code}: {cause.remedy}\n{cause.keras}")
    return "\n\n".join(parts) + "\n"
