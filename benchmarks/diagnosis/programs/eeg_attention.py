"""Third of a second of an electroencephalogram, 24 samples, through 8 numbers: attention, then a dense decoder."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "attention"
DATASET = "EEG windows"
SAMPLES = 24
FIT = {"epochs": 30, "batch_size": 32}


def windows(step: int = 2) -> np.ndarray:
    """Returns windows of the four channels of Matplotlib's recording, 800 samples each: (1556, 24, 1)."""
    from matplotlib.cbook import get_sample_data

    channels = np.fromfile(get_sample_data("eeg.dat", asfileobj=False), np.float64).reshape(800, 4).T
    cut = np.lib.stride_tricks.sliding_window_view(channels, SAMPLES, axis=1)[:, ::step]
    return cut.reshape(-1, SAMPLES, 1).copy()


@keras.saving.register_keras_serializable("eeg_attention")
class Positions(layers.Layer):
    """Adds a learned vector to each sample."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=input_shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, inputs):
        return inputs + ops.expand_dims(self.table, 0)


@dataclass(frozen=True)
class Ahead:
    """The targets start some samples after the inputs, as for a forecast; the last one is repeated."""

    samples: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[:, self.samples :], np.repeat(x[:, -1:], self.samples, axis=1)], axis=1)


def data(scaler="pooled", **changes) -> Data:
    return prepare(windows(), scaler=scaler, **changes)


def build(
    width=16, heads=2, hidden=64, code=8, activation="silu", output="linear", dropout=0.0, optimizer="adam",
    learning_rate=3e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def dense(units, activation=None, **more):
        return layers.Dense(units, activation, kernel_initializer=initializer, **more)

    inputs = keras.Input((SAMPLES, 1))
    x = Positions()(dense(width)(inputs))
    attention = layers.MultiHeadAttention(heads, width // heads, kernel_initializer=initializer)
    x = layers.LayerNormalization()(x + attention(x, x))
    x = layers.LayerNormalization()(x + dense(width)(dense(2 * width, activation)(x)))
    if dropout:
        x = layers.Dropout(dropout)(x)
    x = dense(hidden, activation)(layers.Flatten()(x))
    x = dense(code, name="code")(x)
    x = dense(hidden, activation)(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    outputs = layers.Reshape((SAMPLES, 1))(dense(SAMPLES, output)(x))
    model = keras.Model(inputs, outputs, name="eeg")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "gelu": Variant(build={"activation": "gelu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "wide": Variant(build={"width": 24}, search=True),
}
FAULTS = {
    "lost_is_-999": Fault("data.missing", data={"damage": Marked(0.01, -999.0)}),
    "loose_electrode": Fault("data.outliers", data={"damage": Spikes(0.003, 30.0)}),
    "forty_windows": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 700}),
    "three_samples_ahead": Fault("code.target_mismatch", data={"target": Ahead(3)}),
    "val_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "dropout_0.7": Fault("model.regularization", build={"dropout": 0.7}),
    "code_5": Fault("model.capacity_too_small", build={"code": 5}),
    "poisson": Fault("loss.mismatch", build={"loss": "poisson"}),
    "rate_0.05": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.05}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 933}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
}
COMPOUNDS = [("code_5", "sgd"), ("dropout_0.7", "two_epochs")]
