"""aetfx.diagnosis.screen and pairs: what is tried within a budget, what leads, and what is tried together."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from aetfx.diagnosis.causes import REGISTRY, Experiment
from aetfx.diagnosis.pairs import pair_experiments
from aetfx.diagnosis.screen import Screened, checkpoints, confirmed_first, leaders, plan, screen, shortened
from aetfx.diagnosis.thresholds import Thresholds
from tests.diagnosis.test_causes import PLANE, make_case


@dataclass(frozen=True)
class Recipe:
    """What planning sees of a recipe; a cost of one unit per ten epochs."""

    name: str
    epochs: int = 10
    what: str = ""

    @property
    def identity(self) -> str:
        return f"{self.what or self.name}, {self.epochs} epochs"

    def changed(self, **changes):
        return replace(self, **changes)


@dataclass
class CountingLab:
    """Scores by recipe name; remembers what was trained."""

    scores: dict[str, float] = field(default_factory=dict)
    trained: list = field(default_factory=list)
    seed: int = 0

    def prepare(self, jobs):
        self.wanted = [(job.recipe.name, job.recipe.epochs, list(job.score_at)) for job in jobs]

    def cost(self, recipe):
        return recipe.epochs / 10

    def score_of_prefix(self, recipe):
        return None

    def trial(self, recipe, score_at=()):
        self.trained.append((recipe.name, recipe.epochs, list(score_at)))
        return recipe

    def score(self, trial, on):
        return SimpleNamespace(value=self.scores[trial.name])


def case(scores=None, select=1.0, at=None, target=0.3):
    return SimpleNamespace(
        lab=CountingLab(scores or {}), select_score=select, trial=SimpleNamespace(scores=at or {}),
        thresholds=Thresholds(), target=target, usual_rate=True, large_batch=False, updates=2000,
        recipe=SimpleNamespace(learning_rate=1e-3, optimizer_name="adam", batch_size=32), is_good=select <= target,
        architecture=SimpleNamespace(code=None, inner=(), has_batch_norm=False), rewritable=True,
    )  # fmt: skip


def change(code, name=None, epochs=10, **more):
    what = {"what": more.pop("what")} if "what" in more else {}
    return Experiment(code, Recipe(name or code, epochs, **what), remedy="Do.", keras="do", **more)


ALL = [
    change("data.scaling"),
    change("optimizer.learning_rate_too_high", "lr/3", shortenable=False),
    change("optimizer.learning_rate_too_high", "lr/10", shortenable=False),
    change("model.linear_activations"),
]


def names(experiments):
    return [e.recipe.name for e in experiments]


# Planning.


def test_a_wide_budget_tries_all_at_full_length():
    planned = plan(case(), ALL, 4.0)
    assert (planned.experiments, planned.share, planned.dropped) == (ALL, 1.0, [])
    assert planned.cost == 4.0


def test_a_narrower_one_shortens_what_may_be_shortened():
    planned = plan(case(), ALL, 3.0)
    assert (planned.experiments, planned.share, planned.dropped) == (ALL, 0.5, [])
    assert planned.cost == 3.0
    assert [shortened(e, planned.share).epochs for e in ALL] == [5, 10, 10, 5]
    assert plan(case(), ALL, 2.6).share == 0.25


def test_a_tight_one_drops_second_variants_before_causes():
    planned = plan(case(), ALL, 1.7)
    assert names(planned.experiments) == ["data.scaling", "lr/3", "model.linear_activations"]
    assert names(planned.dropped) == ["lr/10"]
    assert planned.cost <= 1.7


def test_what_nothing_points_to_gives_way_to_what_has_a_sign():
    planned = plan(case(), ALL, 1.0, frozenset({"optimizer.learning_rate_too_high"}))
    assert names(planned.experiments) == ["data.scaling", "model.linear_activations"]
    assert names(plan(case(), ALL, 1.3).experiments) == ["data.scaling", "lr/3"], "by their order where both have one"


def test_the_tightest_keeps_the_first_cause():
    planned = plan(case(), ALL, 0.0)
    assert names(planned.experiments) == ["data.scaling"]
    assert len(planned.dropped) == 3


@pytest.mark.parametrize("allowance", [0.0, 0.3, 1.0, 1.6, 2.0, 2.5, 3.3, 4.0])
def test_a_plan_is_within_its_allowance_and_the_same_for_every_order(allowance):
    plans = [plan(case(), list(order), allowance) for order in itertools.permutations(ALL)]
    for planned in plans:
        assert planned.cost <= allowance or len(planned.experiments) == 1
        assert sorted(names(planned.experiments) + names(planned.dropped)) == sorted(names(ALL))
    assert len({round(planned.cost, 9) for planned in plans}) == 1
    codes = [{e.code for e in planned.experiments} for planned in plans]
    assert all(found == codes[0] for found in codes)


def test_the_most_telling_variant_stays():
    variants = [
        change("optimizer.learning_rate_too_low", f"lr={rate}", priority=int(rate != 0.1)) for rate in (0.01, 0.1, 1.0)
    ]
    assert names(plan(case(), variants, 0.3).experiments) == ["lr=0.1"]


def test_longer_trainings_of_the_same_recipe_cost_the_longest_alone():
    twice, four = (change("optimizer.undertrained", f"epochs={n}", n, what="same", shortenable=False) for n in (20, 40))
    assert plan(case(), [twice, four], 4.0).experiments == [twice, four]
    assert plan(case(), [twice, four], 4.0).cost == 4.0
    assert names(plan(case(), [twice, four], 3.9).experiments) == ["epochs=20"]


def test_the_baseline_is_scored_where_screens_may_end():
    assert checkpoints(100) == [25, 50, 100]
    assert checkpoints(1) == [1]
    for epochs in range(1, 30):
        for share in (1.0, 0.5, 0.25):
            assert shortened(change("data.scaling", epochs=epochs), share).epochs in checkpoints(epochs)


# Screening.


def test_gains_are_taken_at_equal_length():
    seen = case({"data.scaling": 0.4, "lr/3": 0.5, "lr/10": 1.2, "model.linear_activations": 0.8}, at={5: 2.0, 10: 1.0})
    found = list(screen(seen, plan(seen, ALL, 3.0)))
    assert [s.experiment for s in found] == ALL, "in the order of the plan"
    assert [s.gain for s in found] == pytest.approx([1 - 0.4 / 2.0, 0.5, -0.2, 1 - 0.8 / 2.0])
    assert [s.before for s in found] == [2.0, 1.0, 1.0, 2.0]


def test_a_perfect_score_has_a_finite_gain():
    seen = case({"data.scaling": 0.0}, select=0.0)
    (found,) = screen(seen, plan(seen, ALL[:1], 1.0))
    assert found.gain == 0.0


def test_a_shorter_training_is_read_off_a_longer_one():
    made = make_case(PLANE, epochs=2)
    experiments = REGISTRY["optimizer.undertrained"].experiments(made)
    before = made.lab.trained
    found = list(screen(made, plan(made, experiments[:2], 100.0)))
    assert made.lab.trained == before + 1, "four times the epochs pass through twice the epochs"
    found.sort(key=lambda s: s.experiment.recipe.epochs)
    assert [s.experiment.recipe.epochs for s in found] == [4, 8]
    alone = make_case(PLANE, epochs=2)
    (twice,) = screen(alone, plan(alone, experiments[:1], 100.0))
    assert twice.score == found[0].score, "and end there in the same numbers"


# Who leads.


def screened(code, name, score, select=1.0, **more):
    return Screened(change(code, name, **more), select, score, 1 - score / select)


def test_one_leader_per_cause_the_largest_gains_first():
    found = leaders(
        case(),
        [
            screened("data.scaling", "standard", 0.5),
            screened("optimizer.undertrained", "x2", 0.42), screened("optimizer.undertrained", "x4", 0.40),
            screened("data.outliers", "clip", 0.3), screened("model.linear_activations", "elu", 0.7),
            screened("data.missing", "median", 0.9),
        ],
        set(),
    )  # fmt: skip
    # The mildest within 10 % of the best stands for its cause; more epochs count for 70 % of what they gain.
    assert names(s.experiment for s in found) == ["clip", "standard", "x2"]
    assert leaders(case(), [screened("data.scaling", "standard", 0.2)], {"data.scaling"}) == []
    assert leaders(case(), [screened("data.scaling", "standard", 0.9)], set()) == []
    assert leaders(case(), [], set()) == []


def test_where_the_score_is_good_more_epochs_come_last():
    changes = [
        screened("optimizer.undertrained", "x4", 0.1), screened("data.outliers", "clip", 0.24),
        screened("data.scaling", "standard", 0.23), screened("data.missing", "median", 0.24),
    ]  # fmt: skip
    bad, good = (
        {s.experiment.recipe.name for s in leaders(case(select=0.31, target=t), changes, set())} for t in (0.3, 0.4)
    )
    assert "x4" in bad
    assert "x4" not in good


def test_what_costs_no_more_is_confirmed_beside_more_units():
    wide, adam = screened("model.capacity_too_small", "x4", 0.01), screened("optimizer.choice", "adam", 0.03)
    scaled = screened("data.scaling", "standard", 0.5)
    assert confirmed_first(case(), [wide, adam, scaled]) == [wide, adam], "three times the error, 76 % of the logarithm"
    clipped = screened("data.outliers", "clip", 0.01)
    assert confirmed_first(case(), [clipped, adam]) == [clipped, adam], "0.02 apart is no fault by itself"
    assert confirmed_first(case(), [clipped, scaled]) == [clipped]
    assert confirmed_first(case(), []) == []


def test_a_setting_far_from_usual_is_confirmed_where_it_does_as_well_as_the_leader():
    odd, gains = case(), [screened("data.scaling", "standard", 0.2), screened("data.outliers", "clip", 0.22),
                          screened("loss.mismatch", "mse", 0.24)]  # fmt: skip
    odd.recipe.optimizer_name = "adadelta"
    adam = screened("optimizer.choice", "adam", 0.35)
    assert names(s.experiment for s in leaders(odd, [*gains, adam], set())) == ["standard", "clip", "adam"]
    far_behind = screened("optimizer.choice", "adam", 0.45)  # more than twice what the leader leaves
    assert names(s.experiment for s in leaders(odd, [*gains, far_behind], set())) == ["standard", "clip", "mse"]


def wider(name, score, bottleneck):
    return screened("model.capacity_too_small", name, score, late=True, study={"model.bottleneck": bottleneck})


def test_a_wider_code_waits_until_nothing_else_helps():
    two, four = wider("code 8", 0.6, 8), wider("code 16", 0.35, 16)
    assert names(s.experiment for s in leaders(case(), [two, four], set())) == ["code 16"]
    scaling = screened("data.scaling", "standard", 0.5)
    assert names(s.experiment for s in leaders(case(), [scaling, two, four], set())) == ["standard"]
    narrow = wider("code 16", 0.2, 16)  # less than half of what scaling leaves
    assert names(s.experiment for s in leaders(case(), [scaling, two, narrow], set())) == ["code 16", "standard"]


def test_the_narrowest_code_that_reaches_the_target_is_enough():
    found = leaders(case(target=0.5), [wider("code 8", 0.45, 8), wider("code 16", 0.2, 16)], set())
    assert names(s.experiment for s in found) == ["code 8"]


def test_a_wider_code_has_to_pay_at_once_and_to_stay_so():
    assert leaders(case(), [wider("code 8", 0.9, 8), wider("code 16", 0.3, 16)], set()) == []
    assert leaders(case(), [wider("code 8", 0.5, 8), wider("code 16", 0.6, 16)], set()) == []
    knee = leaders(case(), [wider("code 8", 0.4, 8), wider("code 16", 0.35, 16)], set())
    assert names(s.experiment for s in knee) == ["code 16"], "digits through 5 numbers: 31 % better at 10, 37 at 20"
    lost = [screened("model.capacity_too_small", name, score, select=0.8, late=True)
            for name, score in (("code 4", 0.64), ("code 8", 0.53))]  # fmt: skip
    assert leaders(case(select=0.8), lost, set()), "784 pixels through 2 numbers: no doubling takes a quarter off"
    lost[1] = screened("model.capacity_too_small", "code 8", 0.62, select=0.8, late=True)
    assert leaders(case(select=0.8), lost, set()) == []
    half = [screened("model.capacity_too_small", name, score, select=0.7, late=True)
            for name, score in (("code 8", 0.5), ("code 16", 0.35))]  # fmt: skip
    assert leaders(case(select=0.6), half, set()), "screens of half the length are compared with each other"


def test_a_wider_code_has_its_turn_when_what_helped_once_was_not_confirmed():
    linear = screened("model.dead_units", "code_activation=linear", 0.7)
    two, four = wider("code 8", 0.6, 8), wider("code 16", 0.4, 16)
    assert names(s.experiment for s in leaders(case(), [linear, two, four], set())) == ["code_activation=linear"]
    turn = leaders(case(), [linear, two, four], set(), exhausted=True)
    assert names(s.experiment for s in turn) == ["code 16", "code_activation=linear"]


def test_a_batch_that_leaves_too_few_updates_is_confirmed_before_more_epochs():
    """200 of 600 rows: batches of 32 take half of the error away, four times the epochs 80 %."""
    few = case(select=0.87, target=0.3)
    few.large_batch = True
    batch = screened("optimizer.batch_size", "batch_size=32", 0.46, select=0.87)
    epochs = screened("optimizer.undertrained", "epochs=64", 0.17, select=0.87)
    chosen = leaders(few, [epochs, batch], set())
    assert names(s.experiment for s in confirmed_first(few, chosen)) == ["batch_size=32", "epochs=64"]
    few.large_batch = False
    chosen = leaders(few, [epochs, batch], set())
    assert names(s.experiment for s in confirmed_first(few, chosen)) == ["epochs=64"]
    few.large_batch = True
    adam = screened("optimizer.choice", "adam", 0.2, select=0.87)
    assert leaders(few, [adam, batch], set())[0] is adam, "it costs no more, so that nothing stands back"


# Pairs.


def test_two_faults_that_hide_each_other_are_tried_together():
    made = make_case(PLANE, output="sigmoid", loss="bce", epochs=2)
    experiments = [e for code in ("loss.mismatch", "model.output_activation") for e in REGISTRY[code].experiments(made)]
    singles = list(screen(made, plan(made, experiments, 100.0)))
    pairs = pair_experiments(made, singles)
    assert pairs
    for pair in pairs:
        assert pair.code == "loss.mismatch"
        assert pair.also == ("model.output_activation",)
        assert pair.recipe.loss == "mse"
        assert pair.recipe.name == "loss=mse,output_activation=linear"
        assert pair.study == {"training.loss": "mse", "model.output_activation": "linear"}
        assert pair.recipe.source.build().layers[-1].activation.__name__ == "linear"


@pytest.mark.parametrize("helpful", ["model.output_activation", "optimizer.learning_rate_too_high"])
def test_the_pair_of_which_one_change_gained_alone_is_paid_for_first(helpful):
    made = make_case(PLANE, output="sigmoid", loss="bce", rate=0.5, epochs=2)
    codes = ("loss.mismatch", "model.output_activation", "optimizer.learning_rate_too_high")
    singles = [
        Screened(e, 1.0, 0.75 if code == helpful else 1.0, 0.25 if code == helpful else 0.0)
        for code in codes
        for e in REGISTRY[code].experiments(made)[:1]
    ]
    [first] = plan(made, pair_experiments(made, singles), 0.0).experiments
    assert (first.code, first.also) == ("loss.mismatch", (helpful,))


def test_all_that_mends_gross_cells_is_paired_where_the_best_of_it_gained_nothing_by_itself():
    """A saturated output hides which of clipping and a robust loss helps: the order of their scores is chance."""
    rows = PLANE.copy()
    rows[::40, :2] = 1e4
    made = make_case(rows, output="sigmoid", epochs=2)
    outliers = REGISTRY["data.outliers"].experiments(made)
    [linear] = REGISTRY["model.output_activation"].experiments(made)[:1]
    found = [Screened(e, 1.0, 0.999 if "huber" in e.recipe.name else 1.0, 0.001) for e in outliers]
    for gain, both in ((0.25, True), (0.01, False)):
        names = {pair.recipe.name for pair in pair_experiments(made, [*found, Screened(linear, 1.0, 1 - gain, gain)])}
        assert "loss=huber,output_activation=linear" in names
        assert ("outliers=clip,output_activation=linear" in names) == both


def test_an_odd_setting_that_a_fault_of_the_rows_hides_is_a_half_of_a_pair():
    """A range test on rows with marks of 1e4 says nothing of the rate; without the marks it does."""
    rows = PLANE.copy()
    rows[::40] = 1e4
    made = make_case(rows, rate=1e-5)
    made.__dict__["best_rate"] = (3e-7, made.best_rate[1])
    too_low = REGISTRY["optimizer.learning_rate_too_low"]
    assert not too_low.admit(made).admitted
    fill = Screened(REGISTRY["data.missing"].experiments(made)[0], 1.0, 0.9, 0.1)
    pairs = [pair for pair in pair_experiments(made, [fill]) if pair.also == (too_low.code,)]
    assert pairs
    for pair in pairs:
        assert pair.recipe.learning_rate > 1e-4
        assert pair.recipe.preprocessing["missing"] == "median"


def test_more_of_anything_is_no_half_of_a_pair():
    def pairs_with_more_epochs(**fields):
        made = make_case(PLANE, epochs=2, **fields)
        found = [
            Screened(e, 1.0, 0.9, 0.1)
            for code in ("optimizer.learning_rate_too_high", "optimizer.undertrained")
            for e in REGISTRY[code].experiments(made)
        ]
        return [pair for pair in pair_experiments(made, found) if "optimizer.undertrained" in pair.also]

    assert not pairs_with_more_epochs(rate=0.5)
    assert pairs_with_more_epochs(rate=1e-3), "so few updates that no weight can have moved are far from usual"


def test_what_was_found_in_the_rows_is_confirmed_where_it_may_do_as_well_as_the_leader():
    """One training says little of the rank of changes that are near each other; a mark in the rows is there."""
    others = [
        screened("model.initialization", "he", 0.36), screened("model.capacity_too_large", "l2", 0.46),
        screened("loss.mismatch", "mse", 0.48),
    ]  # fmt: skip
    clipped, scaled = screened("data.outliers", "clip", 0.53), screened("data.scaling", "standard", 0.75)
    assert names(s.experiment for s in leaders(case(), [*others, clipped], set())) == ["he", "clip", "l2"]
    assert names(s.experiment for s in leaders(case(), [*others, scaled], set())) == ["he", "l2", "mse"]
