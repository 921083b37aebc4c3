"""Tests of aetfx.evaluation.score against direct NumPy, scikit-learn and figures worked out by hand."""

import tracemalloc

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.metrics import log_loss, r2_score

from aetfx.data.padding import padded_steps
from aetfx.errors import DataError, ModelError
from aetfx.evaluation.score import CAP, Scorer, mean_score

RNG = np.random.default_rng(7)


def mean_prediction(scorer, y):
    flat = np.broadcast_to(np.nan_to_num(scorer.train_mean), (len(y), len(scorer.train_mean)))
    return flat.reshape(np.shape(y))


def test_by_hand_table_and_tensor():
    train = np.array([[0.0, 0.0], [2.0, 200.0]])  # means 1 and 100
    truth = np.array([[0.0, 0.0], [2.0, 200.0]])  # denominators 1 and 10,000
    guess = np.array([[0.5, 100.0], [2.0, 200.0]])  # mean squared errors 0.125 and 5,000
    table = Scorer.fit(train, features="table").score(truth, guess)
    assert table.per_feature.tolist() == [0.125, 0.5]
    assert table.value == table.raw == 0.3125
    tensor = Scorer.fit(train, features="tensor").score(truth, guess)
    assert tensor.value == pytest.approx(5000.125 / 10001, rel=1e-12)
    assert tensor.per_feature.tolist() == [0.125, 0.5]


def test_draws_are_scored_one_by_one_and_then_averaged():
    """Two draws that miss on opposite sides are not perfect, though their mean is."""
    truth = np.random.default_rng(1).normal(size=(40, 3))
    scorer = Scorer.fit(truth, features="tensor")
    draws = [truth + 0.5, truth - 0.5]
    scores = [scorer.score(truth, drawn) for drawn in draws]
    score = mean_score(scores)
    assert score.value == pytest.approx(np.mean([one.value for one in scores]))
    assert score.value > 0.1 > scorer.score(truth, np.mean(draws, axis=0)).value
    assert score.per_feature == pytest.approx(np.mean([one.per_feature for one in scores], axis=0))
    assert score.sums.scores()[0] == pytest.approx(score.value), "bootstraps of rows are drawn from the same sums"
    assert mean_score(scores[:1]) is scores[0]
    assert mean_score([scores[0], scorer.score(truth, truth * np.nan)]).diverged


def test_against_scikit_learn():
    data = load_breast_cancer().data
    guess = data + RNG.normal(size=data.shape) * data.std(axis=0) * 0.4
    score = Scorer.fit(data).score(data, guess)
    assert score.per_feature == pytest.approx(1 - r2_score(data, guess, multioutput="raw_values"), rel=1e-9)
    assert score.value == pytest.approx(1 - r2_score(data, guess), rel=1e-9)
    pooled = Scorer.fit(data, features="tensor").score(data, guess)
    assert pooled.value == pytest.approx(1 - r2_score(data, guess, multioutput="variance_weighted"), rel=1e-9)


@pytest.mark.parametrize(
    ("data", "features"),
    [
        (load_breast_cancer().data, "table"),
        (load_wine().data, "table"),
        (load_digits().data, "tensor"),
        (load_diabetes().data, "tensor"),
    ],
)
def test_mean_scores_one_and_truth_zero(data, features):
    scorer = Scorer.fit(data[:120])
    assert (scorer.features, scorer.metric) == (features, "fvu")
    held_out = data[120:]
    assert scorer.score(held_out, mean_prediction(scorer, held_out)).value == pytest.approx(1, rel=1e-12)
    assert scorer.score(held_out, held_out).value == 0


def test_one_column_on_another_scale_makes_a_table_and_declared_shapes_a_tensor():
    rows = RNG.normal(size=(200, 20))
    rows[:, 3] *= 1e4
    assert Scorer.fit(rows).features == "table"
    assert Scorer.fit(rows, declared_shape=True).features == "tensor"
    assert Scorer.fit(rows, features="tensor").features == "tensor"


def test_single_spikes_do_not_make_a_table():
    rows = RNG.normal(size=(400, 20))
    rows[::200, 5] = 1e6
    assert Scorer.fit(rows).features == "tensor"
    rows[::40, 5] = 1e6  # 2.5 %: the ranges see them, unless fences keep them out
    assert Scorer.fit(rows).features == "table"
    assert Scorer.fit(rows, fences=(np.full(20, -10.0), np.full(20, 10.0))).features == "tensor"


