"""The engine of a cluster: the contract, and what is its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gwas_core.engines.selection import Engines
from gwas_core.errors import ExperimentError, SettingsError
from gwas_core.kubeflow import transfer_pod
from gwas_core.kubeflow.cluster import connect
from gwas_core.kubeflow.cluster_binding import load_binding
from gwas_core.kubeflow.engine import KubeflowEngine
from gwas_core.kubeflow.intervals import PollingIntervals
from gwas_core.kubeflow.katib_status import completion_message, read_trial
from gwas_core.kubeflow.kubernetes_api import Unreachable
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.local import LocalEngine
from gwas_core.tuning.records import ExperimentRecord, Refit
from gwas_core.tuning.space import Parameter, ParameterKind, SearchSpace
from gwas_core.tuning.suggest import AlgorithmSettings
from tests.kubeflow.katib_controller import set_condition
from tests.kubeflow.katib_server import NAMESPACE, Fault, KatibServer
from tests.kubeflow.quick_cluster import external_manifest
from tests.tuning import refitted_trial
from tests.tuning.engine_contract import Bench, EngineContract, check_complete
from tests.tuning.quick_experiments import PENALTY, behaviours, quick_experiment, quick_workspace, wait_until
from tests.tuning.quick_trial import MODEL
from tests.waiting import LIMIT, hold_trials, release_trials
from tests.waiting import wait_until as wait_until_true

T = TypeVar("T")

QUICK = PollingIntervals(
    stall=timedelta(seconds=60), first_retry=timedelta(milliseconds=50), sync_seconds=0.0, fetch_seconds=0.3
)
IMPATIENT = replace(QUICK, stall=timedelta(0))

pytestmark = pytest.mark.usefixtures("quick_model")


def kubeflow_bench(folder: Path, *, intervals: PollingIntervals = QUICK, **settings: Any) -> Bench:
    """An engine on the workspace that the cluster's claim holds, unless ``mount_path`` says that it is elsewhere."""
    workspace, dataset = quick_workspace(folder)
    cluster = ClusterSettings(**{"namespace": NAMESPACE, "mount_path": str(folder), "trial_kind": "job"} | settings)
    engine = KubeflowEngine(workspace, settings=cluster, intervals=intervals)

    def experiment(*, fixed: dict[str, Any] | None = None, **changes: Any) -> Experiment:
        # Katib's collector needs a moment to end a trial; one that lasts none would be over before.
        fixed = {"epoch_seconds": 0.1, **(fixed or {})}
        return quick_experiment(**{"dataset": dataset, "fixed": fixed, "engine": "kubeflow"} | changes)

    return Bench(engine, engine.store, experiment)


@pytest.fixture
def bench(server: KatibServer, tmp_path: Path) -> Bench:
    return kubeflow_bench(tmp_path / "claim")


class TestKubeflowEngine(EngineContract):
    @pytest.fixture
    def bench(self, bench: Bench) -> Bench:
        return bench


# Its own: with a stand-in for the driver, since what happens around the trials is looked at.


@pytest.fixture
def quick(quick_server: KatibServer, tmp_path: Path) -> Bench:
    return kubeflow_bench(tmp_path / "claim")


def engine_of(bench: Bench) -> KubeflowEngine:
    assert isinstance(bench.engine, KubeflowEngine)
    return bench.engine


def synced(bench: Bench, condition: Callable[[ExperimentRecord], bool], *, name: str = "quick") -> ExperimentRecord:
    return wait_until(lambda: bench.engine.sync(name), condition)


def wait_for(find: Callable[[], T | None]) -> T:
    found = wait_until_true(find)
    assert found is not None
    return found


def ended(record: ExperimentRecord) -> bool:
    return not record.state.is_active()


