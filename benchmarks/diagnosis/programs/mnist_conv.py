"""MNIST digits at half their size through strided convolutions and back through transposed ones."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Rescaled
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import small_mnist

ARCHITECTURE = "convolutional"
DATASET = "MNIST 14x14"
FIT = {"epochs": 16, "batch_size": 16}
NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}  # as tf.random_normal of old tutorials


def data(scaler=255.0, **changes) -> Data:
    return prepare(small_mnist(), scaler=scaler, **changes)


def build(
    filters=16, code=24, activation="elu", output="sigmoid", optimizer="adam", learning_rate=3e-3, loss="mse",
    initializer="glorot_uniform", bias=0.0, batch_norm=False,
):  # fmt: skip
    hidden = {
        "activation": activation, "kernel_initializer": initializer,
        "bias_initializer": keras.initializers.Constant(bias),
    }  # fmt: skip

    def block(layer, count):
        x = layer(count, 3, padding="same", strides=2, **hidden)
        return [x, layers.BatchNormalization()] if batch_norm else [x]

    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.ZeroPadding2D(1),
            *block(layers.Conv2D, filters),
            *block(layers.Conv2D, 2 * filters),
            layers.Flatten(),
            layers.Dense(code, kernel_initializer=initializer, name="code"),
            layers.Dense(4 * 4 * 2 * filters, **hidden),
            layers.Reshape((4, 4, 2 * filters)),
            *block(layers.Conv2DTranspose, 2 * filters),
            *block(layers.Conv2DTranspose, filters),
            layers.Conv2D(1, 3, activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"}), "batch_norm": Variant(build={"batch_norm": True})}
FAULTS = {
    "test_not_divided": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "divided_twice": Fault("code.target_mismatch", data={"target": Rescaled(1 / 255)}),
    "rate_3e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 3e-4}),
    "normal_weights": Fault("model.initialization", build={"initializer": NORMAL}),
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
    "batch_200": Fault("optimizer.batch_size", fit={"batch_size": 200}),
    "code_8": Fault("model.capacity_too_small", build={"code": 8}),
    "dead_relus": Fault("model.dead_units", build={"activation": "relu", "bias": -1.0}),
}
COMPOUNDS = [("code_8", "rate_3e-4"), ("code_8", "batch_200")]
