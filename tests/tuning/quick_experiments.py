"""Small workspaces and experiments for the tests of stores and engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.space import Parameter, ParameterKind, Scale, SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings
from gwas_core.workspace import Workspace
from tests import waiting
from tests.tuning.quick_trial import MODEL
from tests.waiting import LIMIT

SUPERVISOR, WORKER = "gwas_core.tuning.supervisor", "gwas_core.tuning.worker"

PENALTY = Parameter(name="penalty", kind=ParameterKind.DOUBLE, minimum=0.01, maximum=1e6, scale=Scale.LOG, default=1.0)


def quick_workspace(root: Path) -> tuple[Workspace, str]:
    """A workspace with one small prepared dataset, and the dataset's content hash."""
    workspace = Workspace(root)
    random = np.random.default_rng(0)
    genotypes = random.integers(0, 3, (80, 40)).astype(np.int8)
    dataset = Dataset(
        genotypes=genotypes,
        phenotype=genotypes[:, :5].sum(axis=1) + random.normal(size=80),
        line_names=tuple(f"line-{number}" for number in range(80)),
        snps=pd.DataFrame({"name": [f"snp-{number}" for number in range(40)], "chromosome": "1", "position": 0}),
        trait="height",
    )
    dataset.save(workspace.dataset_directory(dataset.content_hash))
    return workspace, dataset.content_hash


def quick_experiment(
    dataset: str, name: str = "quick", *, fixed: dict[str, Any] | None = None, **changes: Any
) -> Experiment:
    """An experiment of random search over the penalty of ``quick_trial``; ``fixed`` says how trials behave."""
    settings: dict[str, Any] = {
        "space": SearchSpace((PENALTY,), fixed or {}),
        "algorithm": AlgorithmSettings(name="random"),
        "max_trials": 4,
        "parallel_trials": 2,
    }
    return Experiment(name=name, dataset=dataset, source="quick.txt", **settings | changes)


def behaviours(*names: str) -> SearchSpace:
    """A space of trials that behave so, one of each."""
    parameter = Parameter(name="behaviour", kind=ParameterKind.CATEGORICAL, choices=names)
    return SearchSpace((parameter,), {"penalty": 1.0})


def wait_until(
    read: Callable[[], ExperimentRecord], condition: Callable[[ExperimentRecord], bool], *, limit: float = LIMIT
) -> ExperimentRecord:
    """Read until the condition holds; every record is looked at, as one may be the only one of its kind."""
    records: list[ExperimentRecord] = []

    def look() -> bool:
        records[:] = [read()]
        return condition(records[0])

    def told() -> str:
        (record,) = records
        return f"{record.state} {dict(record.counts)} {record.reason}"

    waiting.wait_until(look, told=told, limit=limit)
    return records[0]


def processes_of(workspace: Workspace, module: str = "gwas_core.tuning") -> list[psutil.Process]:
    """Live processes of our engine that work on this workspace."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(workspace.root) in command and module in command and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def supervisor_of(workspace: Workspace) -> psutil.Process:
    """The one supervisor that works on this workspace."""
    # For an instant, a worker that is being started looks like the supervisor it is a copy of.
    (leader,) = (process for process in processes_of(workspace, SUPERVISOR) if os.getsid(process.pid) == process.pid)
    return leader


def fork_servers_of(workspace: Workspace) -> list[psutil.Process]:
    """The processes that workers are forked from: one, and another for a moment while the first is ended."""
    supervisor = supervisor_of(workspace).pid
    found = []
    for process in processes_of(workspace, WORKER):
        with suppress(psutil.NoSuchProcess):
            if process.ppid() == supervisor:
                found.append(process)
    return found


def fork_server_of(workspace: Workspace) -> psutil.Process:
    """The one process that workers are forked from."""
    servers: list[psutil.Process] = []

    def is_alone() -> bool:
        servers[:] = fork_servers_of(workspace)
        return len(servers) == 1

    waiting.wait_until(is_alone)
    return servers[0]


def workers_of(server: psutil.Process) -> list[psutil.Process]:
    """Processes that were forked from a fork server; none if that is gone."""
    try:
        return server.children()
    except psutil.NoSuchProcess:
        return []


def wait_until_gone(workspace: Workspace) -> None:
    """Wait until no process of our engine works on this workspace."""
    waiting.wait_until(
        lambda: not processes_of(workspace), told=lambda: f"left behind: {processes_of(workspace)}", limit=120
    )


@contextmanager
def quick_model() -> Iterator[None]:
    """Have searches started meanwhile tune the quick model; for fixtures that outlive a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GWAS_MODEL", MODEL)
        yield
