"""Bent factors with much noise: healthy with many rows and weight decay, overfitted with few or without."""

import keras
from keras import layers, regularizers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import low_rank

ARCHITECTURE = "dense table"
DATASET = "bent factors"
FIT = {"epochs": 60, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(low_rank(1500, 30, 2, noise=0.3), **changes)


def build(
    width=32, decay=0.0, activation="tanh", output="linear", optimizer="adam", learning_rate=3e-3,
    initializer="glorot_uniform",
):  # fmt: skip
    dense = {"activation": activation, "kernel_initializer": initializer}
    if decay:
        dense["kernel_regularizer"] = regularizers.L2(decay)
    inputs = keras.Input((30,))
    x = layers.Dense(width, **dense)(inputs)
    x = layers.Dense(3, name="code")(x)
    x = layers.Dense(width, **dense)(x)
    model = keras.Model(inputs, layers.Dense(30, activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"weight_decay": Variant(build={"decay": 1e-5}, search=True)}
FAULTS = {
    "forty_rows": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 900}),
    "l2_1": Fault("model.regularization", build={"decay": 1.0}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 900}),
    "narrow": Fault("model.capacity_too_small", build={"width": 1}),
}
COMPOUNDS = []
