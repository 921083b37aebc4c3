"""LSTM (Srivastava et al. 2015): the state after the last step makes the code, which is repeated for each step back."""

from __future__ import annotations

from typing import Any

from aetfx.models.families.base import Family, Settings, Shape, code_width


class Lstm(Family):
    """Both halves are LSTMs. The decoder is told the step: an LSTM fed with one value all along starts at the mean."""

    name = "lstm"
    title = "an LSTM that reads a sequence into a code, and one that writes it out again"
    keys = ("units", "bottleneck", "output_activation")

    def suits(self, shape: Shape) -> str:
        return "" if len(shape) == 2 else "takes sequences, (steps, channels)"

    def defaults(self, shape: Shape) -> dict[str, Any]:
        return {"units": 64, "bottleneck": code_width(shape, 16), "output_activation": "linear"}

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras
        from keras import layers

        from aetfx.models.family_layers import StepNumbers

        steps, channels = shape
        rows = keras.Input(tuple(shape), name="rows")
        state = layers.LSTM(settings["units"], name="encoder_1")(rows)
        code = layers.Dense(settings["bottleneck"], name="code")(state)
        repeated = StepNumbers(name="step_numbers")(layers.RepeatVector(steps, name="repeat")(code))
        back = layers.LSTM(settings["units"], return_sequences=True, name="decoder_1")(repeated)
        output = layers.Dense(channels, settings["output_activation"])
        return keras.Model(rows, layers.TimeDistributed(output, name="output")(back), name="autoencoder")
