"""The Dataflow job of a validation as it would be submitted, made without credentials and without a network.

    python -m deploy.dataflow.graph ROWS OUT --runner=DataflowRunner --project=p --region=r \\
        --temp_location=gs://bucket/temp --sdk_container_image=registry/p/aetfx:0.1.0 --sdk_location=container

`OUT/job.json` is the request that would be sent, `OUT/pipeline.pb` the portable pipeline that it names. Beam's own
runner makes both; only its client is replaced: what it would upload is written to OUT, and nothing is sent. Rows may be
a local file here: their headers are read, as they would be in a bucket.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from aetfx.errors import AetfxError, StudyError
from aetfx.quiet import quiet
from aetfx.run import write_bytes

MOST_BYTES = 1_000_000  # of a graph; Dataflow refuses 10 MB, and one of shards and accumulators has no need of it


def make_graph(data: str, out: Path, flags: Sequence[str]) -> dict[str, Any]:
    """Writes the job and its pipeline.

    Args:
      data: rows, a path or glob.
      out: folder.
      flags: Beam's own.

    Returns:
      `image` of the workers, `stages` (names of the steps), `bytes` of the pipeline.

    Raises:
      AetfxError: a flag or the rows cannot be used, or the graph is not as it should be.
    """
    with quiet():
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    from aetfx.data import open_source
    from aetfx.validation.exchange import Exchange
    from aetfx.validation.pipeline import add_steps
    from aetfx.validation.runner import check_flags

    check_flags(flags)
    source = open_source(data)
    with quiet(), _offline(out):
        options = PipelineOptions([*flags, "--no_auth", f"--template_location={out / 'job.json'}"])
        temp = options.get_all_options().get("temp_location") or ""
        try:
            pipeline = beam.Pipeline(runner=DataflowRunner(), options=options)
        except ValueError as error:  # Beam's own checks of its flags
            raise StudyError(f"Beam's options: {' '.join(str(error).split())[:300]}") from None
        add_steps(pipeline, Exchange(f"{temp.rstrip('/')}/aetfx"), source, None, None, 0)
        pipeline.run()
    return check_graph(out, source.files)


def check_graph(out: Path, files: Sequence[str]) -> dict[str, Any]:
    """Reads a graph back and checks it.

    Args:
      out: as `make_graph` wrote it.
      files: of the rows, of whose content none may be in the graph.

    Raises:
      StudyError: no image of its own, rows in the graph, too large.
    """
    from apache_beam.portability.api import beam_runner_api_pb2

    raw = (out / "pipeline.pb").read_bytes()
    pipeline = beam_runner_api_pb2.Pipeline.FromString(raw)
    images = set()
    for environment in pipeline.components.environments.values():
        payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
        images.add(payload.container_image)
    job = json.loads((out / "job.json").read_text(encoding="utf-8"))
    harness = {
        image["containerImage"]
        for pool in job["environment"]["workerPools"]
        for image in pool.get("sdkHarnessContainerImages", [])
    }
    if len(images) != 1 or (harness and harness != images) or "/beam_python" in next(iter(images)):
        raise StudyError(f"{out}: workers run in {sorted(images | harness)}. Give --sdk_container_image.")
    if len(raw) > MOST_BYTES:
        raise StudyError(f"{out}: the graph has {len(raw):,} bytes, more than {MOST_BYTES:,}.")
    transforms = pipeline.components.transforms
    # Beam puts all steps into one that stands for the pipeline.
    steps = [name for root in pipeline.root_transform_ids for name in (transforms[root].subtransforms or [root])]
    stages = [transforms[name].unique_name for name in steps]
    return {"image": images.pop(), "stages": stages, "bytes": len(raw), "files": list(files)}


@contextlib.contextmanager
def _offline(out: Path) -> Iterator[None]:
    """Replaces the client of Google's services by one that writes to a folder."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions
    from apache_beam.runners.dataflow.internal import apiclient

    class Client(apiclient.DataflowApplicationClient):
        def __init__(self, options: Any, root_staging_location: str | None = None):
            self.google_cloud_options = options.view_as(GoogleCloudOptions)
            self._enable_caching = False
            self._root_staging_location = root_staging_location or self.google_cloud_options.staging_location
            self.environment_version = apiclient._FNAPI_ENVIRONMENT_MAJOR_VERSION
            self._sdk_image_overrides: dict[str, str] = {}

        def stage_file(self, location: str, name: str, content: Any, *_: Any, **__: Any) -> None:
            write_bytes(out / name, Path(content).read_bytes() if isinstance(content, str) else content.read())

        stage_file_with_retry = stage_file

        def submit_job_description(self, job: Any) -> Any:
            raise AssertionError("nothing is submitted here")

    def no_bucket(options: Any) -> Any:
        raise ValueError(f"temp_location is '{options.temp_location}'. Give a bucket: gs://my-bucket/temp")

    with (
        mock.patch.object(apiclient, "DataflowApplicationClient", Client),
        # It asks the bucket how long it keeps what is deleted, to warn of the cost.
        mock.patch.object(GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled", create=True),
        # It makes a bucket in the project where no usable one is named.
        mock.patch.object(GoogleCloudOptions, "_create_default_gcs_bucket", no_bucket),
    ):
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """Writes a graph and tells what is in it."""
    given = list(sys.argv[1:] if argv is None else argv)
    if len(given) < 2 or given[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(json.dumps(make_graph(given[0], Path(given[1]), given[2:]), indent=2))
    except AetfxError as error:
        print(f"aetfx: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
