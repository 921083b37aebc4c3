"""Fortnights of the highest and lowest temperatures of Seattle through four numbers, Conv1D on both sides."""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "Conv1D"
DATASET = "Seattle weather"
FIT = {"epochs": 30, "batch_size": 32}
ZERO = 273.15  # of Celsius, in kelvin


def fortnights(days=14) -> np.ndarray:
    """Returns all windows of the daily extremes of 2012 ... 2015 in degrees Celsius: (1448, days, 2)."""
    from vega_datasets import local_data

    extremes = local_data.seattle_weather()[["temp_max", "temp_min"]].to_numpy(np.float64)
    return np.lib.stride_tricks.sliding_window_view(extremes, days, axis=0).swapaxes(1, 2).copy()


@dataclass(frozen=True)
class LostCommas:
    """A share of the cells was read without its comma: 12,20 became 1220."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(rows.shape) < self.share, 100 * rows, rows)


@dataclass(frozen=True)
class Backwards:
    """The targets are in reversed order, as for an LSTM decoder."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, ::-1]


def val_in_fahrenheit(made: Data) -> Data:
    """Returns the same with val and fresh rows of a station that reports in Fahrenheit, scaled as train rows are."""
    shift = made.restore(np.zeros(made.x_val.shape[1:]))
    spread = made.restore(np.ones(made.x_val.shape[1:])) - shift

    def fahrenheit(fed: np.ndarray) -> np.ndarray:
        return ((1.8 * made.restore(fed) + 32 - shift) / spread).astype("float32")

    return replace(
        made,
        x_val=fahrenheit(made.x_val),
        x_fresh=fahrenheit(made.x_fresh),
        y_fresh=fahrenheit(made.y_fresh),
        fed_mean=fahrenheit(made.fed_mean),
        restore=lambda rows: (made.restore(rows) - 32) / 1.8,
    )


def data(scaler="standard", zero=0.0, fahrenheit=False, **changes) -> Data:
    made = prepare(fortnights() + zero, scaler=scaler, **changes)
    return val_in_fahrenheit(made) if fahrenheit else made


def build(
    filters=24, code=4, activation="elu", output="linear", l2=0.0, bias=0.0, optimizer="adam", learning_rate=3e-3,
    loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def settings():
        return {
            "kernel_initializer": initializer,
            "kernel_regularizer": keras.regularizers.L2(l2) if l2 else None,
        }

    def hidden(kind, *shape, **more):
        start = keras.initializers.Constant(bias)
        return kind(*shape, activation=activation, bias_initializer=start, **settings(), **more)

    model = keras.Sequential(
        [
            keras.Input((14, 2)),
            hidden(layers.Conv1D, filters, 3, padding="same"),
            hidden(layers.Conv1D, filters, 3, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(code, name="code", **settings()),
            hidden(layers.Dense, 7 * filters),
            layers.Reshape((7, filters)),
            layers.UpSampling1D(2),
            hidden(layers.Conv1D, filters, 3, padding="same"),
            layers.Conv1D(2, 3, padding="same", activation=output, **settings()),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "pooled": Variant(data={"scaler": "pooled"}),
    "wide": Variant(build={"filters": 40}, search=True),
}
FAULTS = {
    "in_kelvin": Fault("data.scaling", data={"scaler": "none", "zero": ZERO}),
    "minus_9999": Fault("data.missing", data={"damage": Marked(0.01, -9999.0)}),
    "lost_commas": Fault("data.outliers", data={"damage": LostCommas(0.005)}),
    "fourteen_fortnights": Fault("data.too_few_rows", data={"n_train": 14}, fit={"epochs": 800}),
    "val_in_fahrenheit": Fault("code.train_eval_preprocessing_mismatch", data={"fahrenheit": True}),
    "backwards": Fault("code.target_mismatch", data={"target": Backwards()}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "bias_of_-6": Fault("model.dead_units", build={"bias": -6.0}, of="relu"),
    "l2_0.1": Fault("model.regularization", build={"l2": 0.1}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
}
COMPOUNDS = [("sigmoid_output", "adagrad"), ("minus_9999", "l2_0.1")]
