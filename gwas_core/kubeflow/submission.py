"""Submission of an experiment to Katib: its manifest, its creation, and recognising it later as ours."""

from __future__ import annotations

from dataclasses import replace

from gwas_core.kubeflow import katib_objects
from gwas_core.kubeflow.cluster_binding import ClusterBinding, load_binding, save_binding
from gwas_core.kubeflow.katib import katib_experiment
from gwas_core.kubeflow.kubernetes_api import KubernetesApi
from gwas_core.kubeflow.labels import CREATED_ANNOTATION
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import Experiment, ExperimentState
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter


def submission_manifest(experiment: Experiment, settings: ClusterSettings) -> JsonObject:
    """Return the manifest of the Katib experiment for the whole search.

    A grid with fewer points than trials is asked for its points only, because Katib refuses more.

    Raises:
        SettingsError: Katib cannot run the experiment; see ``check_katib``.
    """
    points = experiment.space.size
    if experiment.algorithm.name == "grid" and points is not None:
        experiment = replace(experiment, max_trials=min(experiment.max_trials, points))
    manifest = katib_experiment(experiment, cluster=settings)
    manifest["metadata"].setdefault("annotations", {})[CREATED_ANNOTATION] = experiment.created
    return manifest


def submit(api: KubernetesApi, store: Store, name: str, manifest: JsonObject, *, limit: int) -> JsonObject:
    """Create the Katib experiment, write down that it runs, and return it.

    Args:
        limit: number of trials of the whole search; see ``ClusterBinding``.

    Raises:
        SettingsError: Katib refuses it.
        ExperimentError: the name is taken on the cluster, or the cluster does not answer.
    """
    created = katib_objects.create(api, manifest)
    binding = replace(load_binding(store, name), uid=created["metadata"]["uid"], limit=limit)
    save_binding(store, name, binding.answered())
    store.clear_stop_request(name)
    ExperimentWriter(store, name).set_status(ExperimentState.RUNNING)
    return created


def is_submitted(existing: JsonObject, binding: ClusterBinding, record: ExperimentRecord) -> bool:
    """Return whether a Katib experiment of this name is the one that was submitted for the record.

    Args:
        existing: Katib experiment of the record's name.
        binding: of the record.
        record: the experiment as the store has it.
    """
    return katib_objects.is_same(existing, uid=binding.uid, created=record.experiment.created)
