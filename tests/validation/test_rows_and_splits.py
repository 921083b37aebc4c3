"""Tests of the combiners and checks that look at rows, pairs of columns and two splits."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance
from sklearn import datasets

from aetfx.data.split import held_out
from aetfx.validation.checks import Context, run_checks
from aetfx.validation.checks.row_order import order_shares
from aetfx.validation.checks.shift import effects
from aetfx.validation.combiners import correlation
from aetfx.validation.combiners.base import Cells
from aetfx.validation.combiners.columns import Columns
from aetfx.validation.combiners.correlation import Correlation
from aetfx.validation.combiners.row_hashes import RowHasher, hash_rows
from aetfx.validation.combiners.row_order import RowOrder
from aetfx.validation.statistics import summarize

SETS = ["breast_cancer", "wine", "diabetes", "iris", "digits", "linnerud"]
NEW = {"data.duplicates", "data.collinear", "data.row_order", "data.too_few_rows", "data.leak", "data.train_eval_shift"}
CELLS = st.one_of(st.floats(-100, 100, width=32), st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf]))
TABLES = hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(2, 4)), elements=CELLS)
NORMAL = np.random.default_rng(0).normal(size=(2000, 6))


def load(name):
    return getattr(datasets, f"load_{name}")().data.astype(np.float64)


def deep(values):
    return summarize(values, deep=True)


def new_findings(train, evaluation=None, **context):
    splits = {"train": deep(train)} | ({} if evaluation is None else {"eval": deep(evaluation)})
    return [finding for finding in run_checks(splits, Context(**context)) if finding.code in NEW]


def codes(findings):
    return [(finding.code, finding.severity) for finding in findings]


def rows_with_budget_8(n_columns):
    return RowHasher(n_columns, budget=8)


def figures(accumulator):
    found = accumulator.result()
    if isinstance(accumulator, RowHasher):
        return [found.hashes, found.counts, found.columns, np.array([found.n_rows]), np.array(found.threshold, object)]
    return [found] if isinstance(found, np.ndarray) else [found.between, found.runs]


def same(one, other):
    for mine, theirs in zip(figures(one), figures(other), strict=True):
        if mine.dtype.kind == "f":
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)
        else:
            np.testing.assert_array_equal(mine, theirs)


def fed(kind, parts, n_columns):
    accumulator = kind(n_columns)
    for part in parts:
        accumulator.add(Cells(part))
    return accumulator


@pytest.mark.parametrize("kind", [Correlation, RowHasher, rows_with_budget_8, RowOrder])
@given(table=TABLES, cuts=st.lists(st.integers(0, 40), max_size=4), data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_order_of_merging_gives_the_same(kind, table, cuts, data):
    width = table.shape[1]
    if kind is Correlation:  # few whole numbers: whether a column has spread is then no matter of rounding
        table = np.where(np.isfinite(table), np.rint(np.nan_to_num(table)) % 7, table)
    parts = [part for part in np.split(table, sorted(min(c, len(table)) for c in cuts)) if len(part)]
    # RowOrder takes batches as the runs that they are: there the parts, not the table, are the whole.
    whole = fed(kind, parts if kind is RowOrder else [table], width)
    shuffled = data.draw(st.permutations(parts))
    same(whole, fed(kind, shuffled, width))
    left, right = kind(width), kind(width)
    for part in shuffled:
        left.merge(fed(kind, [part], width))
        right = fed(kind, [part], width).merge(pickle.loads(pickle.dumps(right)))
    same(whole, left)
    same(whole, right)
    same(whole, fed(kind, parts if kind is RowOrder else [table], width).merge(kind(width)))


class TestCorrelation:
    """Against NumPy, and pandas where cells are missing."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("scale", ["plain", "shifted", "unlike", "heavy tails"])
    def test_it_is_numpys(self, scale, dtype):
        values = NORMAL @ np.random.default_rng(1).normal(size=(6, 20))
        values = {
            "plain": values,
            "shifted": values + (1e9 if dtype == np.float64 else 1e3),
            "unlike": values * 10.0 ** np.arange(-10, 10),
            "heavy tails": np.exp(values),
        }[scale].astype(dtype)
        found = fed(Correlation, np.array_split(values, 7), 20).result()
        np.testing.assert_allclose(found, np.corrcoef(values.astype(np.float64), rowvar=False), atol=1e-5)

    def test_with_holes_each_pair_has_its_own_rows(self):
        rng = np.random.default_rng(2)
        values = 50 + NORMAL @ rng.normal(size=(6, 8))
        values[:, :5][rng.random((2000, 5)) < 0.3] = np.nan
        values[500:800] = 50 + rng.normal(size=(300, 8))
        values[0, 1] = np.inf
        found = fed(Correlation, np.array_split(values, 9), 8).result()
        finite = np.where(np.isfinite(values), values, np.nan)
        np.testing.assert_allclose(found, pd.DataFrame(finite).corr().to_numpy(), atol=1e-5)

    def test_sorted_rows_and_constants(self):
        values = np.sort(NORMAL, axis=0)
        values[:, 2] = 0.1
        found = fed(Correlation, np.array_split(values, 10), 6).result()
        assert np.isnan(found[2]).all()
        assert np.isnan(found[:, 2]).all()
        use = [0, 1, 3, 4, 5]
        np.testing.assert_allclose(found[np.ix_(use, use)], np.corrcoef(values[:, use], rowvar=False), atol=1e-5)

    def test_batches_of_both_dtypes(self):
        values = (4096 + 0.002 * NORMAL).astype(np.float32)  # five steps of float32 wide: an origin rounds by a tenth
        found = Correlation(6).add(Cells(values[:1000].astype(np.float64))).add(Cells(values[1000:])).result()
        np.testing.assert_allclose(found, np.corrcoef(values.astype(np.float64), rowvar=False), atol=1e-5)

    def test_what_was_merged_is_left_as_it_was(self):
        one, other = fed(Correlation, [NORMAL[:500]], 6), fed(Correlation, [NORMAL[500:]], 6)
        before = other.result()
        one.merge(other)
        one = Correlation(6).merge(other)
        one.add(Cells(NORMAL[:500]))
        np.testing.assert_array_equal(other.result(), before)

    def test_too_many_columns_have_none(self):
        wide = np.zeros((3, correlation.MOST_COLUMNS + 1))
        assert fed(Correlation, [wide], wide.shape[1]).result() is None


