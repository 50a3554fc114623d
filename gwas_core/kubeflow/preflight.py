"""Preflight: checks whether a cluster has what experiments need, each failure with its remedy.

Also here: checks of Katib, Pipelines, metrics collection, permissions, storage that many pods can share, the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import urllib3

from gwas_core.kubeflow.cluster import READ_WRITE_MANY, NotConfigured, connect
from gwas_core.kubeflow.kubernetes_api import (
    CORE,
    KATIB,
    ClusterError,
    KubernetesApi,
    NotAllowed,
    NotFound,
    NotInstalled,
    Unreachable,
)
from gwas_core.kubeflow.labels import INJECTION_LABEL, INJECTION_VALUE
from gwas_core.kubeflow.settings import ENVIRONMENT_PREFIX, ClusterSettings
from gwas_core.messages import quoted
from gwas_core.serialization import JsonObject

KATIB_NAMESPACE = "kubeflow"

_PIPELINES_HEALTH = "/apis/v2beta1/healthz"
_PIPELINES_PROXY = f"{CORE}/namespaces/{KATIB_NAMESPACE}/services/ml-pipeline:8888/proxy{_PIPELINES_HEALTH}"
_HEALTH_SECONDS = 3.0

# Rights with which experiments are started, watched, stopped and explained.
_NEEDED: tuple[tuple[str, str, str, str], ...] = (
    *((verb, "kubeflow.org", "experiments", "") for verb in ("create", "get", "list", "patch", "delete")),
    *((verb, "kubeflow.org", "trials", "") for verb in ("list", "patch", "delete")),
    *((verb, "kubeflow.org", "suggestions", "") for verb in ("get", "patch", "delete")),
    *((verb, "", "pods", "") for verb in ("list", "get", "create", "delete")),
    # The client's handshake is a GET; from Kubernetes 1.35 it needs the right to create as well.
    *((verb, "", "pods", "exec") for verb in ("get", "create")),
    ("get", "", "pods", "log"),
    *((verb, "", "persistentvolumeclaims", "") for verb in ("get", "create")),
)

# Storage classes do not say which access modes they offer; these are known of their provisioners.
_SHARED_PROVISIONERS = (
    "nfs", "efs.csi.aws.com", "filestore.csi.storage.gke.io", "file.csi.azure.com", "azure-file", "cephfs",
    "longhorn", "glusterfs", "portworx", "quobyte", "minikube-hostpath", "docker.io/hostpath", "hostpath.csi.k8s.io",
)  # fmt: skip
_UNSHARED_PROVISIONERS = (
    "rancher.io/local-path", "ebs.csi.aws.com", "kubernetes.io/aws-ebs", "pd.csi.storage.gke.io",
    "kubernetes.io/gce-pd", "disk.csi.azure.com", "kubernetes.io/azure-disk", "rbd", "topolvm", "no-provisioner",
)  # fmt: skip
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class CheckStatus(StrEnum):
    """Outcome of a check."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Check:
    """Outcome of checking one thing that experiments on the cluster need.

    Attributes:
        name: of what was checked, short, for people.
        sentence: what was found.
        remedy: what to do about it; empty if there is nothing to do.
    """

    name: str
    status: CheckStatus
    sentence: str
    remedy: str = ""


def preflight(settings: ClusterSettings, api: KubernetesApi | None = None) -> tuple[Check, ...]:
    """Return the outcome of every check that can be made before an experiment is started.

    Nothing that the cluster does raises an error: not being allowed to look is an outcome too. If the API is not
    reached, that is the only check.

    Args:
        settings: where experiments would go.
        api: of the namespace; connected now if not given.
    """
    try:
        api = api or connect(settings)
        version = api.request("GET", "/version").get("gitVersion", "of unknown version")
    except NotConfigured as error:
        return (_failed("Cluster", str(error)),)
    except ClusterError as error:
        remedy = "check the network, and that the kubeconfig's address and credentials are current"
        return (_failed("Kubernetes API", str(error), remedy),)
    return (
        _ok("Kubernetes API", f"Kubernetes {version} at {api.host} answers"),
        *_checked(api, settings, _CHECKS),
    )


def _checked(api: KubernetesApi, settings: ClusterSettings, checks: Iterable[_CheckFunction]) -> Iterator[Check]:
    for name, check in checks:
        try:
            yield check(api, settings)
        except NotAllowed as error:
            yield Check(name=name, status=CheckStatus.UNKNOWN, sentence=f"not allowed to look: {error}")
        except ClusterError as error:
            yield Check(name=name, status=CheckStatus.UNKNOWN, sentence=str(error), remedy="try again")


