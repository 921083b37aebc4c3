"""What users would do instead: random search, Optuna's TPE and this project's rules, in the seconds a diagnosis took.

    python -m benchmarks.diagnosis.peers RESULTS [--only NAME ...] [--seconds S]

RESULTS is a folder of `run.py`. Each search takes the faulty program as it is and may change learning rate,
optimizer, batch size, activation, initialiser, hidden width (x0.5 ... x4), scaling (none, standard, min-max), loss and
epochs, as far as the program has that argument. It has the rows, splits, score and engine of the diagnosis (compiled
programs, and a second process where trainings are long), and its wall seconds; the trainings in progress at their end
are finished. What scores best on the held-out rows is then scored on the fresh rows, which nobody selected on. *Rules
only* is `--no-experiments`: the first cause that its signs suggest, mended by that cause's first remedy, trained once.
Each enters with the model that it hands over: aetfx with its repaired model, and where it names nothing with the faulty
program. *Retrained* is its fix trained anew with plain Keras, the median of five seeds. `pip install optuna` adds the
TPE column; without it that column is empty. Resumes; writes `peers/<case>.json` into RESULTS and prints medians, and
how often each is beaten.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.diagnosis.fixes import fresh_score
from benchmarks.diagnosis.program import Case, Data, Program
from benchmarks.diagnosis.search import ACTIVATIONS, HIGHEST_RATE, INITIALIZERS, LOWEST_RATE, OPTIMIZERS
from benchmarks.diagnosis.verify import read as measured

if TYPE_CHECKING:
    from aetfx.comparison.request import Request
    from aetfx.comparison.session import Session
    from aetfx.training.recipe import Recipe

Suggest = Callable[[str, Any], Any]  # a name and either a list of choices or (low, high) of a log-uniform number

WIDTHS = ("width", "hidden", "units", "filters")
SPACE: dict[str, Any] = {
    "learning_rate": (LOWEST_RATE, HIGHEST_RATE),
    "optimizer": [*OPTIMIZERS, "sgd"],
    "activation": list(ACTIVATIONS),
    "initializer": list(INITIALIZERS),
    "loss": ["mse", "mae", "huber", "binary_crossentropy"],
}
BATCHES = [16, 32, 64, 128]
EPOCHS = [1, 2, 4]
FACTORS = [0.5, 1.0, 2.0, 4.0]
SCALERS = ["none", "standard", "minmax"]
AT_A_TIME = 2
PEERS = ("rules", "random", "tpe")


@contextmanager
def opened(
    program: Program, case: Case, data: Data, *, shift_auc: float | None = None
) -> Iterator[tuple[Request, Session]]:
    """Opens what a diagnosis of a case works with: its rows, splits, score and engine."""
    from aetfx.comparison.session import open_lab, prepare_model
    from aetfx.diagnosis.api import request_in_memory
    from aetfx.run import Run

    with tempfile.TemporaryDirectory(prefix="peers-") as folder, Run(Path(folder)):
        request = request_in_memory(
            lambda: program.build(case),
            data.x_train,
            data.x_val,
            **data.asked,
            **program.fit(case),
            directory=Path(folder),
        )
        session = open_lab(request, Path(folder), prepare_model(request, None), None, shift_auc=shift_auc)
        try:
            yield request, session
        finally:
            session.lab.close()


def suggestion(program: Program, case: Case, request: Request, session: Session, suggest: Suggest) -> Recipe:
    """Returns one suggestion as a recipe."""
    from aetfx.training.build import recipe_from_model

    accepted = inspect.signature(program.module.build).parameters
    build = dict(case.build)
    for name, choices in SPACE.items():
        if name in accepted:
            build[name] = suggest(name, choices)
    for name in WIDTHS:
        if name in accepted:
            usual = build.get(name, accepted[name].default)
            build[name] = max(2, round(usual * suggest("width", FACTORS)))
    batch_size, epochs = suggest("batch_size", BATCHES), session.baseline.epochs * suggest("epochs", EPOCHS)
    scaler = suggest("scaler", SCALERS)
    recipe, _ = recipe_from_model(lambda: program.module.build(**build), request.study, request.shape)
    scaling = {} if scaler == "none" else {"scaling": scaler}
    return recipe.changed(batch_size=batch_size, epochs=epochs, preprocessing=scaling, name="suggestion")


def score_of_trial(session: Session, recipe: Recipe, data: Data, seed: int, codes: Collection[str] = ()) -> float:
    """Scores a trial on the fresh rows; with the codes that it mends, prepared as that asks."""
    from aetfx.training.whole import raw_model

    trial = session.lab.trial(recipe, seed=seed)
    restored = raw_model(trial.model, trial.preprocessing)
    return fresh_score(data, partial(restored.predict, verbose=0), codes)


class Search:
    """Trains suggestions two at a time and keeps the best on the held-out rows."""

    def __init__(self, session: Session, data: Data):
        self.session, self.data = session, data
        self.trials, self.best, self.selected = 0, None, np.inf

    def train(self, recipes: list[Recipe]) -> list[float]:
        """Returns the score of each on the held-out rows; 4, the worst there is, where it cannot be trained."""
        from aetfx.comparison.pool import Job
        from aetfx.errors import AetfxError

        lab = self.session.lab
        first, self.trials = self.trials, self.trials + len(recipes)
        lab.prepare(Job(recipe, first + place) for place, recipe in enumerate(recipes))
        scores = []
        for seed, recipe in enumerate(recipes, start=first):
            try:
                scores.append(lab.score(lab.trial(recipe, seed=seed), "held_out").value)
            except AetfxError:
                scores.append(4.0)
                continue
            if scores[-1] < self.selected:
                self.best, self.selected = (recipe, seed), scores[-1]
        kept = {key: trial for key, trial in lab.trials.items() if self.best and key[1] == self.best[1]}
        lab.trials.clear()
        lab.trials.update(kept)
        return scores

    def result(self) -> dict[str, Any] | None:
        """Returns the best, scored on the fresh rows; None where nothing could be trained."""
        if self.best is None:
            return None
        score = score_of_trial(self.session, self.best[0], self.data, self.best[1])
        return {"trials": self.trials, "selected": round(self.selected, 5), "score": score}


def random_search(program: Program, case: Case, data: Data, seconds: float) -> dict[str, Any] | None:
    """Draws each setting anew."""
    rng = np.random.default_rng(11)

    def suggest(name: str, choices: Any) -> Any:
        if isinstance(choices, tuple):
            return float(np.exp(rng.uniform(*np.log(choices))))
        return choices[int(rng.integers(len(choices)))]

    end = time.perf_counter() + seconds
    with opened(program, case, data) as (request, session):
        search = Search(session, data)
        while time.perf_counter() < end:
            search.train([suggestion(program, case, request, session, suggest) for _ in range(AT_A_TIME)])
        return search.result()


def tpe(program: Program, case: Case, data: Data, seconds: float) -> dict[str, Any] | None:
    """Optuna's default sampler, with its own means against asking twice for the same; None without Optuna."""
    if importlib.util.find_spec("optuna") is None:
        return None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    end = time.perf_counter() + seconds
    with opened(program, case, data) as (request, session):
        search = Search(session, data)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=11, constant_liar=True))
        while time.perf_counter() < end:
            asked = [study.ask() for _ in range(AT_A_TIME)]
            recipes = [suggestion(program, case, request, session, _asking(trial)) for trial in asked]
            for trial, score in zip(asked, search.train(recipes), strict=True):
                study.tell(trial, score)
        return search.result()