def test_cap_keeps_worse_than_the_mean_visible_and_raw_is_beside():
    train = RNG.normal(size=(100, 2)) * [1, 1000]
    guess = train + np.array([100.0, 0.0])
    score = Scorer.fit(train, features="table").score(train, guess)
    assert score.value == CAP / 2
    assert score.raw > 1000
    assert score.per_feature[0] == CAP
    assert score.raw_per_feature[0] > 1000
    assert not score.diverged


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_diverged_counts_as_the_cap(bad):
    train = RNG.normal(size=(50, 3))
    guess = train.copy()
    guess[4, 1] = bad
    score = Scorer.fit(train).score(train, guess)
    assert score.diverged
    assert score.value == CAP
    assert score.raw == np.inf
    assert (score.sums.scores(RNG.poisson(1, (5, 50)).astype(float)) == CAP).all()
    errors = Scorer.fit(train).row_errors(train, guess)
    assert np.isinf(errors[4])
    assert np.isfinite(np.delete(errors, 4)).all()


@pytest.mark.parametrize("features", ["table", "tensor"])
def test_masked_cells_count_nowhere(features):
    clean = RNG.normal(size=(300, 4)) + 5
    dirty = clean.copy()
    dirty[:, 0][RNG.random(300) < 0.1] = np.nan
    dirty[:, 1][RNG.random(300) < 0.1] = -999.0
    dirty[7, 2] = np.inf
    masked = np.isnan(dirty) | (dirty == -999.0) | np.isinf(dirty)
    guess = clean + RNG.normal(size=clean.shape) * 0.5
    guess[masked] = np.nan  # what the model says there does not matter either
    scorer = Scorer.fit(dirty, features=features, sentinels={1: (-999.0,)})
    score = scorer.score(dirty, guess)
    error, spread = [], []
    for j in range(4):
        seen = ~masked[:, j]
        mean = clean[seen, j].mean()
        assert scorer.train_mean[j] == pytest.approx(mean, rel=1e-12)
        error.append(np.square(guess[seen, j] - clean[seen, j]).mean())
        spread.append(np.square(clean[seen, j] - mean).mean())
    expected = np.mean(np.divide(error, spread)) if features == "table" else np.sum(error) / np.sum(spread)
    assert score.value == pytest.approx(expected, rel=1e-12)
    assert not score.diverged
    assert (scorer.mask(dirty) == ~masked).all()
    assert scorer.score(dirty.astype(np.float32), guess.astype(np.float32)).value == pytest.approx(expected, rel=1e-4)


def test_a_sentinel_that_passed_through_float32_is_still_masked():
    rows = RNG.normal(size=(100, 2))
    rows[:5, 0] = -9.99
    scorer = Scorer.fit(rows, sentinels={0: (-9.99,)})
    assert not scorer.mask(rows.astype(np.float32))[:5, 0].any()


def test_spikes_in_the_denominator_would_hide_the_fault_and_fences_keep_them_out():
    rows = RNG.normal(size=(500, 5))
    rows[::100, 0] = 300.0
    fences = (np.full(5, -6.0), np.full(5, 6.0))
    with_fences = Scorer.fit(rows, fences=fences)
    without = Scorer.fit(rows)
    guess = mean_prediction(without, rows)
    assert with_fences.inlier_rows(rows).sum() == 495
    inliers = with_fences.score(rows, mean_prediction(with_fences, rows), rows="inliers")
    assert inliers.value == pytest.approx(1, rel=1e-9)
    assert inliers.n_rows == 495
    assert abs(with_fences.train_mean[0]) < 0.2 < without.train_mean[0]
    assert without.score(rows, guess, rows="inliers").n_rows == 500  # no fences: all rows
    # a fence that a column does not have
    some = Scorer.fit(rows, fences=(np.array([-6.0, *[np.nan] * 4]), np.array([6.0, *[np.inf] * 4])))
    assert some.inlier_rows(rows).sum() == 495


def test_missing_cells_do_not_make_a_row_an_outlier():
    rows = np.array([[0.0, np.nan], [1.0, 2.0], [9.0, 2.0], [0.5, 1.0]])
    scorer = Scorer.fit(rows, fences=(np.full(2, -5.0), np.full(2, 5.0)), features="table")
    assert scorer.inlier_rows(rows).tolist() == [True, True, False, True]


