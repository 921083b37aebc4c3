"""The command line: each command parses, calls one function of aetfx, and shows what it returns.

This module is loaded for `aetfx --help` and for every mistyped argument, so it imports nothing that is slow:
TensorFlow (10-20 s), Beam (5-8 s), NumPy (0.5 s) and rich wait until a command has to work. What belongs
to a machine (`--json`) goes to stdout alone; progress and errors go to stderr.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aetfx.errors import AetfxError, StudyError

if TYPE_CHECKING:
    from aetfx.study import Study
    from aetfx.training.progress import Progress

Show = Callable[[Any, Callable[[], None]], None]

_PURPOSE = "Finds out why a TensorFlow autoencoder gives back the wrong data, and which one change fixes it."

app = typer.Typer(
    name="aetfx",
    epilog="Start with 'aetfx demo'; 'aetfx COMMAND --help' shows examples.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich would double the time that a mistyped argument costs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study: what to train, on which data.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Run directory; by default runs/<name>.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, only the result.")]
Replicas = Annotated[
    int | None,
    typer.Option(
        "--replicas",
        metavar="N",
        min=1,
        help="Train on N GPUs, or N parts of the CPU; same results.",
        show_default=False,
    ),
]

Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="KIND",
        help="auto, mirrored or one-device: how several devices share a training.",
        show_default=False,
    ),
]

_REFUSED = 3  # the exit code for data that should not be trained on, and for a model that misses its thresholds

_SIGNALS = (130, 143)  # exit codes after Ctrl-C and SIGTERM

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Runs the command line: a user's mistake is one line on stderr, anything else keeps its traceback."""
    _silence_libraries()
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")  # the same seed gives the same diagnosis, bit for bit
    try:
        app(prog_name="aetfx")
    except AetfxError as error:
        _fail(str(error), error.exit_code)
    except Exception as error:
        # TensorFlow and h5py word a full disk in their own exceptions.
        if not _is_full_disk(error):
            raise
        _fail("no space left to write the run. Free some disk space or choose another --out; then run it again.", 2)


def _show_version(wanted: bool) -> None:
    if wanted:
        import aetfx

        typer.echo(f"aetfx {aetfx.__version__}")
        raise typer.Exit


@app.callback(help=_PURPOSE)
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_show_version, show_default=False
        ),
    ] = False,
) -> None:
    """Takes the options that stand before a command."""