def test_an_outage_is_no_failure(quick_server: KatibServer, quick: Bench) -> None:
    root = quick.store.workspace.root
    hold_trials(root, 2)  # it is not over before it was asked about
    quick.engine.start(quick.experiment(max_trials=6))
    before = synced(quick, lambda record: record.finished_trials >= 1)
    began = time.monotonic()
    with quick_server.outage():
        silent = synced(quick, lambda record: "does not answer" in record.reason)
        assert silent.state is ExperimentState.RUNNING
        assert "last seen" in silent.reason
        assert silent.finished_trials >= before.finished_trials
        # It is asked again, but less and less often.
        for _ in range(50):
            quick.engine.sync("quick")
        # Each pause is twice the one before, so that n questions take 2 ** (n - 1) - 1 first pauses.
        pauses = (time.monotonic() - began) / QUICK.first_retry.total_seconds()
        assert load_binding(quick.store, "quick").silent <= 1 + math.log2(1 + pauses)
        # Another dashboard, or this one started anew, knows it too.
        other = KubeflowEngine(engine_of(quick).workspace, settings=engine_of(quick).settings, intervals=QUICK)
        assert other.sync("quick").state is ExperimentState.RUNNING
        assert len(quick.engine.experiments()) == 1
    after = synced(quick, lambda record: "does not answer" not in record.reason)
    assert load_binding(quick.store, "quick").silent == 0
    assert after.state is ExperimentState.RUNNING
    release_trials(root)
    last = synced(quick, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert len(last.trials) == 6


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_answer_that_says_nothing_changes_nothing(quick_server: KatibServer, quick: Bench, status: int) -> None:
    quick.engine.start(quick.experiment(max_trials=2))
    quick_server.faults.extend(Fault(status=status) for _ in range(2))
    troubled = synced(quick, lambda record: "it is asked again" in record.reason)
    assert troubled.state is ExperimentState.RUNNING
    quick_server.faults.clear()
    assert synced(quick, ended).state is ExperimentState.SUCCEEDED


def test_katib_is_gone_for_a_while(quick_server: KatibServer, quick: Bench) -> None:
    quick.engine.start(quick.experiment(max_trials=3))
    quick_server.missing.add("experiments")
    record = synced(quick, lambda record: "does not know this kind of object" in record.reason)
    assert record.state is ExperimentState.RUNNING, "an experiment is not gone because its kind is"
    quick_server.missing.remove("experiments")
    assert synced(quick, ended).state is ExperimentState.SUCCEEDED


def test_deleted_by_somebody_it_is_interrupted_and_resumes(quick_server: KatibServer, quick: Bench) -> None:
    hold_trials(quick.store.workspace.root, 2)
    quick.engine.start(quick.experiment(max_trials=5, parallel_trials=1))
    synced(quick, lambda record: record.finished_trials >= 2)
    connect(engine_of(quick).settings).delete("experiments", "quick")
    release_trials(quick.store.workspace.root)
    record = synced(quick, ended)
    assert record.state is ExperimentState.INTERRUPTED
    assert "somebody deleted it on the cluster; resume starts it again" in record.reason
    kept = {trial.number: trial.value for trial in record.trials if trial.state.is_finished()}
    assert len(kept) >= 2
    resumed = quick.engine.resume("quick")
    assert resumed.state is ExperimentState.RUNNING
    assert resumed.reason == ""
    last = synced(quick, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert last.finished_trials == 5, "Katib knew nothing of the first ones, and did the rest"
    assert kept.items() <= {trial.number: trial.value for trial in last.trials}.items()


def test_another_experiment_of_its_name_is_left_alone(quick_server: KatibServer, quick: Bench) -> None:
    quick.engine.start(quick.experiment(max_trials=50))
    api = connect(engine_of(quick).settings)
    manifest = api.get("experiments", "quick")
    api.delete("experiments", "quick")
    wait_until(lambda: quick.engine.sync("quick"), ended)
    theirs = {"kind": "Experiment", "apiVersion": manifest["apiVersion"], "spec": manifest["spec"]}
    created = api.create("experiments", {**theirs, "metadata": {"name": "quick"}})
    with pytest.raises(ExperimentError, match="another Katib experiment named quick: delete that first"):
        quick.engine.resume("quick")
    quick.engine.delete("quick")
    assert quick.engine.experiments() == ()
    assert api.get("experiments", "quick")["metadata"]["uid"] == created["metadata"]["uid"]


def test_stopping_goes_on_after_an_outage(quick_server: KatibServer, quick: Bench) -> None:
    quick.engine.start(quick.experiment(max_trials=50))
    synced(quick, lambda record: record.counts[TrialState.RUNNING] > 0)
    with quick_server.outage():
        stopping = quick.engine.stop("quick", wait=0.3)
        assert stopping.state is ExperimentState.STOPPING
        assert "does not answer" in stopping.reason
        with pytest.raises(ExperimentError, match="stop it before deleting"):
            quick.engine.delete("quick")
    stopped = synced(quick, ended)
    assert stopped.state is ExperimentState.STOPPED
    assert stopped.counts[TrialState.RUNNING] == 0
    api = connect(engine_of(quick).settings)
    left = api.list("trials")
    assert {read_trial(trial).state.is_finished() for trial in left} <= {True}
    quick.engine.delete("quick")
    assert not stopped.directory.exists()
    assert all(api.list(kind) == [] for kind in ("experiments", "trials", "suggestions"))


def test_the_answer_to_its_creation_is_lost(quick_server: KatibServer, quick: Bench) -> None:
    creations = iter(range(10))

    def is_creation(method: str, path: str) -> bool:
        # The first only asks whether it would be accepted.
        return method == "POST" and path.endswith("/experiments") and next(creations) == 1

    quick_server.faults.append(Fault(drop=True, after=True, match=is_creation))
    with pytest.raises(Unreachable):
        quick.engine.start(quick.experiment(max_trials=3))
    assert quick.engine.sync("quick").state is ExperimentState.CREATED
    assert connect(engine_of(quick).settings).get("experiments", "quick")
    quick.engine.resume("quick")
    last = synced(quick, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert last.finished_trials == 3


def test_what_katib_refuses_leaves_nothing_behind(quick_server: KatibServer, quick: Bench) -> None:
    quick_server.namespace_labels.clear()
    with pytest.raises(SettingsError, match="the namespace lacks label"):
        quick.engine.start(quick.experiment())
    quick_server.namespace_labels |= {"katib.kubeflow.org/metrics-collector-injection": "enabled"}
    with quick_server.outage(), pytest.raises(Unreachable):
        quick.engine.start(quick.experiment())
    assert quick.engine.experiments() == ()
    quick.engine.start(quick.experiment())
    synced(quick, ended)
    engine_of(quick).store.delete("quick")  # only here
    with pytest.raises(ExperimentError, match="team already has a Katib experiment named quick"):
        quick.engine.start(quick.experiment())


def test_it_runs_only_its_own_experiments(quick: Bench) -> None:
    with pytest.raises(SettingsError) as refusal:
        quick.engine.start(quick.experiment(engine="local"))
    assert refusal.value.field == "engine"


# Where the claim is not mounted.


@pytest.fixture
def far(quick_server: KatibServer, tmp_path: Path) -> Bench:
    """An engine on a laptop: what trials write lies in another folder, that of the claim."""
    (tmp_path / "claim").mkdir()
    return kubeflow_bench(tmp_path / "laptop", mount_path=str(tmp_path / "claim"))


def transfer_pods(server: KatibServer) -> list[str]:
    with server.objects.lock:
        pods = [pod["metadata"] for pod in server.objects.all("pods")]
    return [pod["name"] for pod in pods if "files" in pod["name"] and "deletionTimestamp" not in pod]


def test_from_afar_everything_is_copied_there_and_back(quick_server: KatibServer, far: Bench, tmp_path: Path) -> None:
    claim = tmp_path / "claim" / "quick"
    hold_trials(tmp_path / "claim", 2)
    far.engine.start(far.experiment(max_trials=4, parallel_trials=1))
    assert transfer_pods(quick_server) == ["gwas-files-quick"]
    record = synced(far, lambda record: record.finished_trials >= 2)
    folder = record.trials[0].directory
    assert folder.is_relative_to(tmp_path / "laptop")
    penalty = record.trials[0].parameters["penalty"]
    assert record.trials[0].history == ((1, penalty), (2, penalty), (3, penalty))
    assert record.trials[0].seed == 7, "from its result"
    assert (folder / "metrics.jsonl").read_bytes() == (claim / folder.name / "metrics.jsonl").read_bytes()
    stopped = far.engine.stop("quick", wait=LIMIT)
    assert stopped.state is ExperimentState.STOPPED
    assert transfer_pods(quick_server) == []
    release_trials(tmp_path / "claim")
    far.engine.resume("quick")
    last = synced(far, ended)
    assert last.state is ExperimentState.SUCCEEDED, last.reason
    assert last.finished_trials == 4
    assert last.final_evaluation is not None, "evaluated here, with the network from there"
    assert transfer_pods(quick_server) == []
    assert far.engine.extend("quick", 1).state is ExperimentState.RUNNING
    assert synced(far, ended).finished_trials == 5
    far.engine.delete("quick")
    assert not claim.exists()
    assert transfer_pods(quick_server) == []


def test_from_afar_without_a_place_for_the_pod_nothing_is_started(
    quick_server: KatibServer, far: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_server.katib.no_room = True
    monkeypatch.setattr(transfer_pod, "_START_SECONDS", 0.3)
    with pytest.raises(Unreachable, match="finds no place on the cluster"):
        far.engine.start(far.experiment(max_trials=1))
    assert quick_server.objects.get("experiments", "quick") is None
    assert transfer_pods(quick_server) == []
    quick_server.katib.no_room = False
    assert far.engine.resume("quick").state is ExperimentState.RUNNING
    assert synced(far, ended).state is ExperimentState.SUCCEEDED


def test_from_afar_what_cannot_be_read_is_waited_for(quick_server: KatibServer, far: Bench) -> None:
    far.engine.start(far.experiment(max_trials=2))
    quick_server.denied.add(("create", "pods/exec"))
    record = synced(far, lambda record: "pods/exec" in record.reason)
    assert record.state is ExperimentState.RUNNING
    assert record.finished_trials == 0, "a trial ends here with all it has written, or not yet"
    quick_server.denied.clear()
    quick_server.katib.no_room = True
    connect(engine_of(far).settings).delete("pods", "gwas-files-quick")
    synced(far, lambda record: "waiting for gwas-files-quick" in record.reason)
    quick_server.katib.no_room = False
    last = synced(far, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert [trial.seed for trial in last.trials] == [7, 7]


def test_a_suggestion_service_without_memory_is_explained(quick_server: KatibServer, tmp_path: Path) -> None:
    quick_server.katib.suggestion_trouble = "OOMKilled"
    bench = kubeflow_bench(
        tmp_path / "claim",
        intervals=IMPATIENT,
    )
    bench.engine.start(bench.experiment(max_trials=2))
    record = synced(bench, lambda record: "OOMKilled" in record.reason)
    assert record.state is ExperimentState.RUNNING
    assert "100Mi" in record.reason
    assert "katib-config" in record.reason
    quick_server.katib.suggestion_trouble = ""
    # What Katib does not look at again by itself, as after its configuration was changed.
    bench.engine.stop("quick")
    bench.engine.resume("quick")
    assert synced(bench, ended).state is ExperimentState.SUCCEEDED


def test_a_trial_that_does_not_start_is_explained(quick_server: KatibServer, tmp_path: Path) -> None:
    quick_server.katib.pod_trouble = "ImagePullBackOff"
    bench = kubeflow_bench(
        tmp_path / "claim",
        intervals=IMPATIENT,
    )
    bench.engine.start(bench.experiment(max_trials=2))
    record = synced(bench, lambda record: "ImagePullBackOff" in record.reason)
    assert record.state is ExperimentState.RUNNING
    quick_server.katib.pod_trouble = ""
    last = synced(bench, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert last.reason == ""


def test_refused_settings_are_katibs_failure(quick_server: KatibServer, quick: Bench) -> None:
    # Past what is checked here, as after an update of Katib.
    quick.engine.start(quick.experiment(max_trials=50))
    suggestion = wait_for(lambda: quick_server.objects.get("suggestions", "quick"))
    with quick_server.objects.lock:
        set_condition(suggestion, "Failed", "SuggestionFailed", "Validation failed: unknown setting")
        quick_server.objects.changed("suggestions", suggestion)
    record = synced(quick, ended)
    assert record.state is ExperimentState.FAILED
    assert record.reason == "Katib says: Suggestion has failed"


def test_trials_without_a_metric_have_failed(quick: Bench) -> None:
    experiment = quick.experiment(
        space=behaviours("silent", "fails", "good"), algorithm=AlgorithmSettings(name="grid"), max_trials=3
    )
    quick.engine.start(experiment)
    record = synced(quick, ended)
    reasons = {str(trial.parameters["behaviour"]): (trial.state, trial.reason) for trial in record.trials}
    assert reasons["good"] == (TrialState.SUCCEEDED, "")
    assert reasons["fails"] == (TrialState.FAILED, "this trial was told to fail")
    assert reasons["silent"] == (
        TrialState.FAILED, "it ended without reporting its metric: Metrics are not available"
    )  # fmt: skip
    good = next(trial for trial in record.trials if trial.state is TrialState.SUCCEEDED)
    assert good.seed == 7
    assert good.history == ((1, 1.0), (2, 1.0), (3, 1.0))
    assert good.directory.name.startswith("quick-")


def test_a_restarted_search_that_lost_its_memory_is_explained(quick_server: KatibServer, tmp_path: Path) -> None:
    bench = kubeflow_bench(
        tmp_path / "claim",
        intervals=IMPATIENT,
    )
    hold_trials(tmp_path / "claim", 2)
    bench.engine.start(bench.experiment(max_trials=30, parallel_trials=1))
    synced(bench, lambda record: record.finished_trials >= 2)
    # Optuna's services fail once for each trial that they did not suggest themselves.
    quick_server.katib.forget_services()
    quick_server.katib.suggestion_trouble = ""
    hold_trials(tmp_path / "claim", 6)
    record = synced(bench, lambda record: record.finished_trials >= 5 or "has given" in record.reason)
    assert record.state is ExperimentState.RUNNING
    assert any("An unknown trial" in error for error in quick_server.katib.errors)
    bench.engine.stop("quick")


@pytest.mark.parametrize("policy", ["Never", "FromVolume"])
def test_the_resume_policy_decides_about_more_trials(quick_server: KatibServer, tmp_path: Path, policy: str) -> None:
    bench = kubeflow_bench(tmp_path / "claim", resume_policy=policy)
    hold_trials(tmp_path / "claim", 0)
    bench.engine.start(bench.experiment(max_trials=2))
    # While it runs, all policies allow it.
    assert bench.engine.extend("quick", 1).experiment.max_trials == 3
    release_trials(tmp_path / "claim")
    assert synced(bench, ended).finished_trials == 3
    if policy == "Never":
        with pytest.raises(ExperimentError, match="resume policy Never"):
            bench.engine.extend("quick", 1)
        assert bench.store.load("quick").experiment.max_trials == 3
        return
    bench.engine.extend("quick", 1)
    last = synced(bench, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert last.finished_trials == 4


def test_without_a_lasting_search_a_stopped_experiment_begins_a_new_one(
    quick_server: KatibServer, tmp_path: Path
) -> None:
    bench = kubeflow_bench(tmp_path / "claim", resume_policy="Never")
    hold_trials(tmp_path / "claim", 2)
    bench.engine.start(bench.experiment(max_trials=5, parallel_trials=1))
    synced(bench, lambda record: record.finished_trials >= 2)
    stopped = bench.engine.stop("quick", wait=LIMIT)
    release_trials(tmp_path / "claim")
    bench.engine.resume("quick")
    last = synced(bench, ended)
    assert last.state is ExperimentState.SUCCEEDED
    assert last.finished_trials == 5
    before = {trial.number: trial.value for trial in stopped.trials if trial.state.is_finished()}
    assert before.items() <= {trial.number: trial.value for trial in last.trials}.items()


def test_the_search_is_scikit_optimizes_with_values_as_text(quick_server: KatibServer, quick: Bench) -> None:
    space = SearchSpace(
        (
            PENALTY,
            Parameter(name="layers", kind=ParameterKind.INT, minimum=1, maximum=4),
            Parameter(name="rate", kind=ParameterKind.DOUBLE, minimum=0.0, maximum=0.5),
            Parameter(name="units", kind=ParameterKind.DISCRETE, choices=(16, 32)),
            Parameter(name="optimizer", kind=ParameterKind.CATEGORICAL, choices=("adam", "sgd")),
        )
    )
    algorithm = AlgorithmSettings(name="bayesianoptimization", settings={"n_initial_points": "2"})
    hold_trials(quick.store.workspace.root, 3)
    quick.engine.start(quick.experiment(space=space, algorithm=algorithm, max_trials=5, parallel_trials=1))
    synced(quick, lambda record: record.finished_trials >= 3)
    stopped = quick.engine.stop("quick", wait=LIMIT)
    release_trials(quick.store.workspace.root)
    quick.engine.resume("quick")
    record = synced(quick, ended)
    assert record.state is ExperimentState.SUCCEEDED, (record.reason, quick_server.katib.errors)
    # Between the stop and the resumption the service looked in vain for its experiment, and for nothing else.
    assert {error.partition(":")[0] for error in quick_server.katib.errors} <= {"LookupError"}
    check_complete(record)
    assert all(record.trials[trial.number].parameters == trial.parameters for trial in stopped.trials)
    assert isinstance(record.trials[0].parameters["layers"], int)
    assert isinstance(record.trials[0].parameters["rate"], float)


def test_a_model_that_cannot_be_evaluated_is_said(
    quick_server: KatibServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _ = quick_workspace(tmp_path / "claim")
    bench = kubeflow_bench(tmp_path / "claim")
    settings = engine_of(bench).settings
    monkeypatch.setenv("GWAS_MODEL", "tests.kubeflow.dying_evaluation")
    dying = KubeflowEngine(workspace, settings=settings, intervals=QUICK)
    dying.start(bench.experiment(max_trials=1))
    record = wait_until(lambda: dying.sync("quick"), ended)
    assert record.state is ExperimentState.FAILED
    assert "the best model could not be evaluated on the test lines: the process ended by itself" in record.reason
    # With what was wrong mended, nothing has to be trained again.
    monkeypatch.setenv("GWAS_MODEL", MODEL)
    assert bench.engine.resume("quick").state is ExperimentState.RUNNING
    record = synced(bench, ended)
    assert record.state is ExperimentState.SUCCEEDED
    assert record.final_evaluation is not None
    assert len(connect(settings).list("trials")) == 1


def test_the_judged_network_is_refitted_beside_the_dashboard(
    quick_server: KatibServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = kubeflow_bench(tmp_path / "claim")
    monkeypatch.setenv("GWAS_MODEL", refitted_trial.MODEL)
    bench.engine.start(bench.experiment(max_trials=1))
    record = synced(bench, ended)
    assert record.state is ExperimentState.SUCCEEDED
    assert record.refit_of_best is not None
    refit = record.refit_of_best.result
    assert refit is not None
    assert (refit.lines, refit.judged_lines, refit.epochs) == (80, 56, 3)
    # A refit that fails leaves the search as it is: what was judged is taken home.
    (tmp_path / "claim" / "_no_refit").touch()
    bench.engine.start(bench.experiment(name="second", max_trials=1))
    record = synced(bench, ended, name="second")
    assert (record.state, record.reason) == (ExperimentState.SUCCEEDED, "")
    assert record.refit_of_best == Refit(trial=0, result=None, reason="this refit was told to fail")


def test_a_snapshot_of_the_claim_is_taken_with_the_best_model(quick_server: KatibServer, tmp_path: Path) -> None:
    quick_server.missing.remove("volumesnapshots")
    bench = kubeflow_bench(tmp_path / "claim")
    engine = KubeflowEngine(
        engine_of(bench).workspace,
        settings=engine_of(bench).settings,
        intervals=QUICK,
        snapshots=True,
    )
    engine.start(bench.experiment(max_trials=2))
    record = wait_until(lambda: engine.sync("quick"), ended)
    assert record.best is not None
    names = [snapshot["metadata"]["name"] for snapshot in connect(engine.settings).list("volumesnapshots")]
    assert names == [f"quick-{record.best.number}"]


# Experiments made elsewhere.


def test_an_experiment_made_elsewhere_is_shown_and_left_alone(quick_server: KatibServer, quick: Bench) -> None:
    engine = engine_of(quick)
    api = connect(engine.settings)
    assert engine.external_experiments() == ()
    api.create("experiments", external_manifest("'sleep 0.1; echo loss=${trialParameters.rate}'"))
    assert engine.external_experiments() == ("theirs",)
    opened = engine.open_external("theirs")
    assert opened.state is ExperimentState.RUNNING
    assert engine.external_experiments() == ()
    for forbidden in (lambda: engine.stop("theirs"), lambda: engine.extend("theirs", 1)):
        with pytest.raises(ExperimentError, match="made elsewhere"):
            forbidden()
    record = synced(quick, ended, name="theirs")
    assert record.state is ExperimentState.SUCCEEDED
    assert [trial.state for trial in record.trials] == [TrialState.SUCCEEDED] * 3
    assert all(trial.value == pytest.approx(trial.parameters["learning_rate"]) for trial in record.trials)
    assert record.baselines is None
    assert record.final_evaluation is None
    engine.delete("theirs")
    assert engine.experiments() == ()
    assert api.get("experiments", "theirs")


def test_many_trials_that_are_new_are_read_a_few_at_a_look(quick_server: KatibServer, quick: Bench) -> None:
    quick.engine.start(quick.experiment(max_trials=6))
    api = connect(engine_of(quick).settings)
    wait_for(lambda: completion_message(api.get("experiments", "quick")))
    hurried = replace(QUICK, reading_seconds=0.0)
    engine = KubeflowEngine(engine_of(quick).workspace, settings=engine_of(quick).settings, intervals=hurried)
    assert "being read from the cluster" in engine.sync("quick").reason
    last = synced(quick, ended)
    assert last.state is ExperimentState.SUCCEEDED
    check_complete(last)
    assert [trial.seed for trial in last.trials] == [7] * 6
    assert all(len(trial.history) == 3 for trial in last.trials)


def test_the_front_ends_engine_is_that_of_the_experiment(
    quick_server: KatibServer, quick: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in asdict(engine_of(quick).settings).items():
        monkeypatch.setenv(f"GWAS_KUBEFLOW_{name.upper()}", str(value))
    engines = Engines(engine_of(quick).workspace)
    assert engines.kubeflow.settings == engine_of(quick).settings
    engines.start(quick.experiment(max_trials=50))
    assert isinstance(engines.engine_for("quick"), KubeflowEngine)
    quick.store.create(quick.experiment(name="local", engine="local"))
    assert isinstance(engines.engine_for("local"), LocalEngine)
    assert {entry.name for entry in engines.experiments()} == {"quick", "local"}
    assert engines.sync("quick").state is ExperimentState.RUNNING
    assert engines.extend("quick", 1).experiment.max_trials == 51
    assert engines.stop("quick").state is ExperimentState.STOPPED
    assert engines.resume("quick").state is ExperimentState.RUNNING
    engines.stop("quick")
    engines.delete("quick")
    engines.delete("local")
    assert engines.experiments() == ()
    with pytest.raises(ExperimentError, match="no experiment named quick"):
        engines.sync("quick")
