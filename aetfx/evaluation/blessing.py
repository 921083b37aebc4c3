"""Whether a model is good enough: thresholds from a study, and the reasons where it is not.

Judged is the configuration with the best score (the model itself, where one is evaluated), never the one that it is
compared with. A threshold is compared with the score as measured; the interval stands beside it in the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aetfx.evaluation.record import Configuration, Figures

if TYPE_CHECKING:
    from aetfx.study import Thresholds


def bless(figures: Figures, thresholds: Thresholds, against: Configuration | None = None) -> dict[str, Any]:
    """Returns the content of `blessing.json`.

    Args:
      figures: of all configurations.
      thresholds: what is asked for.
      against: the configuration that `thresholds.against` names; it is not judged.

    Returns:
      `blessed`, `reasons` (empty where blessed), and which configuration was judged: `configuration`, `name`, `score`.
    """
    others = [c for c in figures.configurations if against is None or c.identity != against.identity]
    # The same file on both sides is compared with itself.
    candidates = others or list(figures.configurations)
    scored = [c for c in candidates if c.failed is None and figures.n_rows()]
    if not scored:
        reasons = [f"'{c.name}' could not be evaluated: {c.failed or 'there are no rows'}" for c in candidates]
        return _told(candidates[0], None, reasons)
    best = min(scored, key=lambda c: _score(figures, c))
    score = _score(figures, best)
    reasons = []
    if thresholds.score is not None and not score <= thresholds.score:
        reasons.append(f"its score is {_shown(figures, best)}, above {thresholds.score:g}")
    names = figures.tally.plan.slicer.names
    for name, most in thresholds.slices.items():
        s = names.index(name)
        here = _score(figures, best, s)
        if not figures.n_rows(s):
            reasons.append(f"slice '{name}' holds no row, so that its score cannot be told")
        elif not here <= most:
            reasons.append(
                f"its score on slice '{name}' ({figures.n_rows(s):,} rows) is {_shown(figures, best, s)}, "
                f"above {most:g}"
            )
    if against is not None:
        reasons += _compared(figures, best, against, thresholds.at_most)
    return _told(best, score, reasons)


def _compared(figures: Figures, best: Configuration, against: Configuration, at_most: float) -> list[str]:
    if against.failed is not None:
        return [f"'{against.name}', with which it is to be compared, could not be evaluated: {against.failed}"]
    before, after = _score(figures, against), _score(figures, best)
    if after <= at_most * before:
        return []
    times = f"{after / before:.3g} times" if before > 0 else "worse than"
    said = f"its score is {after:.4g}, {times} the {before:.4g} of '{against.name}'"
    return [f"{said}; at most {at_most:g} times is asked for"]


def _told(judged: Configuration, score: float | None, reasons: list[str]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "blessed": not reasons,
        "reasons": reasons,
        "configuration": judged.identity,
        "name": judged.name,
        "score": score,
    }


def _score(figures: Figures, configuration: Configuration, s: int = 0) -> float:
    return float(figures.scores(configuration, s).mean())


def _shown(figures: Figures, configuration: Configuration, s: int = 0) -> str:
    ends = figures.interval(configuration, s)
    between = "" if ends is None else f" (95 % between {ends[0]:.4g} and {ends[1]:.4g})"
    return f"{_score(figures, configuration, s):.4g}{between}"
