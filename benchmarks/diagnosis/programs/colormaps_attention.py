"""Pieces of Matplotlib's colour maps, 16 steps of red, green and blue, through convolutions with attention."""

from dataclasses import dataclass
from functools import cache

import keras
import matplotlib
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import file_order

ARCHITECTURE = "Conv1D with attention"
DATASET = "colour maps"
FIT = {"epochs": 15, "batch_size": 32}
# The smooth maps, without those that are nearly or by half another one, forwards, backwards or from the middle.
MAPS = (
    "Blues BrBG BuPu CMRmap GnBu Greens Greys Oranges PRGn PiYG PuBuGn PuOr PuRd Purples RdBu RdPu RdYlBu Reds "
    "Spectral Wistia YlGnBu YlOrRd afmhot autumn berlin bone brg bwr cividis cool coolwarm copper cubehelix gist_earth "
    "gist_heat gist_ncar gist_rainbow gist_stern gnuplot gnuplot2 hot hsv inferno jet magma managua nipy_spectral "
    "ocean pink plasma rainbow seismic spring summer terrain turbo twilight vanimo viridis winter"
)
PER_MAP = 22


@cache
def pieces(steps: int = 16, every: int = 6, hop: int = 16) -> np.ndarray:
    """Returns pieces of the maps and of the reversed maps, every sixth colour, map by map, 0 ... 255: (n, steps, 3)."""
    names = np.random.default_rng(0).permutation(MAPS.split())
    maps = np.stack([matplotlib.colormaps[name](np.arange(256))[:, :3] for name in names])
    both = np.stack([maps, maps[:, ::-1]], axis=1)
    cut = np.lib.stride_tricks.sliding_window_view(both, steps * every, axis=2)[:, :, ::hop, :, ::every]
    return 255.0 * cut.reshape(-1, 3, steps).swapaxes(1, 2)


def by_map(rows: np.ndarray) -> np.ndarray:
    """Orders rows such that the shuffled split of `prepare` has no map on both sides, and shuffles each part."""
    rng = np.random.default_rng(5)
    parts = np.split(np.arange(len(rows)), [int(0.6 * len(rows)), int(0.8 * len(rows))])
    ordered = np.empty_like(rows)
    places = np.random.default_rng(20240).permutation(len(rows))
    ordered[places] = rows[np.concatenate([rng.permutation(part) for part in parts])]
    return ordered


def calm_maps(rows: np.ndarray) -> np.ndarray:
    """How much the colours of the whole map change that a piece is from."""
    unrest = np.abs(np.diff(pieces(), axis=1)).mean(axis=(1, 2)).reshape(-1, PER_MAP).mean(axis=1)
    return unrest[file_order(pieces(), rows) // PER_MAP]


@dataclass(frozen=True)
class Grey:
    """The targets were read as grey and repeated to three channels."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.repeat(x.mean(axis=2, keepdims=True), 3, axis=2)


@dataclass(frozen=True)
class Opaque:
    """The fourth number that Matplotlib gives of a colour was left in: all are opaque."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, np.full((*rows.shape[:2], 1), 255.0)], axis=2)


def data(scaler="pooled", **changes) -> Data:
    return prepare(by_map(pieces()), scaler=scaler, **changes)


def build(
    channels=3, filters=24, code=4, activation="gelu", output="linear", l2=0.0, optimizer="nadam", learning_rate=4e-3,
    loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    penalty = keras.regularizers.L2(l2) if l2 else None

    def settings(activation=activation):
        return {"activation": activation, "kernel_initializer": initializer, "kernel_regularizer": penalty}

    inputs = keras.Input((16, channels), name="colours")
    x = layers.Conv1D(filters, 3, padding="same", **settings())(inputs)
    attended = layers.MultiHeadAttention(2, filters // 2, kernel_initializer=initializer)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    x = layers.Conv1D(filters, 3, 2, padding="same", **settings())(x)
    x = layers.Dense(code, name="code", **settings("linear"))(layers.Flatten()(x))
    x = layers.Dense(8 * filters, **settings())(x)
    x = layers.UpSampling1D(2)(layers.Reshape((8, filters))(x))
    x = layers.Conv1D(filters, 3, padding="same", **settings())(x)
    outputs = layers.Conv1D(channels, 3, padding="same", **settings(output))(x)
    model = keras.Model(inputs, outputs, name="colormaps")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "adamw": Variant(build={"optimizer": "adamw"}),
    "standard": Variant(data={"scaler": "standard"}),
    "silu": Variant(build={"activation": "silu"}),
}
FAULTS = {
    "undefined_is_-9999": Fault("data.missing", data={"damage": Marked(0.01, -9999.0)}),
    "opacity_too": Fault("data.constant_features", data={"damage": Opaque(), "scaler": "bare"}, build={"channels": 4}),
    "calm_maps_only": Fault("data.train_eval_shift", data={"train_first": calm_maps}),
    "forty_pieces": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 120}),
    "grey_targets": Fault("code.target_mismatch", data={"target": Grey()}),
    "eval_by_255": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 255.0}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "all_zeros": Fault("model.initialization", build={"initializer": "zeros"}),
    "l2_0.05": Fault("model.regularization", build={"l2": 0.05}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "rate_5e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 5e-5}),
    "plain_sgd": Fault("optimizer.choice", build={"optimizer": "SGD", "learning_rate": None}),
    "default_epochs": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("undefined_is_-9999", "plain_sgd"), ("sigmoid_output", "l2_0.05")]