def test_constant_and_near_constant_columns_are_excluded_and_listed():
    rows = np.column_stack(
        [
            RNG.normal(size=1000),
            np.full(1000, 3.0),
            np.where(np.arange(1000) < 20, RNG.normal(size=1000), 7.0),  # 2 % differ
            np.where(np.arange(1000) < 80, RNG.normal(size=1000) * 1000, 7.0),  # 8 % differ
            20.0 + RNG.normal(size=1000) * 1e-9,  # a stuck sensor's jitter
        ]
    )
    scorer = Scorer.fit(rows, names=list("abcde"), features="table")
    assert scorer.excluded == ("b", "c", "e")
    score = scorer.score(rows, rows * 1.1)
    assert np.isnan(score.per_feature[[1, 2, 4]]).all()
    assert np.isfinite(score.per_feature[[0, 3]]).all()
    assert Scorer.fit(rows, names=list("abcde"), features="tensor").excluded == ("b",)


def test_a_clock_is_not_near_constant():
    clock = np.column_stack([1.6e9 + np.arange(3000.0), RNG.normal(size=3000)])
    assert Scorer.fit(clock).excluded == ()
    assert Scorer.fit(clock).score(clock, clock + np.array([60.0, 0.0])).per_feature[0] == pytest.approx(
        3600 / 750_000, rel=0.01
    )


def test_a_held_out_column_without_spread_is_left_out():
    train = RNG.normal(size=(100, 2))
    train[:, 0] -= train[:, 0].mean()
    held_out = train[:10].copy()
    scorer = Scorer.fit(train, features="table")
    held_out[:, 0] = scorer.train_mean[0]
    score = scorer.score(held_out, held_out + 0.1)
    assert np.isnan(score.per_feature[0])
    assert score.value == score.per_feature[1]


def test_deviance_against_scikit_learn():
    rows = (RNG.random((800, 30)) < RNG.uniform(0.01, 0.6, 30)).astype(np.float32)
    scorer = Scorer.fit(rows[:500])
    assert (scorer.metric, scorer.features) == ("deviance", "tensor")
    held_out = rows[500:]
    guess = np.clip(held_out * 0.5 + RNG.random(held_out.shape) * 0.4, 0.001, 0.999)
    score = scorer.score(held_out, guess)
    by_mean = np.clip(mean_prediction(scorer, held_out), 1e-3, 1 - 1e-3)
    expected = log_loss(held_out.ravel(), guess.ravel()) / log_loss(held_out.ravel(), by_mean.ravel())
    assert score.value == pytest.approx(expected, rel=1e-6)
    assert scorer.score(held_out, mean_prediction(scorer, held_out)).value == pytest.approx(1, rel=1e-12)
    ones = held_out == 1
    assert score.recall == pytest.approx((guess[ones] > 0.5).mean())
    # outputs beyond the range are clipped: a linear output may be scored
    assert np.isfinite(scorer.score(held_out, held_out * 3 - 1).value)


def test_binary_train_rows_are_scored_as_variance_where_others_are_no_probabilities():
    rows = (RNG.random((800, 8)) < 0.3).astype(np.float64)
    train, held_out = rows[:500], rows[500:]
    assert Scorer.fit(train, held_out=[held_out, held_out * 0.5]).metric == "deviance"
    other = (held_out - held_out.mean(axis=0)) / held_out.std(axis=0)
    scorer = Scorer.fit(train, held_out=[held_out, other])
    assert scorer.metric == "fvu"
    assert scorer.score(other, np.clip(other, 0, 1)).value > 0
    marked = np.where(np.arange(300)[:, None] % 9 == 0, -1.0, held_out)
    assert Scorer.fit(train, held_out=[marked]).metric == "fvu"
    assert Scorer.fit(train, sentinels=dict.fromkeys(range(8), (-1.0,)), held_out=[marked]).metric == "deviance"
    steps = np.where(np.arange(8) < 6, held_out, -1.0).reshape(300, 4, 2)
    kept = Scorer.fit(train.reshape(500, 4, 2), declared_shape=True, padding=-1.0, held_out=[steps])
    assert kept.metric == "deviance"


def test_sparse_binary_columns_stay_in_the_score():
    rows = (RNG.random((1000, 50)) < 0.03).astype(np.float64)
    scorer = Scorer.fit(rows)
    assert scorer.metric == "deviance"
    assert scorer.excluded == ()


