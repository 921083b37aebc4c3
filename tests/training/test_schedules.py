"""aetfx.training.schedules, and what a study says about the learning rate, the end, and the precision of a training."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.errors import ModelError
from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_study
from aetfx.training.schedules import factor
from aetfx.training.trial import train
from aetfx.training.workshop import Workshop
from tests.models import vaes

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(96, 2)) @ RNG.normal(size=(2, 5))


def recipe(**training):
    tree = {"data": {"train": "x.npy"}, "model": {"hidden": [8], "bottleneck": 2}, "training": training}
    return recipe_from_study(parse_study(tree), (5,))


def rates_of(made):
    """Returns the learning rate that each epoch was trained with."""
    workshop, found = Workshop(), []
    train(
        made, ROWS, fit_rows({}, ROWS), seed=0, workshop=workshop,
        on_epoch=lambda epoch: found.extend(
            float(np.asarray(bench.model.optimizer.learning_rate)) for bench in workshop._benches.values()
        ),
    )  # fmt: skip
    return found


def test_cosine_falls_to_nothing_after_a_linear_rise():
    factors = [factor({"name": "cosine", "warmup_epochs": 3}, epoch, 23, []) for epoch in range(23)]
    assert factors[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert all(np.diff(factors[3:]) < 0)
    assert factors[13] == pytest.approx(0.5)
    assert 0 < factors[-1] < 0.01


def test_a_plateau_is_five_epochs_without_a_fall():
    falling = [1.0, 0.9, 0.8, 0.7]
    schedule = {"name": "plateau"}
    assert factor(schedule, 4, 50, falling) == 1
    assert factor(schedule, 8, 50, [*falling, 0.7, 0.7, 0.7, 0.7]) == 1
    assert factor(schedule, 9, 50, [*falling, 0.7, 0.7, 0.7, 0.7, 0.7]) == pytest.approx(0.1)
    assert factor(schedule, 14, 50, [*falling, *[0.7] * 10]) == pytest.approx(0.01)


def test_a_negative_loss_has_plateaus_too():
    falling = [-0.5, -0.8, -0.9]
    assert factor({"name": "plateau"}, 8, 50, [*falling, -0.95, -0.96, -0.97, -0.98, -0.99]) == 1
    assert factor({"name": "plateau"}, 8, 50, [*falling, *[-0.9] * 5]) == pytest.approx(0.1)
    assert factor({"name": "plateau"}, 8, 50, [*falling, *[-0.89999] * 5]) == pytest.approx(0.1)


def test_the_rate_of_each_epoch_is_what_the_schedule_says():
    made = recipe(epochs=4, learning_rate=0.02, schedule="cosine", warmup_epochs=1)
    assert rates_of(made) == pytest.approx([0.01, 0.02, 0.015, 0.005], rel=1e-5)
    assert made.identity != recipe(epochs=4, learning_rate=0.02).identity
    assert recipe(epochs=4, schedule="constant").identity == recipe(epochs=4).identity


def test_patience_ends_a_training_and_keeps_the_best_weights():
    made = recipe(epochs=40, patience=3, learning_rate=0.01)
    scores = iter([0.9, 0.5, 0.6, 0.6, 0.7, 0.1])
    kept = {}
    workshop = Workshop()

    def score(predict):
        [bench] = workshop._benches.values()
        kept[len(kept) + 1] = bench.model.get_weights()
        return next(scores)

    trial = train(made, ROWS, fit_rows({}, ROWS), seed=0, workshop=workshop, score=score)
    assert len(trial.losses) == 5
    assert trial.best_epoch == 2
    for mine, best in zip(trial.model.get_weights(), kept[2], strict=True):
        np.testing.assert_array_equal(mine, best)


def test_a_schedule_beside_the_models_own_is_refused(tmp_path, monkeypatch):
    (tmp_path / "scheduled_model.py").write_text(
        "import keras\n"
        "def build():\n"
        "    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2), keras.layers.Dense(5)])\n"
        "    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)), 'mse')\n"
        "    return model\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    tree = {"data": {"train": "x.npy"}, "model": {"factory": "scheduled_model:build"}}
    with pytest.raises(ModelError, match="training.schedule cannot be used"):
        recipe_from_study(parse_study({**tree, "training": {"schedule": "cosine"}}), (5,))


def test_a_schedule_is_refused_where_the_model_sets_its_own_rates():
    model = {"factory": "tests.models.vaes:adversarial"}
    tree = {"data": {"train": "x.npy"}, "model": model, "training": {"warmup_epochs": 2}}
    with pytest.raises(ModelError, match=r"training.schedule cannot be used: .* has a compile\(\) of its own"):
        recipe_from_study(parse_study(tree), (vaes.WIDTH,))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_comes_to_nearly_the_same(precision):
    plain, mixed = recipe(epochs=15, learning_rate=0.01), recipe(epochs=15, learning_rate=0.01, precision=precision)
    assert plain.identity != mixed.identity
    model = mixed.source.build()
    assert {str(layer.compute_dtype) for layer in model.layers[:-1] if layer.weights} == {precision.split("_")[1]}
    assert str(model.layers[-1].compute_dtype) == "float32"
    one, other = (train(made, ROWS, fit_rows({}, ROWS), seed=0, workshop=Workshop()) for made in (plain, mixed))
    assert other.losses[-1] == pytest.approx(one.losses[-1], rel=0.1)