def _asking(trial: Any) -> Suggest:
    def suggest(name: str, choices: Any) -> Any:
        if isinstance(choices, tuple):
            return trial.suggest_float(name, *choices, log=True)
        return trial.suggest_categorical(name, choices)

    return suggest


def rules_only(program: Program, case: Case, data: Data) -> dict[str, Any]:
    """Follows the first sign of one training, as far as that can be done; else trains what is there."""
    from aetfx.diagnosis.engine import possible_experiments, run_chain
    from aetfx.diagnosis.thresholds import Thresholds

    thresholds = Thresholds()
    begun = time.perf_counter()
    with opened(program, case, data, shift_auc=thresholds.shift_auc) as (request, session):
        outcome = run_chain(
            session.lab, session.baseline, session.validation.findings,
            target=request.study.diagnosis.target, budget=1.0, thresholds=thresholds, experiments=False,
        )  # fmt: skip
        codes = [item["code"] for item in outcome.suspected]
        remedies = possible_experiments(outcome.steps[0].case, codes[:1])
        recipe = remedies[0].recipe if remedies else session.baseline
        score = score_of_trial(session, recipe, data, 0, codes[:1])
    return {"codes": codes, "remedy": recipe.name, "score": score, "seconds": round(time.perf_counter() - begun, 1)}