def _ok(name: str, sentence: str) -> Check:
    return Check(name=name, status=CheckStatus.OK, sentence=sentence)


def _failed(name: str, sentence: str, remedy: str = "") -> Check:
    return Check(name=name, status=CheckStatus.FAILED, sentence=sentence, remedy=remedy)


def _check_katib(api: KubernetesApi, settings: ClusterSettings) -> Check:  # noqa: ARG001 - all checks are called alike
    try:
        kinds = {entry.get("name") for entry in api.request("GET", KATIB).get("resources") or ()}
    except (NotFound, NotInstalled):
        kinds = set()
    missing = {"experiments", "trials", "suggestions"} - kinds
    if missing:
        return _failed("Katib", f"the cluster has no Katib: it knows no {', '.join(sorted(missing))}", "install Katib")
    return _ok("Katib", f"Katib {_image_version(api, 'katib-controller') or 'of an unknown version'} is there")


def _image_version(api: KubernetesApi, deployment: str) -> str:
    path = f"/apis/apps/v1/namespaces/{KATIB_NAMESPACE}/deployments/{deployment}"
    try:
        containers = api.request("GET", path)["spec"]["template"]["spec"]["containers"]
        return str(containers[0]["image"]).partition("@")[0].rpartition(":")[2]
    except (ClusterError, KeyError, IndexError, TypeError):
        return ""


def _check_pipelines(api: KubernetesApi, settings: ClusterSettings) -> Check:
    if settings.trial_kind != "pipeline":
        return _ok("Pipelines", "not needed: each trial is a job")
    health = _pipelines_health(api, settings)
    if health is None:
        return _failed(
            "Pipelines",
            f"no Pipelines API answers at {settings.pipeline_host}, nor through the cluster",
            f"install Kubeflow Pipelines, correct {ENVIRONMENT_PREFIX}PIPELINE_HOST, or have trials run without it: "
            f"{ENVIRONMENT_PREFIX}TRIAL_KIND=job",
        )
    return _ok("Pipelines", f"Pipelines {health.get('tag_name') or 'of unknown version'} is there")


def _pipelines_health(api: KubernetesApi, settings: ClusterSettings) -> JsonObject | None:
    """Return what the Pipelines API says of itself, asked directly or through the API server; None if it is silent."""
    try:
        address = settings.pipeline_host + _PIPELINES_HEALTH
        answer = urllib3.request("GET", address, timeout=_HEALTH_SECONDS, retries=False)
        if answer.status == 200:
            health = answer.json()
            return health if isinstance(health, dict) else {}
    except (urllib3.exceptions.HTTPError, ValueError):
        pass
    try:
        return api.request("GET", _PIPELINES_PROXY)
    except (NotFound, NotInstalled, Unreachable):
        return None


def _check_namespace(api: KubernetesApi, settings: ClusterSettings) -> Check:
    name = "Metrics collection"
    try:
        namespace = api.request("GET", f"{CORE}/namespaces/{settings.namespace}")
    except NotFound:
        return _failed(
            name,
            f"there is no namespace {settings.namespace}",
            f"create it, or name yours in {ENVIRONMENT_PREFIX}NAMESPACE",
        )
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    if labels.get(INJECTION_LABEL) == INJECTION_VALUE:
        return _ok(name, f"namespace {settings.namespace} is labelled for it")
    return _failed(
        name,
        f"namespace {settings.namespace} is not labelled for it, so Katib refuses experiments there",
        f"kubectl label namespace {settings.namespace} {INJECTION_LABEL}={INJECTION_VALUE}",
    )


def _check_permissions(api: KubernetesApi, settings: ClusterSettings) -> Check:
    denied = [
        f"{verb} {'/'.join(filter(None, (resource, subresource)))}"
        for verb, group, resource, subresource in _NEEDED
        if not api.may(verb, resource, group=group, subresource=subresource)
    ]
    if not denied:
        return _ok("Permissions", f"all that is needed is allowed in {settings.namespace}")
    return _failed(
        "Permissions",
        f"not allowed in {settings.namespace}: {', '.join(denied)}",
        "run as the service account default-editor of a Kubeflow profile, or apply deploy/'s role binding",
    )


