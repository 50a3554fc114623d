"""The kustomize base: valid by Kubernetes' own models, and one with what the project expects of a cluster."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from gwas_core.kubeflow.preflight import preflight
from gwas_core.kubeflow.settings import ENVIRONMENT_PREFIX, ClusterSettings
from tests.deploy.image import DOCKERFILE, REPOSITORY, instructions
from tests.kubeflow.katib_server import NAMESPACE, KatibServer
from tests.waiting import LIMIT

BASE = REPOSITORY / "deploy" / "base"
MODELS = {
    "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "ServiceAccount": "V1ServiceAccount",
    "Role": "V1Role",
    "RoleBinding": "V1RoleBinding",
}
Resource = dict[str, Any]


@pytest.fixture(scope="module")
def written() -> dict[str, Resource]:
    """The resources as written, by kind."""
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
    documents = [
        document
        for name in kustomization["resources"]
        for document in yaml.safe_load_all((BASE / name).read_text(encoding="utf-8"))
    ]
    assert len({document["kind"] for document in documents}) == len(documents)
    return {document["kind"]: document for document in documents}


def built(folder: str) -> dict[str, Resource]:
    """The resources as they reach the cluster, by kind."""
    for program, arguments in (("kustomize", ["build"]), ("kubectl", ["kustomize"])):
        if path := shutil.which(program):
            command = [path, *arguments, str(REPOSITORY / "deploy" / folder)]
            result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
            assert result.returncode == 0, result.stderr
            return {document["kind"]: document for document in yaml.safe_load_all(result.stdout)}
    pytest.skip("the manifests were not built: neither kustomize nor kubectl is here")


def faults(value: Any, model: str, where: str = "") -> Iterator[str]:
    """What an API server that checks every field would object to in a value of one of Kubernetes' types."""
    listed, mapped = re.fullmatch(r"list\[(.+)\]", model), re.fullmatch(r"dict\(str, (.+)\)", model)
    if listed:
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, entry in enumerate(value):
            yield from faults(entry, listed[1], f"{where}[{number}]")
    elif mapped:
        for name, entry in value.items():
            yield from faults(entry, mapped[1], f"{where}.{name}")
    elif hasattr(client, model):
        kind = getattr(client, model)
        fields = {kind.attribute_map[name]: types for name, types in kind.openapi_types.items()}
        for name, entry in value.items():
            if name in fields:
                yield from faults(entry, fields[name], f"{where}.{name}")
            else:
                yield f"{where} knows no {name}"
        try:
            kind(**{name: value.get(key) for name, key in kind.attribute_map.items()})
        except ValueError as error:
            yield f"{where}: {error}"
    elif not isinstance(value, {"str": str, "int": int, "bool": bool}.get(model, object)):
        yield f"{where} is no {model}"


def pod_of(notebook: Resource) -> Resource:
    pod: Resource = notebook["spec"]["template"]["spec"]
    return pod


def test_every_resource_is_valid(written: dict[str, Resource]) -> None:
    assert written.keys() == {*MODELS, "Notebook"}
    for kind, model in MODELS.items():
        assert list(faults(written[kind], model, kind)) == []
    notebook = written["Notebook"]
    assert notebook.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert notebook["apiVersion"] == "kubeflow.org/v1"
    assert list(faults(notebook["metadata"], "V1ObjectMeta", "metadata")) == []
    # The Notebook's schema holds a pod's, and nothing beside it.
    assert notebook["spec"].keys() == {"template"}
    assert list(faults(notebook["spec"]["template"], "V1PodTemplateSpec", "template")) == []


def test_the_check_of_resources_finds_faults() -> None:
    wrong = {"containers": [{"name": "gwas", "image": 3, "ports": [{"containerport": 8888}], "stdin": "yes"}], "x": 1}
    assert set(faults(wrong, "V1PodSpec", "pod")) == {
        "pod.containers[0].image is no str",
        "pod.containers[0].ports[0] knows no containerport",
        "pod.containers[0].ports[0]: Invalid value for `container_port`, must not be `None`",
        "pod.containers[0].stdin is no bool",
        "pod knows no x",
    }
    assert list(faults({"containers": {}}, "V1PodSpec", "pod")) == ["pod.containers is no list"]


