"""Commands ``pipeline`` (compile, run here, submit), ``katib`` (manifest, submit) and the check of a cluster.

Also here: which options override ``GWAS_KUBEFLOW_...`` variables; hyperparameters as ``NAME=VALUE``; the dataset's copy
on the claim; pipeline artifacts.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gwas_core.commands.common import format_number, load_dataset, print_json, say, say_notes
from gwas_core.commands.search import experiment_settings, preparation_options
from gwas_core.engines.launch import launch_experiment
from gwas_core.engines.selection import Engines
from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.steps import PIPELINE_RUNS, trial_directory
from gwas_core.kubeflow.trial_files import STEP_LOGS
from gwas_core.messages import quoted
from gwas_core.model.networks import parse_network
from gwas_core.serialization import to_json_values
from gwas_core.tuning.creation import describe_experiment
from gwas_core.tuning.search_settings import SearchOptions, free_name, search_settings
from gwas_core.workspace import Workspace

if TYPE_CHECKING:
    from gwas_core.kubeflow.pipeline import RunParameters

_RUN_GROUP = "deep-gwas"


def cluster_settings(options: argparse.Namespace) -> ClusterSettings:
    """Return the settings of the cluster: those of the options, else those of the environment."""
    settings = ClusterSettings.from_environment()
    given = {
        name: getattr(options, name)
        for name in ("namespace", "image", "claim", "pipeline_host", "trial_kind", "cpu", "memory", "gpu")
        if getattr(options, name) is not None
    }
    return replace(settings, **given)


# The pipeline


def compile_package(options: argparse.Namespace) -> None:
    """Write the package of the pipeline."""
    from gwas_core.kubeflow.pipeline import compile_pipeline

    compile_pipeline(options.out, cluster_settings(options))
    say(f"The pipeline is in {options.out}: upload it on the Pipelines page.")


def run_pipeline(options: argparse.Namespace) -> None:
    """Run the pipeline on this machine and print its result and artifacts."""
    from gwas_core.kubeflow.pipeline import run_locally

    workspace = Workspace.from_environment()
    parameters = _run_parameters(options, workspace, seen_at=str(workspace.root))
    out = options.out or trial_directory(workspace.root, PIPELINE_RUNS, parameters.trial) / "artifacts"
    run = run_locally(parameters, out.absolute())
    if options.json:
        print_json(
            {
                "val_mean_absolute_error": run.val_mean_absolute_error,
                "artifacts": {name: str(path) for name, path in run.artifacts.items()},
            }
        )
        return
    print(f"validation mean absolute error: {format_number(run.val_mean_absolute_error)}")
    for path in run.artifacts.values():
        print(path)


def submit_pipeline(options: argparse.Namespace) -> None:
    """Upload the pipeline to a cluster and start a run."""
    from gwas_core.kubeflow.pipeline import compile_pipeline, pipeline_name
    from gwas_core.kubeflow.pipelines_api import PipelinesApi, token_path

    cluster = cluster_settings(options)
    workspace = Workspace.from_environment()
    parameters = _run_parameters(options, workspace, seen_at=cluster.mount_path)
    _copy_dataset(workspace, cluster, parameters)
    pipelines = PipelinesApi(cluster.pipeline_host, namespace=cluster.namespace, token=token_path(), patience=30.0)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(package, cluster)
        pipeline = pipelines.upload(pipeline_name(_RUN_GROUP, package), package)
    run = pipelines.start(parameters.trial, group=_RUN_GROUP, pipeline=pipeline, parameters=to_json_values(parameters))
    say(f"Run {run.name} is {run.state.name.lower()}. Its steps read the data from claim {cluster.claim}.")
    if options.json:
        print_json({"run_id": run.run_id, "name": run.name, "state": run.state.name.lower()})
    else:
        print(run.run_id)


def _copy_dataset(workspace: Workspace, cluster: ClusterSettings, parameters: RunParameters) -> None:
    """Copy the run's dataset to the volume claim, unless the claim is mounted on this machine."""
    from gwas_core.kubeflow.cluster import connect, ensure_claim, is_claim_here
    from gwas_core.kubeflow.transfer_pod import TransferPod

    if is_claim_here(workspace, cluster):
        return
    api = connect(cluster)
    ensure_claim(api, cluster)
    pod = TransferPod(api, cluster, root=workspace.root, purpose=f"run-{parameters.trial}", tell=say)
    folder = workspace.dataset_directory(parameters.dataset).relative_to(workspace.root)
    try:
        pod.send([folder.as_posix()])
    finally:
        pod.close()