class TestRowHashes:
    """Equal rows and columns, and only those, share a number."""

    @given(table=TABLES)
    @settings(max_examples=60, deadline=None)
    def test_counts_are_those_of_the_rows(self, table):
        found = fed(RowHasher, [table], table.shape[1]).result()
        plain = [tuple("nan" if np.isnan(cell) else cell + 0.0 for cell in row) for row in table]
        assert sorted(found.counts) == sorted(pd.Series(plain).value_counts())
        assert found.n_distinct == len(set(plain))
        columns = {tuple("nan" if np.isnan(cell) else cell + 0.0 for cell in column) for column in table.T}
        assert len(set(found.columns.tolist())) == len(columns)

    def test_neither_dtype_nor_sign_of_zero_nor_kind_of_nan_matters(self):
        values = np.array([[0.0, 1.5, np.nan], [-0.0, 1.5, -np.nan]], np.float32)
        odd = np.array([[0x7FF8000000000123]], np.uint64).view(np.float64)
        wide = values.astype(np.float64)
        wide[1, 2] = odd[0, 0]
        rows = np.concatenate([hash_rows(values)[0], hash_rows(wide)[0], hash_rows(np.asfortranarray(wide))[0]])
        assert len(set(rows.tolist())) == 1
        np.testing.assert_array_equal(hash_rows(values)[1], hash_rows(wide)[1])

    @pytest.mark.parametrize("kind", ["binary", "last digit", "powers of two", "swapped"])
    def test_rows_that_differ_little_differ(self, kind):
        rng = np.random.default_rng(3)
        values = {
            "binary": rng.integers(0, 2, (50_000, 40)).astype(float),
            "last digit": 1 + 2.0**-52 * rng.integers(0, 16, (50_000, 8)),
            "powers of two": 2.0 ** rng.integers(-9, 9, (50_000, 6)),
            "swapped": rng.integers(0, 300, (50_000, 2)).astype(float),
        }[kind]
        found = fed(RowHasher, [values], values.shape[1]).result()
        assert found.n_distinct == len(np.unique(values, axis=0))

    def test_beyond_the_budget_shares_are_estimated(self):
        rng = np.random.default_rng(4)
        values = rng.normal(size=(60_000, 2))
        values[40_000:] = values[:20_000]  # a third of the rows repeat another
        parts = np.array_split(rng.permutation(values), 20)
        accumulators = [RowHasher(2, budget=4000).add(Cells(part)) for part in parts]
        total = RowHasher(2, budget=4000)
        for one in accumulators:
            total.merge(one)
        found = total.result()
        assert len(found.hashes) == 4000
        assert not found.exact
        assert found.n_rows == 60_000
        assert found.surplus_share == pytest.approx(1 / 3, abs=0.02)
        assert found.n_distinct == pytest.approx(40_000, rel=0.03)

    def test_one_row_a_million_times_needs_no_budget(self):
        total = RowHasher(2, budget=100)
        for _ in range(50):
            total.add(Cells(np.ones((1000, 2))))
        found = total.result()
        assert found.exact
        assert found.counts.tolist() == [50_000]


