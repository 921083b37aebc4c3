"""`python -m pipelines`: compiles, checks, and runs pipelines on this machine. Each command calls one function."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aetfx.errors import AetfxError, RunError, StudyError
from pipelines.compiling import PIPELINES

app = typer.Typer(
    name="pipelines",
    help=f"Compiles, checks and runs pipelines: {', '.join(PIPELINES)}.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

Name = Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(PIPELINES)}.")]
Study = Annotated[Path | None, typer.Option("--study", metavar="FILE", help="The study.", show_default=False)]
Data = Annotated[str | None, typer.Option("--data", metavar="DATA", help="Its rows: data.train.", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the pipeline; JSON or text.", show_default=False),
]
Image = Annotated[str, typer.Option("--image", metavar="NAME:TAG", help="Image that the steps run in.")]


def main() -> None:
    """Runs the command line: a user's mistake is one line on stderr."""
    try:
        app(prog_name="python -m pipelines")
    except AetfxError as error:
        typer.echo(f"pipelines: error: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)


@app.command("compile")
def compile_(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the YAML.")] = Path("build"),
    image: Image = "",
) -> None:
    """Write the YAML that Kubeflow takes, and load it again to check it."""
    from pipelines.compiling import compile_all, load

    for path in compile_all(out, image):
        load(path)
        typer.echo(path)


@app.command()
def run(
    name: Name,
    local: Annotated[bool, typer.Option("--local", help="On this machine, through Kubeflow's local runner.")] = False,
    study: Study = None,
    data: Data = None,
    settings: Set = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run directory.", show_default=False)] = None,
) -> None:
    """Run a pipeline on this machine, each component in a process of its own.

    \b
    Examples:
      python -m pipelines run diagnosis --local --data examples/data/wine.csv
      python -m pipelines run sweep --local --study examples/dense.yaml --set seeds=3
    """
    from pipelines.check import check
    from pipelines.local import run_local

    if not local:
        raise StudyError("deploy/kubeflow/submit.py is for clusters. Add --local to run on this machine.")
    arguments = arguments_of(name, study, data, settings)
    out = out or Path("runs") / f"pipeline-{name}"
    if name == "sweep":
        arguments.setdefault("models_at", str((out / "models").resolve()))
    for _, wrong in check(name, arguments, cluster=False):
        if wrong:
            raise StudyError(wrong)
    typer.echo(run_local(name, with_digests(arguments), out))


@app.command()
def train(
    study: Annotated[Path, typer.Option("--study", metavar="FILE", help="The study.")],
    publish_to: Annotated[str, typer.Option("--publish-to", metavar="PLACE", help="Where the model goes.")],
    index: Annotated[
        int, typer.Option("--index", envvar="JOB_COMPLETION_INDEX", help="Which configuration, from 0.")
    ] = 0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many times.")] = 1,
) -> None:
    """Train one configuration of a study and publish it: what each pod of a Kubernetes Job with an index does."""
    from aetfx.steps.models import train_one
    from aetfx.study import load_study

    typer.echo(train_one(load_study(study).to_yaml(), index, publish_to, seeds))


@app.command("configurations")
def configurations_(study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study.")]) -> None:
    """List the configurations of a study: number, identity, values."""
    from aetfx.steps.configurations import configurations, read
    from aetfx.study import load_study

    for i, one in enumerate(configurations(read(load_study(study).to_yaml()))):
        typer.echo(f"{i}  {one.identity}  {json.dumps(one.values)}")


@app.command("check")
def check_(
    name: Name,
    study: Study = None,
    data: Data = None,
    settings: Set = None,
    image: Image = "",
    root: Annotated[str, typer.Option("--root", metavar="PLACE", help="Where Kubeflow keeps artifacts.")] = "",
    mounted: Annotated[bool, typer.Option("--mounted", help="Local paths are the same in the pods.")] = False,
) -> None:
    """Say what is wrong with a request before anything is submitted; exits 2 if something is.

    \b
    Example:
      python -m pipelines check diagnosis --study study.yaml --image registry/project/aetfx:0.1.0 --root gs://bucket/kfp
    """
    from pipelines.check import check

    found = check(name, arguments_of(name, study, data, settings), image=image, root=root, cluster=not mounted)
    for what, wrong in found:
        typer.echo(f"{'wrong' if wrong else 'ok':6}{what}{f': {wrong}' if wrong else ''}")
    wrongs = [what for what, wrong in found if wrong]
    if wrongs:
        raise RunError(f"{len(wrongs)} of {len(found)} checks failed: {', '.join(wrongs)}.")


@app.command("arguments")
def arguments_(name: Name, study: Study = None, data: Data = None, settings: Set = None) -> None:
    """Print the parameters of a run as JSON, digests of what it reads among them; nothing is run."""
    typer.echo(json.dumps(with_digests(arguments_of(name, study, data, settings)), indent=2))


@app.command()
def lineage(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory of a local run.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A path, hash, step or output of the run, or the rows.")],
    as_json: Annotated[bool, typer.Option("--json", help="Whole records, as JSON.")] = False,
) -> None:
    """Tell which data, code and configuration made something, and what was made from it."""
    from aetfx.steps.running import trace

    inside = run_directory / what  # as they are printed below
    found = trace(run_directory, str(inside) if inside.exists() else what)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    root = str(run_directory.resolve())
    for title, side in (("made by", "made_by"), ("led to", "led_to")):
        typer.echo(title if found[side] else f"{title} nothing in this run")
        for step in found[side]:
            typer.echo(f"  {step['step']}  {step['finished']}  code {step['code']['hash']}")
            for kind in ("inputs", "outputs"):
                for each, item in step[kind].items():
                    path = item["path"].removeprefix(f"{root}/")
                    typer.echo(f"    {kind[:-1]:7}{each}  {item['hash']}  {path}")
            for key in ("digest", "values"):
                if step["parameters"].get(key):
                    typer.echo(f"    {key:7}{step['parameters'][key]}")


def arguments_of(name: str, study: Path | None, data: str | None, settings: list[str] | None) -> dict[str, Any]:
    """Returns the parameters that the options stand for, without digests, for which all rows are read.

    Raises:
      StudyError: an option cannot be read, or there is no such pipeline.
    """
    from aetfx.data.files import is_remote
    from aetfx.steps.configurations import configurations, read, text_of
    from aetfx.study import load_study, parse_study
    from pipelines.check import PLACES, text_parameters

    texts = text_parameters(name)
    if study is None and data is None:
        raise StudyError("no rows. Give --study STUDY.yaml, --data DATA, or both.")
    if study is None:
        request = parse_study({"data": {"train": data}}, where="--data")
    else:
        request = load_study(study)
        if data is not None:
            request = request.with_changes({"data.train": data}, where="--data")
    text = text_of(request)
    found: dict[str, Any] = {"study": text}
    if name == "sweep":
        found["configurations"] = [json.dumps(one.values) for one in configurations(read(text))]
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals:
            raise StudyError(f"--set {setting}: must be KEY=VALUE.")
        try:
            found[key] = value if key in texts else json.loads(value)
        except ValueError:
            found[key] = value
        if key in PLACES and value and not is_remote(value):  # steps may run in another folder
            found[key] = os.path.abspath(os.path.expanduser(value))
    return found


def with_digests(arguments: dict[str, Any]) -> dict[str, Any]:
    """Adds the digests of what a pipeline reads, for its caches: they are in the keys, paths alone would not do.

    Raises:
      AetfxError: something cannot be read.
    """
    from aetfx.data.digest import digest
    from aetfx.steps.data import data_digest

    found = dict(arguments)
    found.setdefault("digest", data_digest(found["study"]))
    if found.get("schema"):
        found.setdefault("schema_digest", digest(found["schema"]))
    return found


if __name__ == "__main__":
    main()
