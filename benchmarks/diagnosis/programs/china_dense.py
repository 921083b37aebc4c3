"""Grey 8 x 8 patches of a photograph of a temple, 0 ... 255 divided by 255."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import patches

ARCHITECTURE = "dense image"
DATASET = "china patches"
FIT = {"epochs": 35, "batch_size": 64}


def data(scaler=255.0, **changes) -> Data:
    return prepare(patches(0, count=2500).reshape(-1, 64), scaler=scaler, **changes)


def build(
    activation="relu", output="sigmoid", optimizer="adam", learning_rate=2e-3, loss="mse", initializer="he_normal"
):
    inputs = keras.Input((64,))
    x = layers.Dense(64, activation=activation, kernel_initializer=initializer)(inputs)
    x = layers.Dense(16, name="code")(x)
    x = layers.Dense(64, activation=activation, kernel_initializer=initializer)(x)
    outputs = layers.Dense(64, activation=output)(x)
    model = keras.Model(inputs, outputs)
    model.compile(make_optimizer(optimizer, learning_rate), loss)
    return model


VARIANTS = {
    "linear_output": Variant(build={"output": "linear"}),
    "grey_bce": Variant(build={"loss": "binary_crossentropy"}),
}
FAULTS = {
    "not_divided": Fault("data.scaling", data={"scaler": "none"}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "huge_batch": Fault("optimizer.batch_size", fit={"batch_size": 1500}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}, of="linear_output"),
    "val_not_divided": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
}
COMPOUNDS = [("not_divided", "sgd"), ("cosine", "three_epochs")]
