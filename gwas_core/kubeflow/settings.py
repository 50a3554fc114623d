"""Settings of a cluster (``GWAS_KUBEFLOW_...``): namespace, image, claim, processors, memory, GPUs, kind of trial.

Also here: what each may be, and its default.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import gwas_core
from gwas_core.errors import SettingsError
from gwas_core.messages import quoted
from gwas_core.serialization import from_json_values

TrialKind = Literal["pipeline", "job"]
ResumePolicy = Literal["LongRunning", "FromVolume", "Never"]

ENVIRONMENT_PREFIX = "GWAS_KUBEFLOW_"
"""Beginning of the environment variables; a field's name in capitals follows, as in ``GWAS_KUBEFLOW_NAMESPACE``."""

FILE_SYSTEM_GROUP = 100
"""Group of the Jupyter images, given to all pods so that notebook and trials may write the same volume."""

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,499}")
# The driver's command line passes through a shell, so only plain paths.
_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_HOST = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?")
# Kubernetes quantities as people write them; exponents and the smallest units make no sense here.
_CPU = re.compile(r"[0-9]{1,4}m|[0-9]{1,3}(\.[0-9]{1,3})?")
_BYTES = re.compile(r"[1-9][0-9]{0,5}(Mi|Gi|Ti|M|G|T)")
_MOST_GPUS = 16


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Settings of experiments on a cluster.

    Attributes:
        namespace: the user's namespace, where everything is created.
        image: this project's container image, for the driver and every step.
        claim: name of the ReadWriteMany volume claim that holds the workspace.
        mount_path: folder where pods see the claim; ``GWAS_WORKSPACE`` of every pod.
        storage: size of the claim, if it has to be created.
        storage_class: of the claim, if it has to be created; empty for the cluster's default.
        service_account: of the driver, with the usual rights to pipelines.
        pipeline_host: address of the Pipelines API, as pods see it.
        trial_kind: ``pipeline``: each trial is a pipeline run; ``job``: each trial is a job, for a cluster that has
            Katib alone.
        resume_policy: Katib's; ``LongRunning`` and ``FromVolume`` allow adding trials to a finished experiment.
        cpu: processors that training requests, such as ``2`` or ``500m``.
        memory: memory that training requests, and may not exceed, such as ``4Gi``.
        gpu: number of GPUs that training requests.

    Raises:
        SettingsError: names the field that is refused.
    """

    namespace: str = "default"
    image: str = f"deep-gwas-dashboard:{gwas_core.__version__}"
    claim: str = "gwas-workspace"
    mount_path: str = "/workspace"
    storage: str = "5Gi"
    storage_class: str = ""
    service_account: str = "default-editor"
    pipeline_host: str = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
    trial_kind: TrialKind = "pipeline"
    resume_policy: ResumePolicy = "LongRunning"
    cpu: str = "2"
    memory: str = "4Gi"
    gpu: int = 0

    def __post_init__(self) -> None:
        self._check_text("namespace", _LABEL, "a namespace's name: lower-case letters, digits and dashes")
        self._check_text("image", _IMAGE, "an image's name, such as registry.example.org/gwas:1.0")
        for name in ("claim", "service_account"):
            self._check_text(name, _SUBDOMAIN, "a Kubernetes name: lower-case letters, digits, dashes and dots")
        if self.storage_class != "":
            self._check_text("storage_class", _SUBDOMAIN, "a storage class's name, or empty for the cluster's default")
        self._check_text("mount_path", _PATH, "a plain absolute path, such as /workspace")
        self._check_text("pipeline_host", _HOST, "an address such as http://ml-pipeline.kubeflow:8888")
        self._check_text("cpu", _CPU, "a number of processors, such as 2 or 500m")
        for name in ("memory", "storage"):
            self._check_text(name, _BYTES, "a size, such as 4Gi")
        for name, options in (("trial_kind", get_args(TrialKind)), ("resume_policy", get_args(ResumePolicy))):
            if getattr(self, name) not in options:
                raise self._refusal(name, f"one of {', '.join(options)}")
        if isinstance(self.gpu, bool) or not isinstance(self.gpu, int) or not 0 <= self.gpu <= _MOST_GPUS:
            raise self._refusal("gpu", f"a whole number from 0 to {_MOST_GPUS}")

    def _check_text(self, name: str, pattern: re.Pattern[str], rule: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self._refusal(name, rule)

    def _refusal(self, name: str, rule: str) -> SettingsError:
        return SettingsError(f"{name.replace('_', ' ')} must be {rule}, not {quoted(getattr(self, name))}", field=name)

    @property
    def threads(self) -> int:
        """Number of threads that keep the processors of a training step busy."""
        cores = float(self.cpu[:-1]) / 1000 if self.cpu.endswith("m") else float(self.cpu)
        return max(1, math.ceil(cores))

    def to_environment(self) -> dict[str, str]:
        """Return environment variables for a process on the cluster; ``from_environment`` reads these settings.

        No variable is empty: Katib refuses a job that holds what Kubernetes leaves out.
        """
        values = {name: str(value) for name, value in asdict(self).items()}
        return {f"{ENVIRONMENT_PREFIX}{name.upper()}": value for name, value in values.items() if value}

    @classmethod
    def from_environment(cls) -> ClusterSettings:
        """Return the settings of the ``GWAS_KUBEFLOW_...`` variables; others have their defaults.

        In a pod the default namespace is the pod's own.

        Raises:
            SettingsError: a value is refused.
        """
        given: dict[str, str | int] = {}
        for field in fields(cls):
            text = os.environ.get(ENVIRONMENT_PREFIX + field.name.upper())
            if text:
                given[field.name] = text
        if "namespace" not in given and _POD_NAMESPACE.is_file():
            given["namespace"] = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
        if (gpu := str(given.get("gpu", ""))).isdecimal():
            given["gpu"] = int(gpu)
        return from_json_values(cls, given, name="cluster settings")
