"""aetfx.diagnosis.order: rows that drift come back worse when the last of them are held out, and that is said."""

from __future__ import annotations

import numpy as np
import pytest

import aetfx
from aetfx.diagnosis.order import RowOrder

keras = pytest.importorskip("keras")


def model():
    layers = [keras.layers.Dense(24, "relu"), keras.layers.Dense(2), keras.layers.Dense(24, "relu")]
    made = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(6)])
    made.compile("adam", "mse")
    return made


def rows(drift: float):
    rng = np.random.default_rng(0)
    way = np.linspace(0, 1, 1000)[:, None]
    first, last = rng.normal(size=(2, 6)), rng.normal(size=(2, 6))
    codes = rng.normal(size=(1000, 2)) + drift * 4 * way
    return codes @ first * (1 - drift * way) + drift * way * (codes @ last) + 0.05 * rng.normal(size=(1000, 6))


@pytest.mark.slow
def test_a_drift_is_told_with_both_scores():
    found = aetfx.diagnose(model, rows(1.0), epochs=30, budget=3).record
    assert "row_order" in found["notes"]
    assert found["row_order"]["tail"] > 1.5 * found["row_order"]["by_hash"]
    assert any(f"{found['row_order']['tail']:.3f}" in sentence for sentence in found["statements"])


@pytest.mark.slow
def test_rows_in_no_order_are_not_trained_again():
    found = aetfx.diagnose(model, rows(0.0), epochs=30, budget=3).record
    assert found["row_order"] is None
    assert "row_order" not in found["notes"]


def test_an_order_that_hardly_matters_asks_for_nothing():
    assert "hardly matters" in RowOrder(by_hash=2.984, tail=3.029).sentence
    assert "Hold out a tail" not in RowOrder(by_hash=2.984, tail=3.029).sentence
    assert RowOrder(by_hash=0.2, tail=0.3).sentence.endswith(
        "Hold out a tail if the model is for rows that come later."
    )
