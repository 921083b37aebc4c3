"""The space that a person would search: what a healthy program is held against, and what `peers` search too."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.diagnosis.program import Case, Program

ACTIVATIONS = ("relu", "tanh", "elu", "silu")
OPTIMIZERS = ("adam", "rmsprop", "nadam")
INITIALIZERS = ("glorot_uniform", "he_normal", "lecun_normal")
LOWEST_RATE, HIGHEST_RATE = 1e-4, 1e-2


def healthy_trials(program: Program, case: Case, count: int = 25) -> Iterator[Case]:
    """Yields random settings of the same widths, epochs and number of updates as the case.

    The learning rate is log-uniform; optimizer, activation and initialiser are drawn from the lists above, scaling
    from the program's `SCALERS` where it has any. Only what `build` takes as an argument can be drawn.
    """
    rng = np.random.default_rng(7)
    accepted = inspect.signature(program.module.build).parameters
    scalers = getattr(program.module, "SCALERS", ())
    for number in range(count):
        drawn: dict[str, Any] = {
            "activation": str(rng.choice(ACTIVATIONS)),
            "optimizer": str(rng.choice(OPTIMIZERS)),
            "initializer": str(rng.choice(INITIALIZERS)),
            "learning_rate": float(f"{np.exp(rng.uniform(np.log(LOWEST_RATE), np.log(HIGHEST_RATE))):.3g}"),
        }
        data = dict(case.data)
        if scalers:
            data["scaler"] = scalers[int(rng.integers(len(scalers)))]
        build = {**case.build, **{name: value for name, value in drawn.items() if name in accepted}}
        yield Case(case.base, f"search-{number}", "search", (), data, build, case.fit)
