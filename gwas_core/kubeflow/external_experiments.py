"""External experiments: Katib experiments made elsewhere, listed and opened to be looked at here.

Also here: how Katib's parameter names and ranges become ours; which of them cannot be shown.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.client_cache import ClientCache
from gwas_core.kubeflow.cluster_binding import ClusterBinding, save_binding
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.serialization import JsonObject
from gwas_core.tuning.experiment import Experiment, ExperimentState
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.tuning.writer import ExperimentWriter

UNKNOWN_DATASET = "0" * 64
"""Stands for the dataset of an external experiment, which Katib does not know."""


class ExternalExperiments:
    """Finds external experiments, and adds them to the store."""

    def __init__(self, store: Store, clients: ClientCache) -> None:
        self._store = store
        self._clients = clients

    def names(self, settings: ClusterSettings) -> tuple[str, ...]:
        """Return the names of the namespace's Katib experiments that the store does not know, the newest first.

        Args:
            settings: say in which namespace to look.

        Raises:
            ClusterError: the cluster does not answer.
        """
        known = {summary.name for summary in self._store.experiments()}
        found = [entry["metadata"] for entry in self._clients.get(settings).list("experiments")]
        found.sort(key=lambda metadata: str(metadata.get("creationTimestamp")), reverse=True)
        return tuple(metadata["name"] for metadata in found if metadata["name"] not in known)

    def add(self, name: str, settings: ClusterSettings) -> None:
        """Add an external experiment to the store, without its trials, which the next synchronisation brings.

        Args:
            name: of the Katib experiment.
            settings: say in which namespace it is.

        Raises:
            SettingsError: it searches what cannot be shown.
            ExperimentError: there is none, or the cluster does not answer.
        """
        manifest = self._clients.get(settings).get("experiments", name)
        external = read_external_experiment(manifest)
        self._store.create(external.experiment)
        binding = ClusterBinding(
            cluster=settings,
            uid=manifest["metadata"]["uid"],
            read_only=True,
            names=external.names,
            limit=external.experiment.max_trials,
        )
        save_binding(self._store, name, binding)
        started = (manifest.get("status") or {}).get("startTime")
        ExperimentWriter(self._store, name).set_status(ExperimentState.RUNNING, since=started)


@dataclass(frozen=True)
class ExternalExperiment:
    """Katib experiment that was made elsewhere, as far as one of ours can say the same.

    Attributes:
        experiment: what it is here; its dataset is ``UNKNOWN_DATASET``.
        names: our parameter name by Katib's.
    """

    experiment: Experiment
    names: dict[str, str]


def read_external_experiment(manifest: JsonObject) -> ExternalExperiment:
    """Return an experiment of ours that says what a Katib experiment says.

    Args:
        manifest: of the Katib experiment, as the cluster returns it.

    Raises:
        SettingsError: it searches something that cannot be shown, such as a network's architecture.
    """
    spec, metadata = manifest.get("spec") or {}, manifest["metadata"]
    parameters = spec.get("parameters") or ()
    if not parameters:
        raise SettingsError("it searches no parameters", field="space")
    names = {str(entry["name"]): _identifier(str(entry["name"])) for entry in parameters}
    if len(set(names.values())) < len(names):
        raise SettingsError("its parameters' names differ only in signs that are not letters", field="space")
    goal = spec.get("objective") or {}
    minimised = goal.get("type") == "minimize"
    metric = f"{goal.get('objectiveMetricName', 'its objective')}{'' if minimised else ' (maximised: shown negative)'}"
    trials = int(spec.get("maxTrialCount") or (manifest.get("status") or {}).get("trials") or 1)
    try:
        space = SearchSpace(tuple(_parameter(entry, names[str(entry["name"])]) for entry in parameters))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"its parameters cannot be shown: {error}", field="space") from error
    experiment = Experiment(
        name=metadata["name"],
        dataset=UNKNOWN_DATASET,
        source=f"Katib, {metric}"[:200],
        space=space,
        algorithm=AlgorithmSettings(name="random"),
        max_trials=max(1, trials),
        parallel_trials=min(64, max(1, int(spec.get("parallelTrialCount") or 3))),
        max_failed_trials=max(1, int(spec.get("maxFailedTrialCount") or trials)),
        engine="kubeflow",
        created=str(metadata.get("creationTimestamp") or datetime.now(UTC).isoformat()),
    )
    # An algorithm that is not known here stays the default: how it searches is Katib's affair.
    with suppress(SettingsError, KeyError, TypeError):
        experiment = replace(experiment, algorithm=AlgorithmSettings(name=spec["algorithm"]["algorithmName"]))
    return ExternalExperiment(experiment, names)


def _identifier(name: str) -> str:
    text = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")
    return text if re.match(r"[A-Za-z_]", text) else f"p_{text}"


def _parameter(entry: JsonObject, name: str) -> Parameter:
    space = entry.get("feasibleSpace") or {}
    kind = ParameterKind(str(entry.get("parameterType", "")).lower())
    if kind is ParameterKind.CATEGORICAL:
        return Parameter(name=name, kind=kind, choices=tuple(dict.fromkeys(map(str, space.get("list") or ()))))
    if kind is ParameterKind.DISCRETE:
        return Parameter(name=name, kind=kind, choices=tuple(dict.fromkeys(map(float, space.get("list") or ()))))
    minimum, maximum = float(space.get("min", "nan")), float(space.get("max", "nan"))
    is_log = space.get("distribution") in ("logUniform", "logNormal") and minimum > 0
    return Parameter(
        name=name,
        kind=kind,
        minimum=minimum,
        maximum=maximum,
        scale=Scale.LOG if is_log else Scale.UNIFORM,
    )