def compare(path: Path, out: Path, seconds: float | None) -> None:
    """Runs the peers for one result file of a faulty program."""
    import keras

    record = json.loads(path.read_text())
    kept = out / path.name
    base, name = record["case"].split(".", 1)
    is_choice = measured(base)["cases"].get(name, {}).get("choice")
    if record["kind"] == "healthy" or is_choice or kept.exists():
        return
    run = record["runs"][0]
    program = Program(base)
    case = next(case for case in program.cases() if case.name == name)
    data = program.data(case)
    after = run.get("after", {})
    repaired = after.get("all") or after.get("first")
    score, budget = run.get("fixed_fresh", record["score"]), seconds or run["wall_s"]
    result = {
        "case": record["case"], "seconds": budget, "good": record["good_score"], "faulty": record["score"],
        "aetfx": score, "retrained": statistics.median(repaired["score"]) if repaired else score,
        "rules": rules_only(program, case, data),
        "random": random_search(program, case, data, budget), "tpe": tpe(program, case, data, budget),
    }  # fmt: skip
    kept.write_text(json.dumps(result, indent=1) + "\n")
    keras.backend.clear_session()
    said = ", ".join(f"{name} {_cell(result[name])}" for name in PEERS)
    print(f"{record['case']}: aetfx {score:.3f}, {said}", flush=True)


def _cell(found: dict[str, Any] | None) -> str:
    return f"{found['score']:.3f}" + (f" of {found['trials']}" if "trials" in found else "") if found else "-"


def table(out: Path) -> None:
    """Prints medians and how often aetfx reached the lower score."""
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    if not found:
        return
    for name in ("faulty", "good", "aetfx", "retrained"):
        print(f"{name:16}{statistics.median(item[name] for item in found):8.3f}  median score of {len(found)} programs")
    for name in PEERS:
        with_peer = [item for item in found if item[name]]
        if not with_peer:
            print(f"{name:16}       -  not installed")
            continue
        better = sum(item["aetfx"] < item[name]["score"] for item in with_peer)
        median = statistics.median(item[name]["score"] for item in with_peer)
        print(f"{name:16}{median:8.3f}  aetfx better on {better} of {len(with_peer)}")
    searched = [item for item in found if item["random"] and item["tpe"]]
    both = sum(item["aetfx"] < min(item["random"]["score"], item["tpe"]["score"]) for item in searched)
    if searched:
        print(f"aetfx is better than both searches on {both} of {len(searched)} = {both / len(searched):.0%}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seconds", type=float, help="instead of the wall seconds of each diagnosis")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    out = given.results / "peers"
    out.mkdir(exist_ok=True)
    for path in sorted(given.results.glob("*.*.json")):
        if not given.only or path.stem in given.only:
            compare(path, out, given.seconds)
    table(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
