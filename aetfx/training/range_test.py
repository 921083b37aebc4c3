"""A learning-rate range test: how fast the loss falls in the first updates, rate by rate.

The idea is Smith's (2017, section 3.3); here every rate starts from the same initial weights and
runs the same updates, so that the rates can be compared and not only a curve be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from aetfx.preprocessing.fit import Preprocessing
from aetfx.training.feed import needs_padding, run_parts, steps_at_once, updates_per_epoch
from aetfx.training.recipe import Recipe
from aetfx.training.step import loss_in
from aetfx.training.trial import feed_of
from aetfx.training.workshop import Workshop

_LEAST_UPDATES = 50
_MOST_UPDATES = 300
_PARTS = 5


def range_test(
    recipe: Recipe,
    rows: np.ndarray,
    preprocessing: Preprocessing,
    rates: Sequence[float],
    *,
    seed: int,
    targets: np.ndarray | None = None,
    workshop: Workshop | None = None,
    jit: bool = False,
    tell: Callable[[int], None] | None = None,
) -> dict[float, float]:
    """Returns the training loss that each rate reaches after the same few updates.

    Args:
      recipe: what to train; a schedule is replaced by a constant rate.
      rows: raw train rows (n, *shape).
      preprocessing: fitted on these rows.
      rates: learning rates to try.
      seed: of the initial weights and the order of the rows.
      targets: see `aetfx.training.trial.train`.
      workshop, jit: see `aetfx.training.trial.train`.
      tell: called with the number of rates that are done.

    Returns:
      rate to mean loss over the last fifth of the updates; infinite where it diverged.
    """
    import keras

    workshop = workshop or Workshop()
    if isinstance(recipe.optimizer["config"].get("learning_rate"), dict):
        constant = {**recipe.optimizer["config"], "learning_rate": float(rates[0])}
        recipe = recipe.changed(optimizer={**recipe.optimizer, "config": constant})
    fed, target = feed_of(recipe, preprocessing, rows, targets)
    total = recipe.epochs * updates_per_epoch(len(fed), recipe.batch_size)
    part = math.ceil(min(max(total, _LEAST_UPDATES), _MOST_UPDATES) / _PARTS)
    at_once = 1 if recipe.step.eager else steps_at_once(len(fed), recipe.batch_size)
    part = at_once * math.ceil(part / at_once)  # an execution is not cut short
    replicas = workshop.replicas(recipe)
    padded = needs_padding(len(fed), recipe.batch_size, replicas)
    keras.utils.set_random_seed(seed)
    fresh = recipe.source.build()
    found: dict[float, float] = {}
    for rate in rates:
        bench = workshop.bench(recipe.with_learning_rate(rate), n_rows=len(fed), padded=padded, jit=jit)
        bench.reset(fresh, rate)
        history = run_parts(
            bench.model,
            fed,
            target,
            batch_size=recipe.batch_size,
            seed=seed,
            parts=_PARTS,
            updates=part,
            replicas=replicas,
            feeding=recipe.step.feeding,
            execution=bench.execution,
        )
        loss = loss_in(history.history, recipe.step)[-1]
        found[rate] = float(loss) if np.isfinite(loss) else math.inf
        if tell is not None:
            tell(len(found))
    return found
