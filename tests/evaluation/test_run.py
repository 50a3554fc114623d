from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError
from gwas_core.evaluation.run import remaining_task_seconds
from gwas_core.evaluation.store import EvaluationTask
from gwas_core.evaluation.tasks import do_tasks
from gwas_core.processes.signs_of_life import SILENCE_VARIABLE
from gwas_core.processes.worker_pool import SERVER_LOG, WorkerPool
from gwas_core.serialization import to_json_values


def test_time_left_waits_for_one_of_each_kind() -> None:
    assert remaining_task_seconds([], ["network"], parallel=2) is None
    assert remaining_task_seconds([("baselines", 10.0)], ["network", "baselines"], parallel=2) is None
    finished = [("network", 60.0), ("network", 80.0), ("baselines", 10.0)]
    assert remaining_task_seconds(finished, ["network"] * 4 + ["baselines"] * 2, parallel=2) == 150.0
    # Less than one round is not done in less than one task.
    assert remaining_task_seconds(finished, ["network"], parallel=4) == 70.0
    assert remaining_task_seconds(finished, [], parallel=2) == 0.0


@pytest.fixture
def pool_of(tmp_path: Path) -> Iterator[PoolOf]:
    """Make a pool of two workers whose program is this text."""
    pools: list[WorkerPool[EvaluationTask]] = []

    def make(text: str) -> WorkerPool[EvaluationTask]:
        (tmp_path / "program.py").write_text(text)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        pools.append(
            WorkerPool(2, ("program",), encode=to_json_values, environment=environment, log_directory=tmp_path)
        )
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


PoolOf = Callable[[str], WorkerPool[EvaluationTask]]

WORKER = """
import os
from collections.abc import Callable, Iterator
from gwas_core.errors import InputError
from gwas_core.processes.channel import Channel
from gwas_core.processes.fork_server import serve_forks
from gwas_core.processes.worker import serve_jobs

def do(job):
    {do}
    return {{}}

serve_forks(lambda: serve_jobs(Channel(), do))
"""


def test_workers_that_cannot_start_are_tried_again_once(pool_of: PoolOf, tmp_path: Path) -> None:
    """The program leaves a line in its log and is gone before there is a worker."""
    pool = pool_of("import sys\nprint('no memory', file=sys.stderr)\n")
    with pytest.raises(ExperimentError, match=r"died twice while it worked on network 2 of fold-6.*no memory"):
        list(do_tasks(pool, [EvaluationTask(held_out_set="fold-6", kind="network", number=2)]))
    assert (tmp_path / SERVER_LOG).read_text() == "no memory\n" * 2


def test_a_worker_that_dies_is_replaced_once(pool_of: PoolOf, tmp_path: Path) -> None:
    task = EvaluationTask(held_out_set="fold-6", kind="network", number=2)
    once = f"if not os.path.exists({str(tmp_path / 'once')!r}): open({str(tmp_path / 'once')!r}, 'w'); os._exit(9)"
    assert [done for some in do_tasks(pool_of(WORKER.format(do=once)), [task]) for done in some] == [task]
    with pytest.raises(ExperimentError, match=r"died twice.*network 2 of fold-6.*ended by itself with code 9"):
        list(do_tasks(pool_of(WORKER.format(do="os._exit(9)")), [task]))


def test_a_worker_that_is_stopped_is_replaced_once(
    pool_of: PoolOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SILENCE_VARIABLE, "4")
    task = EvaluationTask(held_out_set="fold-6", kind="network", number=2)
    stop, mark = "import signal; os.kill(os.getpid(), signal.SIGSTOP)", repr(str(tmp_path / "once"))
    once = f"if not os.path.exists({mark}): open({mark}, 'w'); {stop}"
    assert [done for some in do_tasks(pool_of(WORKER.format(do=once)), [task]) for done in some] == [task]
    with pytest.raises(ExperimentError, match=r"was stopped, .* for 4 s, twice, .*fold-6: something stops it"):
        list(do_tasks(pool_of(WORKER.format(do=stop)), [task]))


def test_a_task_that_fails_ends_the_work(pool_of: PoolOf) -> None:
    pool = pool_of(WORKER.format(do="raise InputError('it diverged')"))
    with pytest.raises(ExperimentError, match="the baselines of fold-6 failed: it diverged"):
        list(do_tasks(pool, [EvaluationTask(held_out_set="fold-6", kind="baselines")] * 3))


def test_without_tasks_no_process_is_started(pool_of: PoolOf, tmp_path: Path) -> None:
    assert list(do_tasks(pool_of("raise SystemExit"), [])) == []
    assert not (tmp_path / SERVER_LOG).exists()
