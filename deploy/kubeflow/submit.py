"""Submits a compiled pipeline to Kubeflow, once everything that can be checked beforehand is right.

    python -m deploy.kubeflow.submit diagnosis --study study.yaml --host https://kubeflow.example/pipeline \\
        --image registry/p/aetfx:0.1.0 --root gs://b/kfp

It compiles with the image, checks (`python -m pipelines check`), and starts a run whose steps are cached: `--no-cache`
runs them all. A token for the host is read from the environment variable KFP_TOKEN, and never from an argument.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aetfx.errors import AetfxError, RunError
from pipelines.__main__ import arguments_of, with_digests
from pipelines.check import check
from pipelines.compiling import PIPELINES, compile_one, load


def main(argv: Sequence[str] | None = None) -> int:
    """Submits, prints the address of the run, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("name", choices=PIPELINES)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--data", help="rows, instead of the study's")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="a parameter of the pipeline")
    parser.add_argument("--host", required=True, help="address of Kubeflow Pipelines")
    parser.add_argument("--image", required=True, help="with a version or a digest")
    parser.add_argument("--root", required=True, help="place of artifacts: gs://bucket/kfp, s3://bucket/kfp")
    parser.add_argument("--namespace", default=None)
    parser.add_argument("--experiment", default="aetfx")
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("--mounted", action="store_true", help="local paths are the same in the pods")
    parser.add_argument("--trust-image", action="store_true", help="do not ask the registry: only the cluster may")
    asked = parser.parse_args(argv)
    try:
        arguments = arguments_of(asked.name, asked.study, asked.data, asked.set)
        image = "" if asked.trust_image else asked.image
        found = check(asked.name, arguments, image=image, root=asked.root, cluster=not asked.mounted)
        wrongs = [f"{what}: {wrong}" for what, wrong in found if wrong]
        for wrong in wrongs:
            print(f"wrong {wrong}", file=sys.stderr)
        if wrongs:
            raise RunError(f"nothing was submitted: {len(wrongs)} of {len(found)} checks failed.")
        print(_submit(asked, with_digests(arguments)))
    except AetfxError as error:
        print(f"submit: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return 0


def _submit(asked: argparse.Namespace, arguments: dict[str, object]) -> str:
    import kfp

    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        path = Path(folder, "pipeline.yaml")
        compile_one(asked.name, path, asked.image)
        load(path)
        try:
            client = kfp.Client(
                host=asked.host, namespace=asked.namespace, existing_token=os.environ.get("KFP_TOKEN") or None
            )
            run = client.create_run_from_pipeline_package(
                str(path), arguments=arguments, experiment_name=asked.experiment,
                namespace=asked.namespace, pipeline_root=asked.root,
                enable_caching=False if asked.no_cache else None,  # None: each step as it was compiled
            )  # fmt: skip
        except Exception as error:  # the client's own, urllib3's, ...
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise RunError(f"{asked.host}: did not take the run ({said}). Check the address and KFP_TOKEN.") from None
    return f"{asked.host}/#/runs/details/{run.run_id}"


if __name__ == "__main__":
    sys.exit(main())
