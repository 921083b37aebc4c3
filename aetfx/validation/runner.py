"""Which Beam runner does the work: a local one in this process, or what the user's flags name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from aetfx.errors import AetfxError, nearest

# Beam's default first tries to download Prism; its own older local runner is all that is needed here.
_LOCAL = ("", "DirectRunner", "FnApiRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner")


@dataclass(frozen=True)
class Workers:
    """A Beam runner with its options, and where its workers can write.

    Attributes:
      runner: a `PipelineRunner`.
      options: its `PipelineOptions`.
      temp_location: None where the workers are on this machine.
    """

    runner: Any
    options: Any
    temp_location: str | None = None


def workers(flags: Sequence[str] = ()) -> Workers:
    """Resolves the flags that stand behind `--` on the command line.

    Args:
      flags: Beam's own, e.g. `--direct_num_workers=2 --direct_running_mode=multi_processing`, or
        `--runner=DataflowRunner --project=... --temp_location=gs://...`.

    Raises:
      AetfxError: a flag or the runner is unknown.
    """
    from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions
    from apache_beam.runners import create_runner

    check_flags(flags)
    options = PipelineOptions(list(flags))
    name = options.view_as(StandardOptions).runner or ""
    if name in _LOCAL:
        return Workers(_local_runner(), options)
    try:
        runner = create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        said = " ".join(str(error).split())[:160]
        raise AetfxError(
            f"--runner={name}: no such Beam runner here ({said}). Install its extra, or mend its name."
        ) from None
    return Workers(runner, options, options.view_as(GoogleCloudOptions).temp_location)


def _local_runner() -> Any:
    from apache_beam.portability import python_urns
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    class LocalRunner(FnApiRunner):
        """What its worker processes log stays off the terminal; their errors come back as exceptions."""

        def run_via_runner_api(self, pipeline_proto: Any, options: Any) -> Any:
            for environment in pipeline_proto.components.environments.values():
                if environment.urn == python_urns.SUBPROCESS_SDK:
                    environment.payload += b" >/dev/null 2>&1"
            return super().run_via_runner_api(pipeline_proto, options)

    return LocalRunner()


def check_flags(flags: Sequence[str]) -> None:
    """Parses the flags once for their errors: Beam itself would ignore one that it does not know.

    Raises:
      AetfxError: a flag is unknown, or its value is of another type.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    unknown = parser.parse_known_args(list(flags))[1]
    if unknown:
        known = [option for action in parser._actions for option in action.option_strings]
        raise AetfxError(f"unknown Beam option '{unknown[0]}'.{_nearest(unknown[0], known)}")


def _nearest(flag: str, known: Sequence[str]) -> str:
    said = nearest(flag.split("=")[0], known)
    return said if len(said) < 80 else " Behind '--' stand Beam's own pipeline options."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise AetfxError(f"Beam's options: {message}.")
