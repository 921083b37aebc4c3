"""Two years of monthly sea temperatures off Peru through 6 numbers, with dot-product attention on both sides."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "attention"
DATASET = "El Nino"
MONTHS = 24
FIT = {"epochs": 45, "batch_size": 32}


def windows() -> np.ndarray:
    """Returns all windows of 24 months of sea surface temperature, 1950 ... 2010, in degrees Celsius: (709, 24, 1)."""
    from statsmodels.api import datasets

    months = datasets.elnino.load_pandas().data.iloc[:, 1:].to_numpy(np.float64).ravel()
    return np.lib.stride_tricks.sliding_window_view(months, MONTHS)[..., None].copy()


@keras.saving.register_keras_serializable("elnino_attention")
class Positions(layers.Layer):
    """Adds a learned vector to each month."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=input_shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, inputs):
        return inputs + ops.expand_dims(self.table, 0)


@dataclass(frozen=True)
class NextMonth:
    """The target starts a month after the input, as it does for a forecast."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.roll(x, -1, axis=1)


@dataclass(frozen=True)
class ColdestFirst:
    """Trained on cool years, tried on the warm ones."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows.mean(axis=(1, 2))


def data(scaler="pooled", **changes) -> Data:
    return prepare(windows(), scaler=scaler, **changes)


def build(
    width=16, code=6, activation="gelu", output="linear", optimizer="adam", learning_rate=4e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    def dense(units, activation=None, **more):
        return layers.Dense(units, activation, kernel_initializer=initializer, **more)

    def block(x):
        attended = layers.Attention()([dense(width)(x), x])
        return layers.LayerNormalization()(x + dense(width, activation)(layers.Concatenate()([x, attended])))

    inputs = keras.Input((MONTHS, 1))
    x = block(Positions()(dense(width)(inputs)))
    x = dense(code, name="code")(layers.Flatten()(x))
    x = dense(MONTHS * width, activation)(x)
    x = block(layers.Reshape((MONTHS, width))(x))
    model = keras.Model(inputs, dense(1, output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
VARIANTS = {
    "tanh": Variant(build={"activation": "tanh"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "silu": Variant(build={"activation": "silu"}),
}
FAULTS = {
    "rate_0.05": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.05}),
    "rate_2e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 2e-4}),
    "ten_epochs": Fault("optimizer.undertrained", fit={"epochs": 10}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "next_month": Fault("code.target_mismatch", data={"target": NextMonth()}),
    "normal_weights": Fault("model.initialization", build={"initializer": NORMAL}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 425}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "zero_degrees": Fault("data.missing", data={"damage": Marked(0.02, 0.0)}),
    "loose_contact": Fault("data.outliers", data={"damage": Spikes(0.003, 30.0)}),
    "cool_years": Fault("data.train_eval_shift", data={"train_first": ColdestFirst()}),
    "raw_celsius": Fault("data.scaling", data={"scaler": "none"}),
}
COMPOUNDS = [("zero_degrees", "rate_2e-4"), ("rate_2e-4", "next_month")]
