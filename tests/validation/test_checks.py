"""Tests of aetfx.validation.checks: what is found, what is not, and how it is said."""

import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from aetfx.errors import StudyError
from aetfx.validation.checks import Context, run_checks
from aetfx.validation.checks.missing import find_sentinels, missing_mask
from aetfx.validation.checks.outliers import fences
from aetfx.validation.checks.scaling import outside_share
from aetfx.validation.output_range import OutputRange
from aetfx.validation.statistics import summarize
from aetfx.validation.thresholds import Thresholds

SIGMOID = OutputRange(0.0, 1.0, "sigmoid")
NORMAL = np.random.default_rng(0).normal(size=(1000, 8))


def checked(values, names=None, **context):
    return run_checks({"train": summarize(values, names)}, Context(**context))


def codes(findings):
    return [(finding.code, finding.severity) for finding in findings]


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "diabetes", "iris", "digits"])
def test_clean_sets_are_quiet(name):
    values = StandardScaler().fit_transform(getattr(datasets, f"load_{name}")().data)
    found = checked(values)
    assert codes(found) == ([("data.constant_features", "warning")] if name == "digits" else [])


def test_breast_cancer_raw_has_unlike_scales_and_no_outliers():
    data = datasets.load_breast_cancer()
    (finding,) = checked(data.data, data.feature_names.tolist())
    assert (finding.code, finding.severity, finding.feature) == ("data.scaling", "error", None)
    assert finding.message == (
        "the columns have unlike scales: 'fractal dimension error' spans 0.0115, 'worst area' 2,662, 230,752 times as "
        "much; the largest own the loss"
    )
    assert finding.evidence["largest"][0]["column"] == "worst area"
    assert len(finding.evidence["largest"]) == 5


def test_sentinels_do_not_count_as_scale_or_outliers():
    values = NORMAL.copy()
    values[:30, 2] = -999
    values[:20, 5] = 9999
    found = checked(values)
    assert codes(found) == [("data.missing.sentinel", "error")]
    assert found[0].feature is None
    assert found[0].evidence["worst"][0]["column"] == "2"
    assert find_sentinels(summarize(values)) == {2: (-999.0,), 5: (9999.0,)}


def test_a_rare_repeated_spike_may_be_either():
    values = NORMAL.copy()
    values[:4, 2] = -999
    assert codes(checked(values)) == [("data.outliers", "error"), ("data.missing.sentinel", "warning")]
    assert find_sentinels(summarize(values)) == {}


@pytest.mark.parametrize(("columns", "cells", "found"), [(5, 3, True), (4, 3, False), (5, 2, False)])
def test_a_mark_that_is_rare_in_each_of_several_columns(columns, cells, found):
    """As where some lines of a picture were lost."""
    values = np.random.default_rng(0).normal(size=(1000, 8))
    for column in range(columns):
        values[column * 10 : column * 10 + cells, column] = -22.5
    assert find_sentinels(summarize(values)) == (dict.fromkeys(range(columns), (-22.5,)) if found else {})


@pytest.mark.parametrize(
    ("levels", "mark", "found"),
    [([1, 2, 3, 4, 5], 99, True), ([1, 2, 3, 4], -99, True), ([0, 1], 99, False), ([1, 2, 3, 4, 5], 9, False),
     ([0, 1, 2, 3, 7], 12, False), ([0, 1], 2, False)],
)  # fmt: skip
def test_a_mark_far_from_all_grades_is_no_grade(levels, mark, found):
    grades = np.random.default_rng(0).choice(levels, size=(600, 1)).astype(float)
    grades[::50] = mark
    both = np.concatenate([grades, 0.3 * (grades - 2)], axis=1)
    assert list(find_sentinels(summarize(both))) == ([0, 1] if found else [])