@app.command(short_help="Diagnose a real autoencoder on real data.")
def demo(
    out: Out = None, replicas: Replicas = None, strategy: Strategy = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Diagnose a real autoencoder on real data: Wisconsin breast cancer, 569 rows of 30 columns.

    It needs no file and no network. A second run shows the result again at once; an interrupted one goes on.

    \b
    Examples:
      aetfx demo
      aetfx demo --out /tmp/demo --json > diagnosis.json
    """
    with _working(as_json) as show:
        from aetfx.demo import demo_study

        out = out or Path("runs") / "demo"
        _diagnose(_on_devices(demo_study(out), replicas, strategy), out, quiet, show)


@app.command(short_help="Check data for what makes autoencoders fail.")
def validate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file, a glob, or a folder of images.")],
    against: Annotated[
        str | None, typer.Option(metavar="DATA", help="Also compare with these rows, e.g. the evaluation set.")
    ] = None,
    schema: Annotated[
        str | None, typer.Option(metavar="FILE", help="Check against this TFDV schema instead of inferring one.")
    ] = None,
    features: Annotated[
        str, typer.Option(metavar="KIND", help="auto, table, tensor, or the columns to read: age,height.")
    ] = "auto",
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if a finding is an error, or the data break the schema.")
    ] = False,
    beam: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- BEAM OPTIONS]", help="Behind '--': Beam's own options.", show_default=False),
    ] = None,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check data for what makes autoencoders fail: unlike scales, missing values, outliers, constants.

    No model is needed. The run directory holds findings.json, validation.html with a histogram of each column,
    TensorBoard logs, and statistics, schema and anomalies in TFDV's own formats.

    \b
    Examples:
      aetfx validate data/train.csv
      aetfx validate 'data/train-*.parquet' --against data/eval.parquet
      aetfx validate table.csv --features age,height --json
      aetfx validate table.csv --schema schema.pbtxt --strict && python train.py
      aetfx validate table.csv -- --direct_num_workers=2 --direct_running_mode=multi_processing
    """
    with _working(as_json) as show:
        from aetfx.data.files import expand, is_remote

        for extra in beam or ():
            if not extra.startswith("-"):
                raise StudyError(f"unexpected '{extra}'. Quote globs; give a second data set with --against.")
        for path in filter(None, (data, against)):
            if not is_remote(path):  # that asks a server, once is enough
                expand(path)  # a mistyped one is answered before NumPy and Arrow are imported
        from aetfx.validation import api

        kind: str | list[str] = features if features in ("auto", "table", "tensor") else features.split(",")
        out = out or Path("runs") / _stem(data)
        with _progress(quiet) as progress:
            if progress is not None:
                progress.update(f"checking {data}", 0.0, 0.0)
            report = None if progress is None else progress.update
            found = api.validate(
                data, against, schema=schema, features=kind, out=out, beam_flags=beam or (), report=report
            ).to_json()
        from aetfx.report.validation import print_validation, refusal, write_views

        write_views(out)
        from aetfx.tensorboard_plugin.writing import update_dashboard

        update_dashboard(out)
        show(found, lambda: print_validation(out))
        _refuse(refusal(out) if strict else None)


@app.command(short_help="Find out why a study's autoencoder fails.")
def diagnose(
    study: StudyFile,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be tried and what it costs; train nothing.")
    ] = False,
    experiments: Annotated[
        bool,
        typer.Option(
            "--experiments/--no-experiments",
            help="Verify by training variants, or only read the signs of one training.",
        ),
    ] = True,
    max_seconds: Annotated[
        float | None,
        typer.Option("--max-seconds", metavar="S", help="End after this many seconds.", show_default=False),
    ] = None,
    out: Out = None,
    replicas: Replicas = None,
    strategy: Strategy = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find out why the autoencoder of a study reconstructs badly, by measuring one change at a time.

    Exits 0 whatever the verdict. The run directory holds the diagnosis, the repaired model, report.html and
    TensorBoard logs; the same command goes on where an interrupted one stopped.

    \b
    Examples:
      aetfx diagnose study.yaml
      aetfx diagnose study.yaml --plan
      aetfx diagnose study.yaml --out runs/monday --replicas 2
      aetfx diagnose study.yaml --json | jq '.causes[0].code'

    \b
    The smallest study:
      data: {train: data/table.csv}
    """
    with _working(as_json) as show:
        changes: dict[str, Any] = {} if experiments else {"diagnosis.experiments": False}
        if max_seconds is not None:
            changes["diagnosis.max_seconds"] = max_seconds
        request = _load(study)
        request = _on_devices(
            request.with_changes(changes, where="diagnose") if changes else request, replicas, strategy
        )
        if plan:
            from aetfx.diagnosis.api import plan_study

            with _progress(quiet) as progress:
                planned = plan_study(request, progress=progress)
            show(planned, lambda: _console().print_plan(planned))
            return
        _diagnose(request, out or Path("runs") / request.name, quiet, show)


@app.command(short_help="Train and rank all configurations of a study.")
def compare(
    study: StudyFile,
    out: Out = None,
    replicas: Replicas = None,
    strategy: Strategy = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train every configuration under 'compare:' in a study and rank them on the same held-out rows.

    Exits with 3 where the best one misses the thresholds of the study.

    \b
    Examples:
      aetfx compare study.yaml
      aetfx compare study.yaml --json | jq '.rows'

    \b
    In the study (the product of the values is trained):
      compare:
        training.learning_rate: [1.0e-3, 1.0e-2]
        model.bottleneck: [4, 8, 16]
    or, to draw from ranges and to drop the worst early:
      compare: {training.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}}
      sweep: {choose: tpe, configurations: 20, halving: true}
    """
    with _working(as_json) as show:
        request = _on_devices(_load(study), replicas, strategy)
        from aetfx.comparison.api import compare_study

        out = out or Path("runs") / request.name
        from aetfx.tensorboard_plugin.live import LiveBoard
        from aetfx.tensorboard_plugin.writing import update_dashboard

        with _progress(quiet) as progress:
            result = compare_study(request, out, progress=LiveBoard(progress, out, request.name))
        update_dashboard(out)
        show(result, lambda: _console().print_comparison(result["rows"]))
        if all(row["score"] is None for row in result["rows"] if row.get("kind") != "reference"):
            _fail("no configuration could be trained; the reasons stand above, and in comparison.json.", 2)
        from aetfx.report.evaluation import refusal_of_run

        _refuse(refusal_of_run(out))


@app.command(short_help="Score trained models on held-out rows.")
def evaluate(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL... [-- BEAM OPTIONS]", help=".keras files or run directories.")
    ],
    data: Annotated[
        list[str],
        typer.Option(
            metavar="DATA",
            help="The held-out rows: a file, a glob, or a folder of images; NAME=FILE for each of several inputs.",
        ),
    ],
    train: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA", help="The train rows: they fix what a score of 1 is.", show_default=False),
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="SLICE",
            help="Tell apart: sex, sex=1, age@4, or 'age > 60 and sex == 1'.",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="STUDY.yaml", help="Take slices and thresholds from its 'evaluation:'.", show_default=False
        ),
    ] = None,
    features: Annotated[
        str, typer.Option(metavar="KIND", help="auto, table, tensor, or the columns to feed: age,height.")
    ] = "auto",
    padding: Annotated[
        float | None,
        typer.Option(metavar="VALUE", help="What sequences are filled up with; not scored.", show_default=False),
    ] = None,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score trained models on the same held-out rows, all in one pass: any Keras autoencoder will do.

    The run directory holds evaluation.json, evaluation.parquet with every score by slice and column, and samples.npz
    with the worst, typical and best rows. The first model is the baseline. Exits with 3 where a study's thresholds are
    not met.

    \b
    Examples:
      aetfx evaluate model.keras --data data/eval.csv --train data/train.csv
      aetfx evaluate old.keras new.keras --data 'data/eval-*.parquet' --slice age@4
      aetfx evaluate runs/digits --data data/eval.npy --json | jq '.configurations'
      aetfx evaluate two-inputs.keras --data pixels=images.npy --data table=rows.csv
      aetfx evaluate model.keras --data rows.npy --study study.yaml && ./deploy.sh
      aetfx evaluate a.keras --data rows.npy -- --direct_num_workers=2 --direct_running_mode=multi_processing
    """
    with _working(as_json) as show:
        from aetfx.data.files import expand, is_remote
        from aetfx.evaluation.entries import find_entries

        beam = [model for model in models if model.startswith("--")]
        names = [model for model in models if not model.startswith("--")]
        rows, train_rows = _inputs("--data", data), _inputs("--train", train or ())
        for path in (*rows.values(), *train_rows.values()):
            if not is_remote(path):
                expand(path)
        find_entries(names)  # a mistyped one is answered before NumPy and TensorFlow are imported
        request = None if study is None else _load(study)
        asked = None if request is None else request.evaluation
        if padding is None and request is not None:
            padding = request.data.padding
        kind: str | list[str] = features if features in ("auto", "table", "tensor") else features.split(",")
        # A name of its own: `compare` leaves the same files, of other rows, in the run that its study names.
        out = out or Path("runs") / f"{_stem(next(iter(rows.values())))}-evaluation"
        from aetfx import api

        with _progress(quiet) as progress:
            found = api.evaluate(
                names,
                rows.get("", rows),
                train=train_rows.get("", train_rows or None),
                out=out,
                slices=[*(slices or ()), *(asked.slices if asked is not None else ())],
                thresholds=None if asked is None else asked.thresholds,
                features=kind,
                padding=padding,
                name=out.name,
                beam_flags=beam,
                report=None if progress is None else progress.update,
            )
        from aetfx.report.evaluation import print_evaluation, refusal

        show(found.record, lambda: print_evaluation(found.record, out))
        _refuse(refusal(found.record))


@app.command("find-lr", short_help="Find the learning rates that suit a study.")
def find_lr(study: StudyFile, out: Out = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Train a few hundred updates at each of 22 learning rates, all from the same weights.

    The run directory holds learning_rates.json and learning_rates.html with the curve.

    \b
    Examples:
      aetfx find-lr study.yaml
      aetfx find-lr study.yaml --json | jq .best
    """
    with _working(as_json) as show:
        request = _load(study)
        from aetfx.comparison.learning_rates import find_learning_rates

        out = out or Path("runs") / request.name
        with _progress(quiet) as progress:
            found = find_learning_rates(request, out, progress=progress)
        from aetfx.report.learning_rates import print_rates, write_page

        page = write_page(found, out)
        show(found, lambda: print_rates(found, page))


