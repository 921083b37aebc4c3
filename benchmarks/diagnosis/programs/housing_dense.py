"""Boston housing: 13 standardised columns through five numbers, batch normalisation."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Marked, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import file_order, housing

ARCHITECTURE = "dense table"
DATASET = "boston housing"
FIT = {"epochs": 50, "batch_size": 16}


def as_stored(rows):
    """The last fifth of the file are other towns than the first ones: validation_split without shuffling."""
    return file_order(housing(), rows)


def data(scaler="standard", **changes) -> Data:
    return prepare(housing(), scaler=scaler, **changes)


def build(
    extra=0, hidden=32, code=5, activation="relu", output="linear", dropout=0.0, optimizer="adam",
    learning_rate=8e-3, loss="mse", initializer="he_normal",
):  # fmt: skip
    inputs = keras.Input((13 + extra,))
    x = layers.Dense(hidden, kernel_initializer=initializer)(inputs)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation(activation)(x)
    if dropout:
        x = layers.Dropout(dropout, seed=1)(x)
    x = layers.Dense(code, kernel_initializer=initializer, name="latent")(x)
    x = layers.Dense(hidden, kernel_initializer=initializer)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation(activation)(x)
    if dropout:
        x = layers.Dropout(dropout, seed=2)(x)
    outputs = layers.Dense(13 + extra, activation=output, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, outputs, name="housing")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "rmsprop": Variant(build={"optimizer": "rmsprop"}),
}
FAULTS = {
    "bce": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "batches_of_2": Fault("optimizer.batch_size", fit={"batch_size": 2}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "dropout_0.5": Fault("model.regularization", build={"dropout": 0.5}),
    "empty_cells": Fault("data.missing", data={"damage": Marked(0.04, float("nan"), every=2)}),
    "dead_columns": Fault("data.constant_features", data={"damage": Stuck(8), "scaler": "bare"}, build={"extra": 8}),
    "as_stored": Fault("data.train_eval_shift", data={"train_first": as_stored}),
    "all_linear": Fault("model.linear_activations", build={"activation": "linear"}),
}
COMPOUNDS = [("dropout_0.5", "sgd")]
