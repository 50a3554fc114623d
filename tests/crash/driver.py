"""Kill a process at every call that changes a file, and look at what is left: ``python -m tests.crash.driver``.

Each step is done by a copy of this process on a copy of the same workspace, killed at its first such call, its second,
and so on, until it is not killed any more. Another copy then checks that what is there is a state that may be there.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import load_split, make_split, save_split
from gwas_core.model.metrics import PredictionMetrics
from gwas_core.model.training import TrialResult
from gwas_core.report.bundle_export import bundle_is_current, bundle_path, export_bundle
from gwas_core.tuning.attributes import Outcome
from gwas_core.tuning.creation import create_experiment
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord
from gwas_core.tuning.recovery import recover
from gwas_core.tuning.space import SearchSpace
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace
from tests.tuning.quick_experiments import quick_workspace

NAME = "made"
LIBRARY = "GWAS_KILL_LIBRARY"
METRICS = PredictionMetrics(
    lines=12, mean_absolute_error=0.1 + 0.2, root_mean_squared_error=1.0, pearson=0.5, within_family_pearson=None
)
SUCCESS = Outcome(
    state=TrialState.SUCCEEDED,
    result=TrialResult(val_mean_absolute_error=0.1 + 0.2, best_epoch=1, epochs=1, validation=METRICS),
)


@dataclass(frozen=True)
class Step:
    """A step at which a process is killed.

    Attributes:
        prepare: makes the workspace that the step begins with.
        work: the step.
        check: fails if what is there after a kill may not be there.
    """

    prepare: Callable[[Workspace], None]
    work: Callable[[Workspace], object]
    check: Callable[[Workspace], None]


def create(workspace: Workspace) -> None:
    """Create an experiment of one network space on the workspace's dataset."""
    (folder,) = (path for path in workspace.datasets.iterdir() if not path.name.startswith("."))
    store, dataset = Store(workspace), Dataset.load(folder)
    space = SearchSpace.preset("focused")
    experiment = create_experiment(store, dataset, name=NAME, source="quick.txt", space=space, max_trials=4)
    prepared = Dataset.load(workspace.dataset_directory(experiment.dataset))
    save_split(make_split(prepared, experiment.split), workspace.experiment_directory(NAME))


def begin(workspace: Workspace) -> None:
    """Create an experiment, run it, and begin its first trial."""
    create(workspace)
    writer = ExperimentWriter(Store(workspace), NAME)
    writer.set_status(ExperimentState.RUNNING)
    writer.begin(writer.study.ask(writer.experiment.space.to_distributions()).number)
    writer.report(0, 1, 0.1 + 0.2)


def finish(workspace: Workspace) -> None:
    """Do all that and finish the trial, whose files are there then."""
    begin(workspace)
    ExperimentWriter(Store(workspace), NAME).finish(0, SUCCESS)
    record = Store(workspace).load(NAME)
    (record.trials[0].directory).mkdir()
    for name in ("model.keras", "hyperparameters.json", "log.txt"):
        (record.trials[0].directory / name).write_text(name * 1000)
    (record.directory / "predictions.csv").write_text("line,part,observed,predicted\na,test,1,1\n")


def judge(workspace: Workspace) -> None:
    """Do all that and judge the best trial."""
    finish(workspace)
    ExperimentWriter(Store(workspace), NAME).add_final_evaluation(0, validation=METRICS, test=METRICS)


def recovered(workspace: Workspace) -> ExperimentRecord | None:
    """Return the experiment as it is rebuilt from its folder alone; None if there is none."""
    store = Store(workspace)
    store.storage.engine.dispose()
    for path in workspace.root.glob("_experiments.sqlite3*"):
        path.unlink()
    assert all(entry.is_recovered and not entry.lost for entry in recover(workspace).experiments)
    return loaded(workspace)


def loaded(workspace: Workspace) -> ExperimentRecord | None:
    """Return the experiment; None if it is not listed."""
    store = Store(workspace)
    assert store.half_made() == ()
    return store.load(NAME) if store.experiments() else None


def check_created(workspace: Workspace) -> None:
    """It is there whole, or its name is free."""
    record = loaded(workspace)
    if record is None:
        create(workspace)
        record = loaded(workspace)
    assert record is not None
    assert record.state is ExperimentState.CREATED
    assert (record.directory / "preparation.json").is_file()
    again = recovered(workspace)
    assert again == record


def check_begun(workspace: Workspace) -> None:
    """The trial waits or runs, and can be begun again."""
    store = Store(workspace)
    writer = ExperimentWriter(store, NAME)
    writer.take_over(maximum_crashes=5)
    assert all(trial.state is TrialState.WAITING for trial in store.load(NAME).trials)
    number = writer.study.ask(writer.experiment.space.to_distributions()).number
    assert number == 0
    writer.begin(number)
    writer.finish(0, SUCCESS)
    assert recovered(workspace) == store_record(workspace)


def store_record(workspace: Workspace) -> ExperimentRecord:
    """Return the experiment, which is there."""
    record = loaded(workspace)
    assert record is not None
    return record


def check_finished(workspace: Workspace) -> None:
    """The trial is finished with all that belongs to it, or to be begun again; the folder knows as much or more."""
    copy = Workspace(workspace.root.with_name(f"{workspace.root.name}-copy"))
    shutil.copytree(workspace.root, copy.root)
    stored = store_record(workspace).trials[0].state
    (again,) = recovered(copy).trials  # type: ignore[union-attr]
    assert stored in (TrialState.RUNNING, TrialState.SUCCEEDED)
    assert again.state in (stored, TrialState.SUCCEEDED)
    shutil.rmtree(copy.root)
    store = Store(workspace)
    ExperimentWriter(store, NAME).take_over(maximum_crashes=5)
    (trial,) = store.load(NAME).trials
    if trial.state is TrialState.SUCCEEDED:
        assert (trial.value, trial.result) == (0.1 + 0.2, SUCCESS.result)
        assert trial.history == ((1, 0.1 + 0.2),)
    else:
        assert (trial.state, trial.value, trial.result) == (TrialState.WAITING, None, None)


