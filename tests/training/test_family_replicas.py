"""Each model family learns the same on 1, 2, 4 and 8 replicas (aetfx.training.strategy, feed)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHAPES = {"dense": (6,), "sparse": (6,), "vae": (6,), "denoising": (6,), "conv": (8, 8, 1), "lstm": (6, 2),
          "tcn": (6, 2)}  # fmt: skip
# 90 rows, unless it is said here: on 4 and 8 replicas those of the last batch, 10, are fed more than once. What is
# drawn for the copies of a row is not what one device draws for it, so that families that draw get even batches.
ROWS = {"vae": 96, "denoising": 96}
EPOCHS = 3
# In `make test` two families on four replicas; all of them on all, one by one, with AETFX_ALL_REPLICAS=1.
FULL = os.environ.get("AETFX_ALL_REPLICAS") == "1"
FAMILIES = tuple(SHAPES) if FULL else ("conv", "vae")
COUNTS = (2, 4, 8) if FULL else (4,)

CODE = """
import json, sys
import numpy as np
from aetfx.study import parse_study
from aetfx.training.strategy import prepare_devices

families, counts, shapes, n_rows = json.loads(sys.argv[1])
prepare_devices("auto", max(counts))

import tensorflow as tf
from aetfx.preprocessing.fit import fit_rows
from aetfx.training.build import recipe_from_study
from aetfx.training.trial import train
from aetfx.training.workshop import Workshop

found = {}
for count in counts:
    devices = [f"/cpu:{i}" for i in range(count)]
    few = tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())
    workshop = Workshop(few if count > 1 else None)
    for family in families:
        shape = tuple(shapes[family])
        rng = np.random.default_rng(0)
        width = int(np.prod(shape))
        size = n_rows.get(family, 90), 3
        rows = np.tanh(rng.normal(size=size) @ rng.normal(size=(3, width))).reshape(-1, *shape)
        tree = {"data": {"train": "x.npy"}, "model": {"family": family, "bottleneck": 3},
                "training": {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.003}}
        recipe = recipe_from_study(parse_study(tree, where="test"), shape, None)
        trial = train(recipe, rows, fit_rows({}, rows), seed=0, workshop=workshop)
        found.setdefault(family, {})[count] = trial.losses.tolist()
print(json.dumps(found))
""".replace("EPOCHS", str(EPOCHS))


def losses_on(counts):
    """Trains in a process whose CPU is split; returns family to number of replicas to losses, (epochs,)."""
    asked = json.dumps([FAMILIES, counts, SHAPES, ROWS])
    done = subprocess.run(
        [sys.executable, "-c", CODE, asked],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {family: {int(n): np.array(losses) for n, losses in by.items()} for family, by in found.items()}


@pytest.fixture(scope="module")
def losses():
    return losses_on([1, *COUNTS])


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_losses_of_one_device(losses, family, count):
    found = losses[family]
    assert found[1].shape == (EPOCHS,)
    np.testing.assert_allclose(found[count], found[1], rtol=1e-4)
