"""Tests of aetfx.evaluation.alignment: other preparations are undone, and ordinary shifts are none."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from aetfx.evaluation.alignment import alignment

DIGITS = load_digits().data / 16
CANCER = load_breast_cancer()


def halves(rows, seed=0):
    order = np.random.default_rng(seed).permutation(len(rows))
    cut = int(0.7 * len(rows))
    return rows[order[:cut]], rows[order[cut:]]


@pytest.mark.parametrize(
    ("factor", "offset", "words"),
    [
        (255.0, 0.0, "the train rows times 255"),
        (1 / 255, 0.0, "the train rows divided by 255"),
        (16.0, 0.0, "the train rows times 16"),
        (2.0, -1.0, "the train rows times 2 minus 1.00"),
    ],
)
def test_one_map_is_named_and_undone(factor, offset, words):
    train, evaluation = halves(DIGITS)
    found = alignment(train, evaluation * factor + offset)
    assert found.kind == "one"
    assert found.words.startswith(words)
    assert found.r2 > 0.98
    np.testing.assert_allclose(found(evaluation * factor + offset), evaluation, atol=0.01)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side", ["train", "eval"])
def test_one_side_standardised(side, seed):
    train, evaluation = halves(CANCER.data, seed)
    mean, sd = train.mean(axis=0), train.std(axis=0)
    raw = evaluation
    train, evaluation = (
        ((train - mean) / sd, evaluation) if side == "train" else (train, (raw - raw.mean(0)) / raw.std(0))
    )
    found = alignment(train, evaluation)
    assert found.kind == "columns"
    wanted = (raw - mean) / sd if side == "train" else raw
    off = (found(evaluation) - wanted) / wanted.std(axis=0)
    assert np.median(np.abs(off)) < 0.15


def test_each_side_between_its_own_extremes():
    train, evaluation = halves(CANCER.data)
    low, reach = train.min(axis=0), np.ptp(train, axis=0)
    own = (evaluation - evaluation.min(axis=0)) / np.ptp(evaluation, axis=0)
    found = alignment((train - low) / reach, own)
    assert found.kind == "columns"
    before = np.abs(own - (evaluation - low) / reach).mean()
    assert np.abs(found(own) - (evaluation - low) / reach).mean() < 0.3 * before


def test_two_scalers_of_all_cells_prove_themselves_where_the_rows_differ_too():
    rng = np.random.default_rng(0)
    plains, hills = (np.cumsum(rng.normal(size=(n, 12)), axis=1) for n in (900, 300))
    hills = np.exp(0.6 * hills / hills.std())
    train = (plains - plains.mean()) / plains.std()
    own = (hills - hills.min()) / np.ptp(hills)
    found = alignment(train, own)
    assert found.kind == "one"
    np.testing.assert_allclose(found(own).mean(), train.mean(), atol=1e-6)
    np.testing.assert_allclose(found(own).std(), train.std(), rtol=1e-6)
    assert alignment(train, 1.01 * own) is None, "no scaler leaves that"
    assert alignment((plains - plains.min()) / np.ptp(plains), own) is None, "the same scaler"


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("factor", [100.0, 0.001])
def test_some_columns_in_another_unit(factor, scaled):
    train, evaluation = halves(CANCER.data)
    mean, sd = (train.mean(axis=0), train.std(axis=0)) if scaled else (0.0, 1.0)
    unit = np.where(np.arange(30) % 3 == 0, factor, 1.0)
    found = alignment((train - mean) / sd, (evaluation * unit - mean) / sd)
    assert found.kind == "some"
    assert found.compared.tolist() == (unit != 1).tolist()
    assert f"10 of 30 columns of the eval rows are spread {factor:g} times as wide" in found.sentence
    off = (found((evaluation * unit - mean) / sd) - (evaluation - mean) / sd) / train.std(axis=0) * sd
    assert np.median(np.abs(off)) < 0.15


def test_columns_off_by_unlike_factors_are_a_shift():
    train, evaluation = halves(CANCER.data)
    mean, sd = train.mean(axis=0), train.std(axis=0)
    unit = np.ones(30)
    unit[:4] = 4, 9, 20, 50
    assert alignment((train - mean) / sd, (evaluation - mean) / sd * unit) is None


def test_images_keep_their_shape_and_dtype():
    train, evaluation = halves(DIGITS.reshape(-1, 8, 8).astype(np.float32))
    mapped = alignment(train, evaluation * 255)(evaluation * 255)
    assert (mapped.shape, mapped.dtype) == (evaluation.shape, np.float32)


def _benign_and_malignant():
    rows = CANCER.data
    benign = rows[CANCER.target == 1]
    return [(part - benign.mean(axis=0)) / benign.std(axis=0) for part in (benign, rows[CANCER.target == 0])]


def _other_digits():
    labels = load_digits().target
    return DIGITS[labels < 7], DIGITS[labels >= 7]


def _sorted_wine():
    rows = load_wine().data
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return rows[:110], rows[110:]


def _moved_normals():
    rows = np.random.default_rng(0).normal(size=(800, 8))
    return rows[:500], rows[500:] * np.linspace(0.5, 2, 8) + np.linspace(-1, 1, 8)


def _all_a_little_larger():
    rows = np.random.default_rng(0).normal(size=(800, 8))
    return rows[:500], rows[500:] + 1


@pytest.mark.parametrize(
    "sides", [_benign_and_malignant, _other_digits, _sorted_wine, _moved_normals, _all_a_little_larger]
)
def test_an_ordinary_shift_is_no_other_preparation(sides):
    assert alignment(*sides()) is None


@pytest.mark.parametrize("rows", [DIGITS, CANCER.data, load_wine().data], ids=["digits", "cancer", "wine"])
def test_rows_prepared_alike_need_no_map(rows):
    for seed in range(5):
        assert alignment(*halves(rows, seed)) is None


def test_few_rows_and_constant_columns_prove_nothing():
    assert alignment(DIGITS[:25], DIGITS[40:65] * 255) is None
    assert alignment(np.ones((100, 5)), np.zeros((100, 5))) is None
    assert alignment(np.full((100, 5), np.nan), np.zeros((100, 5))) is None


def flags(n, seed):
    chance = np.array([0.5, 0.3, 0.04, 0.7, 0.2, 0.01])
    return (np.random.default_rng(seed).random((n, 6)) < chance).astype(np.float64)


def test_flags_that_one_side_standardised_are_laid_over_the_others():
    train, evaluation = flags(600, 0), flags(200, 1)
    varies = evaluation.std(axis=0) > 0
    own = (evaluation - evaluation.mean(axis=0)) / np.where(varies, evaluation.std(axis=0), 1)
    found = alignment(train, own)
    assert found.kind == "columns"
    np.testing.assert_allclose(found(own)[:, varies], evaluation[:, varies], atol=1e-12)
    assert found.r2 > 0.9
    assert found.move > 1
    back = alignment((train - train.mean(axis=0)) / train.std(axis=0), evaluation)
    np.testing.assert_allclose(back(evaluation), (evaluation - train.mean(axis=0)) / train.std(axis=0), atol=1e-12)
    rare = alignment(flags(600, 0)[:, [2, 2, 2, 5]], 255 * flags(200, 1)[:, [2, 2, 2, 5]])
    assert rare.kind == "one"
    assert rare.words == "the train rows times 255"


def test_flags_that_are_rarer_elsewhere_are_a_shift():
    train, evaluation = flags(600, 0), flags(200, 1)
    assert alignment(train, evaluation) is None
    assert alignment(train, 1 - evaluation).words == "1 minus the train rows, as a negative is"
    assert alignment(train, np.where(np.arange(200)[:, None] < 120, 0, evaluation) * 3 - 1) is None


def answers(n, seed):
    """Seven questions answered by 1 to 5, age in decades, and children."""
    rng = np.random.default_rng(seed)
    mood = rng.normal(size=(n, 1))
    asked = np.clip(np.round(3 + mood * np.linspace(0.5, 1.5, 7) + rng.normal(size=(n, 7))), 1, 5)
    return np.hstack([asked, rng.integers(2, 9, (n, 1)), rng.poisson(1.2, (n, 1))]).astype(np.float64)


def test_answers_that_one_side_standardised_are_laid_over_the_others():
    train, evaluation = answers(500, 0), answers(160, 1)
    mean, sd = train.mean(axis=0), train.std(axis=0)
    scaled = (train - mean) / sd
    found = alignment(scaled, evaluation)
    assert found.kind == "columns"
    np.testing.assert_allclose(found(evaluation), (evaluation - mean) / sd, atol=1e-9)
    own = (evaluation - evaluation.mean(axis=0)) / evaluation.std(axis=0)
    np.testing.assert_allclose(alignment(train, own)(own), evaluation, atol=1e-9)
    assert alignment(train, evaluation) is None
    assert alignment(scaled, (evaluation - mean) / sd) is None
    older = np.minimum(evaluation + 1, train.max(axis=0))
    assert alignment(train, older) is None, "the same values, and other people"


def test_columns_of_few_values_speak_for_those_beside_them():
    train, evaluation = answers(500, 0), answers(160, 1)
    measured = np.random.default_rng(2).normal(size=(660, 5)) @ np.diag(np.linspace(1, 9, 5)) + 40
    raw = np.hstack([evaluation, measured[500:]])
    both = np.hstack([train, measured[:500]])
    mean, sd = both.mean(axis=0), both.std(axis=0)
    found = alignment((both - mean) / sd, raw)
    assert np.abs(found(raw) - (raw - mean) / sd).max() < 0.5
    half = alignment(both, np.hstack([evaluation * 2, measured[500:]]))
    np.testing.assert_array_equal(half(raw)[:, 9:], raw[:, 9:], "these agree as they are")
    np.testing.assert_allclose(half(raw)[:, :9], raw[:, :9] / 2)
    other = np.random.default_rng(3).exponential(size=(160, 5)) ** 4
    assert alignment(both, np.hstack([evaluation * 2, other])) is None, "these follow no line"


def pages(n, seed):
    """Ink on white: half of each column is white, so that its quantiles jump."""
    rng = np.random.default_rng(seed)
    ink = rng.random((n, 1)) + rng.normal(0, 0.3, (n, 30)) > 0.5
    return np.round(255 * np.where(ink, rng.uniform(0, 0.4, (n, 30)), 1.0)) / 255


def test_an_exact_factor_between_the_extremes_proves_itself():
    train, evaluation = pages(500, 0), pages(100, 1)
    assert alignment(train, evaluation) is None
    found = alignment(train, evaluation * 255)
    assert found.words == "the train rows times 255"
    assert found.r2 < 0.98, "by the quantiles alone it would not be believed"
    assert alignment(train, evaluation * 241) is None
    assert alignment(np.round(train * 3), np.round(evaluation * 6)) is None, "counts have small factors by chance"


def test_what_has_no_cell_below_0_was_not_standardised():
    rng = np.random.default_rng(0)
    rows = rng.gamma(4.0, np.linspace(0.1, 0.5, 8), (236, 8))  # neither far from 0 nor from sd 1
    train, evaluation = rows[:200], rows[200:]
    mean, sd = train.mean(axis=0), train.std(axis=0)
    scaled = (train - mean) / sd
    found = alignment(scaled, evaluation)
    assert found.kind == "columns"
    assert np.abs(found(evaluation) - (evaluation - mean) / sd).mean() < 0.3
    assert alignment(scaled, (evaluation - mean) / sd) is None
    elsewhere = (evaluation - mean) / sd + 1.5  # other rows, prepared alike: some lie below the train mean
    assert (elsewhere < 0).any()
    assert alignment(scaled, elsewhere) is None


def test_pixels_between_0_and_1_beside_standardised_ones():
    """Cells of a photo have neither black nor a range of their own that would tell that they were divided by 255."""
    rng = np.random.default_rng(0)
    rows = 1 / (1 + np.exp(-1.5 * rng.normal(size=(900, 3)) @ rng.normal(size=(3, 20)) / np.sqrt(3)))
    train, evaluation = rows[:700], rows[700:]
    mean, sd = train.mean(axis=0), train.std(axis=0)
    found = alignment(train, (evaluation - mean) / sd)
    assert found.kind == "columns"
    assert np.abs(found((evaluation - mean) / sd) - evaluation).mean() < 0.15 * sd.mean()
    assert alignment(train, evaluation) is None
    assert alignment(train, evaluation**1.3) is None, "darker rows are none that were standardised"


def test_a_negative_is_laid_over_its_positive():
    train, evaluation = DIGITS[:1200], DIGITS[1200:]
    found = alignment(train, 1 - evaluation)
    assert found.words == "1 minus the train rows, as a negative is"
    np.testing.assert_allclose(found(1 - evaluation), evaluation, atol=1e-12)
    grey = alignment(255 * train, 255 - 255 * evaluation)
    assert grey.words == "255 minus the train rows, as a negative is"
    bright = DIGITS.mean(axis=1) > np.median(DIGITS.mean(axis=1))
    assert alignment(DIGITS[~bright], DIGITS[bright]) is None, "bright pages and dark ones are no negatives"
    symmetric = np.random.default_rng(0).uniform(-1, 1, (500, 9))
    assert alignment(symmetric[:300], -symmetric[300:]) is None
