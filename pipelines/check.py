"""Everything that can be known to be wrong before a pipeline is submitted: paths, rights, types, the image.

A cluster tells the same after minutes of queueing, in the log of a pod.
"""

from __future__ import annotations

import functools
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aetfx.data.files import is_remote
from aetfx.errors import AetfxError, DataError, ModelError, RunError, StudyError, nearest
from aetfx.steps.configurations import configurations, read
from components.base import runner_of
from pipelines.compiling import define

PLACES = ("models_at", "push_to", "schema")  # parameters that name a file or folder
_SECONDS = 10  # to wait for a registry
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json", "oci.image.manifest.v1+json", "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)  # fmt: skip
_TYPES: dict[str, Any] = {
    "STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": (int, float), "BOOLEAN": bool, "LIST": list, "STRUCT": dict,
}  # fmt: skip
_WORDS = {
    "STRING": "text", "NUMBER_INTEGER": "a whole number", "NUMBER_DOUBLE": "a number", "BOOLEAN": "true or false",
    "LIST": "a list", "STRUCT": "an object",
}  # fmt: skip


def check(
    name: str, arguments: Mapping[str, Any], *, image: str = "", root: str = "", cluster: bool = True
) -> list[tuple[str, str]]:
    """Checks a request.

    Args:
      name: of the pipeline.
      arguments: of its parameters.
      image: that the steps run in; "" is not checked.
      root: place where Kubeflow keeps artifacts; "" is not checked.
      cluster: whether it runs on other machines, which do not see this one's files.

    Returns:
      (what was checked, "" or what is wrong), in order; after one that says what is wrong the others go on.
    """
    found: list[tuple[str, str]] = []

    def ask(what: str, question: Callable[[], None]) -> None:
        try:
            question()
            found.append((what, ""))
        except AetfxError as error:
            found.append((what, str(error)))

    ask("parameters", lambda: check_arguments(name, arguments))
    ask("study", lambda: _check_study(name, arguments))
    study = str(arguments.get("study", ""))
    ask("rows", lambda: _check_rows(study, cluster))
    if name != "validation":
        ask("models", lambda: _check_models(study, cluster))
    flags = arguments.get("beam_flags") or []
    if flags:
        ask("Beam's flags", lambda: _check_flags(flags, root))
    for key in PLACES:
        if place := str(arguments.get(key) or ""):
            ask(key, lambda key=key, place=place: _check_place(place, key, cluster, written=key != "schema"))  # type: ignore[misc]
    if root:
        ask("pipeline root", lambda: _check_place(root, "the pipeline root", cluster, written=True))
    if image:
        ask("image", lambda: check_image(image))
    return found


