"""Denoising grey patches with convolutions: noisy pixels in, clean pixels out."""

import dataclasses

import keras
from keras import layers

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import patches

ARCHITECTURE = "denoising"
DATASET = "china patches"
FIT = {"epochs": 20, "batch_size": 32}


def data(shuffled=False, **changes) -> Data:
    rows = patches(0, count=1500)[..., None]
    found = prepare(rows, **{"scaler": 255.0, "noise": 0.1, **changes})
    if shuffled:
        return dataclasses.replace(found, y_train=Mispaired()(found.y_train), y_val=Mispaired()(found.y_val))
    return found


def build(
    activation="relu", output="sigmoid", optimizer="adam", learning_rate=3e-3, loss="mse", initializer="he_normal",
    penalty=0.0,
):  # fmt: skip
    inputs = keras.Input((8, 8, 1))
    conv = {"padding": "same", "activation": activation, "kernel_initializer": initializer}
    if penalty:
        conv["kernel_regularizer"] = keras.regularizers.L2(penalty)
    x = layers.Conv2D(16, 3, **conv)(inputs)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(16, 3, **conv)(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(16, 3, **conv)(x)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"})}
FAULTS = {
    "mispaired": Fault("code.target_mismatch", data={"shuffled": True}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "l2_1": Fault("model.regularization", build={"penalty": 1.0}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 900}),
}
COMPOUNDS = [("l2_1", "sgd")]
