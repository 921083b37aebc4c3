"""Tests of `aetfx.figures.histograms` against NumPy on real values."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aetfx.figures.histograms import SIZE, TALL, histogram


def column(values) -> tuple[np.ndarray, np.ndarray]:
    """Counts in ten equal-width buckets and the deciles, as `FeatureStats.pb` holds them."""
    values = np.asarray(values, float)
    if values.min() == values.max():
        counts = np.r_[len(values), np.zeros(9)]
    else:
        counts = np.histogram(values / np.abs(values).max(), bins=10)[0]  # NumPy fails on ranges near the largest float
    return counts, np.quantile(values, np.linspace(0, 1, 11), method="inverted_cdf")


def test_a_column_is_numpys_histogram():
    values = np.random.default_rng(0).normal(size=500)
    made = histogram([column(values)])
    counts, edges = np.histogram(values, bins=10)
    (bars,) = made["bars"]
    assert [bar[3] for bar in bars] == pytest.approx(counts / 500, abs=5e-4)
    assert [bar[2] for bar in bars] == pytest.approx(np.maximum(counts / counts.max() * TALL, 2), abs=1)
    places = (edges - edges[0]) / (edges[-1] - edges[0]) * SIZE
    assert [bar[0] for bar in bars] == pytest.approx(places[:-1], abs=1)
    assert (made["below"], made["above"]) == (None, None)
    assert made["low"] == pytest.approx(values.min(), rel=1e-4)


def test_a_far_outlier_is_named_and_the_bulk_still_has_a_shape():
    values = np.r_[np.random.default_rng(0).normal(10, 1, size=999), 1e6]
    made = histogram([column(values)])
    assert made["above"] == 1e6
    assert made["below"] is None or made["below"] > 5
    assert 10 < made["high"] < 16
    (bars,) = made["bars"]
    assert len(bars) >= 8
    tallest = max(bars, key=lambda bar: bar[2])
    middle = made["low"] + (tallest[0] + tallest[1]) / 2 / SIZE * (made["high"] - made["low"])
    assert middle == pytest.approx(10, abs=0.5)


def test_splits_share_an_axis_and_their_areas_are_shares():
    rng = np.random.default_rng(0)
    made = histogram([column(rng.uniform(0, 1, 1000)), column(rng.uniform(0, 2, 100))])
    train, evaluation = made["bars"]
    assert max(bar[1] for bar in train) == pytest.approx(SIZE / 2, abs=25)
    assert max(bar[1] for bar in evaluation) == SIZE
    # Twice as wide, so half as tall, whatever the numbers of rows.
    assert np.median([b[2] for b in evaluation]) == pytest.approx(np.median([b[2] for b in train]) / 2, rel=0.25)


def test_a_single_rare_value_can_be_seen():
    (bars,) = histogram([column(np.r_[np.zeros(50_000), np.linspace(0, 0.4, 50_000), 1.0])])["bars"]
    assert bars[-1][:2] == [900, 1000]
    assert bars[-1][2] >= 2


def test_a_constant_column_is_one_bar_in_the_middle():
    (bars,) = histogram([column([3.0] * 9)])["bars"]
    ((start, end, height, share),) = bars
    assert (start + end) / 2 == pytest.approx(SIZE / 2, abs=1)
    assert (height, share) == (TALL, 1.0)


def test_a_column_without_a_finite_value_has_no_picture():
    assert histogram([]) is None
    assert histogram([(np.zeros(10), np.zeros(11)), (np.ones(10), None)]) is None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        arrays(float, st.integers(1, 60), elements=st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=2,
    )
)
def test_bars_stay_within_the_picture_and_shares_within_one(columns):
    with np.errstate(over="ignore"):
        made = histogram([column(values) for values in columns])
    json.dumps(made, allow_nan=False)
    assert len(made["bars"]) == len(columns)
    for bars in made["bars"]:
        assert 0 < sum(bar[3] for bar in bars) <= 1.02
        for start, end, height, _ in bars:
            assert 0 <= start < end <= SIZE
            assert 0 < height <= TALL