def _run_parameters(options: argparse.Namespace, workspace: Workspace, *, seen_at: str) -> RunParameters:
    """Save the dataset in the workspace and return the parameters of a run on it.

    Args:
        options: of the command.
        workspace: in which the dataset is saved.
        seen_at: path of the workspace inside the run's containers.

    Raises:
        ExperimentError: the name of the run is taken.
        SettingsError: a hyperparameter or a setting is refused.
    """
    from gwas_core.kubeflow.pipeline import RunParameters

    hyperparameters = dict(map(_assignment, options.set))
    parse_network(hyperparameters)
    settings = search_settings(**preparation_options(options))
    dataset, notes = load_dataset(options)
    say_notes(notes)
    folder = workspace.root / PIPELINE_RUNS
    taken = {STEP_LOGS, *(path.name for path in folder.iterdir())} if folder.is_dir() else {STEP_LOGS}
    name = options.name or free_name(options.file.name, taken=taken)
    trial_directory(workspace.root, PIPELINE_RUNS, name)
    if name in taken:
        raise ExperimentError(f"the name {name} is taken: choose another name for the run")
    dataset.save(workspace.dataset_directory(dataset.content_hash))
    return RunParameters(
        workspace=seen_at,
        trial=name,
        dataset=dataset.content_hash,
        preprocessing=settings["preprocessing"],
        split=settings["split"],
        hyperparameters=hyperparameters,
        seed=options.seed,
        xla=options.xla,
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SettingsError(f"a hyperparameter is set as NAME=VALUE, not {quoted(text)}", field="set")
    return name, value


# Katib


def render_katib(options: argparse.Namespace) -> None:
    """Print the Katib manifest of an experiment."""
    from gwas_core.kubeflow.katib import katib_experiment, to_yaml

    dataset, notes = load_dataset(options)
    say_notes(notes)
    experiment, _ = describe_experiment(
        dataset,
        name=options.name or free_name(options.file.name, taken=()),
        source=options.file.name,
        **_cluster_settings(options),
    )
    print(to_yaml(katib_experiment(experiment, cluster=cluster_settings(options))), end="")


def submit_katib(options: argparse.Namespace) -> None:
    """Create an experiment on the cluster and print its name."""
    cluster = cluster_settings(options)
    engines = Engines(Workspace.from_environment(), cluster=cluster, tell=say)
    dataset, notes = load_dataset(options)
    say_notes(notes)
    experiment = launch_experiment(
        engines,
        dataset,
        name=options.name or free_name(options.file.name, taken=engines.store.taken_names()),
        source=options.file.name,
        notes=notes,
        **_cluster_settings(options),
    )
    say(
        f"Experiment {experiment.name} runs in namespace {cluster.namespace}: "
        f"`status {experiment.name}` shows its progress."
    )
    print(experiment.name)


def _cluster_settings(options: argparse.Namespace) -> SearchOptions:
    return {**experiment_settings(options), "engine": "kubeflow"}


def check_cluster(options: argparse.Namespace) -> None:
    """Print what the cluster has and lacks.

    Raises:
        ExperimentError: the cluster lacks something that experiments need.
    """
    from gwas_core.kubeflow.preflight import check_lines

    lines, passed = check_lines(cluster_settings(options))
    print("\n".join(lines))
    if not passed:
        raise ExperimentError("the cluster lacks something that experiments need")