def test_claim_mount_and_account_are_those_the_engine_uses(
    written: dict[str, Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pod_of(written["Notebook"])
    (container,) = pod["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    for name, value in variables.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            monkeypatch.setenv(name, value)
    settings = ClusterSettings.from_environment()
    claim = written["PersistentVolumeClaim"]
    assert settings.claim == claim["metadata"]["name"]
    assert settings.storage == claim["spec"]["resources"]["requests"]["storage"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert settings.service_account == written["ServiceAccount"]["metadata"]["name"] == pod["serviceAccountName"]
    assert settings.mount_path == variables["GWAS_WORKSPACE"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    assert mounts["workspace"] == settings.mount_path
    (workspace,) = (volume for volume in pod["volumes"] if volume["name"] == "workspace")
    assert workspace["persistentVolumeClaim"]["claimName"] == settings.claim
    assert variables["KF_PIPELINES_SA_TOKEN_PATH"].startswith(f"{mounts['pipelines-token']}/")


def test_the_notebook_server_is_what_kubeflows_controller_expects(written: dict[str, Resource]) -> None:
    notebook = written["Notebook"]
    (container,) = pod_of(notebook)["containers"]
    assert container["name"] == notebook["metadata"]["name"]
    assert container["ports"][0]["containerPort"] == 8888
    # The controller sets it, to where its gateway leads here from.
    assert "NB_PREFIX" not in {entry["name"] for entry in container["env"]}
    assert not container.keys() & {"command", "workingDir"}


def test_pods_have_no_more_rights_than_they_need(written: dict[str, Resource]) -> None:
    """Kubernetes' restricted Pod Security Standard."""
    pod = pod_of(written["Notebook"])
    (user,) = (found.value for found in instructions(DOCKERFILE) if found.name == "USER")
    context = pod["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    assert context["runAsNonRoot"] is True
    assert context["fsGroup"] == 100
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert not any("hostPath" in volume for volume in pod["volumes"])
    resources = {resource for rule in written["Role"]["rules"] for resource in rule["resources"]}
    assert not resources & {"*", "secrets", "roles", "rolebindings", "serviceaccounts"}
    assert not any("*" in rule["verbs"] + rule["apiGroups"] for rule in written["Role"]["rules"])


def test_what_reaches_the_cluster() -> None:
    resources = built("base")
    namespaces = {resource["metadata"]["namespace"] for resource in resources.values()}
    assert len(namespaces) == 1
    (subject,) = resources["RoleBinding"]["subjects"]
    assert {subject["namespace"]} == namespaces
    (container,) = pod_of(resources["Notebook"])["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert container["image"] == variables[f"{ENVIRONMENT_PREFIX}IMAGE"] == ClusterSettings().image


def test_another_image_is_named_in_one_place(tmp_path: Path) -> None:
    shutil.copytree(BASE, tmp_path / "base")
    kustomization = tmp_path / "base" / "kustomization.yaml"
    text = kustomization.read_text(encoding="utf-8")
    kustomization.write_text(text.replace("newName: deep-gwas-dashboard", "newName: registry.example.org/team/gwas"))
    (container,) = pod_of(built(str(tmp_path / "base"))["Notebook"])["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    wanted = ClusterSettings().image.replace("deep-gwas-dashboard", "registry.example.org/team/gwas")
    assert container["image"] == variables[f"{ENVIRONMENT_PREFIX}IMAGE"] == wanted


def test_on_one_node_the_claim_is_for_that_node() -> None:
    resources = built("single-node")
    assert resources["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert resources.keys() == built("base").keys()


def test_with_katib_alone_the_dashboard_is_a_deployment_whose_trials_are_jobs() -> None:
    resources = built("katib-alone")
    deployment = resources["Deployment"]
    assert "Notebook" not in resources
    assert list(faults(deployment, "V1Deployment", "deployment")) == []
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    notebook_pod, pod = pod_of(built("base")["Notebook"]), pod_of(deployment)
    added = pod["containers"][0]["env"].pop()
    assert pod == notebook_pod
    assert added == {"name": f"{ENVIRONMENT_PREFIX}TRIAL_KIND", "value": "job"}


class Denied(set[tuple[str, str]]):
    """Every verb on every resource that a Role does not grant."""

    def __init__(self, role: Resource) -> None:
        super().__init__()
        self.rules = role["rules"]

    def __contains__(self, asked: object) -> bool:
        assert isinstance(asked, tuple)
        verb, resource = asked
        return not any(verb in rule["verbs"] and resource in rule["resources"] for rule in self.rules)


def test_the_role_grants_all_that_the_preflight_asks_for(
    written: dict[str, Resource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KatibServer(tmp_path) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        settings = ClusterSettings(namespace=NAMESPACE, trial_kind="job")

        def permissions() -> str:
            (check,) = (check for check in preflight(settings) if check.name == "Permissions")
            return f"{check.status} {check.sentence}"

        server.denied = Denied(written["Role"])
        assert permissions().startswith("ok ")
        trials = next(rule for rule in server.denied.rules if "trials" in rule["resources"])
        server.denied.rules = [rule for rule in server.denied.rules if rule is not trials]
        assert "list trials" in permissions()