def test_what_marks_one_column_marks_the_others():
    values = np.random.default_rng(0).normal(size=(1000, 3))
    values = np.concatenate([values, np.arange(2000.0).reshape(1000, 2) - 999], axis=1)
    values[:20, 0] = values[500:504, 1] = values[800, 2] = -999
    values[700:704, 2] = 777
    assert find_sentinels(summarize(values)) == {0: (-999.0,), 1: (-999.0,), 2: (-999.0,)}
    found = [finding for finding in checked(values) if finding.code == "data.missing.sentinel"]
    assert sorted((finding.severity, finding.feature) for finding in found) == [("error", None), ("warning", "2")]


def test_a_mark_is_one_beside_a_constant_and_beside_flags_too():
    values = np.random.default_rng(0).normal(size=(1000, 6))
    values[:, 1], values[:, 2], values[:, 3] = 5.0, np.arange(1000) % 2, np.arange(1000) % 2
    values[:20, :2] = values[50:80, 2] = values[:300, 3] = -99
    values[:, 4] *= 0.01
    values[30:50, 4] = 1.0
    values[:, 5] = np.arange(1000) < 30  # a flag of 1 is no mark, whatever stands elsewhere
    assert find_sentinels(summarize(values)) == {0: (-99.0,), 1: (-99.0,), 2: (-99.0,), 4: (1.0,)}


def test_a_third_value_among_yes_and_no_is_a_mark():
    rng = np.random.default_rng(0)
    answers = (rng.random((400, 6)) < [0.5, 0.3, 0.1, 0.7, 0.02, 0.002]).astype(np.float64)
    marked = np.where(rng.random(answers.shape) < [0.04, 0.06, 0.05, 0.02, 0.05, 0.0], -1.0, answers)
    assert find_sentinels(summarize(marked)) == dict.fromkeys(range(5), (-1.0,))
    assert "data.missing.sentinel" in [finding.code for finding in checked(marked)]
    assert find_sentinels(summarize(np.where(marked == -1, 9.0, marked))) == dict.fromkeys(range(5), (9.0,))
    assert find_sentinels(summarize(answers)) == {}
    none_of_them = {
        "a count": np.where(marked == -1, 2.0, marked),
        "between": np.where(marked == -1, 0.5, marked),
        "of two columns": np.hstack([marked[:, :2], answers[:, 2:]]),
        "often": np.where(rng.random(answers.shape) < 0.3, -1.0, answers),
        "of three kinds": np.hstack([marked, rng.integers(-1, 2, (400, 1))]),
        "beside a measurement": np.hstack([marked, rng.normal(size=(400, 1))]),
    }
    for what, rows in none_of_them.items():
        assert find_sentinels(summarize(rows)) == {}, what


def test_sentinels_survive_affine_scaling():
    values = NORMAL.copy()
    values[:10, 1] = -1
    values[:, 1] = np.where(np.arange(1000) < 10, -40.0, values[:, 1])
    scaled = StandardScaler().fit_transform(values)
    assert list(find_sentinels(summarize(values))) == list(find_sentinels(summarize(scaled))) == [1]


def test_missing_mask_in_the_dtype_of_the_values():
    values = np.array([[0.1, 1.0], [np.nan, 2.0], [np.inf, -99.9]], np.float32)
    mask = missing_mask(values.reshape(3, 2, 1), {1: (float(np.float32(-99.9)),), 0: (0.1,)})
    assert mask.shape == (3, 2, 1)
    assert mask[:, :, 0].tolist() == [[True, False], [True, False], [True, True]]


def test_nan_and_infinite_cells():
    values = NORMAL.copy()
    values[:5, 3] = np.nan
    values[7, 4] = -np.inf
    found = checked(values, [f"c{j}" for j in range(8)])
    assert [(f.code, f.feature) for f in found] == [("data.missing", "c3"), ("data.missing", "c4")]
    assert found[0].message.startswith("5 cells are missing (NaN or empty), in column 'c3', up to 0.5 % of a column")


