"""Scores of rows of several parts beside the scores of each part alone (aetfx.evaluation)."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.data.parts import pack
from aetfx.evaluation.score import Scorer, score_interval
from aetfx.preprocessing.fit import fit_rows


def parts(seed, n=60):
    rng = np.random.default_rng(seed)
    images = rng.normal(5, 1, (n, 4, 3)) * rng.normal(size=(n, 1, 1))
    table = rng.normal(size=(n, 5)) * [1, 1000, 0.01, 5, 1]
    return {"images": images, "table": table, "condition": rng.normal(size=(n, 2)) * [1, 1e6]}


@pytest.mark.parametrize("seed", range(5))
def test_the_score_is_the_mean_over_the_parts_alone(seed):
    train, held = parts(seed), parts(seed + 10, n=30)
    guess = {name: values + np.random.default_rng(seed).normal(size=values.shape) for name, values in held.items()}
    flat, layout = pack(train, "x")
    scorer = Scorer.fit(flat, parts=layout.with_scored({"images", "table"}))
    found = scorer.score(pack(held, "x")[0], pack(guess, "x")[0])
    alone = {
        name: Scorer.fit(train[name], declared_shape=name == "images").score(held[name], guess[name])
        for name in ("images", "table")
    }
    assert found.per_part == pytest.approx({name: score.value for name, score in alone.items()}, rel=1e-12)
    assert found.value == pytest.approx(np.mean([score.value for score in alone.values()]), rel=1e-12)
    assert scorer.features == "parts"
    assert not scorer.included[-2:].any(), "a condition is not scored"
    np.testing.assert_allclose(found.sums.scores()[0], found.value, rtol=1e-12)
    errors = scorer.row_errors(pack(held, "x")[0], pack(guess, "x")[0])
    assert errors.mean() == pytest.approx(found.raw, rel=1e-9)
    low, high = score_interval(scorer, pack(held, "x")[0], [pack(guess, "x")[0]], seed)
    assert low < found.value < high


def test_missing_cells_leave_the_weights_of_parts_alone():
    train, layout = pack(parts(0), "x")
    scorer = Scorer.fit(train, parts=layout)
    held = train[:30].copy()
    held[:5, 13] = np.nan
    found = scorer.score(held, np.nan_to_num(held) * 0.9)
    assert found.value == pytest.approx(np.mean(list(found.per_part.values())), rel=1e-12)


def test_a_pooled_scale_is_pooled_within_a_part():
    train, layout = pack(parts(3), "x")
    pools = np.concatenate([np.zeros(12), np.arange(1, 8)]).astype(int)
    fitted = fit_rows({"scaling": "standard"}, train, scope="pooled", pools=pools)
    images = train[:, :12]
    np.testing.assert_allclose(fitted.center[:12], images.mean())
    np.testing.assert_allclose(fitted.scale[:12], images.std())
    np.testing.assert_allclose(fitted.scale[12:], train[:, 12:].std(axis=0))
    assert layout.parts[1].columns == slice(12, 17)
