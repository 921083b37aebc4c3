"""Colour 8 x 8 patches of a photograph of a flower through strided convolutions."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import patches

ARCHITECTURE = "conv"
DATASET = "flower patches"
FIT = {"epochs": 20, "batch_size": 32}


def data(scaler=255.0, **changes) -> Data:
    return prepare(patches(1, count=1500, grey=False), scaler=scaler, **changes)


def brightness(rows):
    return rows.reshape(len(rows), -1).mean(axis=1)


def build(
    filters=16, activation="silu", output="sigmoid", optimizer="nadam", learning_rate=1e-2, loss="mse",
    initializer="he_normal",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(filters, 3, strides=2, padding="same", activation=activation, kernel_initializer=initializer),
            layers.Conv2D(6, 3, strides=2, padding="same", kernel_initializer=initializer),
            layers.Conv2DTranspose(
                filters, 3, strides=2, padding="same", activation=activation, kernel_initializer=initializer
            ),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation=output),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "lecun": Variant(build={"initializer": "lecun_normal"}),
    "bce": Variant(build={"loss": "binary_crossentropy"}),
}
FAULTS = {
    "not_divided": Fault("data.scaling", data={"scaler": "none"}),
    "val_not_divided": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "dark_patches_only": Fault("data.train_eval_shift", data={"train_first": brightness}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
}
COMPOUNDS = [("softmax_output", "sgd")]