SAMPLES = {
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.uniform(size=size),
    "exponential": lambda rng, size: rng.exponential(size=size),
    "lognormal": lambda rng, size: rng.lognormal(size=size),
    "poisson": lambda rng, size: rng.poisson(20, size=size),
    "skewed left": lambda rng, size: -rng.gamma(0.5, size=size),
    "bimodal": lambda rng, size: rng.normal(size=size) + 20 * rng.integers(0, 2, size),
    "two ends": lambda rng, size: rng.beta(0.3, 0.3, size),
    "sparse": lambda rng, size: rng.exponential(size=size) * (rng.random(size) < 0.05),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n_rows", [150, 20_000])
def test_no_outliers_in_ordinary_columns(name, n_rows):
    values = SAMPLES[name](np.random.default_rng(1), (n_rows, 10)).astype(float)
    low, high = fences(summarize(values))
    assert ((values >= low) & (values <= high)).all()


def test_what_lies_beyond_the_paper_is_far_by_how_far_the_ink_reaches():
    rng = np.random.default_rng(0)
    pages = np.where(rng.random((500, 9)) < 0.4, rng.random((500, 9)), 1.0)
    for rows in (pages, 1 - pages):
        assert codes(checked(rows)) == []
        low, high = fences(summarize(rows))
        assert np.isfinite(low).all()
        assert np.isfinite(high).all()
    spoilt = np.where(rng.random(pages.shape) < 0.01, rng.uniform(15, 25, pages.shape), pages)
    found = {finding.code: finding for finding in checked(spoilt)}
    assert found["data.outliers"].evidence["columns"] == 9
    still = np.where(rng.random((500, 9)) < 0.02, rng.random((500, 9)), 1.0)
    assert np.isinf(fences(summarize(still))).all(), "nothing says what is far there"


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, size: (rng.random(size) < 0.3).astype(float),
        lambda rng, size: rng.integers(1, 6, size),
        lambda rng, size: rng.poisson(0.7, size),
        lambda rng, size: rng.negative_binomial(0.5, 0.3, size),
    ],
)
def test_codes_and_counts_hold_outliers_only_many_spans_away(draw):
    rng = np.random.default_rng(0)
    rows = draw(rng, (2000, 8)).astype(float)
    assert "data.outliers" not in {finding.code for finding in checked(rows)}
    slipped = np.where(rng.random(rows.shape) < 0.002, 100 * rng.uniform(1, 1.5, rows.shape) * rows, rows)
    [finding] = [finding for finding in checked(slipped) if finding.code == "data.outliers"]
    assert finding.evidence["columns"] == (slipped >= 100).any(axis=0).sum() > 0
    rare = np.where(rng.random((2000, 8)) < 0.01, 20.0, 0.0)
    assert np.isinf(fences(summarize(rare))).all(), "nothing says what is far there"


def test_a_gap_tells_what_a_tail_would_hide():
    rng = np.random.default_rng(0)
    # Most cells within 0.01 of the median and a tenth up to 1: read as a tail this would reach to 1e4.
    rows = np.where(rng.random((900, 12)) < 0.15, rng.uniform(0, 1, (900, 12)), 0.5 + 0.01 * rng.normal(size=(900, 12)))
    assert "data.outliers" not in {finding.code for finding in checked(rows)}
    few, one = rows.copy(), rows.copy()
    few[rng.integers(0, 900, 12), np.arange(12)] = rng.uniform(-20, -12, 12)
    one[[3, 40, 500, 501], 2] = [15.0, 16.0, 19.0, 15.5]
    for spoilt, columns in ((few, 12), (one, 1)):
        [finding] = [finding for finding in checked(spoilt) if finding.code == "data.outliers"]
        assert finding.evidence["columns"] == columns
        low, high = fences(summarize(spoilt))
        far = (spoilt < low) | (spoilt > high)
        np.testing.assert_array_equal(far, np.abs(spoilt) > 2)
    single = rows.copy()
    single[3, 2] = 15.0
    assert "data.outliers" not in {finding.code for finding in checked(single)}, "one cell may end any tail"


