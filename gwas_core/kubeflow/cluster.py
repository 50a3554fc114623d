"""Reaching a cluster, and the claim that holds the workspace there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gwas_core.kubeflow.kubernetes_api import SNAPSHOTS, ClusterError, Conflict, KubernetesApi, NotFound, NotInstalled
from gwas_core.kubeflow.labels import APPLICATION_LABELS
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.workspace import Workspace

if TYPE_CHECKING:
    from kubernetes.client import Configuration

READ_WRITE_MANY = "ReadWriteMany"


class NotConfigured(ClusterError):
    """Nothing says where a cluster is."""


def is_configured() -> bool:
    """Whether anything says where a cluster is; costs nothing and asks nobody."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or _kubeconfig() is not None


def _kubeconfig() -> str | None:
    if given := os.environ.get("KUBECONFIG"):
        return given
    usual = Path.home() / ".kube" / "config"
    return str(usual) if usual.is_file() else None


def connect(settings: ClusterSettings) -> KubernetesApi:
    """The API of the cluster: ``KUBECONFIG``'s, else the one this pod runs on, else that of ``~/.kube/config``.

    Raises:
        NotConfigured: there is none, or its configuration cannot be read.
    """
    return KubernetesApi(_configuration, namespace=settings.namespace)


def _configuration() -> Configuration:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    configuration = Configuration()
    file = _kubeconfig()
    try:
        if "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
            load_incluster_config(client_configuration=configuration)
        elif file is not None:
            load_kube_config(config_file=file, client_configuration=configuration)
        else:
            raise NotConfigured(
                "no Kubernetes cluster is configured: set KUBECONFIG, or open this in a Kubeflow notebook server"
            )
    # Whatever is wrong in the file (base64, a missing certificate, a name too many) surfaces under its own name.
    except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        words = " ".join(str(error).split())[:300]
        raise NotConfigured(f"the configuration of the Kubernetes cluster cannot be used: {words}") from error
    return configuration


def is_claim_here(workspace: Workspace, settings: ClusterSettings) -> bool:
    """Whether the workspace is where pods see the claim; where not, files are copied through a pod (``helper``)."""
    return workspace.root.absolute() == Path(settings.mount_path)


def ensure_claim(api: KubernetesApi, settings: ClusterSettings) -> None:
    """Create the workspace's claim where there is none yet.

    Raises:
        ClusterError: it cannot be created.
    """
    try:
        api.get("persistentvolumeclaims", settings.claim)
        return
    except NotFound:
        pass
    spec: dict[str, Any] = {
        "accessModes": [READ_WRITE_MANY],
        "resources": {"requests": {"storage": settings.storage}},
    }
    if settings.storage_class:
        spec["storageClassName"] = settings.storage_class
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": settings.claim, "labels": dict(APPLICATION_LABELS)},
        "spec": spec,
    }
    with suppress(Conflict):  # somebody was faster
        api.create("persistentvolumeclaims", body)


def snapshot_claim(api: KubernetesApi, settings: ClusterSettings, name: str) -> str | None:
    """Take a snapshot of the claim as it is now; its name, or None where the cluster does not offer snapshots.

    Raises:
        ClusterError: the cluster offers them but does not take this one.
    """
    try:
        api.request("GET", SNAPSHOTS)
    except (NotInstalled, NotFound):
        return None
    body = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name, "labels": dict(APPLICATION_LABELS)},
        "spec": {"source": {"persistentVolumeClaimName": settings.claim}},
    }
    with suppress(Conflict):
        api.create("volumesnapshots", body)
    return name
