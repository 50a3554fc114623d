"""One experiment on a real cluster, from the preflight to its deletion.

The cluster is ``KUBECONFIG``'s and the settings are the environment's (``GWAS_KUBEFLOW_...``). Where the claim is
mounted, as in the notebook server, ``GWAS_WORKSPACE`` is the mount path; elsewhere, as on a laptop, files are copied
through a pod. An hour may pass.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from gwas_core.engines.selection import Engines
from gwas_core.kubeflow.preflight import CheckStatus, preflight
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.demo import read_demo
from gwas_core.tuning.engine import watch
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.space import SearchSpace
from gwas_core.workspace import Workspace
from tests.tuning.engine_contract import check_complete
from tests.tuning.quick_experiments import wait_until

HOUR = 3600.0

pytestmark = pytest.mark.timeout(HOUR)


@pytest.fixture
def engines() -> Engines:
    return Engines(Workspace.from_environment())


@pytest.fixture
def name(engines: Engines) -> Iterator[str]:
    """A name of its own, and nothing left of it afterwards."""
    name = f"journey-{secrets.token_hex(4)}"
    yield name
    if name in {entry.name for entry in engines.store.experiments()}:
        if engines.sync(name).state.is_active():
            engines.stop(name, wait=120.0)
        engines.delete(name)


def until(engines: Engines, name: str, trials: int) -> ExperimentRecord:
    return wait_until(lambda: engines.sync(name), lambda record: record.finished_trials >= trials, limit=HOUR)


def test_the_cluster_has_what_is_needed() -> None:
    failed = [check for check in preflight(ClusterSettings.from_environment()) if check.status is CheckStatus.FAILED]
    assert not failed


def test_start_stop_resume_extend_delete(engines: Engines, name: str) -> None:
    dataset, notes = read_demo()
    experiment = create_experiment(
        engines.store,
        dataset,
        name=name,
        source="demo",
        notes=notes,
        space=SearchSpace.preset("focused"),
        max_trials=3,
        parallel_trials=1,
        engine="kubeflow",
    )
    assert engines.start(experiment).state is ExperimentState.RUNNING
    until(engines, name, 1)
    stopped = engines.stop(name, wait=120.0)
    assert stopped.state is ExperimentState.STOPPED
    assert stopped.counts[TrialState.RUNNING] == 0
    engines.resume(name)
    *_, last = watch(engines, name, seconds=2.0)
    check_complete(last)
    assert last.final_evaluation is not None
    assert stopped.trials[0].parameters == last.trials[0].parameters
    engines.extend(name, 1)
    *_, longer = watch(engines, name, seconds=2.0)
    check_complete(longer)
    assert len(longer.trials) == 4