def _check_storage(api: KubernetesApi, settings: ClusterSettings) -> Check:
    name = "Shared storage"
    try:
        claim = api.get("persistentvolumeclaims", settings.claim)
    except NotFound:
        return _check_storage_class(name, api, settings)
    modes = (claim.get("spec") or {}).get("accessModes") or []
    phase = (claim.get("status") or {}).get("phase", "of unknown state")
    if READ_WRITE_MANY not in modes:
        return Check(
            name=name,
            status=CheckStatus.UNKNOWN,
            sentence=f"claim {settings.claim} is {' and '.join(modes) or 'of no mode'}: it works as long as every pod "
            "runs on one node",
            remedy=f"on a cluster of several nodes name a claim with {READ_WRITE_MANY} in {ENVIRONMENT_PREFIX}CLAIM",
        )
    if phase == "Bound":
        return _ok(name, f"claim {settings.claim} is bound and can be shared")
    return Check(
        name=name,
        status=CheckStatus.UNKNOWN,
        sentence=f"claim {settings.claim} is {phase}: it may be bound when the first pod uses it, or never",
        remedy=f"kubectl describe pvc {settings.claim} -n {settings.namespace} says why",
    )


def _check_storage_class(name: str, api: KubernetesApi, settings: ClusterSettings) -> Check:
    classes = api.request("GET", "/apis/storage.k8s.io/v1/storageclasses").get("items") or []
    chosen = _chosen_class(classes, settings.storage_class)
    if chosen is None:
        wanted = f"no storage class {settings.storage_class}" if settings.storage_class else "no default storage class"
        known = ", ".join(entry["metadata"]["name"] for entry in classes) or "none"
        return _failed(name, f"there is {wanted}; there are: {known}", f"set {ENVIRONMENT_PREFIX}STORAGE_CLASS")
    title, provisioner = chosen["metadata"]["name"], str(chosen.get("provisioner", ""))
    if any(known in provisioner for known in _UNSHARED_PROVISIONERS):
        return _failed(
            name,
            f"storage class {title} ({provisioner}) gives volumes to one node at a time, and trials run on several",
            f"install one that can be shared, such as NFS, and name it in {ENVIRONMENT_PREFIX}STORAGE_CLASS; on a "
            "cluster of one node a claim that you create yourself will do",
        )
    if any(known in provisioner for known in _SHARED_PROVISIONERS):
        return _ok(name, f"storage class {title} ({provisioner}) can be shared; the claim will be created")
    return Check(
        name=name,
        status=CheckStatus.UNKNOWN,
        sentence=f"whether storage class {title} ({quoted(provisioner)}) can be shared is not known",
        remedy="if the claim stays pending, name another storage class",
    )


def _chosen_class(classes: list[JsonObject], wanted: str) -> JsonObject | None:
    for entry in classes:
        annotations = entry["metadata"].get("annotations") or {}
        if entry["metadata"]["name"] == wanted or (not wanted and annotations.get(_DEFAULT_CLASS) == "true"):
            return entry
    return None


def _check_image(api: KubernetesApi, settings: ClusterSettings) -> Check:
    """Check the image by the pods there are: whether nodes can pull it, only the nodes know."""
    name = "Image"
    for pod in api.list("pods"):
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if container.get("image") == settings.image and "ImagePull" in str(waiting.get("reason")):
                return _failed(name, f"pod {pod['metadata']['name']} could not pull {settings.image}", _PULL_REMEDY)
            if container.get("image") == settings.image and "running" in (container.get("state") or {}):
                return _ok(name, f"{settings.image} runs on this cluster already")
    has_registry = "." in settings.image.partition("/")[0] and "/" in settings.image
    where = "from its registry" if has_registry else "although it names no registry"
    return Check(
        name=name,
        status=CheckStatus.UNKNOWN,
        sentence=f"whether the cluster's nodes can pull {settings.image} {where} shows with the first trial",
        remedy="" if has_registry else _PULL_REMEDY,
    )


_PULL_REMEDY = (
    f"push it to a registry the cluster can reach and name it in {ENVIRONMENT_PREFIX}IMAGE, or load it into the nodes: "
    "minikube image load, kind load docker-image"
)

_CheckFunction = tuple[str, Callable[[KubernetesApi, ClusterSettings], Check]]
_CHECKS: tuple[_CheckFunction, ...] = (
    ("Katib", _check_katib),
    ("Pipelines", _check_pipelines),
    ("Metrics collection", _check_namespace),
    ("Permissions", _check_permissions),
    ("Shared storage", _check_storage),
    ("Image", _check_image),
)


def check_lines(settings: ClusterSettings) -> tuple[list[str], bool]:
    """Return the outcome of the preflight as lines for a terminal, and whether nothing failed.

    Args:
        settings: of the cluster to look at.
    """
    checks = preflight(settings)
    lines = []
    for check in checks:
        lines.append(f"{check.status.value:<8}{check.name}: {check.sentence}")
        if check.remedy:
            lines.append(f"{'':<8}-> {check.remedy}")
    return lines, all(check.status is not CheckStatus.FAILED for check in checks)
