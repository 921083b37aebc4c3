"""A made table: forty columns that are bent mixtures of four factors."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import low_rank

ARCHITECTURE = "dense table"
DATASET = "bent factors"
SCALERS = ("none", "standard")
FIT = {"epochs": 40, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(low_rank(), **changes)


def build(
    width=64, activation="silu", output="linear", optimizer="adam", learning_rate=2e-3, loss="mse",
    initializer="glorot_uniform", penalty=0.0,
):  # fmt: skip
    inputs = keras.Input((40,))
    x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(inputs)
    x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(x)
    x = layers.Dense(4, activity_regularizer=keras.regularizers.L1(penalty) if penalty else None, name="code")(x)
    x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(x)
    x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, layers.Dense(40, activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"}), "standardised": Variant(data={"scaler": "standard"})}
FAULTS = {
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "narrow": Fault("model.capacity_too_small", build={"width": 4}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.004, 60.0)}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "kl_divergence": Fault("loss.mismatch", build={"loss": "kl_divergence"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}, of="standardised"),
}
COMPOUNDS = [("narrow", "spikes")]