@pytest.mark.parametrize("name", SETS)
def test_clean_sets_and_their_splits_by_hash_are_quiet(name):
    values = load(name)
    for seed in range(6):
        held = held_out(values, 0.2, seed)
        found = new_findings(values[~held], values[held])
        few = {"data.too_few_rows"} if name == "linnerud" else set()  # 20 rows of 3 columns
        assert {code for code, _ in codes(found)} <= {"data.row_order", "data.duplicates"} | few
        assert all(finding.severity == "info" for finding in found)


def test_iris_has_a_duplicate_and_is_sorted():
    found = new_findings(load("iris"))
    assert codes(found) == [("data.duplicates", "info"), ("data.row_order", "info")]
    assert found[0].message.startswith("1 of 150 rows (0.7 %) repeats another row")
    assert found[0].evidence["repeats"] == [2]


def test_without_depth_nothing_new_is_said():
    values = load("iris")
    assert not {f.code for f in run_checks({"train": summarize(values), "eval": summarize(values + 9)})} & NEW


class TestDuplicates:
    """Graded shares of repeated rows; copies of columns."""

    @pytest.mark.parametrize(("share", "severity"), [(0.0, None), (0.01, "info"), (0.5, "warning")])
    def test_rows(self, share, severity):
        n = int(share * 2000)
        values = NORMAL.copy()
        values[2000 - n :] = values[:n]
        found = [f for f in new_findings(values) if f.code == "data.duplicates"]
        assert codes(found) == ([("data.duplicates", severity)] if severity else [])
        if severity:
            assert found[0].evidence["repeated_rows"] == n
            assert found[0].evidence["share"] == pytest.approx(share)

    def test_columns_of_few_values_repeat_by_nature(self):
        values = np.random.default_rng(5).integers(0, 2, (2000, 6)).astype(float)
        found = [f for f in new_findings(values) if f.code == "data.duplicates"]
        assert codes(found) == [("data.duplicates", "info")]
        assert found[0].evidence["distinct_rows"] == 64

    def test_one_row_many_times(self):
        values = NORMAL.copy()
        values[100:150] = 0.0
        (found,) = [f for f in new_findings(values) if f.code == "data.duplicates"]
        assert found.evidence["most_repeats"] == 50

    def test_columns(self):
        values = NORMAL.copy()
        values[:, 3] = values[:, 1]
        values[:, 5] = values[:, 1][::-1]  # the same values in other rows are no copy
        (found,) = new_findings(values)
        assert (found.code, found.severity, found.feature) == ("data.duplicates", "warning", "3")
        assert found.evidence["groups"] == [["1", "3"]]
        assert codes(new_findings(values, declared_shape=True)) == [("data.duplicates", "info")]


class TestCollinear:
    @pytest.mark.parametrize(("noise", "expected"), [(0.0, 1), (0.01, 1), (0.1, 0)])
    def test_lines_with_noise(self, noise, expected):
        values = NORMAL.copy()
        values[:, 4] = 32 - 1.8 * values[:, 0] + noise * values[:, 4]
        found = new_findings(values)
        assert codes(found) == [("data.collinear", "info")] * expected
        if expected:
            assert found[0].evidence["strongest"][0]["columns"] == ["0", "4"]
            r = np.corrcoef(values, rowvar=False)[0, 4]
            assert found[0].evidence["strongest"][0]["correlation"] == pytest.approx(r, abs=1e-5)

    def test_two_pixels_lit_in_one_image_prove_nothing(self):
        values = NORMAL.copy()
        values[:, :2] = 0.0
        values[7, :2] = 3.0, 5.0
        assert not new_findings(values)


