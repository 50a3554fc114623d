"""Pipeline of which one run is one trial, from prepared genotypes to a model, its pictures and a bundle.

Also here: order, resources and volumes of the steps; the package for a cluster; running it on this machine.

::

    preprocessing -> train -> attribution -> manhattan-predicted -.
    preprocessing -> association -> manhattan-observed, qq --------+-> bundle

Like ``components``, this module does without postponed annotations, which kfp cannot read.
"""

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfp import dsl, kubernetes, local
from kfp.compiler import Compiler

from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.files import atomic_path
from gwas_core.genotypes.preprocessing import PreprocessingSettings
from gwas_core.genotypes.splits import SplitSettings
from gwas_core.kubeflow import components
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.steps import PIPELINE_RUNS, trial_directory
from gwas_core.kubeflow.trial_files import STEP_LOGS
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import HyperparameterValue
from gwas_core.model.trial_folder import HYPERPARAMETERS_FILE, MODEL_FILE
from gwas_core.processes.detached import import_environment, last_line
from gwas_core.processes.threads import thread_environment
from gwas_core.serialization import to_json_values

PIPELINE_NAME = "deep-gwas"

ARTIFACTS = {
    "preprocessing/report": "preprocessing.html",
    f"train/model/{MODEL_FILE}": MODEL_FILE,
    f"train/model/{HYPERPARAMETERS_FILE}": HYPERPARAMETERS_FILE,
    "attribution/attributions": "attributions.csv",
    "manhattan-predicted/plot": "manhattan_predicted.html",
    "association/associations": "associations.csv",
    "manhattan-observed/plot": "manhattan_observed.html",
    "qq/plot": "qq.html",
    "bundle/packed": "bundle.zip",
}
"""Name that people see, by place of the artifact: step, artifact and, in a folder, file."""

# For every step but training: tables, pictures and files.
_LIGHT_CPU, _LIGHT_MEMORY = "500m", "2Gi"


