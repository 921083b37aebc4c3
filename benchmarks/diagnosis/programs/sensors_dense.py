"""Twelve sensors of a machine, each in its own units, through four numbers, standardised."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Marked, Mispaired, Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import sensors

ARCHITECTURE = "dense table"
DATASET = "sensors"
FIT = {"epochs": 40, "batch_size": 32}


def data(scaler="standard", **changes) -> Data:
    return prepare(sensors(), scaler=scaler, **changes)


def first_sensor(rows):
    return rows[:, 0]


def build(
    columns=12, activation="tanh", output="linear", optimizer="adam", learning_rate=4e-3, loss="mse",
    initializer="lecun_normal",
):  # fmt: skip
    inputs = keras.Input((columns,))
    x = layers.Dense(32, activation=activation, kernel_initializer=initializer)(inputs)
    x = layers.Dense(4, name="code")(x)
    x = layers.Dense(32, activation=activation, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, layers.Dense(columns, activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"}), "huber": Variant(build={"loss": "huber"})}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.003, 80.0)}),
    "stuck_sensors": Fault("data.constant_features", data={"damage": Stuck(8)}, build={"columns": 20}),
    "minus_9999": Fault("data.missing", data={"damage": Marked(0.02, -1e6, every=2)}),
    "low_readings_only": Fault("data.train_eval_shift", data={"train_first": first_sensor}),
    "msle": Fault("loss.mismatch", build={"loss": "msle"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "rate_1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 1.0}),
}
COMPOUNDS = [("stuck_sensors", "msle"), ("spikes", "msle")]