class TestNearlyConstant:
    @pytest.mark.parametrize(("others", "expected"), [(0, True), (1, True), (2, True), (10, False)])
    def test_share_of_one_value(self, others, expected):
        values = NORMAL.copy()
        values[:, 1] = 4.0
        values[:others, 1] += np.arange(1, others + 1) / 10
        found = [f for f in run_checks({"train": deep(values)}) if f.code == "data.constant_features"]
        assert [f.feature for f in found] == ["1"] * expected
        if expected:
            assert ("99.9 %" in found[0].message) == (others > 0)
            assert ("divides by zero" in found[0].message) == (others == 0)


class TestTooFewRows:
    @pytest.mark.parametrize(
        ("rows", "shape", "severity"),
        [(40, False, "warning"), (40, True, "info"), (150, False, "info"), (250, False, None)],
    )
    def test_rows_per_column(self, rows, shape, severity):
        values = np.random.default_rng(6).normal(size=(rows, 40))
        found = [f for f in new_findings(values, declared_shape=shape) if f.code == "data.too_few_rows"]
        assert codes(found) == ([("data.too_few_rows", severity)] if severity else [])

    def test_repeated_rows_and_constant_columns_do_not_count(self):
        values = np.random.default_rng(6).normal(size=(30, 40))
        (found,) = [f for f in new_findings(np.tile(values, (20, 1))) if f.code == "data.too_few_rows"]
        assert (found.evidence["distinct_rows"], found.evidence["columns"]) == (30, 40)
        values[:, 4:] = 1.0
        assert not [f for f in new_findings(values) if f.code == "data.too_few_rows"]


class TestRowOrder:
    @pytest.mark.parametrize(("drift", "expected"), [(0.0, False), (0.3, False), (3.0, True)])
    def test_a_drift_over_the_file(self, drift, expected):
        values = NORMAL.copy()
        values[:, 2] += np.linspace(0, drift, 2000)
        parts = np.array_split(values, 5)
        statistics = Columns(6, deep=True)
        for part in parts:
            statistics.add(Cells(part))
        found = [f for f in run_checks({"train": statistics.result()}) if f.code == "data.row_order"]
        assert [f.feature for f in found] == ["2"] * expected
        share, _ = order_shares(statistics.result(), 0.001)
        line = np.linspace(0, drift, 2000).var()
        assert share[2] == pytest.approx(line / (line + 1), abs=0.04)

    @pytest.mark.parametrize("name", SETS)
    def test_shuffled_rows_have_no_order(self, name):
        values = np.random.default_rng(7).permutation(load(name))
        assert not [f for f in new_findings(values) if f.code == "data.row_order"]


class TestLeak:
    @pytest.mark.parametrize(
        ("leaked", "severity"), [(0, None), (1, "info"), (10, "warning"), (100, "error"), (400, "error")]
    )
    def test_rows_of_train_in_eval(self, leaked, severity):
        train, evaluation = NORMAL[:1600], NORMAL[1600:].copy()
        evaluation[:leaked] = train[:leaked]
        found = [f for f in new_findings(train, evaluation) if f.code == "data.leak"]
        assert codes(found) == ([("data.leak", severity)] if severity else [])
        if severity:
            assert (found[0].evidence["shared_rows"], found[0].split) == (leaked, "eval")

    def test_twins_by_nature_are_no_leak(self):
        values = np.random.default_rng(8).integers(0, 3, (1000, 4)).astype(float)
        (found,) = [f for f in new_findings(values[:800], values[800:]) if f.code == "data.leak"]
        assert found.severity == "info"
        assert "fair split" in found.message

    def test_beyond_the_budget_the_share_is_estimated(self):
        rng = np.random.default_rng(9)
        train, evaluation = rng.normal(size=(20_000, 2)), rng.normal(size=(8000, 2))
        evaluation[:2000] = train[:2000]
        splits = {}
        for split, values in (("train", train), ("eval", evaluation)):
            columns = Columns(2, deep=True)
            columns.rows = RowHasher(2, budget=3000)
            splits[split] = columns.add(Cells(values)).result()
        (found,) = [f for f in run_checks(splits) if f.code == "data.leak"]
        assert found.evidence["share"] == pytest.approx(0.25, abs=0.03)
        assert found.message.startswith("about ")


SAMPLES = {
    "normal": lambda rng, size: rng.normal(size=size),
    "lognormal": lambda rng, size: rng.lognormal(sigma=2, size=size),
    "grey levels": lambda rng, size: rng.binomial(16, 0.5, size=size).astype(float),
    "sparse": lambda rng, size: rng.exponential(size=size) * (rng.random(size) < 0.05),
    "binary": lambda rng, size: (rng.random(size) < 0.3).astype(float),
}


