"""aetfx.comparison.pool: trials of other processes are those of this one, and their end is noticed."""

from __future__ import annotations

import dataclasses
import os
import signal
import time

import numpy as np
import pytest

from aetfx.comparison import pool
from aetfx.comparison.lab import Lab
from aetfx.comparison.pool import Job
from aetfx.errors import ModelError
from aetfx.models.families import build as build_family
from aetfx.models.serial import describe_model
from aetfx.training.recipe import Recipe, plain_optimizer
from aetfx.training.store import TrialStore
from aetfx.training.trial import OutOfTime
from aetfx.training.workshop import Workshop

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(400, 3)) @ RNG.normal(size=(3, 8))).astype(np.float32)


def laboratory(directory) -> Lab:
    return Lab(
        rows=ROWS,
        eval_rows=None,
        fraction=0.25,
        seed=0,
        features="auto",
        declared_shape=False,
        names=tuple(map(str, range(8))),
        sentinels={},
        fences=None,
        judge=None,
        store=TrialStore(directory),
        workshop=Workshop(),
        processes=2,
    )


def recipe(loss="mse") -> Recipe:
    model = build_family(
        "dense", (8,), {"hidden": [12], "bottleneck": 3, "activation": "relu", "output_activation": "linear"}
    )
    return Recipe(describe_model(model, (8,)), plain_optimizer("adam"), loss, epochs=8, batch_size=32)


@pytest.fixture
def always(monkeypatch):
    """Shares out even trainings that take no time."""
    monkeypatch.setattr(pool, "is_worth_it", lambda lab, jobs: len(jobs) > 1)
    monkeypatch.setattr("aetfx.comparison.lab.is_worth_it", lambda lab, jobs: len(jobs) > 1)


def helpers(lab: Lab):
    assert lab._pool is not None
    return [helper.process for helper in lab._pool._helpers]


def test_a_trial_is_the_same_to_the_last_bit_wherever_it_was_trained(tmp_path, always):
    lab, alone = laboratory(tmp_path / "shared"), laboratory(tmp_path / "alone")
    jobs = [Job(recipe().with_learning_rate(rate), seed, 0, (4,)) for rate in (1e-3, 3e-3) for seed in (0, 1, 2)]
    try:
        lab.prepare(jobs)
        [process] = helpers(lab)
        assert process.poll() is None
        elsewhere = 0
        for job in jobs:
            elsewhere += (job.recipe.identity, job.seed, 0) not in lab.trials
            mine = lab.trial(job.recipe, seed=job.seed, score_at=job.score_at)
            other = alone.trial(job.recipe, seed=job.seed, score_at=job.score_at)
            for a, b in zip(mine.model.get_weights(), other.model.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(mine.losses, other.losses)
            assert mine.scores == other.scores
        assert elsewhere, "the helper did none of the work"
        assert lab.trained + elsewhere == len(jobs), "something was trained twice"
        assert lab.spent == pytest.approx(alone.spent)
    finally:
        lab.close()
    assert process.poll() is not None


def test_a_helper_that_is_killed_costs_time_and_nothing_else(tmp_path, always):
    lab = laboratory(tmp_path)
    try:
        lab.prepare([Job(recipe(), seed) for seed in (0, 1, 2)])
        [process] = helpers(lab)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        lab.prepare([Job(recipe(), seed) for seed in (3, 4, 5)])
        for seed in range(6):
            assert len(lab.trial(recipe(), seed=seed).losses) == 8
    finally:
        lab.close()


@pytest.mark.slow
def test_a_training_that_kills_its_process_is_lost_and_kills_no_other(tmp_path, always):
    owner = os.getpid()

    def deadly(y, p):
        if os.getpid() != owner:
            os.kill(os.getpid(), signal.SIGKILL)
        return keras.ops.mean(keras.ops.square(y - p), axis=-1)

    config = {"module": "builtins", "class_name": "function", "config": "deadly", "registered_name": "deadly"}
    own = recipe().changed(loss=config, source=dataclasses.replace(recipe().source, objects={"deadly": deadly}))
    lab = laboratory(tmp_path)
    first, second, third = Job(own, 0), Job(recipe(), 0), Job(recipe(), 1)
    trained_here = []

    def here(job):
        trained_here.append(job)
        deadline = time.monotonic() + 300
        while not mine.lost and time.monotonic() < deadline:
            time.sleep(0.05)

    mine = pool.Pool(lab, 1)
    try:
        mine.run([second, first, third], here, lambda done: None)
        assert trained_here[0] is second
        assert first not in trained_here
        assert mine.lost == {id(first): signal.SIGKILL}
        lab.lost[(own.identity, 0, 0)] = signal.SIGKILL
        with pytest.raises(ModelError, match=r"killed twice \(signal 9\), as happens where memory runs out"):
            lab.trial(own)
    finally:
        mine.close()


def test_a_training_that_breaks_off_says_so_when_it_is_asked_for(tmp_path, always):
    def boom(y, p):
        raise ValueError("boom")

    lab = laboratory(tmp_path)
    config = {"module": "builtins", "class_name": "function", "config": "boom", "registered_name": "boom"}
    broken = recipe().changed(loss=config, source=dataclasses.replace(recipe().source, objects={"boom": boom}))
    try:
        lab.prepare([Job(broken, seed) for seed in range(3)])
        with pytest.raises(ModelError, match="boom"):
            lab.trial(broken)
        lab.prepare([Job(recipe(), seed) for seed in range(6)])
        assert len(lab.trials) < 6, "the helper, which is none the worse for it, does its part of what follows"
    finally:
        lab.close()


def test_the_deadline_ends_what_helpers_are_at(tmp_path, always):
    lab = laboratory(tmp_path)
    long = recipe().changed(epochs=100_000)
    lab.deadline = time.monotonic() + 6
    with pytest.raises(OutOfTime):
        lab.prepare([Job(long, seed) for seed in range(2)])
    assert all(process.poll() is not None for process in helpers(lab))
    lab.close()


def test_what_cannot_leave_this_process_is_trained_here(tmp_path, always):
    def loss(y, p):
        return keras.ops.mean(keras.ops.square(y - p), axis=-1)

    loss.lock = __import__("threading").Lock()
    own = recipe()
    config = {"module": "builtins", "class_name": "function", "config": "loss", "registered_name": "loss"}
    own = own.changed(loss=config, source=dataclasses.replace(own.source, objects={"loss": loss}))
    lab = laboratory(tmp_path)
    try:
        lab.prepare([Job(own, seed) for seed in range(3)])
        for seed in range(3):
            assert np.isfinite(lab.trial(own, seed=seed).losses).all()
    finally:
        lab.close()


def test_one_core_or_no_run_directory_means_no_helper(tmp_path):
    lab = laboratory(tmp_path)
    assert pool.helpers_for(lab) == 1
    assert pool.helpers_for(dataclasses.replace(lab, processes=1)) == 0
    assert pool.helpers_for(dataclasses.replace(lab, store=TrialStore(None))) == 0


def test_short_jobs_are_not_worth_a_helper(tmp_path):
    lab, long = laboratory(tmp_path), recipe().changed(epochs=100_000)
    assert pool.is_worth_it(lab, [Job(long, seed) for seed in range(2)])
    assert not pool.is_worth_it(lab, [Job(long, seed, until=1) for seed in range(2)]), "a rung is soon reached"