def test_unlike_channels_are_scored_apart():
    sensors = RNG.normal(size=(100, 12, 6)) * 10.0 ** np.arange(6)
    scorer = Scorer.fit(sensors, declared_shape=True)
    assert scorer.channels
    guess = sensors.copy()
    guess[..., 0] = 0.0  # the smallest sensor is lost
    score = scorer.score(sensors, guess)
    assert score.value == pytest.approx(1 / 6, rel=0.01)
    assert score.per_group[0] == pytest.approx(1, rel=0.01)
    assert score.raw == pytest.approx(scorer.row_errors(sensors, guess).mean())
    two = np.stack([RNG.normal(size=(50, 8)), RNG.normal(size=(50, 8)) * 1000], axis=-1)
    assert Scorer.fit(two, declared_shape=True).channels


def test_an_image_without_channels_is_pooled():
    eights = load_digits().images
    assert not Scorer.fit(eights, declared_shape=True).channels
    assert not Scorer.fit(eights[..., None], declared_shape=True).channels
    colour = RNG.random((50, 8, 8, 3))
    assert not Scorer.fit(colour, declared_shape=True).channels


@pytest.mark.parametrize("features", ["table", "tensor"])
def test_row_errors_average_to_the_raw_score(features):
    data = load_wine().data
    guess = data + RNG.normal(size=data.shape) * data.std(axis=0)
    scorer = Scorer.fit(data, features=features)
    errors = scorer.row_errors(data, guess)
    assert errors.shape == (len(data),)
    assert errors.mean() == pytest.approx(scorer.score(data, guess).raw, rel=1e-9)
    spread = np.square(data - data.mean(axis=0)).mean(axis=0)
    squared = np.square(guess - data)
    expected = (squared / spread).mean(axis=1) if features == "table" else squared.sum(axis=1) / spread.sum()
    assert errors == pytest.approx(expected, rel=1e-9)


def test_blocks_of_rows_do_not_change_the_score(monkeypatch):
    data = load_digits().data
    guess = data + RNG.normal(size=data.shape)
    scorer = Scorer.fit(data)
    whole = scorer.score(data, guess)
    monkeypatch.setattr("aetfx.evaluation.sums._BLOCK_CELLS", 64 * 100)
    parts = scorer.score(data, guess)
    assert parts.value == pytest.approx(whole.value, rel=1e-12)
    assert parts.sums.error.shape == (len(data), 1)


@pytest.mark.parametrize("holed", [False, True])
def test_blocks_of_train_rows_do_not_change_what_is_scored(monkeypatch, holed):
    """Neither do sentinels, fences, padding and bits, wherever a block ends."""
    rows = RNG.normal(size=(500, 6, 2)).astype(np.float32)
    rows[RNG.random(rows.shape) < 0.01] *= 50
    rows[:, :, 1] = rows[:, :, 1] > 0.3
    rows[::3, 4:] = -7.0  # padding
    rows[1, 4:] = -7.0
    if holed:
        rows[RNG.random(rows.shape) < 0.1] = np.nan
    rows[5, 0, 0] = -999.0
    fences = (np.full(12, -1000.0), np.full(12, 20.0))

    def fitted():
        return Scorer.fit(rows, declared_shape=True, sentinels={0: (-999.0,)}, fences=fences, padding=-7.0)

    whole = fitted()
    monkeypatch.setattr("aetfx.evaluation.columns._BLOCK_CELLS", 12 * 7)
    parts = fitted()
    assert (parts.included == whole.included).all()
    assert (parts.group == whole.group).all()
    assert parts.train_mean == pytest.approx(whole.train_mean, rel=1e-12)
    assert parts.train_spread == pytest.approx(whole.train_spread, rel=1e-12)
    assert parts.range_ratio == whole.range_ratio
    flat = rows.astype(float).reshape(500, 12)
    there = np.isfinite(flat) & (flat != -999) & (flat < 20) & ~np.repeat(padded_steps(rows, -7.0), 2, axis=1)
    assert whole.train_mean == pytest.approx(np.ma.array(flat, mask=~there).mean(axis=0).data, rel=1e-12)
    assert whole.train_spread == pytest.approx(np.ma.array(flat, mask=~there).var(axis=0).data, rel=1e-12)


