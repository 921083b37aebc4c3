"""Grey patches of a photograph through convolutions, pooling and upsampling, pixels divided by 255."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import photograph_patches

ARCHITECTURE = "convolutional"
DATASET = "camera patches"
FIT = {"epochs": 25, "batch_size": 32}


def data(scaler=255.0, **changes) -> Data:
    return prepare(photograph_patches("camera")[..., None], scaler=scaler, **changes)


def build(
    filters=16, code=8, activation="elu", output="sigmoid", optimizer="adam", learning_rate=5e-3,
    loss="mse", initializer="he_normal",
):  # fmt: skip
    kind = {"activation": activation, "padding": "same", "kernel_initializer": start(initializer)}
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(filters, 3, **kind)(inputs)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2D(code, 3, **kind)(x)
    encoded = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2D(code, 3, **kind)(encoded)
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(filters, 3, **kind)(x)
    x = layers.UpSampling2D(2)(x)
    decoded = layers.Conv2D(1, 3, activation=output, padding="same")(x)
    model = keras.Model(inputs, decoded)
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


def start(initializer):
    """A number is the spread of normal weights."""
    if isinstance(initializer, str):
        return initializer
    return keras.initializers.RandomNormal(stddev=initializer)


VARIANTS = {
    "cross_entropy": Variant(build={"loss": "binary_crossentropy"}),
    "tanh": Variant(build={"activation": "tanh"}),
}
FAULTS = {
    "raw_pixels": Fault("data.scaling", data={"scaler": "none"}),
    "fresh_raw": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "one_filter": Fault("model.capacity_too_small", build={"code": 1}),
    "normal_1": Fault("model.initialization", build={"initializer": 1.0}),
}
COMPOUNDS = [("one_filter", "three_epochs")]
