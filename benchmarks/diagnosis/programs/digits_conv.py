"""Digits as 8 x 8 pictures through a convolutional autoencoder with a dense code."""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.damage import Rescaled
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "digits"
FIT = {"epochs": 25, "batch_size": 32}


def data(scaler=16.0, **changes) -> Data:
    return prepare(load_digits().images[..., None], scaler=scaler, **changes)


def build(
    activation="relu", output="sigmoid", optimizer="adam", learning_rate=3e-3, loss="binary_crossentropy",
    initializer="glorot_uniform",
):  # fmt: skip
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, activation=activation, padding="same", kernel_initializer=initializer)(inputs)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(16, 3, activation=activation, padding="same", kernel_initializer=initializer)(x)
    x = layers.Flatten()(x)
    code = layers.Dense(12, kernel_initializer=initializer)(x)
    x = layers.Dense(4 * 4 * 16, activation=activation, kernel_initializer=initializer)(code)
    x = layers.Reshape((4, 4, 16))(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(8, 3, activation=activation, padding="same", kernel_initializer=initializer)(x)
    outputs = layers.Conv2D(1, 3, activation=output, padding="same", kernel_initializer=initializer)(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "mse": Variant(build={"loss": "mse"}),
}
FAULTS = {
    "raw_pixels": Fault("data.scaling", data={"scaler": "none"}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "targets_x16": Fault("code.target_mismatch", data={"target": Rescaled(16.0)}, of="mse"),
    "val_not_divided": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "huge_batch": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
}
COMPOUNDS = [("raw_pixels", "adadelta")]
