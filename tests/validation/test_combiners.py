"""Tests of aetfx.validation.combiners: the algebra of each accumulator, and NumPy's figures."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aetfx.validation.combiners.base import Cells
from aetfx.validation.combiners.columns import Columns
from aetfx.validation.combiners.counts import Counts
from aetfx.validation.combiners.edges import KEPT
from aetfx.validation.combiners.moments import Moments
from aetfx.validation.combiners.quantiles import Quantiles
from aetfx.validation.combiners.spill import Spill, spilling
from aetfx.validation.statistics import QUANTILES, summarize

LEVELS = list(QUANTILES)
CELLS = st.one_of(
    st.floats(-1e6, 1e6, width=32),
    st.sampled_from([0.0, -0.0, 1.0, -999.0, np.nan, np.inf, -np.inf, 1e9]),
)
TABLES = hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=CELLS)


def figures(accumulator):
    """The result as a flat list of arrays."""
    result = accumulator.result()
    if isinstance(accumulator, Quantiles):
        distribution, edges = result
        order = [distribution.quantiles(LEVELS), distribution.n_distinct()]
        return [*order, edges.low, edges.low_counts, edges.high, edges.high_counts]
    return list(result.values()) if isinstance(result, dict) else list(result)


def same(one, other):
    for mine, theirs in zip(figures(one), figures(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-6)


def fed(kind, parts, n_columns):
    accumulator = kind(n_columns)
    for part in parts:
        accumulator.add(Cells(part))
    return accumulator


@pytest.mark.parametrize("kind", [Counts, Moments, Quantiles])
class TestAlgebra:
    """What `combiners.base` promises, for every accumulator."""

    @given(table=TABLES, cuts=st.lists(st.integers(0, 40), max_size=4), data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_any_order_of_merging_gives_the_same(self, kind, table, cuts, data):
        width = table.shape[1]
        parts = [part for part in np.split(table, sorted(min(c, len(table)) for c in cuts)) if len(part)]
        whole = fed(kind, [table], width)
        shuffled = data.draw(st.permutations(parts))
        same(whole, fed(kind, shuffled, width))
        left = kind(width)
        for part in shuffled:
            left.merge(fed(kind, [part], width))
        same(whole, left)
        right = kind(width)
        for part in parts:
            right = fed(kind, [part], width).merge(right)
        same(whole, right)

    @given(table=TABLES)
    @settings(max_examples=20, deadline=None)
    def test_the_empty_one_changes_nothing_and_pickles_are_faithful(self, kind, table):
        width = table.shape[1]
        one = fed(kind, [table], width)
        same(one, fed(kind, [table], width).merge(kind(width)))
        same(one, kind(width).merge(fed(kind, [table], width)))
        same(one, pickle.loads(pickle.dumps(one)))


@given(table=TABLES)
@settings(max_examples=60, deadline=None)
def test_figures_are_numpys(table):
    found = summarize(table)
    for j, column in enumerate(table.T):
        finite = column[np.isfinite(column)]
        assert found.n_missing[j] == np.isnan(column).sum()
        assert found.n_infinite[j] == np.isinf(column).sum()
        assert found.n_zero[j] == (finite == 0).sum()
        assert found.n_integer[j] == (finite == np.rint(finite)).sum()
        assert found.n_distinct[j] == len(np.unique(finite))
        assert found.n_finite[j] == len(finite)
        if not len(finite):
            assert np.isnan([found.mean[j], found.sd[j], found.minimum[j], found.quantile(0.5)[j]]).all()
            continue
        np.testing.assert_allclose(found.mean[j], finite.mean(), rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(found.sd[j], finite.std(), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.quantiles[:, j], np.quantile(finite, QUANTILES), rtol=1e-9, atol=1e-6)
        values, counts = np.unique(finite, return_counts=True)
        k = min(KEPT, len(values))
        np.testing.assert_array_equal(found.edges.low[:k, j], values[:k])
        np.testing.assert_array_equal(found.edges.low_counts[:k, j], counts[:k])
        np.testing.assert_array_equal(found.edges.high[:k, j], values[::-1][:k])
        np.testing.assert_array_equal(found.edges.high_counts[:k, j], counts[::-1][:k])
        repeated = {(s.value, s.count) for s in found.spikes if s.column == j}
        assert repeated <= set(zip(values.tolist(), counts.tolist(), strict=True))
        assert (counts.max() >= 3) == bool(repeated)
        shares = np.histogram(finite, np.linspace(finite.min(), finite.max(), 11))[0] / len(finite)
        if np.ptp(finite) > 1e-3:
            np.testing.assert_allclose(found.histogram[:, j].sum(), 1.0)
            assert np.abs(np.cumsum(found.histogram[:, j]) - np.cumsum(shares)).max() < 0.5


def test_the_variance_of_a_shifted_column_keeps_its_digits():
    noise = np.random.default_rng(0).normal(size=(10_000, 1))
    parts = np.split(noise + 1e9, 10)
    _, sd = fed(Moments, parts, 1).result()
    np.testing.assert_allclose(sd, (noise + 1e9 - 1e9).std(), rtol=1e-6)


@given(table=TABLES)
@settings(max_examples=30, deadline=None)
def test_moments_are_the_same_in_blocks(table):
    whole = fed(Moments, [table], table.shape[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aetfx.validation.combiners.moments._BLOCK_CELLS", 3 * table.shape[1])
        same(whole, fed(Moments, [table], table.shape[1]))


def test_sums_that_overflow_are_no_harm():
    found = summarize(np.array([[1e308, 1.0], [1e308, 2.0]]))
    assert not found.n_infinite.any()
    assert found.maximum[0] == 1e308


class TestBeyondTheBudget:
    """Sketched quantiles: rank error, exact edges, merging, pickling."""

    ROWS = np.random.default_rng(5).lognormal(size=(60_000, 3))

    @pytest.fixture(scope="class")
    @classmethod
    def found(cls):
        values = cls.ROWS.copy()
        values[::100, 1] = -999
        values[::2, 2] = 7
        parts = [Columns(3, exact_bytes=100_000).add(Cells(part)) for part in np.split(values, 30)]
        halves = []
        for half in (parts[:11], parts[11:]):
            total = Columns(3, exact_bytes=100_000)
            for part in half:
                total.merge(pickle.loads(pickle.dumps(part)))
            halves.append(pickle.loads(pickle.dumps(total)))
        return values, halves[0].merge(halves[1]).result()

    def test_ranks_are_within_the_sketchs_error(self, found):
        values, statistics = found
        assert not statistics.exact
        for j in (0, 1):
            for level, q in zip(QUANTILES, statistics.quantiles[:, j], strict=True):
                assert (values[:, j] < q).mean() - 0.005 <= level <= (values[:, j] <= q).mean() + 0.005

    def test_moments_edges_and_counts_stay_exact(self, found):
        values, statistics = found
        np.testing.assert_allclose(statistics.mean, values.mean(axis=0))
        np.testing.assert_allclose(statistics.sd, values.std(axis=0))
        np.testing.assert_array_equal(statistics.minimum, values.min(axis=0))
        np.testing.assert_array_equal(statistics.maximum, values.max(axis=0))

    def test_repeats_are_found(self, found):
        _, statistics = found
        mark = next(s for s in statistics.spikes if s.column == 1)
        assert (mark.value, mark.count) == (-999, 600)
        assert mark.gap > 999
        assert 0 < mark.rest_low < mark.rest_high < 30
        mode = next(s for s in statistics.spikes if s.column == 2)
        assert mode.value == 7
        assert abs(mode.count - 30_000) < 600
        assert not [s for s in statistics.spikes if s.column == 0]


SHAPES = {
    "sorted": lambda rng, n: np.arange(n, dtype=np.float64),
    "falling": lambda rng, n: -np.arange(n, dtype=np.float64),
    "skewed": lambda rng, n: rng.lognormal(0, 3, n),
    "few values": lambda rng, n: rng.integers(0, 7, n).astype(np.float64),
    "in blocks": lambda rng, n: np.repeat(rng.normal(size=n // 1000 + 1), 1000)[:n],
    "mostly missing": lambda rng, n: np.where(rng.random(n) < 0.98, np.nan, rng.normal(size=n)),
    "missing at first": lambda rng, n: np.where(np.arange(n) < 0.9 * n, np.nan, rng.normal(size=n)),
    "in the middle only": lambda rng, n: np.where(abs(np.arange(n) / n - 0.4) < 0.02, rng.normal(size=n), np.nan),
    "half missing": lambda rng, n: np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
    "missing more and more": lambda rng, n: np.where(rng.random(n) < np.arange(n) / n, rng.normal(size=n), np.nan),
    "empty": lambda rng, n: np.full(n, np.nan),
}


@given(
    n=st.integers(60_000, 300_000),
    seed=st.integers(0, 2**32 - 1),
    workers=st.integers(1, 30),
    batch=st.sampled_from([1_000, 33_000]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=10, deadline=None)
def test_a_sketchs_ranks_are_within_half_a_percent(n, seed, workers, batch, dtype):
    rng = np.random.default_rng(seed)
    values = np.stack([make(rng, n) for make in SHAPES.values()], axis=1).astype(dtype)
    merged = Quantiles(values.shape[1], exact_bytes=0)
    for part in np.array_split(values, workers):
        one = Quantiles(values.shape[1], exact_bytes=0)
        for start in range(0, len(part), batch):
            one.add(Cells(part[start : start + batch]))
        merged.merge(pickle.loads(pickle.dumps(one)))
    distribution, edges = merged.result()
    levels = np.linspace(0, 1, 101)
    for j, name in enumerate(SHAPES):
        finite = np.sort(values[np.isfinite(values[:, j]), j])
        assert distribution.counts[j] == len(finite), name
        if not len(finite):
            assert np.isnan(distribution.column_quantiles(j, levels)).all()
            continue
        found = distribution.column_quantiles(j, levels)
        below, upto = np.searchsorted(finite, found, "left"), np.searchsorted(finite, found, "right")
        assert (below / len(finite) <= levels + 0.005).all(), name
        assert (upto / len(finite) >= levels - 0.005).all(), name
        smallest, counts = np.unique(finite, return_counts=True)
        np.testing.assert_array_equal(edges.low[:, j], smallest[:KEPT])
        np.testing.assert_array_equal(edges.low_counts[:, j], counts[:KEPT])
        np.testing.assert_array_equal(edges.high[:, j], smallest[::-1][:KEPT])
        np.testing.assert_array_equal(edges.high_counts[:, j], counts[::-1][:KEPT])


def test_values_that_travel_through_files_arrive(tmp_path):
    values = np.random.default_rng(0).normal(size=(600_000, 3))
    parts = [Quantiles(3, spill=Spill(str(tmp_path))).add(Cells(part)) for part in np.split(values, 2)]
    sent = [pickle.dumps(part) for part in parts]
    assert max(map(len, sent)) < 10_000, "the values stay behind"
    again = pickle.loads(pickle.dumps(pickle.loads(sent[0]).merge(pickle.loads(sent[1]))))
    assert len(list(tmp_path.iterdir())) == 2, "written once"
    distribution, _ = again.result()
    assert distribution.exact
    np.testing.assert_allclose(distribution.quantiles(LEVELS), np.quantile(values, LEVELS, axis=0))


def test_values_stay_in_memory_within_the_process_that_asks_for_them(tmp_path):
    values = np.random.default_rng(0).normal(size=(600_000, 3))
    with spilling(str(tmp_path)) as spill:
        sent = pickle.dumps(Quantiles(3, spill=spill).add(Cells(values)))
        assert len(sent) < 10_000
        assert not list(tmp_path.iterdir())
        distribution, _ = pickle.loads(sent).result()
    np.testing.assert_allclose(distribution.quantiles(LEVELS), np.quantile(values, LEVELS, axis=0))
