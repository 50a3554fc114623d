"""No more trials at a time than this machine has cores and memory for, which is said wherever it is chosen or shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwas_core.processes import memory
from gwas_core.processes.memory import available_bytes, container_bytes
from gwas_core.processes.threads import usable_cores
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.parallel_trials import (
    FEWEST_FOR_CORES,
    GENOTYPE_BYTES,
    TRIALS_PER_CORE,
    WORKER_BYTES,
    fitting_trials,
)
from tests.commands.conftest import command
from tests.tuning.quick_experiments import fork_server_of, quick_experiment, quick_workspace, wait_until, workers_of
from tests.waiting import hold_trials, release_trials

GB = 10**9
MANY = 64
MOST_HERE = max(FEWEST_FOR_CORES, TRIALS_PER_CORE * usable_cores())


@pytest.mark.parametrize(
    ("asked", "cores", "memory", "used", "reason"),
    [
        (3, 1, 8 * GB, 3, ""),  # the default
        (64, 2, None, 4, "4 instead of 64 at a time: this machine gives 2 cores, and more trials would only wait"),
        (64, 1, None, 3, "3 instead of 64 at a time: this machine gives 1 core, and more trials would only wait"),
        (64, 32, 100 * GB, 64, ""),
        (8, 8, 2 * GB, 3, "3 instead of 8 at a time: each takes about 0.6 GB of memory, and 2.0 GB are free"),
        (3, 2, 1 * GB, 1, "1 instead of 3 at a time: each takes about 0.6 GB of memory, and 1.0 GB are free"),
        (3, 2, 0, 1, "1 instead of 3 at a time"),
        (1, 1, 0, 1, ""),
    ],
)
def test_what_fits(asked: int, cores: int, memory: int | None, used: int, reason: str) -> None:
    found = fitting_trials(asked, genotypes=1000, cores=cores, memory=memory)
    assert (found.asked, found.used) == (asked, used)
    assert found.reason.startswith(reason)
    assert bool(found.reason) == (used < asked)


def test_large_data_take_more_memory() -> None:
    genotypes = 20_000 * 4_000
    each = WORKER_BYTES + GENOTYPE_BYTES * genotypes
    assert fitting_trials(64, genotypes=genotypes, cores=64, memory=5 * each).used == 5


def test_memory_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert container_bytes(tmp_path) is None
    (tmp_path / "memory.max").write_text("4000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 1500\nfile 1500\ninactive_file 1200\n")
    assert container_bytes(tmp_path) == 2200
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    assert available_bytes() == 2200
    (tmp_path / "memory.max").write_text("max\n")
    assert container_bytes(tmp_path) is None
    assert (available_bytes() or 0) > 2200


@pytest.mark.usefixtures("quick_model")
def test_a_search_that_asks_for_too_many_gets_what_fits_and_keeps_what_was_asked(tmp_path: Path) -> None:
    if MOST_HERE >= MANY:
        pytest.skip(f"this machine has cores for {MANY} trials at a time")
    workspace, dataset = quick_workspace(tmp_path)
    engine = LocalEngine(workspace)
    hold_trials(tmp_path, 0)
    record = engine.start(quick_experiment(dataset, parallel_trials=MANY, max_trials=MANY))
    used = record.parallel_trials
    assert 1 <= used <= MOST_HERE
    assert record.experiment.parallel_trials == MANY
    assert record.parallel is not None
    assert record.parallel.reason.startswith(f"{used} instead of {MANY} at a time: ")
    record = wait_until(lambda: engine.sync("quick"), lambda record: record.counts[TrialState.RUNNING] == used)
    assert record.counts[TrialState.WAITING] == 0
    assert len(workers_of(fork_server_of(workspace))) == used
    run = command(tmp_path)
    assert record.parallel.reason in run("status", "quick").out
    assert run("status", "quick", "--json").json["parallel_trials"] == {
        "asked": MANY,
        "used": used,
        "reason": record.parallel.reason,
    }
    release_trials(tmp_path)
    record = wait_until(lambda: engine.sync("quick"), lambda record: not record.state.is_active())
    assert record.counts == {TrialState.SUCCEEDED: MANY}
    # Another attempt, on a larger machine, begins with what was asked for.
    assert record.experiment.parallel_trials == MANY
