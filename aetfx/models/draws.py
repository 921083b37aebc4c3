"""Drawing from stochastic models: the same draws whenever asked, and no trace left in anybody's random state.

Terms: a model is *stochastic* when two passes over the same rows with `training=False` differ (a VAE that samples
its code). It is scored by the mean of the scores of 8 *draws*: passes from fixed seeds (METHOD section 1).
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from aetfx.models.passing import reconstruct

DRAWS = 8
_FIRST_SEED = 7_000
_PROBE_ROWS = 16
_OTHERS_CODE = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")  # Keras's, around somebody's own


def is_stochastic(model: Any, fed: np.ndarray) -> bool:
    """Whether two passes over the first few rows as fed differ by more than rounding."""
    if not may_draw(model):
        return False
    with undisturbed(model):
        one, two = (np.asarray(reconstruct(model, fed[:_PROBE_ROWS])) for _ in range(2))
    return not np.allclose(one, two, rtol=1e-5, atol=1e-6, equal_nan=True)


def may_draw(model: Any) -> bool:
    """Whether a model could draw: what Keras itself has draws while training only (dropout, noise, augmentation)."""
    kinds = [type(part) for part in (model, *model._flatten_layers(include_self=False, recursive=True))]
    return not all(kind.__module__.startswith("keras.") and kind.__name__ not in _OTHERS_CODE for kind in kinds)


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """Puts back the random states of the model, of Keras, NumPy and Python when left; training goes on as if not left.

    TensorFlow's own global seed cannot be read, so that it is not touched here (see `drawing`).
    """
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    states = _generator_states(model) + ([generator.state] if generator is not None else [])
    kept = [np.array(state) for state in states]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what Keras seeds
    try:
        yield
    finally:
        for state, value in zip(states, kept, strict=True):
            state.assign(value)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextlib.contextmanager
def drawing(model: Any, number: int) -> Iterator[None]:
    """Lets the model answer as in draw `number`, whatever ran before.

    TensorFlow's global seed is left at that of the draw. Not in the middle of a training: setting that seed starts
    the random streams of TensorFlow's compiled functions anew.
    """
    import keras

    with undisturbed(model):
        keras.utils.set_random_seed(_FIRST_SEED + number)
        for i, state in enumerate(_generator_states(model)):
            state.assign(np.array([_FIRST_SEED + number, i], dtype="uint32"))
        yield


def _generator_states(model: Any) -> list[Any]:
    """Returns the variables of the model's seed generators."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
