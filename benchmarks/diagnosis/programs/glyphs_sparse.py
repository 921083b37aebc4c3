"""Printed letters, digits and signs of 21 fonts, 16 x 16 grey pixels, through a sparse autoencoder (a subclass)."""

import string
from dataclasses import replace

import keras
import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "sparse dense"
DATASET = "glyphs"
FIT = {"epochs": 60, "batch_size": 32}
SIZE = 16
CHARACTERS = string.digits + "!?&@#$%*+=" + string.ascii_uppercase + string.ascii_lowercase
FONTS = [
    *(f"DejaVu{face}" for face in ("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique")),
    *(f"DejaVuSansMono{face}" for face in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{face}" for face in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{face}" for face in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{face}10" for face in ("r", "b", "ss", "ti", "tt")),
]


def glyphs() -> np.ndarray:
    """Draws all characters in all fonts that come with matplotlib, 0 ... 255, sorted by character: (n, 256)."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    fonts = [ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf", 15) for name in FONTS]
    rows = []
    for character in CHARACTERS:
        for font in fonts:
            image = Image.new("L", (SIZE, SIZE))
            ImageDraw.Draw(image).text((SIZE // 2, SIZE // 2), character, fill=255, font=font, anchor="mm")
            rows.append(np.asarray(image, np.float64).ravel())
    drawn = np.stack(rows)
    return drawn[np.sort(np.unique(drawn, axis=0, return_index=True)[1])]  # some fonts share their signs


def ink(rows: np.ndarray) -> np.ndarray:
    """How much of the paper is printed on: small and thin glyphs come first, large and bold ones last."""
    return rows.sum(axis=1)


@keras.saving.register_keras_serializable("glyphs_sparse")
class SparseAutoencoder(keras.Model):
    def __init__(self, units=96, activation="relu", output="sigmoid", l1=1e-5, bias=0.0,
                 initializer="glorot_uniform", **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.settings = {"units": units, "activation": activation, "output": output, "l1": l1, "bias": bias,
                         "initializer": initializer}  # fmt: skip
        self.encoder = layers.Dense(
            units,
            activation=activation,
            kernel_initializer=initializer,
            bias_initializer=keras.initializers.Constant(bias),
            activity_regularizer=keras.regularizers.L1(l1),
        )
        self.decoder = layers.Dense(SIZE * SIZE, activation=output, kernel_initializer=initializer)

    def call(self, inputs):
        return self.decoder(self.encoder(inputs))

    def get_config(self):
        return {**super().get_config(), **self.settings}


def data(scaler=255.0, dark_on_white=False, **changes) -> Data:
    found = prepare(glyphs(), scaler=scaler, **changes)
    if not dark_on_white:
        return found
    return replace(  # val and fresh glyphs only
        found,
        x_val=1 - found.x_val,
        x_fresh=1 - found.x_fresh,
        y_fresh=1 - found.y_fresh,
        fed_mean=1 - found.fed_mean,
        restore=lambda predicted: found.restore(1 - np.asarray(predicted)),
    )


def build(optimizer="adam", learning_rate=4e-3, loss="binary_crossentropy", **settings):
    model = SparseAutoencoder(**settings)
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    model(ops.zeros((1, SIZE * SIZE)))
    return model


VARIANTS = {
    "nadam": Variant(build={"optimizer": "nadam"}),
    "elu": Variant(build={"activation": "elu", "learning_rate": 6e-3}),
    "mse": Variant(build={"loss": "mse"}),
    "wide": Variant(build={"units": 144, "learning_rate": 3e-3}, search=True),
}
FAULTS = {
    "bytes": Fault("data.scaling", data={"scaler": "none"}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "held_out_dark_on_white": Fault("code.train_eval_preprocessing_mismatch", data={"dark_on_white": True}),
    "thin_glyphs": Fault("data.train_eval_shift", data={"train_first": ink}),
    "forty_glyphs": Fault("data.too_few_rows", data={"n_train": 40}),
    "code_of_3": Fault("model.capacity_too_small", build={"units": 3}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "bias_-3": Fault("model.dead_units", build={"bias": -3.0}),
    "unit_normal_weights": Fault(
        "model.initialization",
        build={"initializer": {"class_name": "RandomNormal", "config": {"stddev": 1.0}}},
    ),
    "l1_1e-2": Fault("model.regularization", build={"l1": 1e-2}),
    "categorical": Fault("loss.mismatch", build={"loss": "categorical_crossentropy"}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
}
COMPOUNDS = [("forty_glyphs", "sgd"), ("thin_glyphs", "l1_1e-2")]
