"""Connection to a cluster (kubeconfig, a pod's own), and the volume claim that holds the workspace there.

Also here: whether a cluster is configured; whether the claim is mounted here; creation of the claim, and snapshots of
it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from gwas_core.kubeflow.kubernetes_api import (
    SNAPSHOTS,
    ClusterError,
    Conflict,
    KubernetesApi,
    NotFound,
    NotInstalled,
)
from gwas_core.kubeflow.labels import APPLICATION_LABELS
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.serialization import JsonObject
from gwas_core.workspace import Workspace

if TYPE_CHECKING:
    from kubernetes.client import Configuration

READ_WRITE_MANY = "ReadWriteMany"


class NotConfigured(ClusterError):
    """No cluster is configured, or its configuration cannot be used."""


def is_configured() -> bool:
    """Return whether a cluster is configured; asks neither network nor cluster."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or _kubeconfig() is not None


def _kubeconfig() -> str | None:
    if given := os.environ.get("KUBECONFIG"):
        return given
    usual = Path.home() / ".kube" / "config"
    return str(usual) if usual.is_file() else None


def connect(settings: ClusterSettings) -> KubernetesApi:
    """Return a client for the cluster of ``KUBECONFIG``, else of this pod, else of ``~/.kube/config``.

    Args:
        settings: whose namespace the client asks for.

    Raises:
        NotConfigured: no cluster is configured, or its configuration cannot be read.
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
    # Each kind of mistake in the file (base64, a missing certificate, a name too many) has an exception of its own.
    except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        words = " ".join(str(error).split())[:300]
        raise NotConfigured(f"the configuration of the Kubernetes cluster cannot be used: {words}") from error
    return configuration


def is_claim_here(workspace: Workspace, settings: ClusterSettings) -> bool:
    """Return whether the workspace is where pods see the claim; if not, ``transfer_pod`` copies files.

    Args:
        workspace: of this process.
        settings: say where pods mount the claim.
    """
    return workspace.root.absolute() == Path(settings.mount_path)


def ensure_claim(api: KubernetesApi, settings: ClusterSettings) -> None:
    """Create the workspace's claim if there is none yet.

    Args:
        api: of the namespace.
        settings: name the claim, its size and its storage class.

    Raises:
        ClusterError: it cannot be created.
    """
    try:
        api.get("persistentvolumeclaims", settings.claim)
        return
    except NotFound:
        pass
    spec: JsonObject = {
        "accessModes": [READ_WRITE_MANY],
        "resources": {"requests": {"storage": settings.storage}},
    }
    if settings.storage_class:
        spec["storageClassName"] = settings.storage_class
    body: JsonObject = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": settings.claim, "labels": dict(APPLICATION_LABELS)},
        "spec": spec,
    }
    with suppress(Conflict):  # another process was faster
        api.create("persistentvolumeclaims", body)


def snapshot_claim(api: KubernetesApi, settings: ClusterSettings, name: str) -> str | None:
    """Take a snapshot of the claim as it is now.

    Args:
        api: of the namespace.
        settings: name the claim.
        name: of the snapshot.

    Returns:
        The name, or None if the cluster does not offer snapshots.

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
