"""What the numbers of a run say, in sentences: the first thing that each view of the dashboard shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.figures import words
from aetfx.figures.theme import percent, short
from aetfx.tensorboard_plugin.pairs import measured
from aetfx.tensorboard_plugin.store import Report
from aetfx.words import listed

_CLEARLY_WORSE = 1.25  # times the score on all rows, from where on a slice is said to fail


def standings(report: Report) -> list[tuple[int, dict[str, Any]]]:
    """Returns the scored configurations with their places, best first."""
    scored = [(i, item) for i, item in enumerate(report.configurations) if item.get("score") is not None]
    return sorted(scored, key=lambda entry: entry[1]["score"])


def board(report: Report, features: np.ndarray | None) -> dict[str, Any]:
    """Says which configuration reconstructs best, by how much, how surely, where it still fails and why.

    Args:
      report: of a run.
      features: score of each feature, (C, D'), where it is there.

    Returns:
      `headline`, and `facts`: title, value and text of each.
    """
    evaluation = report.content.get("evaluation") or {}
    ranked = standings(report)
    if not ranked:
        failed = len(report.configurations)
        words_ = f"None of {failed} configurations has a score." if failed else "Nothing has been scored in this run."
        return {"headline": words_, "facts": []}
    place, best = ranked[0]
    lost = "deviance" if evaluation.get("metric") == "deviance" else "variance"
    many = len(ranked) > 1
    head = f"{best['name']} reconstructs best" if many else f"Only {best['name']} was scored"
    headline = f"{head}: {share(best['score'])} of the {lost} is lost."
    if best["score"] > 1:
        headline = f"{head}, and is still worse than predicting the mean: {short(best['score'])}."
    facts = [_best(best), _baseline(report, best), _sure(evaluation, ranked), _fails(report, place, features)]
    facts.append(_why(report))
    return {"headline": headline, "facts": [fact for fact in facts if fact]}


def share(score: float) -> str:
    """Words a score as a share of what could be lost.

    >>> share(0.0412), share(1.3), share(4.0)
    ('4.1 %', '130 %', '400 % or more')
    """
    if score >= 3.99:
        return "400 % or more"
    return f"{100 * score:.1f} %" if 0.001 <= score < 0.1 else percent(score)


def better(gain: float) -> str:
    """Words a gain.

    >>> better(0.62), better(-0.25), better(-3.0), better(0.001)
    ('62 % less error', '25 % more error', '4.0 times the error', 'the same error')
    """
    if gain <= -1:
        return f"{1 - gain:.1f} times the error"
    if abs(gain) < 0.005:
        return "the same error"
    return f"{percent(abs(gain))} {'less' if gain > 0 else 'more'} error"


def between(pair: dict[str, Any]) -> str:
    """Words the interval of a gain."""
    if pair.get("low") is None or pair.get("high") is None:
        return "no interval"
    low, high = apart(pair["low"], pair["high"])
    return f"95 % interval {low} to {high}"


def apart(low: float, high: float) -> tuple[str, str]:
    """Words two shares with as many digits as it takes to tell them apart.

    >>> apart(0.31, 0.42), apart(0.9812, 0.9843)
    (('31 %', '42 %'), ('98.1 %', '98.4 %'))
    """
    for digits in range(3):
        words_ = f"{100 * low:.{digits}f} %", f"{100 * high:.{digits}f} %"
        if words_[0] != words_[1]:
            break
    return words_


def told_apart(pair: dict[str, Any] | None) -> bool:
    """Whether the interval of a gain leaves out zero."""
    if pair is None or pair.get("low") is None or pair.get("high") is None:
        return False
    return bool(pair["low"] > 0 or pair["high"] < 0)


def pair_sentence(names: tuple[str, str], pair: dict[str, Any] | None) -> str:
    """Says how the second of two configurations compares with the first."""
    if pair is None:
        return "The difference of these two was not measured, and too few random rows are kept to estimate it."
    sure = "" if told_apart(pair) else " The interval holds zero: they are not told apart."
    how = f", estimated on {pair['n_rows']:,} random rows" if "n_rows" in pair else ""
    return f"{names[1]} has {better(pair['gain'])} than {names[0]} ({between(pair)}{how}).{sure}".replace(
        "the same error than", "the same error as"
    )


def _best(best: dict[str, Any]) -> dict[str, str]:
    interval = words.interval([best.get("low"), best.get("high")], short)
    seeds = f"{best['seeds']} seed{'s' if best['seeds'] != 1 else ''}" if best.get("seeds") else ""
    parts = [f"95 % interval {interval}" if interval else "no interval", seeds]
    return {"title": "Best score", "value": short(best["score"]), "text": ", ".join(filter(None, parts))}


def _baseline(report: Report, best: dict[str, Any]) -> dict[str, str] | None:
    baseline = report.configurations[0]
    if len(report.configurations) < 2:
        return None
    if baseline is best:
        return {"title": "Against the baseline", "value": "is the baseline", "text": "no change of it does better"}
    if baseline.get("score") is None:
        return None
    pair = measured(report.content["evaluation"], baseline["id"], best["id"])
    gain = pair["gain"] if pair else 1 - best["score"] / max(baseline["score"], 1e-12)
    text = between(pair) if pair else f"{short(baseline['score'])} before; no interval"
    return {"title": "Against the baseline", "value": better(gain), "text": text}


def _sure(evaluation: dict[str, Any], ranked: list[tuple[int, dict[str, Any]]]) -> dict[str, str] | None:
    if len(ranked) < 2:
        return None
    best, second = ranked[0][1], ranked[1][1]
    alike = [item["name"] for _, item in ranked[1:] if not _is_behind(evaluation, best, item)]
    if alike:
        others = f"{len(alike)} others" if len(alike) > 1 else "another"
        return {"title": "How surely", "value": f"not told apart from {others}", "text": listed(alike, 1)}
    pair = measured(evaluation, second["id"], best["id"])
    text = f"{better(pair['gain'])} than {second['name']} ({between(pair)})" if pair else "its interval lies below all"
    return {"title": "How surely", "value": "ahead of all others", "text": text}


def _is_behind(evaluation: dict[str, Any], best: dict[str, Any], item: dict[str, Any]) -> bool:
    """Whether a configuration is surely worse: by their paired difference, else where the intervals do not meet."""
    pair = measured(evaluation, item["id"], best["id"])
    if pair is not None:
        return told_apart(pair)
    ends = item.get("low"), best.get("high")
    return None not in ends and ends[0] > ends[1]


def _fails(report: Report, place: int, features: np.ndarray | None) -> dict[str, str]:
    """Says where the best configuration still fails: rows without a number, a slice, a feature."""
    best = report.configurations[place]
    if best.get("n_not_finite"):
        value = f"{best['n_not_finite']:,} rows are not finite"
        return {"title": "Where it still fails", "value": value, "text": "their predictions hold NaN or infinity"}
    found = []
    bad = worst_slice(report, place)
    if bad is not None:
        found.append((f"slice {bad[0]}", f"{short(bad[1])} there, {short(best['score'])} on all rows"))
    column = worst_feature(report, place, features)
    if column is not None:
        found.append((column[0], f"its worst feature, score {short(column[1])}"))
    if not found:
        return {
            "title": "Where it still fails",
            "value": "nowhere in particular",
            "text": "no slice or feature stands out",
        }
    value = found[0][0]
    text = found[0][1] + (f"; worst feature {found[1][0]} ({short(column[1])})" if len(found) > 1 and column else "")
    return {"title": "Where it still fails", "value": value, "text": text}


def worst_slice(report: Report, place: int) -> tuple[str, float] | None:
    """Returns the slice on which a configuration is clearly worse than on all rows, and its score there."""
    values = report.content.get("slice_scores")
    slices = report.content["evaluation"].get("slices") or []
    if not values or len(slices) < 2:
        return None
    own = values[0][place]
    known = [(score, i) for i, score in enumerate(own) if i > 0 and score is not None]
    if not known:
        return None
    score, i = max(known)
    overall, low = report.configurations[place]["score"], values[1][place][i]
    clearly = score > _CLEARLY_WORSE * max(overall, 1e-9) and (low is None or low > overall)
    return (slices[i]["name"], score) if clearly else None


def worst_feature(report: Report, place: int, features: np.ndarray | None) -> tuple[str, float] | None:
    """Returns the feature that a configuration reconstructs worst, and its score; None for pictures."""
    names = (report.content.get("features") or {}).get("names")
    if features is None or not names:
        return None
    own = np.where(np.isfinite(features[place]), features[place], -np.inf)
    worst = int(np.argmax(own))
    return (names[worst], float(own[worst])) if np.isfinite(own[worst]) else None


def _why(report: Report) -> dict[str, str]:
    diagnosis = report.content.get("diagnosis")
    if not diagnosis:
        text = "aetfx diagnose says what is at fault, by measuring"
        return {"title": "Why", "value": "not diagnosed", "text": text}
    causes = diagnosis.get("causes") or []
    if causes:
        more = f", and {len(causes) - 1} more" if len(causes) > 1 else ""
        text = f"{percent(causes[0].get('gain'))} of the error{more}"
        return {"title": "Why the baseline fails", "value": words.title(causes[0]), "text": text, "view": "diagnosis"}
    value = words.STATUS[words.status(diagnosis)]
    return {"title": "Why", "value": value, "text": words.verdict(diagnosis), "view": "diagnosis"}


def errors(names: list[str], values: list[np.ndarray], quantiles: list[tuple[float, float]] | None = None) -> str:
    """Says how the error is spread over the rows of the configurations that are shown.

    Args:
      names: of the configurations, the first told in full and the second beside it.
      values: row errors of each.
      quantiles: median and 95th percentile of each on all rows; None takes those of `values`.
    """
    finite = [v[np.isfinite(v)] for v in values]
    if not names or not len(finite[0]):
        return "No row has a finite error."
    ends = quantiles or [(float(np.median(v)), float(np.quantile(v, 0.95))) if len(v) else (4.0, 4.0) for v in finite]
    sentence = f"Under {names[0]} half of the rows lose less than {share(ends[0][0])}"
    sentence += f", one in twenty more than {share(ends[0][1])}"
    if len(names) > 1:
        sentence += f"; under {names[1]} {share(ends[1][0])} and {share(ends[1][1])}"
    lost = len(values[0]) - len(finite[0])
    return sentence + "." + (f" {lost:,} rows are not finite." if lost else "")


def rows(name: str, slice_name: str, errors_: np.ndarray, n_shown: int) -> str:
    """Says how the worst of the kept rows fare."""
    if not n_shown:
        return "No kept row is in this slice."
    where = "" if slice_name == "all" else f" in slice {slice_name}"
    lost = int((~np.isfinite(errors_)).sum())
    if lost:
        return f"{name} predicts NaN or infinity for {lost:,} of {n_shown:,} kept rows{where}."
    worse = int((errors_ > 1).sum())
    sentence = f"The worst row of {name}{where} has an error of {short(float(errors_.max()))}; "
    are = "is" if worse == 1 else "are"
    return sentence + f"{worse or 'none'} of {n_shown:,} kept rows {are} worse off than with the mean."


def latent(name: str, plane: np.ndarray, errors_: np.ndarray) -> str:
    """Says whether the rows at the rim of the code are those that fail."""
    there = np.isfinite(plane).all(axis=1) & np.isfinite(errors_)
    if there.sum() < 20:
        return f"The code of {name}: rows that are near each other look alike to the model."
    points, own = plane[there], errors_[there]
    away = np.linalg.norm((points - np.median(points, axis=0)) / (points.std(axis=0) + 1e-12), axis=1)
    rim = away >= np.quantile(away, 0.9)
    ratio = float(own[rim].mean() / max(own[~rim].mean(), 1e-12))
    if not 1 / 1.5 < ratio < 1.5:
        where = "at the rim" if ratio > 1 else "in the middle"
        rest = f"the tenth of the rows farthest out has {ratio:.1f} times the error of the rest."
        return f"{name} fails {where}: {rest}"
    return f"Rows at the rim of the code of {name} fare like those in its middle ({ratio:.1f} times their error)."


def data(content: dict[str, Any] | None) -> str:
    """Says what was found in the data."""
    if content is None:
        return "These data were not checked."
    found = content.get("findings") or []
    if not found:
        return "Nothing was found in these data that stands in the way of training."
    count = {name: sum(item.get("severity") == name for item in found) for name in ("error", "warning", "info")}
    names = {"error": "error", "warning": "warning", "info": "note"}
    parts = [f"{n} {names[key]}{'s' if n > 1 else ''}" for key, n in count.items() if n]
    head = str(found[0].get("message") or found[0].get("code")).partition("; ")[0].rstrip(".")
    return f"{', '.join(parts)}: {head}."
