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
DRAWS = {"vae", "denoising"}  # what they draw in training depends on how a batch is divided
EPOCHS = 3
# In `make test` two families on two and four replicas; all of them on all, one by one, with AETFX_ALL_REPLICAS=1.
FULL = os.environ.get("AETFX_ALL_REPLICAS") == "1"
FAMILIES = tuple(SHAPES) if FULL else ("conv", "vae")
COUNTS = (2, 4, 8) if FULL else (2, 4)

CODE = """
import json, sys
import numpy as np
from aetfx.study import parse_study
from aetfx.training.strategy import prepare_devices

families, counts, shapes, seeds = json.loads(sys.argv[1])
strategy = prepare_devices("auto", max(counts)) if max(counts) > 1 else None

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
        n_rows = 96 if family == "sparse" else 90  # an activity penalty also sees the rows that fill up a batch
        rows = np.tanh(rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, width))).reshape(n_rows, *shape)
        tree = {"data": {"train": "x.npy"}, "model": {"family": family, "bottleneck": 3},
                "training": {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.003}}
        recipe = recipe_from_study(parse_study(tree, where="test"), shape, None)
        for seed in range(seeds[family]):
            trial = train(recipe, rows, fit_rows({}, rows), seed=seed, workshop=workshop)
            found.setdefault(family, {}).setdefault(str(count), []).append(trial.losses.tolist())
print(json.dumps(found))
""".replace("EPOCHS", str(EPOCHS))


def losses_on(counts):
    """Family to number of replicas to losses, (seeds, epochs)."""
    seeds = {family: 5 if family in DRAWS else 1 for family in FAMILIES}
    asked = json.dumps([FAMILIES, counts, SHAPES, seeds])
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
    one, several = losses_on([1]), losses_on(list(COUNTS))
    return {family: one[family] | several[family] for family in FAMILIES}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in DRAWS])
def test_a_family_that_draws_nothing_has_the_losses_of_one_device(losses, family, count):
    found = losses[family]
    assert found[1].shape == (1, EPOCHS)
    np.testing.assert_allclose(found[count], found[1], rtol=1e-4)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("family", [family for family in FAMILIES if family in DRAWS])
def test_a_family_that_draws_is_as_good_as_on_one_device(losses, family, count):
    one, several = losses[family][1], losses[family][count]
    difference = several - one  # the same seeds, so that weights and batches are those of one device
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(one))
    assert (np.abs(difference.mean(axis=0)) <= 2 * error + 1e-4 * one.mean(axis=0)).all(), (difference, error)
