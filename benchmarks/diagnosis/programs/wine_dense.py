"""Wine: 13 chemical measurements through 5 numbers; the few rows are split by Keras's caller."""

import keras
from keras import layers
from sklearn.datasets import load_wine

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "wine"
FIT = {"epochs": 50, "batch_size": 8}


def data(scaler="standard", **changes) -> Data:
    return prepare(load_wine().data, scaler=scaler, **{"val": False, **changes})


def build(
    width=20, activation="tanh", output=None, optimizer="adam", learning_rate=3e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    inputs = keras.Input((13,))
    x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(inputs)
    code = layers.Dense(5, kernel_initializer=initializer)(x)
    x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(code)
    outputs = layers.Dense(13, activation=output, kernel_initializer=initializer)(x)
    autoencoder = keras.Model(inputs, outputs)
    autoencoder.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return autoencoder


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "huber": Variant(build={"loss": "huber"}),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "bce": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "four_epochs": Fault("optimizer.undertrained", fit={"epochs": 4}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "val_not_scaled": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none", "val": True}),
}
COMPOUNDS = [("raw_columns", "rate_1e-5"), ("relu_output", "four_epochs")]