def test_a_score_is_chosen_without_copies_of_all_rows():
    rows = np.random.default_rng(0).normal(size=(400_000, 20)).astype(np.float32)
    tracemalloc.start()
    try:
        Scorer.fit(rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.8 * rows.nbytes, "masks, and blocks in float64; one float64 copy would be twice the rows"


def test_what_cannot_be_scored_is_said_in_one_line():
    rows = RNG.normal(size=(20, 3))
    scorer = Scorer.fit(rows)
    with pytest.raises(ModelError, match=r"gives back rows of shape \(2,\).*rows of shape \(3,\)"):
        scorer.score(rows, rows[:, :2])
    with pytest.raises(DataError, match=r"held-out rows have shape \(2,\) but the train rows have \(3,\)"):
        scorer.score(rows[:, :2], rows[:, :2])
    with pytest.raises(DataError, match="no scored cell is left"):
        scorer.score(np.full((5, 3), np.nan), np.zeros((5, 3)))
    with pytest.raises(DataError, match="none of the 2 columns varies"):
        Scorer.fit(np.ones((10, 2)))
    with pytest.raises(DataError, match="no rows"):
        Scorer.fit(np.ones((0, 2)))
    with pytest.raises(DataError, match="must be numbers"):
        Scorer.fit(np.array([["a"], ["b"]]))


def test_rare_ones_are_on_the_scale_of_common_ones():
    rng = np.random.default_rng(0)
    rows = (rng.random((400, 60)) < np.geomspace(0.008, 0.4, 60)).astype(float)
    scorer = Scorer.fit(rows)
    assert (scorer.metric, scorer.features) == ("deviance", "tensor")
    assert scorer.range_ratio == pytest.approx(1.0)


def test_standardised_columns_that_hardly_ever_change_are_not_scored():
    """A stuck sensor's jitter, standardised, has a standard deviation of one as the other columns have."""
    rng = np.random.default_rng(0)
    stuck = np.where(rng.random((500, 8)) < 0.03, 1e-3 * rng.normal(size=(500, 8)), 0.0)
    rows = np.concatenate([rng.normal(size=(500, 5)), rng.uniform(size=(500, 2)), stuck], axis=1)
    alike = rows / rows.std(axis=0)
    found = Scorer.fit(alike)
    assert found.included.tolist() == [True] * 7 + [False] * 8
    guess = np.where(found.included, alike, alike.mean(axis=0))
    assert found.score(alike, guess).value < 1e-6
    counts = alike * [1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    for kept in (counts, alike[:, 5:]):  # most columns rarely change, and the others are not alike, or very few
        assert Scorer.fit(kept).included.all()
    sequences = Scorer.fit(alike.reshape(500, 5, 3), declared_shape=True)
    np.testing.assert_array_equal(sequences.included, found.included)
    assert Scorer.fit(counts.reshape(500, 5, 3), declared_shape=True).included.all(), "as the margin of a picture"


def test_columns_squeezed_by_gross_cells_of_their_own_are_scored_apart():
    """Scaled to 0 to 1 with a slipped comma in it, a column keeps a tenth of its range; pooled, nobody would see it."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(size=(400, 6))
    slipped = rows.copy()
    slipped[:3, :3] *= 10
    slipped /= slipped.max(axis=0)
    fences = (np.full(6, -1.0), np.where(np.arange(6) < 3, 0.2, 2.0))
    found = Scorer.fit(slipped, fences=fences)
    assert found.squeezed
    assert found.features == "table"
    guess = slipped.copy()
    guess[:, :3] = slipped[:, :3].mean(axis=0)
    assert found.score(slipped, guess, rows="inliers").value > 0.4
    for gentle in (rows, slipped[:, :3], np.where(rng.random(rows.shape) < 0.01, 10.0, rows) / 10):
        again = Scorer.fit(gentle, fences=(np.full(gentle.shape[1], -1.0), np.full(gentle.shape[1], 0.5)))
        assert not again.squeezed
        assert again.features == "tensor"
    assert Scorer.fit(slipped, fences=fences, features="tensor").features == "tensor"
    marks = np.where(rng.random(rows.shape[0]) < 0.05, 0.0, 0.9 + 0.1 * rows[:, 0])
    marked = np.concatenate([marks[:, None], rows], axis=1)
    assert Scorer.fit(marked, sentinels={0: (0.0,)}).features == "table"
