"""Tests of aetfx.validation.statistics: ranges, range ratios, spikes and what stands apart."""

import numpy as np
import pytest

from aetfx.validation.statistics import range_ratio, summarize


def spikes(column):
    return {s.value: s for s in summarize(np.asarray(column, float).reshape(-1, 1)).spikes}


def test_ranges_fall_back_on_the_full_range():
    column = np.zeros(1000)
    column[0] = 5
    assert summarize(column.reshape(-1, 1)).ranges[0] == 5


def test_range_ratio_of_real_sets():
    """The figures that the method quotes for scikit-learn's sets."""
    from sklearn import datasets

    ratios = {
        n: range_ratio(summarize(getattr(datasets, f"load_{n}")().data).ranges) for n in ("wine", "diabetes", "digits")
    }
    assert ratios["wine"] == pytest.approx(401, abs=1)
    assert ratios["diabetes"] < 2
    assert ratios["digits"] < 30


def test_counts_and_order_of_repeated_values():
    found = summarize(np.array([1.0, 1, 1, 2, 2, 2, 2, 3, 3]).reshape(-1, 1)).spikes
    assert [(s.value, s.count) for s in found] == [(2, 4), (1, 3)]


def test_gap_and_bulk_of_marks_on_both_sides():
    bulk = np.linspace(0, 1, 1000)
    found = spikes(np.concatenate([bulk, [-999] * 50, [9999] * 40, [-998] * 30]))
    assert found[-999].gap == 999
    assert found[-998].gap == 998
    assert found[9999].gap == 9998
    assert found[-999].rest_low == pytest.approx(0.01, abs=0.002)
    assert found[-999].rest_high == pytest.approx(0.99, abs=0.002)


def test_a_mark_behind_a_stray_cell_is_seen():
    found = spikes(np.concatenate([np.linspace(0, 1, 1000), [99] * 20, [1e6]]))
    assert found[99].gap == 98


@pytest.mark.parametrize(
    "column", [np.repeat([0, 1], [900, 100]), np.repeat([0, 1, 50], [400, 400, 200]), np.arange(100).repeat(5)]
)
def test_codes_and_grades_do_not_stand_apart(column):
    assert all(np.isnan(s.gap) for s in spikes(column).values())


def test_empty_columns_have_nan_figures():
    found = summarize(np.full((5, 2), np.nan))
    assert np.isnan(found.mean).all()
    assert np.isnan(found.quantiles).all()
    assert found.n_missing.tolist() == [5, 5]
