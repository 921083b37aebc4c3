"""Small parts that several programs share."""

from __future__ import annotations

from typing import Any


def optimizer(name: str, learning_rate: float | None = None) -> Any:
    """Returns a Keras optimizer by name; without a rate, with Keras's default."""
    import keras

    config = {} if learning_rate is None else {"learning_rate": learning_rate}
    return keras.optimizers.get({"class_name": name, "config": config})
