"""aetfx.diagnosis.curvature: a plane is not curved, a curve is, and few rows say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.diagnosis.curvature import curved_share

RNG = np.random.default_rng(0)


def plane(n, noise=0.1):
    return RNG.normal(size=(n, 2)) @ RNG.normal(size=(2, 6)) + noise * RNG.normal(size=(n, 6))


def parabola(n, noise=0.02):
    t = RNG.uniform(-1, 1, size=(n, 1))
    return np.concatenate([t, t**2, 0.5 * t**2, -(t**2)], axis=1) + noise * RNG.normal(size=(n, 4))


@pytest.mark.parametrize("seed", range(5))
def test_a_plane_is_not_curved(seed):
    assert curved_share(plane(600), 2, seed=seed) < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_a_parabola_is(seed):
    # PCA's first direction mixes t with its square; what it leaves is a parabola in the code, up to the noise.
    assert curved_share(parabola(600), 1, seed=seed) > 0.8


@pytest.mark.parametrize("seed", range(5))
def test_a_gross_cell_hides_no_parabola(seed):
    rows = parabola(600)
    rows[7, 2], rows[100, 0] = 40.0, -60.0
    assert curved_share(rows, 1, seed=seed) > 0.8


def test_it_is_the_share_that_least_squares_explains_on_the_other_half():
    rows = parabola(2000, noise=0.2)
    centred = rows - rows.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][:1]
    code = centred @ direction.T
    residual = centred - code @ direction
    design = np.column_stack([np.ones(len(code)), code, code**2])
    fitted = design @ np.linalg.lstsq(design, residual, rcond=None)[0]
    want = 1 - np.square(residual - fitted).sum() / np.square(residual).sum()
    assert curved_share(rows, 1, seed=0) == pytest.approx(want, abs=0.05)


def test_scale_and_missing_cells_do_not_decide():
    rows = parabola(800)
    assert curved_share(rows * 1e4, 1, seed=0) == pytest.approx(curved_share(rows, 1, seed=0), abs=0.01)
    rows[RNG.random(rows.shape) < 0.02] = np.nan
    assert curved_share(rows, 1, seed=0) > 0.5


def test_few_rows_say_nothing():
    assert curved_share(RNG.normal(size=(20, 8)), 5, seed=0) == 0.0
    assert curved_share(np.outer(np.arange(50.0), np.ones(3)), 1, seed=0) <= 1.0  # nothing is left by PCA