@dataclass(frozen=True, kw_only=True)
class RunParameters:
    """Parameters of one run of the pipeline.

    Attributes:
        workspace: folder of the workspace, as the steps see it.
        experiment: name of the experiment; ``PIPELINE_RUNS`` for a run that belongs to none, whose ``dataset`` is then
            one as read from a file.
        trial: name of the run and of its folder.
        dataset: content hash of the dataset.
        hyperparameters: of the network; absent ones have their defaults.
        xla: ``on``, ``off`` or ``auto``.
    """

    workspace: str
    trial: str
    dataset: str
    experiment: str = PIPELINE_RUNS
    preprocessing: PreprocessingSettings = field(default_factory=PreprocessingSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    hyperparameters: Mapping[str, HyperparameterValue] = field(default_factory=dict)
    seed: int = 0
    xla: str = "auto"


def make_pipeline(cluster: ClusterSettings | None = None) -> Any:
    """Return the pipeline, for this machine if no cluster is given.

    Args:
        cluster: image and resources of the steps' containers; None for a run on this machine.
    """
    step = _steps(cluster)

    def deep_gwas(
        workspace: str,
        experiment: str,
        trial: str,
        dataset: str,
        preprocessing: dict,  # type: ignore[type-arg]
        split: dict,  # type: ignore[type-arg]
        hyperparameters: dict,  # type: ignore[type-arg]
        seed: int,
        xla: str,
    ) -> float:
        place = {"workspace": workspace, "experiment": experiment}
        of_trial = {**place, "trial": trial}
        prepared = step(components.preprocessing, cached=True)(
            **place, dataset=dataset, preprocessing=preprocessing, split=split
        ).outputs["prepared"]
        trained = step(components.train, trains=True)(
            **of_trial, prepared=prepared, hyperparameters=hyperparameters, seed=seed, xla=xla
        )
        model = trained.outputs["model"]
        attributions = step(components.attribution)(**of_trial, prepared=prepared, model=model).outputs["attributions"]
        associations = step(components.association)(**of_trial, prepared=prepared).outputs["associations"]
        pictures = [
            step(components.manhattan_predicted)(**of_trial, attributions=attributions),
            step(components.manhattan_observed)(**of_trial, associations=associations),
            step(components.qq)(**of_trial, associations=associations),
        ]
        step(components.bundle)(
            **of_trial, val_mean_absolute_error=trained.outputs["Output"], prepared=prepared, model=model
        ).after(*pictures)
        error: float = trained.outputs["Output"]
        return error

    description = "One trial of a deep-learning GWAS: a network, judged and explained."
    return dsl.pipeline(deep_gwas, name=PIPELINE_NAME, description=description)


def _steps(cluster: ClusterSettings | None) -> Callable[..., Callable[..., Any]]:
    """Return what makes a task with image, resources and workspace from a component's function."""

    def step(function: Callable[..., Any], *, cached: bool = False, trains: bool = False) -> Callable[..., Any]:
        # The image holds the project and kfp; nothing is installed when a step starts.
        image = "python" if cluster is None else cluster.image
        component = dsl.component(function, base_image=image, install_kfp_package=False)

        def task(**inputs: Any) -> Any:
            made = component(**inputs).set_caching_options(enable_caching=cached)
            if cluster is not None:
                _place(made, cluster, trains=trains)
            return made

        return task

    return step


def _place(task: Any, cluster: ClusterSettings, *, trains: bool) -> None:
    cpu, memory, threads = (cluster.cpu, cluster.memory, cluster.threads) if trains else (_LIGHT_CPU, _LIGHT_MEMORY, 1)
    task.set_cpu_request(cpu).set_memory_request(memory).set_memory_limit(memory)
    if trains and cluster.gpu:
        task.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(cluster.gpu)
    # Libraries would start a thread for each core of the node, however many pods share it. All variables at once:
    # kfp's own setter walks the call stack for each.
    task.container_spec.env = thread_environment({}, threads)
    kubernetes.mount_pvc(task, pvc_name=cluster.claim, mount_path=cluster.mount_path)


def compile_pipeline(path: Path, cluster: ClusterSettings) -> None:
    """Write the pipeline's package, a YAML file to be uploaded to a cluster.

    Args:
        path: of the package, which ends in ``.yaml``.
        cluster: image and resources of the steps' containers.

    Raises:
        SettingsError: the file's name does not end in .yaml.
    """
    if path.suffix != ".yaml":
        raise SettingsError(f"a pipeline's package is a .yaml file; {quoted(path.name)} is none", field="out")
    with atomic_path(path) as temporary:
        Compiler().compile(make_pipeline(cluster), str(temporary))


def pipeline_name(experiment: str, package: Path) -> str:
    """Return the name of the pipeline on the cluster: another one whenever the package has changed.

    So no trial runs an older pipeline.

    Args:
        experiment: name of the experiment.
        package: file that ``compile_pipeline`` wrote.
    """
    return f"{PIPELINE_NAME}-{experiment}-{hashlib.sha256(package.read_bytes()).hexdigest()[:8]}"


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """Successful run of the pipeline on this machine.

    Attributes:
        val_mean_absolute_error: of the trained network on the validation lines, in the phenotype's unit.
        artifacts: file of each artifact, by the name that people see.
    """

    val_mean_absolute_error: float
    artifacts: Mapping[str, Path]


def run_locally(parameters: RunParameters, out: Path) -> LocalRun:
    """Run the pipeline on this machine with ``kfp.local``, a process for each step.

    This changes the state of the whole process: call it in a process of its own. What the steps print goes to stderr.

    Args:
        parameters: of the run.
        out: folder for the artifacts.

    Raises:
        ExperimentError: a step failed; the message says which and why.
    """
    root = out / "steps"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    os.environ.update(import_environment(os.environ))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), workspace_root=str(root / "workspace"))
    with contextlib.redirect_stdout(sys.stderr):
        try:
            outputs = make_pipeline()(**to_json_values(parameters)).outputs
        except RuntimeError as error:
            raise ExperimentError(_failure(parameters)) from error
    return LocalRun(val_mean_absolute_error=float(outputs["Output"]), artifacts=_collected(root, out))


def _collected(root: Path, out: Path) -> dict[str, Path]:
    """Copy the artifacts from kfp's folders to the names that people see, and return their files by name."""
    (run,) = (folder for folder in root.iterdir() if folder.name.startswith(PIPELINE_NAME))
    artifacts = {}
    for place, name in ARTIFACTS.items():
        shutil.copyfile(run / place, out / name)
        artifacts[name] = out / name
    return artifacts


def _failure(parameters: RunParameters) -> str:
    directory = trial_directory(Path(parameters.workspace), parameters.experiment, parameters.trial)
    for log in (log for folder in (directory, directory.parent) for log in sorted((folder / STEP_LOGS).glob("*.log"))):
        return f"step {log.stem} failed: {last_line(log)} (all of it: {log})"
    return "a step of the pipeline ended without a word: see what it printed"