class TestShift:
    """Effect sizes against SciPy, noise floors by simulation, graded shifts."""

    @pytest.mark.parametrize("move", [0.0, 0.3, 1.0])
    def test_effects_are_scipys(self, move):
        rng = np.random.default_rng(10)
        train, evaluation = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1)) + move
        found = effects(deep(train), deep(evaluation))
        assert found.wasserstein[0] == pytest.approx(
            wasserstein_distance(train[:, 0], evaluation[:, 0]), rel=0.1, abs=0.02
        )
        edges = [-np.inf, *np.quantile(train, np.arange(1, 10) / 10), np.inf]
        p, q = (np.histogram(values, edges)[0] / 4000 for values in (train, evaluation))
        # Rare bins may be joined, which takes a little off.
        assert found.jensen_shannon[0] == pytest.approx(jensenshannon(p, q), rel=0.02, abs=0.004)
        assert found.psi[0] == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=0.05, abs=0.002)

    @pytest.mark.parametrize("kind", SAMPLES)
    @pytest.mark.parametrize(("n", "m"), [(40, 10), (240, 60), (6000, 1500)])
    def test_two_samples_of_one_kind_stay_below_the_floors(self, kind, n, m):
        rng = np.random.default_rng(11)
        draw = SAMPLES[kind]
        train, evaluation = deep(draw(rng, (n, 300))), deep(draw(rng, (m, 300)))
        found = effects(train, evaluation)  # the chance that any of the 300 columns is above is a thousandth
        assert (found.jensen_shannon <= np.maximum(found.jensen_shannon_floor, 0.1)).all()
        assert (found.wasserstein <= found.wasserstein_floor).all()
        assert not [f for f in run_checks({"train": train, "eval": evaluation}) if f.code == "data.train_eval_shift"]

    @pytest.mark.parametrize(
        ("move", "scale", "severity"),
        [(0.0, 1.0, None), (0.1, 1.0, None), (0.4, 1.0, "info"), (1.0, 1.0, "warning"), (0.0, 3.0, "warning")],
    )
    def test_graded_shifts(self, move, scale, severity):
        evaluation = NORMAL[1000:].copy()
        evaluation[:, 2] = evaluation[:, 2] * scale + move
        found = [f for f in new_findings(NORMAL[:1000], evaluation) if f.code == "data.train_eval_shift"]
        assert [(f.severity, f.feature, f.split) for f in found] == ([(severity, "2", "eval")] if severity else [])

    def test_a_small_shift_in_many_rows_is_no_alarm(self):
        rng = np.random.default_rng(12)
        train, evaluation = rng.normal(size=(200_000, 1)), rng.normal(size=(200_000, 1)) + 0.05  # p-value 1e-55
        assert not [f for f in new_findings(train, evaluation) if f.code == "data.train_eval_shift"]

    def test_a_digit_that_train_never_saw(self):
        digits = datasets.load_digits()
        new = digits.target == 0
        found = [f for f in new_findings(digits.data[~new], digits.data[new]) if f.code == "data.train_eval_shift"]
        assert codes(found) == [("data.train_eval_shift", "warning")]
        assert found[0].evidence["columns"] > 10

    def test_cells_that_go_missing(self):
        evaluation = NORMAL[1000:].copy()
        evaluation[:400, 4] = np.nan
        found = [f for f in new_findings(NORMAL[:1000], evaluation) if f.code == "data.train_eval_shift"]
        assert [f.feature for f in found] == ["4"]

    def test_few_distinct_rows_split_by_hash_are_few_rows(self):
        values = np.random.default_rng(13).integers(0, 2, (20_000, 4)).astype(float)
        for seed in range(8):
            held = held_out(values, 0.3, seed)
            assert not [f for f in new_findings(values[~held], values[held]) if f.code == "data.train_eval_shift"]

    def test_gross_cells_are_outliers_and_no_shift(self):
        evaluation = NORMAL[1000:].copy()
        evaluation[0, 3] = 1e6
        assert not new_findings(NORMAL[:1000], evaluation)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values", [np.full((3, 2), np.nan), np.zeros((1, 1)), np.array([[np.inf, 1.0]]), np.array([[1e308, -1e308]] * 4)]
)
def test_every_check_bears_empty_and_tiny_data(values):
    for finding in run_checks({"train": deep(values), "eval": deep(values)}):
        assert finding.message
        assert finding.remedy