def check_judged(workspace: Workspace) -> None:
    """The judgement is there whole, or not at all and is made once more; the folder knows as much or more."""
    evaluation = store_record(workspace).final_evaluation
    again = recovered(workspace).final_evaluation  # type: ignore[union-attr]
    assert evaluation is None or (evaluation.test, evaluation.test_evaluations) == (METRICS, 1)
    assert evaluation is None or again == evaluation


def check_extended(workspace: Workspace) -> None:
    """The extension counts or not; the folder knows as much or more."""
    trials = store_record(workspace).experiment.max_trials
    assert trials in (4, 5)
    assert trials <= recovered(workspace).experiment.max_trials <= 5  # type: ignore[union-attr]


def check_deleted(workspace: Workspace) -> None:
    """It is there and can be deleted, or it is gone; its name is free then, and nothing is recovered."""
    store = Store(workspace)
    if store.experiments():
        store.delete(NAME)
    assert store.experiments() == ()
    assert store.unknown_folders() == ()
    assert recover(workspace).experiments == ()
    create(workspace)


def check_bundle(workspace: Workspace) -> None:
    """There is no bundle, or a whole one."""
    record = store_record(workspace)
    path = bundle_path(workspace, record)
    if path.exists():
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        assert bundle_is_current(workspace, record)
    export_bundle(workspace, record)
    load_split(record.directory)


STEPS = {
    "creation of an experiment": Step(lambda _: None, create, check_created),
    "beginning of a trial": Step(
        lambda workspace: (begin(workspace), put_back(workspace))[0],
        lambda workspace: ExperimentWriter(Store(workspace), NAME).begin(0),
        check_begun,
    ),
    "end of a trial": Step(
        begin, lambda workspace: ExperimentWriter(Store(workspace), NAME).finish(0, SUCCESS), check_finished
    ),
    "final judgement": Step(
        finish,
        lambda workspace: ExperimentWriter(Store(workspace), NAME).add_final_evaluation(
            0, validation=METRICS, test=METRICS
        ),
        check_judged,
    ),
    "extension": Step(create, lambda workspace: Store(workspace).add_trials(NAME, 1), check_extended),
    "bundle": Step(judge, lambda workspace: export_bundle(workspace, store_record(workspace)), check_bundle),
    "deletion": Step(finish, lambda workspace: Store(workspace).delete(NAME), check_deleted),
}


def put_back(workspace: Workspace) -> None:
    """Have the trial wait to be begun again."""
    ExperimentWriter(Store(workspace), NAME).put_back(0)


def forked(work: Callable[[], object], *, kill_at: int = -1) -> str | None:
    """Do something in a copy of this process; return what went wrong, empty if nothing did, None if it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if kill_at >= 0:
                ctypes.CDLL(None).kill_at(ctypes.c_long(kill_at))
            work()
        except BaseException:  # noqa: BLE001 - told to the parent
            os.write(writer, traceback.format_exc()[-4000:].encode())
        finally:
            os.close(writer)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return None
    return said


def run(name: str, *, stride: int) -> tuple[int, list[str]]:
    """Kill a step at every ``stride``-th call; return how often it was killed, and what was wrong after a kill."""
    step, wrong, kills = STEPS[name], [], 0
    with tempfile.TemporaryDirectory(prefix="gwas-crash-") as folder:
        base = Path(folder) / "base"

        def prepare() -> None:
            workspace, _ = quick_workspace(base)
            step.prepare(workspace)

        failed = forked(prepare)
        assert failed == "", failed
        number = 0
        while True:
            root = Path(folder) / "workspace"
            shutil.copytree(base, root)
            ended = forked(lambda root=root: step.work(Workspace(root)), kill_at=number)
            assert not ended, ended
            found = forked(lambda root=root: step.check(Workspace(root)))
            assert found is not None
            if found:
                wrong.append(f"{name}, killed at call {number}: {found}")
            shutil.rmtree(root)
            if ended is not None:
                return kills, wrong
            kills += 1
            number += stride


def build(folder: Path) -> Path:
    """Compile what kills, and return the library.

    Raises:
        OSError, subprocess.CalledProcessError: there is no C compiler.
    """
    library = folder / "kill_at.so"
    source = Path(__file__).with_name("kill_at.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


def main() -> int:
    """Run the steps and print how often each was killed; return 1 if anything was wrong after one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of: {', '.join(STEPS)}")
    parser.add_argument("--stride", type=int, default=1, help="kill at every so many calls (default: at each)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if LIBRARY not in os.environ:
        with tempfile.TemporaryDirectory() as folder:
            library = str(build(Path(folder)))
            environment = {**os.environ, LIBRARY: library, "LD_PRELOAD": library}
            return subprocess.run(
                [sys.executable, "-m", "tests.crash.driver", *sys.argv[1:]], env=environment
            ).returncode
    del os.environ["LD_PRELOAD"]
    results = {}
    for name in options.steps or STEPS:
        kills, wrong = run(name, stride=options.stride)
        results[name] = {"kills": kills, "wrong": wrong}
        if not options.json:
            print(f"{name}: killed {kills} times, {len(wrong)} wrong", flush=True)
            print("\n".join(wrong), end="\n" if wrong else "")
    if options.json:
        print(json.dumps(results))
    return 1 if any(result["wrong"] for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
