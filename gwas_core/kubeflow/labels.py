"""Labels and annotations of our objects on a cluster, and those that Katib and Istio go by.

Also here: what keeps Istio's sidecar out of a pod.

Imports nothing: a page asks ``cluster`` whether there is a cluster at all, without the models of Katib's API.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

APPLICATION_LABELS: Mapping[str, str] = MappingProxyType({"app.kubernetes.io/part-of": "deep-gwas-dashboard"})
"""On everything that is created here."""

NO_SIDECAR: Mapping[str, str] = MappingProxyType({"sidecar.istio.io/inject": "false"})
"""Keeps Istio's proxy out of a pod, which it would keep from ending.

A label and an annotation: which of the two Istio looks at depends on its version.
"""

CREATED_ANNOTATION = "deep-gwas-dashboard/created"
"""On a Katib experiment: when ours was created. Tells one creation of a name from another, even if the answer to it
was lost."""

DATASET_ANNOTATION = "deep-gwas-dashboard/dataset"
"""On a Katib experiment: content hash of its dataset."""

EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
SUGGESTION_LABEL = "katib.kubeflow.org/suggestion"
TRIAL_LABEL = "katib.kubeflow.org/trial"

INJECTION_LABEL, INJECTION_VALUE = "katib.kubeflow.org/metrics-collector-injection", "enabled"
"""On a namespace in which Katib collects metrics."""
