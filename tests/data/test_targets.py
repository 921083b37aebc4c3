"""aetfx.data.targets: what the targets of fit(x, y) are to its inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from aetfx.data.targets import relation

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(500, 3))
TABLE = CODES @ RNG.normal(size=(3, 7)) + 0.2 * RNG.normal(size=(500, 7))
DIGITS = load_digits().images[:600]
SERIES = np.cumsum(RNG.normal(size=800))
WINDOWS = np.stack([SERIES[i : i + 20] for i in range(600)])
SLOPES = np.gradient(WINDOWS, axis=1)


def half_of(turned, rows):
    """Half of the rows as they are."""
    chosen = np.random.default_rng(1).random(len(rows)) < 0.5
    return np.where(chosen.reshape(-1, *[1] * (rows.ndim - 1)), turned(rows), rows)


SHUFFLED = np.random.default_rng(5).permutation(64)


def mirrored(rows):
    return rows[:, :, ::-1]


def rotated(rows, n):
    return np.concatenate([rows[n:], rows[:n]])


@pytest.mark.parametrize(
    ("inputs", "targets", "kind"),
    [
        (TABLE, TABLE, "same"),
        (TABLE + 0.5 * RNG.normal(size=TABLE.shape), TABLE, "denoising"),
        (DIGITS * (RNG.random(DIGITS.shape) > 0.3), DIGITS, "denoising"),
        (DIGITS * (RNG.random(DIGITS.shape) > 0.9), DIGITS, "denoising"),
        (np.clip(DIGITS / 16 + 0.3 * RNG.normal(size=DIGITS.shape), 0, 1), DIGITS / 16, "denoising"),
        (0.6 * (DIGITS + np.roll(DIGITS, 1, axis=2)), DIGITS, "denoising"),
        (np.clip(DIGITS / 16 + 0.3 * RNG.normal(size=DIGITS.shape), 0, 1), DIGITS, "rescaled"),
        (DIGITS + 3 * RNG.normal(size=DIGITS.shape), DIGITS / 16, "rescaled"),
        (TABLE + 0.5 * RNG.normal(size=TABLE.shape), 100 * TABLE + 7, "rescaled"),
        (TABLE + 0.3 * RNG.normal(size=TABLE.shape), TABLE * np.arange(10, 17) + 40, "rescaled"),
        (TABLE, RNG.permutation(TABLE), "permuted"),
        (TABLE, rotated(TABLE, 1), "permuted"),
        (DIGITS, DIGITS / 16, "affine"),
        (TABLE, (TABLE - TABLE.mean(axis=0)) / TABLE.std(axis=0), "affine"),
        (DIGITS, 16 - DIGITS, "affine"),
        (DIGITS, np.roll(DIGITS, 1, axis=2), "shifted"),
        (DIGITS, np.roll(DIGITS, -2, axis=1), "shifted"),
        (WINDOWS[:-1], WINDOWS[1:], "permuted"),
        (WINDOWS[:-1:5], WINDOWS[1::5], "shifted"),
        (WINDOWS[:-6:5, :, None], WINDOWS[6::5, :, None], "shifted"),
        (half_of(mirrored, DIGITS), DIGITS, "turned"),
        (DIGITS, half_of(mirrored, DIGITS), "turned"),
        (DIGITS, mirrored(DIGITS), "turned"),
        (DIGITS[..., None], np.rot90(DIGITS, axes=(1, 2))[..., None], "turned"),
        (DIGITS, DIGITS.swapaxes(1, 2), "turned"),
        (np.stack([DIGITS, DIGITS**2, DIGITS**0.5], -1), np.stack([DIGITS**0.5, DIGITS**2, DIGITS], -1), "turned"),
        (half_of(mirrored, DIGITS) + 0.5 * RNG.normal(size=DIGITS.shape), DIGITS, "denoising"),
        (WINDOWS, half_of(lambda rows: rows[:, ::-1], WINDOWS), "turned"),
        (WINDOWS[..., None], WINDOWS[:, ::-1, None], "backwards"),  # a recurrent decoder may well begin at the end
        (TABLE, TABLE[:, np.argsort(RNG.random(TABLE.shape[1]))], "reordered"),
        (DIGITS[..., None], DIGITS.reshape(len(DIGITS), -1)[:, SHUFFLED].reshape(*DIGITS.shape, 1), "reordered"),
        (np.stack([DIGITS, DIGITS**2], -1), np.stack([DIGITS**2, DIGITS + 1], -1), "denoising"),
        (WINDOWS[..., None].repeat(2, -1), WINDOWS[:, ::-1, None].repeat(2, -1), "backwards"),
        (WINDOWS + 0.1 * RNG.normal(size=WINDOWS.shape), WINDOWS, "denoising"),
        (WINDOWS, SLOPES, "computed"),
        (WINDOWS[..., None], np.diff(WINDOWS, axis=1, prepend=WINDOWS[:, :1])[..., None], "computed"),
        (DIGITS, np.gradient(DIGITS, axis=2), "computed"),
        (np.diff(WINDOWS, axis=1), np.cumsum(np.diff(WINDOWS, axis=1), axis=1), "computed"),
        (TABLE, (TABLE - TABLE.mean(axis=0)) @ np.linalg.svd(TABLE - TABLE.mean(axis=0))[2].T, "computed"),
        (WINDOWS, np.cumsum(WINDOWS, axis=1) / np.arange(1, 21), "denoising"),
        (SLOPES + 0.3 * RNG.normal(size=WINDOWS.shape), SLOPES, "denoising"),
        (TABLE, RNG.normal(size=TABLE.shape), "unrelated"),
        (TABLE + 0.1 * RNG.normal(size=TABLE.shape), RNG.permutation(TABLE), "unrelated"),
    ],
)
def test_each_relation_by_its_name(inputs, targets, kind):
    found = relation(inputs, targets)
    assert found.kind == kind, found.sentence
    assert found.asks_inputs == (kind not in ("same", "denoising", "backwards", "rescaled"))
    assert len(found.sentence) > 15


def test_only_recurrent_decoders_begin_at_the_end():
    found = relation(WINDOWS[..., None], WINDOWS[:, ::-1, None], recurrent=False)
    assert found.kind == "turned"
    assert found.asks_inputs


def quarter_turns(rows, seed):
    turns = np.random.default_rng(seed).integers(4, size=len(rows))
    return np.stack([np.rot90(row, turn) for row, turn in zip(rows, turns, strict=True)])


@pytest.mark.parametrize("noise", [0.5, 3.0])
@pytest.mark.parametrize("apart", [lambda rows: half_of(mirrored, rows), lambda rows: quarter_turns(rows, 7)])
def test_noisy_pictures_and_targets_that_were_turned_by_two_generators(apart, noise):
    noisy = quarter_turns(DIGITS, 3) + noise * RNG.normal(size=DIGITS.shape)
    found = relation(noisy, apart(DIGITS), recurrent=False)
    assert found.kind == "turned apart", found.sentence
    assert not found.asks_inputs
    back = found.meant(apart(DIGITS), noisy)
    same = np.isclose(back, quarter_turns(DIGITS, 3)).all(axis=(1, 2))
    assert same.mean() > (0.95 if noise < 1 else 0.8)
    assert relation(noisy, back, recurrent=False).kind == "denoising"


@pytest.mark.parametrize("noise", [0.5, 2.0, 4.0, 8.0, 16.0])
def test_noise_alone_turns_nothing(noise):
    for rows in (DIGITS, DIGITS[..., None], DIGITS + mirrored(DIGITS), DIGITS[:, ::2, ::2]):
        kind = relation(rows + noise * RNG.normal(size=rows.shape), rows, recurrent=False).kind
        assert kind in ("denoising", "rescaled"), kind
        emptied = relation(rows * (RNG.random(rows.shape) > noise / 17), rows, recurrent=False).kind
        assert emptied == "denoising"


def test_pictures_beside_another_ones_target_were_not_turned():
    noisy = DIGITS + 3.0 * RNG.normal(size=DIGITS.shape)
    assert relation(noisy, RNG.permutation(DIGITS), recurrent=False).kind == "unrelated"


def test_the_figures_are_told():
    assert "3 of 7 columns" in relation(TABLE, TABLE[:, [0, 1, 6, 3, 2, 5, 4]]).sentence
    assert "times 0.0625 plus 0" in relation(DIGITS, DIGITS / 16).sentence
    assert "moved by 1 along axis 2" in relation(DIGITS, np.roll(DIGITS, 1, axis=2)).sentence
    assert "500 of 500" in relation(TABLE, rotated(TABLE, 3)).sentence
    assert relation(DIGITS, mirrored(DIGITS)).sentence == "100 % of the targets are their inputs mirrored along axis 2"
    turned = relation(DIGITS, np.rot90(DIGITS, axes=(1, 2))).sentence
    assert turned == "100 % of the targets are their inputs transposed and mirrored along axis 1"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0.05, 1.0), factor=st.floats(0.01, 0.1), by_column=st.booleans())
def test_cleaner_rows_on_another_scale_are_brought_to_that_of_the_inputs(seed, noise, factor, by_column):
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 6)) + 5
    noisy = clean + noise * clean.std(axis=0) * rng.normal(size=clean.shape)
    targets = (clean - 3) * (factor * np.linspace(1, 4, 6) if by_column else factor)
    found = relation(noisy, targets)
    assert found.kind == "rescaled", found.sentence
    assert np.sqrt(np.square(found.meant(targets, noisy) - clean).mean()) < 0.14 * clean.std()


def test_holes_in_the_inputs_are_denoising_and_not_a_mistake():
    holes = TABLE.copy()
    holes[RNG.random(holes.shape) < 0.2] = np.nan
    assert relation(holes, TABLE).kind == "denoising"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0.05, 1.5))
def test_noise_of_any_strength_up_to_the_signals_own_is_denoising(seed, noise):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 12))
    noisy = rows + noise * rows.std() * rng.normal(size=rows.shape)
    assert relation(noisy, rows).kind == "denoising"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rows_of_other_things_are_unrelated(seed):
    rng = np.random.default_rng(seed)
    rows, others = rng.normal(size=(2, 300, 12))
    assert relation(rows, others).kind == "unrelated"
