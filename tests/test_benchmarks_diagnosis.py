"""The fault suite (benchmarks/diagnosis): its own score and training against aetfx's and Keras's, and its counting."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from aetfx.diagnosis.causes import REGISTRY
from aetfx.evaluation.score import Scorer
from benchmarks.diagnosis import crossed, fixes, plain, rowsets, splits, summary, verify
from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.outcome import count
from benchmarks.diagnosis.program import Program, names
from benchmarks.diagnosis.rows import Scaler, prepare

# DESIGN section 3; the registry has those that are built.
VOCABULARY = set(REGISTRY) | {
    "code.target_mismatch", "code.train_eval_preprocessing_mismatch", "data.constant_features", "data.too_few_rows",
    "data.train_eval_shift",
}  # fmt: skip
REPEATING = ("RAND HIE", "baskets", "digits, thresholded", "iris")  # equal rows are in the data


@pytest.mark.parametrize("kind", ["table", "tensor", "binary"])
def test_score_is_that_of_aetfx(kind):
    rng = np.random.default_rng(0)
    rows = {"table": rowsets.sensors(400), "tensor": rowsets.low_rank(400), "binary": rowsets.baskets(400)}[kind]
    train, fresh = rows[:300], rows[300:]
    guess = fresh + 0.3 * rng.normal(size=fresh.shape) * rows.std(axis=0)
    table = plain.is_table(train)
    assert kind == "binary" or table == (kind == "table")
    ours = plain.score(fresh, guess, train.mean(axis=0), table=table, scored=plain.scored_columns(train, table=table))
    theirs = Scorer.fit(train, features="tensor" if kind == "binary" else "auto")  # deviance is pooled
    assert ours == pytest.approx(theirs.score(fresh, guess).value, rel=1e-6)


def test_mean_scores_one_and_nonsense_is_capped():
    rows = rowsets.plane(400)
    mean = rows.mean(axis=0)
    assert plain.score(rows, np.tile(mean, (400, 1)), mean, table=False) == pytest.approx(1.0)
    assert plain.score(rows, np.full(rows.shape, np.nan), mean, table=False) == plain.CAP
    assert plain.score(rows, 1e6 * rows, mean, table=True) == plain.CAP


def test_compiled_loop_trains_as_fit_does():
    program = Program("plane_linear")
    case = next(program.cases())
    data = program.data(case)
    model, _ = plain.plain_fit(program, case, data, seed=1)
    fitted = plain.judge(data, model.predict(data.x_fresh, verbose=0))
    assert plain.Bench(program).measure(case, data, 1)["score"] == pytest.approx(fitted, rel=0.1)


@pytest.mark.parametrize(
    ("code", "name"), [("data.train_eval_shift", "rows=with_eval"), ("code.target_mismatch", "target=turned")]
)
def test_a_fix_leaves_each_noisy_row_its_own_target(code, name):
    data = prepare(rowsets.patches(0, count=300), scaler="pooled", noise=0.1)
    if name == "target=turned":
        turned = np.random.default_rng(0).integers(4, size=len(data.y_train))
        apart = np.stack([np.rot90(row, turn) for row, turn in zip(data.y_train, turned, strict=True)])
        data = dataclasses.replace(data, y_train=apart.astype("float32"))
    fixed, _ = fixes._prepared(data, [{"code": code, "study": {}, "experiment_name": name}])
    off = np.abs(fixed.x_train - fixed.y_train).reshape(len(fixed.x_train), -1).mean(axis=1)
    assert np.quantile(off, 0.95) < 0.2


@pytest.mark.parametrize("base", names())
def test_program_is_well_formed(base):
    program = Program(base)
    cases = list(program.cases())
    assert splits.split_of(base) in splits.SPLITS
    assert len({case.name for case in cases}) == len(cases)
    assert {code for case in cases for code in case.codes} <= VOCABULARY
    if program.dataset in REPEATING:
        return
    data = program.data()
    seen = {row.tobytes() for rows in (data.x_train, data.x_val) if rows is not None for row in rows}
    assert not seen & {row.tobytes() for row in data.x_fresh}, "fresh rows were seen in training"


def test_each_base_program_is_in_one_split():
    assert sorted(base for bases in splits.SPLITS.values() for base in bases) == names()


@pytest.mark.parametrize("base", names())
def test_what_is_kept_follows_from_what_was_measured(base):
    record = verify.read(base)
    for name, case in record["cases"].items():
        assert case["score"] == pytest.approx(verify.mean_score(case["scores"]), abs=1e-4), name
        if case["kind"] != "healthy" and case["kept"]:
            assert case["score"] >= verify.FAULT_RATIO * record["cases"][case["of"]]["score"] * 0.999, name
        if case["kind"] == "healthy" and case["kept"]:
            search = record["searches"].get(name, record["searches"].get("good"))
            assert search["trials"] == verify.SEARCH_TRIALS
            assert case["score"] <= verify.HEALTHY_RATIO * search["best"]["score"] * 1.001, name


@pytest.mark.parametrize("base", names())
def test_a_choice_passes_the_test_of_health_and_is_good(base):
    record = verify.read(base)
    for name, case in record["cases"].items():
        if case.get("choice"):
            assert not case["kept"]
            if case["kind"] == "compound":
                assert any(record["cases"][part].get("choice") for part in name.split("+"))
                continue
            search = record["searches"][name]
            assert search["trials"] == verify.SEARCH_TRIALS
            assert case["score"] <= min(verify.GOOD_SCORE, verify.HEALTHY_RATIO * search["best"]["score"]), name


def test_only_what_the_search_holds_fixed_can_be_a_choice():
    fault = {"kind": "fault", "codes": ["model.capacity_too_small"], "score": 0.2}
    assert verify.may_be_choice(fault)
    assert not verify.may_be_choice(fault | {"score": 0.4})
    assert not verify.may_be_choice(fault | {"codes": ["data.missing"]})
    assert not verify.may_be_choice(fault | {"kind": "compound", "codes": ["optimizer.undertrained"] * 2})


def test_suite_is_as_large_as_promised():
    kept = [case for case, _ in verify.verified_cases()]
    counts = {kind: sum(case.kind == kind for case in kept) for kind in ("fault", "compound", "healthy")}
    assert counts["fault"] + counts["compound"] >= 60
    assert counts["compound"] >= 10
    assert counts["healthy"] >= 40
    codes = [case.codes[0] for case in kept if case.kind == "fault"]
    assert {code for code in VOCABULARY if codes.count(code) < 2} == set()
    assert len({Program(case.base).dataset for case in kept}) >= 8
    assert len({Program(case.base).architecture for case in kept}) >= 5


def _cause(code, gain=0.5):
    return {"code": code, "gain": gain, "gain_interval": [gain - 0.1, gain + 0.1], "equivalents": ["loss.mismatch"]}


def _record(kind="fault", codes=("data.scaling",)):
    return {
        "case": "a.b", "kind": kind, "split": "tuning", "codes": list(codes), "good_score": 0.1, "as_given": [0.4, 0.4],
    }  # fmt: skip


def test_counting():
    record = _record()
    run = {"status": "faulty", "wall_s": 20.0, "plain_s": 4.0, "causes": [_cause("data.scaling")], "suspected": []}
    right = count(record, run)
    assert (right.strict, right.equivalent, right.top3, right.multiple) == (True, True, True, 5.0)
    other = run | {"causes": [_cause("loss.mismatch")], "suspected": [{"code": "data.scaling", "gain": 0.3}]}
    missed = count(record, other)
    assert (missed.strict, missed.equivalent, missed.top3) == (False, False, True)
    repaired = count(record, other | {"after": {"first": {"score": [0.12] * 5, "as_given": [0.2] * 5}}})
    assert (repaired.strict, repaired.equivalent, repaired.got, repaired.holds) == (False, True, 0.5, True)
    worse = count(record, other | {"after": {"first": {"score": [0.2] * 5, "as_given": [0.3] * 5}}})
    assert (worse.equivalent, worse.holds) == (False, False)
    worn = {"first": {"score": [0.2] * 5, "as_given": [0.3] * 5}, "before": {"as_given": [0.6] * 5}}
    assert count(record, other | {"after": worn}).got == pytest.approx(0.5)
    assert (repaired.top3, worse.top3_equivalent) == (True, True), "scaling is suspected beside it"
    other_cause = run | {"causes": [_cause("model.output_activation")]}
    assert not count(record, other_cause).top3_equivalent
    behind = count(_record(codes=("loss.mismatch",)), other_cause)
    assert (behind.top3, behind.top3_equivalent) == (False, True), "the verdict says that it does as well"
    only_suspected = count(record, other | {"status": "inconclusive", "causes": []})
    assert (only_suspected.top3, only_suspected.top3_equivalent) == (False, False)
    error = count(record, {"wall_s": 1.0, "plain_s": 4.0, "error": "ModelError: no"})
    assert (error.status, error.strict, error.top3) == ("error", False, False)
    both = count(_record("compound", ("data.scaling", "loss.mismatch")), run)
    assert (both.strict, both.top3) == (True, False)


def test_summary_of_a_folder(tmp_path, capsys):
    run = {"seed": 0, "status": "faulty", "wall_s": 20.0, "plain_s": 4.0, "causes": [_cause("data.scaling")]}
    for name, record in (("a.b", _record()), ("a.good", _record("healthy", ()))):
        (tmp_path / f"{name}.json").write_text(json.dumps({**record, "split": "held_out", "runs": [run]}))
    assert summary.report(tmp_path) == 1
    said = capsys.readouterr().out
    assert "false alarms is 100%, not at most 5%" in said
    assert "1/1 = 100% (21% to 100%)" in said
    assert summary.report(tmp_path / "peers") == 2


def test_wilson_interval_by_hand():
    low, high = summary.wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


def test_the_replayed_preprocessing_finds_sentinels_and_undoes_its_scaling():
    program = Program("wdbc_dense")
    case = next(case for case in program.cases() if case.name == "minus_999")
    data = program.data(case)
    causes = [{"code": "data.missing", "study": {"preprocessing.missing": "median"}},
              {"code": "data.scaling", "study": {"preprocessing.scaling": "standard"}}]  # fmt: skip
    changed, restore = fixes._prepared(data, causes)
    empty = np.isnan(changed.y_train).mean(axis=0)
    assert (empty[::3] > 0).mean() >= 0.9, "of all columns but the areas, which reach to 2,500"
    assert (np.delete(empty, np.s_[::3]) == 0).all()
    assert np.isfinite(changed.x_train).all()
    np.testing.assert_allclose(restore(changed.x_fresh), data.x_fresh, rtol=1e-3, atol=1e-3)


def test_faults_are_crossed_with_programs_and_planned(tmp_path, capsys):
    asked = ["--only", "affairs_dense", "--faults", "inverted", "eval as it was", "eval divided by 255"]
    assert crossed.main([*asked, "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["eval as it was"] == found["inverted"] == {"affairs_dense": ""}
    assert "1 of 1" in capsys.readouterr().out
    data = Program("affairs_dense").module.data()
    assert set(crossed.planned(Program("affairs_dense"), data, Program("affairs_dense").module.build)) == set(REGISTRY)


def test_own_preprocessing_finds_a_third_value_among_flags_and_turns_negatives():
    rng = np.random.default_rng(0)
    flags = (rng.random((400, 12)) < 0.3).astype("float32")
    marked = np.where(rng.random(flags.shape) < 0.04, np.float32(-1), flags)
    np.testing.assert_array_equal(plain.known_cells(marked), marked != -1)
    assert plain.known_cells(np.where(rng.random(flags.shape) < 0.04, np.float32(2), flags)).all(), "counts reach to 2"
    program = Program("glyphs_sparse")
    case = next(case for case in program.cases() if case.name == "held_out_dark_on_white")
    given, good = program.data(case), program.data()
    turned, restore = fixes._prepared(given, [{"code": "code.train_eval_preprocessing_mismatch", "study": {}}])
    np.testing.assert_allclose(turned.x_fresh, good.x_fresh, atol=1e-6)
    np.testing.assert_allclose(restore(turned.x_fresh), given.x_fresh, atol=1e-6)


@pytest.mark.parametrize(("damage", "rest"), [(Marked(0.02, -999.0), "cells"), (Spikes(0.01, 20.0), "rows")])
def test_promises_are_judged_on_rows_that_bear_the_damage_and_on_what_is_whole_in_them(damage, rest):
    data = prepare(rowsets.sensors(400), scaler="standard", damage=damage)
    np.testing.assert_array_equal(data.x_worn[data.whole], data.x_fresh[data.whole])
    assert 0 < (~data.whole).mean() < 0.05
    predicted = np.where(data.whole, data.y_fresh, 5.0)
    whole_rows = data.whole.all(axis=1)
    assert plain.judge_as_given(data, predicted) == 0.0
    predicted[~whole_rows] = 5.0
    judged = plain.judge_as_given(data, predicted)
    assert judged > 0.1 if rest == "cells" else judged == 0.0


def test_rows_scaled_unlike_the_train_rows_are_judged_on_the_scale_of_those():
    rows = rowsets.plane(400) * np.linspace(1, 9, rowsets.plane(400).shape[1])
    same, apart = prepare(rows, scaler="standard"), prepare(rows, scaler="standard", eval_scaler="minmax")
    assert (plain.is_scaled_apart(same), plain.is_scaled_apart(apart)) == (False, True)
    noise = np.random.default_rng(0).normal(size=same.y_fresh.shape)
    asked = apart.restore(apart.y_fresh) + noise
    mapped = Scaler("minmax", apart.restore(np.concatenate([apart.x_val, apart.x_fresh]))).apply(asked)
    expected = plain.judge_as_given(same, same.feed(asked))
    assert plain.judge_as_given(apart, mapped) == pytest.approx(expected, rel=1e-3)


def test_the_replay_puts_eval_cells_back_into_the_order_of_train():
    good = Program("mnist_conv").data()
    turned = dataclasses.replace(good, x_val=good.x_val[:, ::-1], x_fresh=good.x_fresh[:, ::-1])
    changed, restore = fixes._prepared(turned, [{"code": "code.train_eval_preprocessing_mismatch", "study": {}}])
    np.testing.assert_array_equal(changed.x_fresh, good.x_fresh)
    np.testing.assert_array_equal(restore(good.x_fresh), turned.x_fresh)


def test_a_fix_that_leaves_the_architecture_as_it_was_cannot_be_applied_outside(tmp_path):
    import keras

    def model(rate, units=4):
        return keras.Sequential(
            [keras.Input((6,)), keras.layers.Dropout(rate), keras.layers.Dense(units), keras.layers.Dense(6)]
        )

    model(0.5).save(tmp_path / "model.keras")
    assert not fixes._differs(tmp_path / "model.keras", model(0.5)), "names count up, nothing else differs"
    assert fixes._differs(tmp_path / "model.keras", model(0.1))
    assert fixes._differs(tmp_path / "model.keras", model(0.5, units=5))
