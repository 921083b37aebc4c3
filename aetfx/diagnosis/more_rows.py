"""Whether more rows are what is missing: the learning curve of a model that nothing else helped (METHOD section 3).

More rows are not there to be tried, so that the verdict is `supported` and never `verified`: trainings on a quarter
and on half of the rows say what twice as many promise. Where the user's own eval rows are so many that half of them
make up as many rows again, or three times as many, the model is trained on those too and judged on the other half.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from aetfx.comparison.pool import Job
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY
from aetfx.diagnosis.causes.data_too_few_rows import part_of_rows, times_the_rows
from aetfx.diagnosis.confirm import Confirmation
from aetfx.diagnosis.learning_curve import FOUR, SHARES, TWICE, MoreRows, more_rows
from aetfx.diagnosis.result import CauseVerdict
from aetfx.diagnosis.screen import Screened
from aetfx.training.recipe import Recipe
from aetfx.words import percent

CODE = "data.too_few_rows"
_TRAININGS = 3  # of each share
_MOST_TRAININGS = 9  # where those leave open whether more rows would help


@dataclass(frozen=True)
class Promise:
    """What came of the question.

    Attributes:
      reason: why more rows are no cause, or what they promise.
      verdict: where they are one.
      surely: the lower bound of what they promise is as much as a cause must gain. Otherwise they only stand behind a
        smaller model that was verified: both are about the same gap.
      open: they promise as much on average, but these rows cannot settle it; their gain and its interval.
      points: scores by number of rows, those of more rows than there are foreseen.
      short_of_budget: the question could not be paid for.
    """

    reason: str
    _: KW_ONLY
    verdict: CauseVerdict | None = None
    surely: bool = False
    open: tuple[float, tuple[float, float]] | None = None
    points: list[dict[str, Any]] = field(default_factory=list)
    short_of_budget: bool = False


def promise_of_more_rows(
    case: Case, confirmation: Confirmation, screened: list[Screened], allowance: float, *, behind: bool = False
) -> Promise:
    """Measures the learning curve where the cause is admitted and nothing cheaper closes the gap.

    Args:
      case: of a step at which nothing was verified, or a smaller model.
      confirmation: of that step.
      screened: its experiments.
      allowance: in units of the user's training.
      behind: a smaller model was verified. However much of the gap it closes, of rows that are known by heart there are
        too few as well, which then stands behind it.
    """
    t = case.thresholds
    admission = REGISTRY[CODE].admit(case)
    seen = admission.evidence[0]
    if not admission.admitted:
        return Promise(seen)
    if case.is_good and not case.by_heart:
        return Promise(f"{seen}: more rows would help, but the score is good")
    regularised = [s.score for s in screened if s.experiment.code == "model.capacity_too_large"]
    mended = "model.capacity_too_large" in case.fixed
    if not regularised and not mended:
        return Promise(f"{seen}; whether a smaller model does as well could not be tried", short_of_budget=True)
    least = min(regularised, default=case.select_score)
    closed = (case.select_score - least) / (case.select_score - case.train_score)
    is_closed = closed >= t.closed_gap
    if is_closed and not (behind and case.by_heart):
        return Promise(f"{seen}; regularisation closes {percent(closed)} of that gap without any more rows")
    # Rows that are known by heart are so few that four times as many are the question, and any sure gain is one.
    times = 4 if case.by_heart else 2
    least_drop = t.least_drop_strict if case.by_heart else t.least_drop
    enough = t.least_lower_bound if case.by_heart else t.least_gain
    recipes, last = _recipes(case, _TRAININGS), case.lab.spent + allowance
    # Where the train rows are known by heart this is the question, so that the budget gives way.
    if case.lab.spent + _cost_of_more(case, confirmation, recipes) > last and not case.by_heart:
        return Promise(f"{seen}; the budget did not allow the learning curve", short_of_budget=True)
    curve = _measured(case, confirmation, recipes)
    for trainings in range(2 * _TRAININGS, _MOST_TRAININGS + 1, _TRAININGS):
        most = curve.four_interval[1] if case.by_heart else curve.gain(times)
        sure = most < t.least_gain or curve.lower(times) >= enough
        more = _recipes(case, trainings)
        if sure or case.lab.spent + _cost_of_more(case, confirmation, more) > last:
            break
        recipes = more
        curve = _measured(case, confirmation, recipes)
    low, high = curve.twice_interval
    does = "give" if TWICE in curve.scores else "promise"
    found = (
        f"{_said(case, curve)}: twice as many {does} {percent(curve.twice)} less ({percent(low)} to {percent(high)})"
    )
    points = _points(case, curve)
    drop = curve.scores[1.0] * curve.gain(times)
    likely = curve.gain(times) >= t.least_gain and curve.lower(times) >= t.least_lower_bound
    excused = curve.scores[1.0] <= case.target and not (case.behind or case.by_heart)
    if not likely or drop < least_drop or excused:
        is_open = case.by_heart and curve.gain(times) >= t.least_gain and drop >= least_drop
        left_open = (curve.gain(times), curve.interval(times)) if is_open else None
        return Promise(f"{seen}; {found}", open=left_open, points=points)
    four_low, four_high = curve.four_interval
    gives = "give" if FOUR in curve.scores else "promise"
    evidence = [
        seen,
        "that a smaller model helps was mended before"
        if mended
        else f"the best of {len(regularised)} regularised variants closes {percent(max(0.0, closed))} of that gap",
        found,
        f"four times as many {gives} {percent(curve.four)} less ({percent(four_low)} to {percent(four_high)})",
    ]
    verdict = _verdict(case, curve, times, evidence, recipes[SHARES[1]][0].identity, len(recipes[SHARES[1]]))
    surely = curve.lower(times) >= enough and not is_closed
    return Promise(f"{seen}; {found}", verdict=verdict, surely=surely, points=points)


def _recipes(case: Case, trainings: int) -> dict[float, list[Recipe]]:
    parts = {part: [part_of_rows(case, part, draw) for draw in range(trainings)] for part in SHARES[:-1]}
    return {**parts, **{times: [recipe] * trainings for times, recipe in times_the_rows(case).items()}}


def _cost_of_more(case: Case, confirmation: Confirmation, recipes: dict[float, list[Recipe]]) -> float:
    """Returns what the last few draws of each share cost, in units, and the trainings on all rows that they lack."""
    drawn = sum(case.lab.cost(recipe) for part in recipes.values() for recipe in part[-_TRAININGS:])
    known = len(confirmation.pools.get(case.recipe.identity, {}))
    return drawn + max(0, len(recipes[SHARES[0]]) - known) * case.lab.cost(case.recipe)


def _measured(case: Case, confirmation: Confirmation, recipes: dict[float, list[Recipe]]) -> MoreRows:
    lab = case.lab
    on = "held_out" if confirmation.resplit and not case.recipe.early_stopping else "confirm"
    trainings = len(recipes[SHARES[0]])
    confirmation.extra = max(confirmation.extra, trainings - len(confirmation.pairs()) + confirmation.extra)
    pairs = confirmation.pairs()[:trainings]
    lab.prepare(Job(drawn[draw], seed, index) for drawn in recipes.values() for draw, (seed, index) in enumerate(pairs))
    scores: dict[float, list[float]] = {share: [] for share in (*SHARES, *recipes)}
    for draw, (seed, index) in enumerate(pairs):
        for part, recipe in [*((part, drawn[draw]) for part, drawn in recipes.items()), (1.0, case.recipe)]:
            scores[part].append(lab.score(lab.trial(recipe, seed=seed, index=index), on, index).value)
    return more_rows(scores, train_score=case.train_score, by_heart=case.by_heart)


def _said(case: Case, curve: MoreRows) -> str:
    """Says the curve, its sizes in rows."""
    sizes = ", ".join(f"{score:.3f} with {round(part * case.n_train):,}" for part, score in curve.scores.items())
    eval_rows = round((max(curve.scores) - 1) * case.n_train)
    lent = f", {eval_rows:,} of them eval rows on which nothing is judged" if eval_rows > 0 else ""
    return f"the score is {sizes} train rows at equal updates{lent}"


def _points(case: Case, curve: MoreRows) -> list[dict[str, Any]]:
    n, full = case.n_train, curve.scores[1.0]
    shares = dict.fromkeys(curve.scores) | {2.0: curve.twice_interval, 4.0: curve.four_interval}
    return [
        {
            "rows": round(share * n),
            "score": curve.scores[share] if share in curve.scores else full * (1 - curve.gain(int(share))),
            "interval": None if gains is None else [full * (1 - gains[1]), full * (1 - gains[0])],
            "measured": share in curve.scores,
        }
        for share, gains in shares.items()
    ]


def _verdict(case: Case, curve: MoreRows, times: int, evidence: list[str], experiment: str, seeds: int) -> CauseVerdict:
    cause = REGISTRY[CODE]
    words = cause.experiments(case)[0]
    return CauseVerdict(
        code=CODE,
        verdict="supported",
        gain=curve.gain(times),
        gain_interval=curve.interval(times),
        score_before=curve.scores[1.0],
        score_after=curve.scores[1.0] * (1 - curve.gain(times)),
        equivalents=[],
        evidence=evidence,
        remedy=words.remedy if times == 2 else "Collect about three times as many rows again, of the same kind.",
        keras=words.keras,
        study={},
        title=cause.title,
        meaning=cause.meaning,
        experiment=experiment,
        experiment_name="rows=0.5",
        seeds=seeds,
        step=case.step,
    )