def check_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Checks arguments against the parameters of a pipeline, by name and type.

    Raises:
      StudyError: one is unknown, missing, or of another type.
    """
    parameters = _parameters(name)
    known = {key: _kind(parameter) for key, parameter in parameters.items()}
    for key, value in arguments.items():
        if key not in known:
            raise StudyError(f"{name}: no parameter '{key}'.{nearest(key, known)}")
        kind = known[key]
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind.startswith("NUMBER")):
            raise StudyError(f"{name}: {key} must be {_WORDS[kind]} but got {json.dumps(value)[:60]}.")
        if kind == "LIST" and not all(isinstance(item, str) for item in value):
            raise StudyError(f"{name}: {key} must be a list of strings but got {json.dumps(value)[:60]}.")
    for key, parameter in parameters.items():
        if not parameter.is_optional and not arguments.get(key):
            raise StudyError(f"{name}: {key} is missing. Give it with --set {key}=...")


def text_parameters(name: str) -> set[str]:
    """Returns the parameters of a pipeline that take text as it stands.

    Raises:
      StudyError: there is no such pipeline.
    """
    return {key for key, parameter in _parameters(name).items() if _kind(parameter) == "STRING"}


def check_image(image: str) -> None:
    """Asks the registry of an image whether it is there.

    Raises:
      StudyError: the name has no tag, or `latest`; the registry has no such tag.
      RunError: the registry cannot be reached, or asks for rights.
    """
    host, path, reference = split_image(image)
    url = f"{'http' if _is_this_machine(host) else 'https'}://{host}/v2/{path}/manifests/{reference}"
    try:
        _ask(url)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise StudyError(f"{image}: {host} has no such image or tag. Push it first, or mend its name.") from None
        if error.code in (401, 403):
            raise RunError(
                f"{image}: {host} lets nobody without rights look ({error.code}), so that it may be there or not. "
                "Ask `docker manifest inspect`, then leave --image out of `check`, or pass --trust-image to submit."
            ) from None
        raise RunError(f"{image}: {host} answered {error.code}. Try again later.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RunError(
            f"{image}: {host} cannot be reached ({reason}). Check the name and the network. Where only the cluster "
            "reaches it, leave --image out of `check`, or pass --trust-image to submit."
        ) from None


def split_image(image: str) -> tuple[str, str, str]:
    """Returns registry, path, and tag or digest of an image.

    Raises:
      StudyError: it is no image, or has no tag, or `latest`.

    >>> split_image("europe-docker.pkg.dev/p/r/aetfx:0.1.0")
    ('europe-docker.pkg.dev', 'p/r/aetfx', '0.1.0')
    >>> split_image("python:3.11-slim")
    ('registry-1.docker.io', 'library/python', '3.11-slim')
    """
    match = re.fullmatch(r"([a-z0-9][\w./-]*?(?::\d+)?[\w./-]*?)(?::([\w.-]{1,128}))?(@sha256:[0-9a-f]{64})?", image)
    if match is None:
        raise StudyError(f"image: '{image}' is no name of an image. Give one such as registry/project/aetfx:0.1.0.")
    name, tag, digest = match.groups()
    if digest is None and tag in (None, "latest"):
        raise StudyError(
            f"image: '{image}' has {'no tag' if tag is None else 'the tag latest'}, so that nobody could tell what "
            "a step ran in. Give a version or a digest."
        )
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return first, rest, digest[1:] if digest else tag
    return "registry-1.docker.io", name if rest else f"library/{name}", digest[1:] if digest else tag


def _ask(url: str, token: str = "") -> None:
    headers = {"Accept": _MANIFESTS} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, method="HEAD", headers=headers)
    try:
        urllib.request.urlopen(request, timeout=_SECONDS).close()
    except urllib.error.HTTPError as error:
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', error.headers.get("WWW-Authenticate", "")))
        if error.code != 401 or token or "realm" not in challenge:
            raise
        asked = urllib.parse.urlencode({key: challenge[key] for key in ("service", "scope") if key in challenge})
        with urllib.request.urlopen(f"{challenge['realm']}?{asked}", timeout=_SECONDS) as answer:
            told = json.load(answer)
        _ask(url, token=str(told.get("token") or told.get("access_token") or "none"))


def _is_this_machine(host: str) -> bool:
    return host.split(":")[0] in ("localhost", "127.0.0.1")


def _parameters(name: str) -> Any:
    return define(name).component_spec.to_pipeline_spec().root.input_definitions.parameters


def _kind(parameter: Any) -> str:
    from kfp.pipeline_spec import pipeline_spec_pb2

    return str(pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(parameter.parameter_type))


def _check_study(name: str, arguments: Mapping[str, Any]) -> None:
    study = read(str(arguments.get("study", "")))
    if name == "sweep":
        asked = {one.identity for one in configurations(study)}
        if len(asked) < 2:
            raise StudyError(f"{study.name}: nothing to sweep over. List values under compare.")


def _check_rows(study: str, cluster: bool) -> None:
    from aetfx.data.files import expand

    data = read(study).data
    for path in (data.train, data.eval):
        if isinstance(path, str):
            _check_credentials(path)
            expand(path)
            if cluster and not is_remote(path):
                raise DataError(
                    f"{path}: is on this machine, where the steps do not run. Copy it to a bucket and name that, or "
                    "pass --mounted where a volume has it under the same path."
                )


def _check_models(study: str, cluster: bool) -> None:
    """Checks the models that a study names, as far as they can be known without TensorFlow."""
    from aetfx.models.load import check_model_request

    request = read(study)
    models = [one.model for _, one in request.alternatives()]
    for section in {(model.path, model.factory): model for model in models}.values():
        if cluster and section.path:
            raise ModelError(
                f"{section.path}: is on this machine, where the steps do not run (model.path). Put it on a volume that "
                "has it under the same path and pass --mounted, or name a model.factory that is in the image."
            )
        if not (cluster and section.factory):  # the image may have a module that this machine has not
            check_model_request(section)
    if against := request.evaluation.thresholds.against:
        _check_place(against, "evaluation.thresholds.against", cluster, written=False)


def _check_flags(flags: Any, root: str) -> None:
    from aetfx.validation.runner import check_flags

    check_flags(flags)
    if runner_of(flags) == "DataflowRunner":
        given = {flag.split("=", 1)[0] for flag in flags}
        for wanted in ("--project", "--region", "--temp_location", "--sdk_container_image"):
            if wanted not in given:
                raise StudyError(f"beam_flags: DataflowRunner needs {wanted}=... Add it.")
        if root and not root.startswith("gs://"):
            raise StudyError(f"beam_flags: Dataflow's workers cannot read artifacts at '{root}'. Use a root at gs://.")


def _check_place(place: str, what: str, cluster: bool, written: bool) -> None:
    """Checks that a place can be reached, and a local one written to."""
    if not is_remote(place):
        if cluster:
            raise RunError(
                f"{what}: '{place}' is on this machine, where the steps do not run. Give gs://... or s3://..."
            )
        folder = Path(place)
        while written and not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if written and not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise RunError(f"{what}: '{place}' cannot be written to. Choose another place.")
        if not written and not folder.exists():
            raise DataError(f"{what}: '{place}' does not exist. Check the path.")
        return
    _check_credentials(place)
    from aetfx.data.files import reach

    reach(place)


def _check_credentials(place: str) -> None:
    """Asks for credentials before the store is: its clients try for minutes without."""
    if not place.startswith("gs://"):
        return
    try:
        import google.auth
    except ImportError:
        raise RunError(f"{place}: no client for gs:// here. pip install 'aetfx[dataflow]' brings it.") from None
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.auth.transport.requests import Request

    os.environ.setdefault("NO_GCE_CHECK", "true" if not os.path.exists("/var/run/secrets/kubernetes.io") else "false")
    try:
        found, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_write"])
    except DefaultCredentialsError:
        raise RunError(
            f"{place}: no Google credentials here. Run `gcloud auth application-default login`, or let "
            "GOOGLE_APPLICATION_CREDENTIALS name a key file."
        ) from None
    try:
        # The clients of the store would try for minutes.
        found.refresh(functools.partial(Request(), timeout=_SECONDS))
    except GoogleAuthError as error:
        said = " ".join(str(error).split())[:160]
        raise RunError(
            f"{place}: the Google credentials here are not accepted, or Google is not reached ({said})."
        ) from None