@app.command(short_help="List the model families, and which of them suit some data.")
def models(
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="A file, a glob, or a folder.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the model families that a study can name under model.family, and what each is made of.

    With DATA, only those that suit its rows, with the sizes that they would have, and the one that 'auto' chooses.

    \b
    Examples:
      aetfx models
      aetfx models data/digits.npy
      aetfx models 'data/waves-*.parquet' --json | jq '.families[].defaults'
    """
    with _working(as_json) as show:
        shape = None
        if data is not None:
            from aetfx.data.files import expand, is_remote

            if not is_remote(data):
                expand(data)
            from aetfx.data import open_source

            shape = open_source(data).shape
        from aetfx.models.families import catalogue

        found = {"shape": shape and list(shape), "families": catalogue(shape)}
        show(found, lambda: _console().print_families(found))


@app.command(short_help="Write report.html of a finished run again.")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, such as runs/demo.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also copy the page here.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Write report.html of a finished run again: one file that opens without a network.

    \b
    Examples:
      aetfx report runs/demo
      aetfx report runs/demo --out demo.html
    """
    with _working(as_json) as show:
        from aetfx.report.load import check_run

        check_run(run)
        from aetfx.report.html import write_report
        from aetfx.run import write_bytes

        page = write_report(run)
        if out is not None:
            write_bytes(out, page.read_bytes())
            page = out
        show({"report": str(page)}, lambda: typer.echo(page))


def _on_devices(study: Study, replicas: int | None, strategy: str | None) -> Study:
    """Returns a study with the devices that the command line names."""
    named = {"training.replicas": replicas, "training.strategy": strategy and strategy.replace("-", "_")}
    changes = {key: value for key, value in named.items() if value is not None}
    return study.with_changes(changes, where="the command line") if changes else study


def _diagnose(study: Study, out: Path, quiet: bool, show: Show) -> None:
    from aetfx.diagnosis.api import diagnose_study

    with _progress(quiet) as progress:
        record = diagnose_study(study, out, progress=progress).record
    _write_report_once(out)
    from aetfx.tensorboard_plugin.writing import update_dashboard

    update_dashboard(out)
    show(record, lambda: _console().print_diagnosis(record, out))


def _write_report_once(run: Path) -> None:
    """Writes `report.html` unless it is there and newer than the diagnosis: a finished run is only shown."""
    page, diagnosis = run / "report.html", run / "diagnosis.json"
    if page.exists() and page.stat().st_mtime >= diagnosis.stat().st_mtime:
        return
    from aetfx.report.html import write_report

    write_report(run)


def _load(path: Path) -> Study:
    # Asked here as well as in load_study, because importing the study's models takes a fifth of the half second.
    if not path.exists():
        raise StudyError(f"{path}: no such study file. Give the path of a YAML file (see 'aetfx --help').")
    from aetfx.study import load_study

    return load_study(path)


def _console() -> Any:
    from aetfx.report import console

    return console


@contextlib.contextmanager
def _working(as_json: bool) -> Iterator[Show]:
    """Yields `show(result, print_it)`; with `as_json` whatever else is printed on stdout goes to stderr.

    The file descriptor is moved, not only `sys.stdout`, because native code and child processes print too.
    """
    stdout = os.dup(1) if as_json else None
    if as_json:
        sys.stdout.flush()
        os.dup2(2, 1)

    def show(result: Any, print_it: Callable[[], None]) -> None:
        if stdout is None:
            print_it()
        else:
            with os.fdopen(os.dup(stdout), "w", encoding="utf-8") as machine:
                machine.write(_json_text(result))

    from aetfx.training import stopping

    try:
        with stopping.on_termination():
            yield show
    except stopping.Stopped:
        _fail("stopped. What was done is kept; the same command goes on from there.", 143)
    except KeyboardInterrupt:
        _fail("stopped. What was finished is kept; the same command goes on from there.", 130)
    finally:
        if stdout is not None:
            sys.stdout.flush()
            os.dup2(stdout, 1)
            os.close(stdout)


def _progress(quiet: bool) -> contextlib.AbstractContextManager[Progress | None]:
    from aetfx.report.progress import showing

    return showing(quiet=quiet, lines=True)


def _json_text(value: Any) -> str:
    """Words a result as the JSON files do: NaN and infinities are null, NumPy's scalars plain numbers."""
    text = json.dumps(value, default=lambda item: item.tolist() if hasattr(item, "tolist") else str(item))
    return json.dumps(json.loads(text, parse_constant=lambda _: None), indent=2) + "\n"


def _inputs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Returns the path of each input by its name; that of rows of one input by "".

    >>> _inputs("--data", ["a=1.npy"]), _inputs("--data", ["pixels=a.npy", "table=b.csv"])
    ({'': 'a=1.npy'}, {'pixels': 'a.npy', 'table': 'b.csv'})

    Raises:
      StudyError: there are several paths, and they do not have a name each.
    """
    if len(given) == 1:
        return {"": given[0]}
    pairs = [text.partition("=") for text in given]
    if any(not (name and path) for name, _, path in pairs) or len({name for name, _, _ in pairs}) < len(pairs):
        raise StudyError(
            f"{option} is given {len(given)} times. For a model of several inputs give NAME=FILE for each; quote a "
            "glob to give many files."
        )
    return {name: path for name, _, path in pairs}


def _stem(data: str) -> str:
    """Names the run of a data file or glob.

    >>> _stem("data/wdbc.csv"), _stem("gs://bucket/train-*.parquet"), _stem("*.csv")
    ('wdbc', 'train', 'data')
    """
    name = data.rstrip("/").rsplit("/", 1)[-1].split(".", 1)[0]
    return re.sub(r"[^\w-]+", "", name).strip("-_") or "data"


def _refuse(reason: str | None) -> None:
    """Ends with the exit code for "not good enough", where there is a reason."""
    if reason is not None:
        _fail(reason, _REFUSED)


def _fail(message: str, code: int) -> None:
    typer.echo(f"aetfx: error: {' '.join(message.split())}" if code not in _SIGNALS else f"aetfx: {message}", err=True)
    sys.exit(code)


def _is_full_disk(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return True
    return any(os.strerror(code) in str(error) for code in _NO_SPACE)


def _silence_libraries() -> None:
    """Keeps the notices of TensorFlow, gRPC, Beam and Google's packages off the terminal, unless the user set them.

    The environment is used where it can be, because trials may run in child processes.
    """
    for name, value in {
        "TF_CPP_MIN_LOG_LEVEL": "3",  # also the CUDA factories that register twice (TensorFlow 2.16)
        "GRPC_VERBOSITY": "ERROR",
        "AUTOGRAPH_VERBOSITY": "0",
        "PYTHONWARNINGS": "ignore::FutureWarning",  # google.api_core, about the end of support for Python 3.11
    }.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore", FutureWarning)
    # Beam says so on the root logger at import; nothing of ours writes TFRecords through it.
    logging.getLogger().addFilter(lambda record: "crcmod package not found" not in record.getMessage())


if __name__ == "__main__":
    main()
