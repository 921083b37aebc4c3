"""The Python call, on a model of your own: patches of a photograph that were never divided by 255.

    python examples/make_data.py
    python examples/from_python.py [RUN]

Expected: data.scaling. Pixels go from 0 to 255; the sigmoid and the cross-entropy of the tutorials need 0 to 1.
"""

import sys
from pathlib import Path

import keras
import numpy as np

import aetfx

x = np.load(Path(__file__).parent / "data" / "patches.npy")
x_train, x_val = x[:1500], x[1500:]

model = keras.Sequential(
    [
        keras.Input((8, 8)),
        keras.layers.Flatten(),
        keras.layers.Dense(48, activation="relu"),
        keras.layers.Dense(12),
        keras.layers.Dense(48, activation="relu"),
        keras.layers.Dense(64, activation="sigmoid"),
        keras.layers.Reshape((8, 8)),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy")

diagnosis = aetfx.diagnose(model, x_train, x_val, epochs=60, batch_size=32)

print(diagnosis)
for cause in diagnosis.causes:
    print(f"{cause.code}: {cause.score_before:.3f} -> {cause.score_after:.3f}. {cause.remedy}")

if diagnosis.fixed_model is not None:  # pixels in, pixels out: the scaling is inside
    restored = diagnosis.fixed_model.predict(x_val[:5], verbose=0)
    print("mean absolute error in grey levels:", np.abs(restored - x_val[:5]).mean().round(1))

diagnosis.save(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/from_python")
