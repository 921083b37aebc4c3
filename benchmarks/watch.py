"""What `aetfx.Watch` costs: the same training with and without it, in turns, in one process.

    python -m benchmarks.watch [--repeats 7] [--json FILE]

Two models on made-up rows: a dense one on 8,192 x 64 (256 updates per epoch) and a convolutional one on 1,024 pictures
of 16 x 16. Each is compiled once and trained once as warm-up, with and without; then `repeats` pairs follow, in
alternating order, with fresh weights and the training rows as probe rows. *Overhead* is the median of the pairs'
quotients, less 1; *inside* is the share of the time that the callback itself counted (`watch.seconds`), which other
work on the machine does not blur. Exits 1 where the share inside is above 3 %.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOUND = 0.03
EPOCHS = 30


def dense() -> tuple[Any, Any]:
    """Returns a model and its rows."""
    import keras
    import numpy as np
    from keras import layers

    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(8192, 8)) @ rng.normal(size=(8, 64)) + 0.1 * rng.normal(size=(8192, 64))).astype("float32")
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(64, "relu"), layers.Dense(8), layers.Dense(64, "relu"), layers.Dense(64)]
    )
    return model, rows


def conv() -> tuple[Any, Any]:
    """Returns a model and its pictures."""
    import keras
    import numpy as np
    from keras import layers

    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(1024, 4)) @ rng.uniform(size=(4, 256)) / 4
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    return model, rows.reshape(-1, 16, 16, 1).astype("float32")


def measure(make: Callable[[], tuple[Any, Any]], repeats: int) -> dict[str, Any]:
    """Trains in turns and returns seconds of each training, without and with, and the share spent in the callback."""
    import aetfx

    model, rows = make()
    model.compile("adam", "mse")
    start, first = model.get_weights(), [variable.numpy() for variable in model.optimizer.variables]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    inside: list[float] = []
    for turn in range(repeats + 1):
        for watched in (False, True) if turn % 2 else (True, False):
            model.set_weights(start)
            for variable, value in zip(model.optimizer.variables, first, strict=False):
                variable.assign(value)
            watch = aetfx.Watch(rows, say=lambda line: None)
            begun = time.perf_counter()
            model.fit(rows, rows, epochs=EPOCHS, batch_size=32, verbose=0, callbacks=[watch] if watched else [])
            took = time.perf_counter() - begun
            if turn:  # the first is the warm-up
                seconds[watched].append(took)
                if watched:
                    inside.append(watch.seconds / took)
    quotients = [w / p for w, p in zip(seconds[True], seconds[False], strict=True)]
    return {
        "plain_seconds": statistics.median(seconds[False]),
        "watched_seconds": statistics.median(seconds[True]),
        "overhead": statistics.median(quotients) - 1,
        "overhead_range": [min(quotients) - 1, max(quotients) - 1],
        "inside": statistics.median(inside),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = {make.__name__: measure(make, options.repeats) for make in (dense, conv)}
    print(f"{time.strftime('%Y-%m-%d')}  Python {platform.python_version()}  {os.cpu_count()} cores, {EPOCHS} epochs")
    print(f"{'':8}{'plain s':>10}{'watched s':>11}{'overhead':>10}{'(range)':>20}{'inside':>9}")
    for name, figures in found.items():
        low, high = figures["overhead_range"]
        spread = f"{low:+.1%} to {high:+.1%}"
        print(
            f"{name:8}{figures['plain_seconds']:10.2f}{figures['watched_seconds']:11.2f}{figures['overhead']:+10.1%}"
            f"{spread:>20}{figures['inside']:9.2%}"
        )
    if options.json:
        options.json.write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), **found}, indent=2) + "\n")
    return 1 if any(figures["inside"] > BOUND for figures in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
