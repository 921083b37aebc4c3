"""Pieces of Matplotlib's colour maps, 16 steps of red, green and blue, through convolutions with attention."""

from dataclasses import dataclass
from functools import cache

import keras
import matplotlib
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "Conv1D with attention"
DATASET = "colour maps"
FIT = {"epochs": 60, "batch_size": 16}


@dataclass(frozen=True)
class Grey:
    """The targets were read as grey and repeated to three channels."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.repeat(x.mean(axis=2, keepdims=True), 3, axis=2)


@cache
def pieces(steps: int = 16, every: int = 6, hop: int = 16) -> np.ndarray:
    """Returns every sixth colour of pieces of all maps that differ, 0 ... 255: (n, steps, 3)."""
    names = sorted(name for name in matplotlib.colormaps if not name.endswith("_r"))
    maps = np.stack([matplotlib.colormaps[name](np.arange(256) / 255)[:, :3] for name in names])
    _, first = np.unique(maps.round(4), axis=0, return_index=True)
    cut = np.lib.stride_tricks.sliding_window_view(maps[np.sort(first)], steps * every, axis=1)
    return 255.0 * cut[:, ::hop, :, ::every].reshape(-1, 3, steps).swapaxes(1, 2)


def by_unrest(rows: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(rows, axis=1)).sum(axis=(1, 2))


def data(scaler="pooled", **changes) -> Data:
    return prepare(pieces(), scaler=scaler, **changes)


def build(
    filters=32, code=8, blocks=0, activation="gelu", output="linear", optimizer="AdamW", learning_rate=2e-3,
    weight_decay=1e-4, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def conv(x, filters, strides=1):
        return layers.Conv1D(
            filters, 3, strides, padding="same", activation=activation, kernel_initializer=initializer
        )(x)

    inputs = keras.Input((16, 3), name="colours")
    x = conv(inputs, filters)
    for _ in range(blocks):
        x = conv(x, filters)
    attended = layers.MultiHeadAttention(2, filters // 2, kernel_initializer=initializer)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    x = conv(x, filters, strides=2)
    x = layers.Dense(code, kernel_initializer=initializer, name="code")(layers.Flatten()(x))
    x = layers.Dense(8 * filters, activation, kernel_initializer=initializer)(x)
    x = layers.UpSampling1D(2)(layers.Reshape((8, filters))(x))
    for _ in range(blocks):
        x = conv(x, filters)
    x = conv(x, filters)
    outputs = layers.Conv1D(3, 3, padding="same", activation=output, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, outputs)
    config = {} if learning_rate is None else {"learning_rate": learning_rate, "weight_decay": weight_decay}
    model.compile(optimizer=keras.optimizers.get({"class_name": optimizer, "config": config}), loss=loss)
    return model


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "Nadam", "weight_decay": None}),
    "standard": Variant(data={"scaler": "standard"}),
    "filters_48": Variant(build={"filters": 48}, search=True),
}
FAULTS = {
    "undefined_is_-9999": Fault("data.missing", data={"damage": Marked(0.01, -9999.0)}),
    "calm_maps_only": Fault("data.train_eval_shift", data={"train_first": by_unrest}),
    "twenty_pieces": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 300}),
    "grey_targets": Fault("code.target_mismatch", data={"target": Grey()}),
    "eval_by_255": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 255.0}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "all_zeros": Fault("model.initialization", build={"initializer": "zeros"}),
    "decay_20": Fault("model.regularization", build={"weight_decay": 20.0}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "sixteen_blocks": Fault("model.capacity_too_large", build={"blocks": 16}),
    "rate_0.2": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.2}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "plain_sgd": Fault("optimizer.choice", build={"optimizer": "SGD", "learning_rate": None}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
}
COMPOUNDS = [("undefined_is_-9999", "plain_sgd"), ("sigmoid_output", "decay_20")]
