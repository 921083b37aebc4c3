"""Tests of aetfx.evaluation.tally and .kept: sums against NumPy written out, in whatever order they are merged."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetfx.data.split import row_hash
from aetfx.evaluation.resample import poisson_weights
from aetfx.evaluation.score import Scorer
from aetfx.evaluation.slices import make_slicer
from aetfx.evaluation.tally import LEVELS, Plan, Tally

NAMES = ("group", "a", "b", "c")
RNG = np.random.default_rng(5)


def rows(kind, n=300):
    """Rows and what three predictors give for them; "holes" has missing cells."""
    truth = RNG.normal(size=(n, 4)) @ RNG.normal(size=(4, 4))
    truth[:, 0] = RNG.integers(0, 3, n)
    if kind == "table":
        truth = truth * [1, 1000, 1, 0.01]
    if kind == "bits":
        truth = (truth > 0).astype(float)
    given_back = [
        truth + 0.3 * RNG.normal(size=truth.shape) * truth.std(axis=0),
        0.5 * truth + 0.5 * truth.mean(axis=0),
        np.broadcast_to(truth.mean(axis=0), truth.shape).copy(),
    ]
    if kind == "bits":
        given_back = [np.clip(one, 0.02, 0.98) for one in given_back]
    if kind == "holes":
        truth = truth.copy()
        truth[RNG.random(truth.shape) < 0.1] = np.nan
        truth[3] = np.nan
    return truth, given_back


def plan_of(truth, *, features="tensor", slices=("group",), n_draws=50, configuration=(0, 1, -1), sample=64):
    scorer = Scorer.fit(truth, features=features, names=NAMES)
    return Plan(
        scorer,
        configuration,
        make_slicer(slices, NAMES, truth),
        extremes=5,
        sample=sample,
        n_draws=n_draws,
    )


def tally_of(plan, truth, given_back, chosen=slice(None)):
    keys = row_hash(truth[chosen], 0, purpose=b"bootstrap")
    numbers = np.arange(len(truth))[chosen]
    return Tally(plan).add(truth[chosen], [[one[chosen]] for one in given_back], keys=keys, places=lambda: numbers)


def by_hand(truth, guess, mean, table):
    """The score of METHOD section 1 for finite predictions."""
    known = np.isfinite(truth)
    each = []
    for j in range(truth.shape[1]):
        cells = known[:, j]
        each.append(
            (
                np.mean((guess[cells, j] - truth[cells, j]) ** 2),
                np.mean((mean[j] - truth[cells, j]) ** 2),
            )
        )
    each = np.array(each)
    if table:
        return float(np.mean(np.minimum(each[:, 0] / each[:, 1], 4)))
    return float(min(each[:, 0].sum() / each[:, 1].sum(), 4))


@pytest.mark.parametrize("kind", ["plain", "table", "holes"])
def test_scores_are_those_of_numpy(kind):
    truth, given_back = rows(kind)
    plan = plan_of(truth, features="table" if kind == "table" else "tensor")
    tally = tally_of(plan, truth, given_back)
    mean = np.nanmean(truth, axis=0)
    for m, guess in enumerate(given_back):
        assert tally.score(m) == pytest.approx(by_hand(truth, guess, mean, kind == "table"), rel=1e-9)
    for s, value in ((1, 0), (2, 1), (3, 2)):
        here = truth[:, 0] == value
        # The column that cuts the rows does not vary within a slice, and is scored against the mean all the same.
        expected = by_hand(truth[here], given_back[0][here], mean, kind == "table")
        assert tally.score(0, s) == pytest.approx(expected, rel=1e-9)
        assert tally.n_rows[s] == here.sum()
    known = np.isfinite(truth)
    squared = np.where(known, (given_back[0] - truth) ** 2, 0).sum(axis=0) / known.sum(axis=0)
    absolute = np.where(known, np.abs(given_back[0] - truth), 0).sum(axis=0) / known.sum(axis=0)
    assert tally.squared[0, 0] / tally.answered[0, 0] == pytest.approx(squared, rel=1e-9)
    assert tally.absolute[0, 0] / tally.answered[0, 0] == pytest.approx(absolute, rel=1e-9)
    assert tally.n_empty == (~known.any(axis=1)).sum()


def test_deviance_is_that_of_numpy():
    truth, given_back = rows("bits")
    plan = plan_of(truth, slices=())
    p, q = np.clip(given_back[0], 1e-3, 1 - 1e-3), np.clip(truth.mean(axis=0), 1e-3, 1 - 1e-3)
    deviance = [-(truth * np.log(x) + (1 - truth) * np.log(1 - x)).mean(axis=0).sum() for x in (p, q)]
    assert plan.scorer.metric == "deviance"
    assert tally_of(plan, truth, given_back).score(0) == pytest.approx(deviance[0] / deviance[1], rel=1e-9)


def test_slices_together_are_the_whole():
    truth, given_back = rows("holes")
    tally = tally_of(plan_of(truth, slices=("group", "a@4")), truth, given_back)
    n = len(tally.plan.slicer.names)
    groups = [s for s in range(1, n) if tally.plan.slicer.names[s].startswith("group")]
    quarters = [s for s in range(1, n) if s not in groups]
    assert len(groups) == 4
    assert len(quarters) == 5
    for part in (groups, quarters):
        assert tally.n_rows[part].sum() == tally.n_rows[0] == len(truth)
        assert tally.count[part].sum(axis=0) == pytest.approx(tally.count[0])
        assert tally.denominator[part].sum(axis=0) == pytest.approx(tally.denominator[0], rel=1e-9)
        for name in ("error", "squared", "absolute", "drawn_error"):
            sums = getattr(tally, name)
            assert sums[:, part].sum(axis=1) == pytest.approx(sums[:, 0], rel=1e-9)


def test_draws_re_weigh_the_rows():
    truth, given_back = rows("table")
    plan = plan_of(truth, features="table", slices=("group",))
    tally = tally_of(plan, truth, given_back)
    weights = poisson_weights(row_hash(truth, 0, purpose=b"bootstrap"), 50)
    mean = truth.mean(axis=0)
    for s, here in ((0, np.ones(len(truth), bool)), (2, truth[:, 0] == 1)):
        error = weights[:, here] @ (given_back[0] - truth)[here] ** 2
        spread = weights[:, here] @ (mean - truth)[here] ** 2
        assert tally.draws(0, s) == pytest.approx(np.minimum(error / spread, 4).mean(axis=1), rel=1e-9)


def test_row_errors_are_told_in_the_spread_of_train():
    truth, given_back = rows("plain")
    tally = tally_of(plan_of(truth, slices=()), truth, given_back)
    errors = ((given_back[0] - truth) ** 2).sum(axis=1) / truth.var(axis=0).sum()
    found = tally.quantiles[0].result()[0].quantiles(LEVELS)[:, 0]
    assert found == pytest.approx(np.quantile(errors, LEVELS), rel=1e-9)
    worst = [tally.kept.rows[key].place for key in tally.kept.ordered("worst", 0)]
    best = [tally.kept.rows[key].place for key in tally.kept.ordered("best", 0)]
    assert worst == np.argsort(-errors)[:5].tolist()
    assert best == np.argsort(errors)[:5].tolist()
    assert tally.kept.sample == sorted(row_hash(truth, 0, purpose=b"bootstrap").tolist())[:64]
    for key in tally.kept.sample:
        row = tally.kept.rows[key]
        assert (row.truth == truth[row.place]).all()
        assert row.error[0] == pytest.approx(errors[row.place])


def test_rows_that_are_not_finite_count_with_the_cap():
    truth, given_back = rows("plain")
    bad = [given_back[0].copy(), *given_back[1:]]
    bad[0][[4, 9, 200], 1] = [np.nan, np.inf, -np.inf]
    tally = tally_of(plan_of(truth, slices=()), truth, bad)
    spread = (truth.mean(axis=0) - truth) ** 2
    error = (given_back[0] - truth) ** 2
    error[[4, 9, 200]] = 4 * spread[[4, 9, 200]]
    assert tally.score(0) == pytest.approx(error.sum() / spread.sum(), rel=1e-9)
    assert tally.n_lost.tolist() == [3, 0]
    sound = np.delete(np.arange(len(truth)), [4, 9, 200])
    mse = ((given_back[0] - truth)[sound] ** 2).mean(axis=0)
    assert tally.squared[0, 0] / tally.answered[0, 0] == pytest.approx(mse, rel=1e-9)
    worst = [tally.kept.rows[key] for key in tally.kept.ordered("worst", 0)[:3]]
    assert sorted(row.place for row in worst) == [4, 9, 200]
    assert all(np.isinf(row.error[0]) for row in worst)
    nothing = tally_of(plan_of(truth, slices=()), truth, [np.full_like(truth, np.nan), *given_back[1:]])
    assert nothing.score(0) == 4
    assert (nothing.draws(0) == 4).all()


def test_errors_of_draws_of_a_stochastic_model_are_averaged():
    truth, given_back = rows("plain")
    plan = plan_of(truth, slices=(), configuration=(0,))
    keys = row_hash(truth, 0, purpose=b"bootstrap")
    both = Tally(plan).add(truth, [given_back[:2]], keys=keys)
    each = [Tally(plan).add(truth, [[one]], keys=keys).score(0) for one in given_back[:2]]
    assert both.score(0) == pytest.approx(np.mean(each), rel=1e-9)


HOLES = rows("holes", 160)
HOLES[1][0][7] = np.nan
HOLES_PLAN = plan_of(HOLES[0], slices=("group", "a@2"), n_draws=20, sample=16)
WHOLE = tally_of(HOLES_PLAN, *HOLES)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 159), max_size=6, unique=True), st.randoms(use_true_random=False), st.booleans())
def test_any_splitting_and_merging_gives_the_same(cuts, random, by_pairs):
    edges = [0, *sorted(cuts), 160]
    parts = [tally_of(HOLES_PLAN, *HOLES, slice(a, b)) for a, b in itertools.pairwise(edges)]
    random.shuffle(parts)
    parts = [pickle.loads(pickle.dumps(part)) for part in parts]
    if by_pairs:
        while len(parts) > 1:
            parts = [a.merge(b) for a, b in zip(parts[::2], parts[1::2], strict=False)] + parts[len(parts) // 2 * 2 :]
        merged = parts[0]
    else:
        merged = Tally(HOLES_PLAN)
        for part in parts:
            merged.merge(part)
    for name in ("n_rows", "n_lost", "count", "denominator", "error", "squared", "absolute", "answered", "drawn_error"):
        assert getattr(merged, name) == pytest.approx(getattr(WHOLE, name), rel=1e-9, abs=1e-12)
    assert merged.n_empty == WHOLE.n_empty
    for mine, theirs in zip(merged.quantiles, WHOLE.quantiles, strict=True):
        mine, theirs = (side.result()[0].quantiles(LEVELS) for side in (mine, theirs))
        assert mine == pytest.approx(theirs, rel=1e-9, nan_ok=True)
    assert merged.kept.sample == WHOLE.kept.sample
    for which in ("worst", "best"):
        for number in range(2):
            assert merged.kept.ordered(which, number) == WHOLE.kept.ordered(which, number)
    for key in {*merged.kept.sample, *merged.kept.ordered("worst", 0)}:
        assert merged.kept.rows[key].place == WHOLE.kept.rows[key].place


def test_what_is_kept_does_not_grow_with_the_rows():
    truth, given_back = rows("plain", 4000)
    tally = Tally(plan_of(truth, slices=()))
    for start in range(0, 4000, 50):
        here = slice(start, start + 50)
        keys = row_hash(truth[here], 0, purpose=b"bootstrap")
        tally.add(truth[here], [[one[here]] for one in given_back], keys=keys)
    assert len(tally.kept.rows) <= 2 * (64 + 2 * 5 * 2)


def test_equal_rows_are_kept_once():
    truth, given_back = rows("plain", 40)
    truth, given_back = np.repeat(truth, 5, axis=0), [np.repeat(one, 5, axis=0) for one in given_back]
    tally = tally_of(plan_of(truth, slices=()), truth, given_back)
    errors = ((given_back[0] - truth) ** 2).sum(axis=1)[::5]
    assert [tally.kept.rows[key].place // 5 for key in tally.kept.ordered("worst", 0)] == np.argsort(-errors)[
        :5
    ].tolist()
    assert len(tally.kept.sample) == 40


def test_slices_without_room_for_intervals_are_told(monkeypatch):
    truth, _ = rows("tensor")
    plan_of(truth).check()
    monkeypatch.setattr("aetfx.evaluation.tally._DRAW_BYTES", 1000)
    plan = plan_of(truth)
    with pytest.warns(UserWarning, match="3 models x 5 slices x 1 groups .* scores of slices have no intervals"):
        plan.check()
    assert plan.n_drawn_slices == 1