@pytest.mark.parametrize("share", [0.001, 0.01, 0.04])
def test_gross_cells_are_outliers(share):
    rng, values = np.random.default_rng(2), NORMAL.copy()
    rows = rng.choice(1000, int(share * 1000), replace=False)
    values[rows, 3] = 100 * rng.choice([-1, 1], len(rows)) * rng.uniform(1, 1.1, len(rows))
    found = checked(values, [f"c{j}" for j in range(8)])
    assert [(f.code, f.severity, f.feature) for f in found] == [("data.outliers", "error", "c3")]
    low, high = fences(summarize(values))
    np.testing.assert_array_equal(np.flatnonzero((values[:, 3] < low[3]) | (values[:, 3] > high[3])), np.sort(rows))


def test_values_outside_the_output_range():
    (finding,) = checked(NORMAL, output_range=SIGMOID)
    share = ((NORMAL < 0) | (NORMAL > 1)).mean()
    assert finding.code == "data.scaling"
    assert finding.evidence["outside_share"] == pytest.approx(share, abs=0.02)
    assert "'sigmoid'" in finding.message
    assert "minmax" in finding.remedy
    assert not checked(np.random.default_rng(0).random((100, 4)), output_range=SIGMOID)
    assert not checked(NORMAL, output_range=OutputRange())


def test_binary_columns_fit_a_sigmoid():
    values = np.random.default_rng(0).integers(0, 2, (500, 20)).astype(float)
    assert not outside_share(summarize(values), SIGMOID).any()
    assert not checked(values, output_range=SIGMOID)


@pytest.mark.parametrize(("factor", "severity"), [(1000, "warning"), (0.01, "warning"), (1, None)])
def test_size_as_a_whole(factor, severity):
    assert codes(checked(NORMAL * factor)) == ([("data.scaling", severity)] if severity else [])


def test_pixels_are_worth_knowing_only():
    (finding,) = checked(np.random.default_rng(0).integers(0, 17, (500, 16)).astype(float))
    assert (finding.code, finding.severity) == ("data.scaling", "info")


def test_constant_and_jittering_columns():
    values = NORMAL.copy()
    values[:, 1] = 2.1
    values[:, 2] = 1e6 + 1e-3 * values[:, 2]
    found = [f for f in checked(values) if f.code == "data.constant_features"]
    assert [(f.feature, "jitter" in f.message) for f in found] == [("1", False), ("2", True)]


def test_eval_says_only_what_train_did_not():
    bad = NORMAL.copy()
    bad[0, 0] = np.nan
    found = run_checks({"train": summarize(NORMAL), "eval": summarize(bad)})
    assert [(f.code, f.split) for f in found] == [("data.missing", "eval")]
    both = run_checks({"train": summarize(bad), "eval": summarize(bad)})
    assert [(f.code, f.split) for f in both] == [("data.missing", "train")]


def test_findings_stay_short_over_many_columns():
    wide = np.tile(NORMAL, 100)
    wide[:10] = np.nan
    (finding,) = checked(wide)
    assert "800 columns" in finding.message
    assert len(finding.message) < 200
    assert len(finding.evidence["worst"]) == 5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values", [np.full((3, 2), np.nan), np.zeros((1, 1)), np.array([[np.inf, 1.0]]), np.array([[1e308, -1e308]] * 4)]
)
def test_every_check_bears_empty_and_tiny_data(values):
    for finding in checked(values, output_range=SIGMOID):
        assert finding.message
        assert finding.remedy


def test_thresholds_are_replaced_by_name():
    assert Thresholds().replace({"range_ratio": 9}).range_ratio == 9
    with pytest.raises(StudyError, match="unknown name 'range_ration'. Did you mean 'range_ratio'"):
        Thresholds().replace({"range_ration": 9})


def test_ink_at_the_margin_of_a_page_is_no_mark_for_a_missing_value():
    """A value that many columns hold is ordinary, also where a nearly empty column holds it a few times."""
    rng = np.random.default_rng(0)
    pages = np.minimum(1.3 * rng.random((900, 30)), 0.992)
    margin = 0.2 * rng.random((900, 1))
    margin[:6] = 0.992
    assert find_sentinels(summarize(np.hstack([pages, margin]))) == {}
    marked = np.where(rng.random((900, 30)) < 0.03, -99.0, rng.normal(size=(900, 30)))
    assert len(find_sentinels(summarize(marked))) == 30
