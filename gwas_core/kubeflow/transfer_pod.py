"""Pod that reaches the files of a claim that is not mounted here: started, asked, ended, its manifest.

Also here: how long it lives and is waited for; which files are sent again; from which size on a file stays there until
it is needed; whether files arrived as they were sent.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path

from gwas_core.kubeflow.claim_transfer import HASH_PREFIX, TransferQuestion, digests, pack, stamps, unpack
from gwas_core.kubeflow.kubernetes_api import ClusterError, Conflict, KubernetesApi, NotFound, Unreachable
from gwas_core.kubeflow.labels import APPLICATION_LABELS, NO_SIDECAR
from gwas_core.kubeflow.settings import FILE_SYSTEM_GROUP, ClusterSettings
from gwas_core.kubeflow.stalls import explain_pod
from gwas_core.messages import counted, quoted
from gwas_core.serialization import JsonObject, to_json_values

SMALL_FILE = 256_000
"""Size in bytes: what a page shows of every trial is smaller; networks are larger."""

# Older images have no other name for ``claim_transfer``.
_TRANSFER_MODULE = "gwas_core.kubeflow.claim_files"
# The pod ends by itself after this, in case nothing is left that ends it.
_LIFE_SECONDS = 1800
_START_SECONDS = 180.0
_POLL_SECONDS = 0.2
# Time that every exchange may take, and the slowest connection that is waited for.
_EXCHANGE_SECONDS, _BYTES_A_SECOND = 60.0, 100_000.0


class TransferPod:
    """Access to the workspace's files on the cluster, for one purpose.

    The pod is made when it is needed, and ended by ``close``. Every method raises a ``ClusterError`` if the pod does
    not start, or if the files do not get through.

    Args:
        api: of the namespace.
        settings: name the claim, where pods mount it, and the image.
        root: folder of the workspace here.
        purpose: names the pod: an experiment's name, or a run's.
        tell: called with sentences about what is being done.

    Attributes:
        name: of the pod.
    """

    def __init__(
        self, api: KubernetesApi, settings: ClusterSettings, *, root: Path, purpose: str, tell: Callable[[str], None]
    ) -> None:
        self._api = api
        self._settings = settings
        self._root = root
        self._tell = tell
        self.name = f"gwas-files-{purpose}"[:63].rstrip("-")

    def is_ready(self) -> str | None:
        """Return None once the pod runs, else why it does not yet; empty if the cluster does not say why.

        The pod is made if there is none.
        """
        try:
            pod = self._api.get("pods", self.name)
        except NotFound:
            self._make()
            return ""
        phase = (pod.get("status") or {}).get("phase")
        if "deletionTimestamp" in pod["metadata"]:
            return ""
        if phase in ("Succeeded", "Failed"):
            self._api.delete("pods", self.name)  # its time was over; the next call makes another
            return ""
        return None if phase == "Running" else explain_pod(pod)

    def wait(self) -> None:
        """Wait until the pod runs.

        Raises:
            Unreachable: it does not run in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while (trouble := self.is_ready()) is not None:
            if time.monotonic() > deadline:
                raise Unreachable(
                    f"the pod that copies files to claim {self._settings.claim} has not started in "
                    f"{counted(round(_START_SECONDS), 'second')}: {trouble or 'the cluster does not say why'}"
                )
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Delete the pod."""
        self._api.delete("pods", self.name)

    def _make(self) -> None:
        try:
            self._api.create("pods", transfer_pod_manifest(self.name, self._settings))
        except Conflict:
            return  # another process was faster

    def send(self, folders: Collection[str]) -> None:
        """Copy these folders to the claim; files that are the same there are not sent again.

        Args:
            folders: below the workspace.
        """
        self.wait()
        here = digests(self._root, folders)
        there = json.loads(self._ask("digests", TransferQuestion(folders=tuple(folders))))
        paths = [path for path, digest in here.items() if there.get(path) != digest]
        size = sum((self._root / path).stat().st_size for path in paths)
        if paths:
            self._tell(f"copying {counted(len(paths), 'file')} ({size / 1e6:.1f} MB) to claim {self._settings.claim}")
            self._exchange("unpack", pack(self._root, paths))
            there = json.loads(self._ask("digests", TransferQuestion(folders=tuple(folders))))
        if any(there.get(path) != digest for path, digest in here.items()):
            raise Unreachable(f"claim {self._settings.claim} does not hold what was copied to it: try again")

    def fetch(self, folders: Collection[str], *, most_bytes: int | None = SMALL_FILE) -> None:
        """Copy files of these folders that have changed on the claim to here; the pod has to run.

        Args:
            folders: below the workspace.
            most_bytes: size above which a file is left out; None for no limit.
        """
        question = TransferQuestion(folders=tuple(folders), known=stamps(self._root, folders), most_bytes=most_bytes)
        unpack(self._root, self._ask("pack", question), under=folders)

    def remove(self, folders: Collection[str]) -> None:
        """Delete these folders on the claim.

        Args:
            folders: below the workspace.
        """
        self.wait()
        self._ask("remove", TransferQuestion(folders=tuple(folders)))

    def _ask(self, verb: str, question: TransferQuestion) -> bytes:
        return self._exchange(verb, json.dumps(to_json_values(question)).encode())

    def _exchange(self, verb: str, question: bytes) -> bytes:
        command = [
            "python", "-m", _TRANSFER_MODULE, verb,
            "--root", self._settings.mount_path,
            "--bytes", str(len(question)),
            "--sha256", hashlib.sha256(question).hexdigest(),
        ]  # fmt: skip
        seconds = _EXCHANGE_SECONDS + len(question) / _BYTES_A_SECOND
        try:
            code, output, words = self._api.run(self.name, command, question, seconds=seconds)
        except NotFound as error:
            raise Unreachable("the pod that copies files went away meanwhile: try again") from error
        last = words.strip().rpartition("\n")[2]
        if code != 0:
            raise ClusterError(
                f"the pod that copies files failed ({code}): {quoted(last, limit=300) if last else 'without a word'}"
            )
        if last != f"{HASH_PREFIX}{hashlib.sha256(output).hexdigest()}":
            raise Unreachable("what the cluster sent did not arrive as it was sent")
        return output


def transfer_pod_manifest(name: str, settings: ClusterSettings) -> JsonObject:
    """Return the manifest of a pod that has the claim mounted and waits.

    Args:
        name: of the pod.
        settings: name the claim, where it is mounted, and the image.
    """
    container = {
        "name": "files",
        "image": settings.image,
        "command": ["sleep", str(_LIFE_SECONDS)],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "workspace", "mountPath": settings.mount_path}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {**APPLICATION_LABELS, **NO_SIDECAR}, "annotations": dict(NO_SIDECAR)},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LIFE_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {"fsGroup": FILE_SYSTEM_GROUP},
            "containers": [container],
            "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": settings.claim}}],
        },
    }
