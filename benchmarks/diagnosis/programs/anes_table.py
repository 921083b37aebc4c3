"""Answers to the American election study of 1996: eleven columns through six numbers, standardised."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import anes

ARCHITECTURE = "dense table"
DATASET = "ANES 1996"
FIT = {"epochs": 60, "batch_size": 16}


def data(scaler="standard", **changes) -> Data:
    return prepare(anes(), scaler=scaler, **changes)


def build(
    hidden=32, code=6, activation="silu", output="linear", optimizer="adam", learning_rate=5e-3, loss="mse",
    initializer="glorot_uniform", dropout=0.0, l2=0.0,
):  # fmt: skip
    def dense(units, kind):
        penalty = keras.regularizers.L2(l2) if l2 else None
        return layers.Dense(units, kind, kernel_initializer=initializer, kernel_regularizer=penalty)

    model = keras.Sequential(name="survey")
    model.add(keras.Input((11,)))
    model.add(dense(hidden, activation))
    model.add(layers.Dropout(dropout))
    model.add(dense(code, None))
    model.add(dense(hidden, activation))
    model.add(dense(11, output))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"dropout_0.05": Variant(build={"dropout": 0.05}), "nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "bce": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "dont_know_99": Fault("data.missing", data={"damage": Marked(0.05, 99.0, every=2)}),
    "forty_answers": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 400}),
    "sgd_default": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "code_4": Fault("model.capacity_too_small", build={"code": 4}),
    "l2_0.01": Fault("model.regularization", build={"l2": 0.01}),
}
COMPOUNDS = [("code_4", "three_epochs"), ("dont_know_99", "sgd_default")]
