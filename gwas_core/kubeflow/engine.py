"""The engine of a cluster: a Katib experiment, mirrored into the store that every page reads."""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gwas_core.errors import ExperimentError, InputError, SettingsError
from gwas_core.files import write_json
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import make_split, save_split
from gwas_core.kubeflow import remote
from gwas_core.kubeflow.api import Api, ClusterError, NotFound, Resource
from gwas_core.kubeflow.cluster import NotConfigured, connect, ensure_claim, is_claim_here, snapshot_claim
from gwas_core.kubeflow.cluster_binding import Link, load_link, save_link
from gwas_core.kubeflow.final_evaluation import (
    failed_judgement,
    forget_failures,
    needs_judgement,
    see_to_baselines,
    see_to_best,
)
from gwas_core.kubeflow.inputs import EXPERIMENT_FILE
from gwas_core.kubeflow.katib import katib_experiment
from gwas_core.kubeflow.mapping import (
    EXPERIMENT_LABEL,
    TrialFacts,
    condition,
    ending,
    foreign_experiment,
    in_order,
    quiet_since,
    read_time,
    stall,
)
from gwas_core.kubeflow.settings import ENVIRONMENT_PREFIX, ClusterSettings
from gwas_core.kubeflow.transfer_pod import SMALL_FILE, ClaimFiles
from gwas_core.kubeflow.trial_sync import is_folder, mirror
from gwas_core.processes.locks import experiment_lock
from gwas_core.tuning.engine import check_can_go_on, check_extra_trials, check_is_running, wait_until_stopped
from gwas_core.tuning.experiment import Experiment, ExperimentState, TrialState
from gwas_core.tuning.progress import Ending, Progress, search_ending
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary
from gwas_core.tuning.store import Store
from gwas_core.tuning.writer import ExperimentWriter
from gwas_core.workspace import Workspace

JUDGING = "the search is done; its best model is being judged"

_SEEN_SECONDS = 30.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long is waited for what.

    Attributes:
        stall: nothing may happen for so long before it is asked why.
        silence: until the cluster is asked again when it did not answer; twice as long each time, up to a minute.
        look: seconds for which what is known of the cluster is fresh enough.
        reading: seconds that one look spends on writing down trials; the next one goes on.
        files: the same of the files of trials that run, where the claim is not mounted here.
    """

    stall: timedelta = timedelta(minutes=5)
    silence: timedelta = timedelta(seconds=2)
    look: float = 1.0
    files: float = 10.0
    reading: float = 2.0


class KubeflowEngine:
    """Runs experiments as Katib experiments of one namespace; ``sync`` is how anybody gets to know of them.

    Where the workspace lies on the claim that the trials mount, the files they write are read in place. Elsewhere a
    pod that mounts it is made (``helper``): what trials need is copied there, and what they write is copied back.

    The cluster is asked again and again, not watched: a page has no process of its own between two reruns, and a
    question that is lost costs no more than the next one.

    Args:
        settings: where new experiments go; the environment's where not given.
        reach: how a cluster is reached.
        tell: told in sentences what takes time; the log where not given.
        snapshots: whether a snapshot of the claim is taken with the best trial, where the cluster offers them.
    """

    # Shared: every page makes its own engine, and credentials can be slow to come by.
    _last_looks: dict[Path, float] = {}  # noqa: RUF012
    _last_fetches: dict[Path, float] = {}  # noqa: RUF012
    _apis: dict[tuple[Callable[[ClusterSettings], Api], str, str], Api] = {}  # noqa: RUF012

    def __init__(
        self,
        workspace: Workspace,
        *,
        store: Store | None = None,
        settings: ClusterSettings | None = None,
        reach: Callable[[ClusterSettings], Api] = connect,
        patience: Patience | None = None,
        tell: Callable[[str], None] | None = None,
        snapshots: bool = False,
    ) -> None:
        self.workspace = Workspace(workspace.root.absolute())
        self.store = store or Store(self.workspace)
        self._settings = settings
        self._reach = reach
        self._patience = patience or Patience()
        self._snapshots = snapshots
        self._tell = tell or _logger.info

    @classmethod
    def from_environment(
        cls,
        workspace: Workspace,
        *,
        store: Store | None = None,
        settings: ClusterSettings | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> KubeflowEngine:
        """As the environment says: ``GWAS_KUBEFLOW_SNAPSHOTS=on`` has snapshots taken."""
        snapshots = os.environ.get(f"{ENVIRONMENT_PREFIX}SNAPSHOTS", "").lower() in ("1", "on", "true", "yes")
        return cls(workspace, store=store, settings=settings, tell=tell, snapshots=snapshots)

    @property
    def settings(self) -> ClusterSettings:
        """Where new experiments go."""
        return self._settings or ClusterSettings.from_environment()

    # What every engine does.

    def start(self, experiment: Experiment) -> ExperimentRecord:
        """See ``Engine.start``."""
        if experiment.engine != "kubeflow":
            raise SettingsError(f"this engine runs Kubeflow experiments, not {experiment.engine} ones", field="engine")
        settings = self.settings
        split = make_split(_prepared(self.workspace, experiment), experiment.split)
        manifest = _manifest(experiment, settings)
        is_new = not self.store.holds_unstarted(experiment)
        if is_new and self._is_taken(experiment.name):
            self.store.create(experiment)  # which says so
        api = self._api(settings)
        ensure_claim(api, settings)
        # Asked first, so that what Katib refuses leaves nothing behind.
        remote.create(api, manifest, dry_run=True)
        if is_new:
            self.store.create(experiment)
        directory = self.workspace.experiment_directory(experiment.name)
        save_split(split, directory)
        write_json(directory / EXPERIMENT_FILE, experiment.to_dict())
        if (files := self._files(api, settings, experiment.name)) is not None:
            dataset = self.workspace.dataset_directory(experiment.dataset)
            try:
                files.send([dataset.relative_to(self.workspace.root).as_posix(), experiment.name])
            except ClusterError:
                _close(files)
                raise
        save_link(self.store, experiment.name, Link(cluster=settings.to_dict()))
        self._create(api, experiment, manifest, limit=manifest["spec"]["maxTrialCount"])
        return self._sync_now(experiment.name)

    def stop(self, name: str, *, wait: float = 30.0) -> ExperimentRecord:
        """See ``Engine.stop``; while the cluster does not answer the experiment is stopping, and stops once it does."""
        record = self.sync(name)
        if self._is_foreign(name):
            self._own_link(name)  # which says so
        check_is_running(record)
        self.store.request_stop(name)
        return wait_until_stopped(self._sync_now, name, seconds=wait)

    def resume(self, name: str) -> ExperimentRecord:
        """See ``Engine.resume``."""
        record = self.sync(name)
        check_can_go_on(record)
        self._begin_again(record)
        return self._sync_now(name)

    def extend(self, name: str, extra_trials: int) -> ExperimentRecord:
        """See ``Engine.extend``.

        Raises:
            ExperimentError: also where Katib does not let a finished experiment go on.
        """
        check_extra_trials(extra_trials)
        record = self.sync(name)
        link = self._own_link(name)
        longer = replace(record.experiment, max_trials=record.experiment.max_trials + extra_trials)
        goes_on = record.state.is_active() or record.state is ExperimentState.SUCCEEDED
        goes_on = goes_on and self._raise_trials(record, longer, link)
        self.store.set_max_trials(name, longer.max_trials)
        if not goes_on:
            self._begin_again(self.store.load(name))
        elif not record.state.is_active():
            ExperimentWriter(self.store, name).set_status(ExperimentState.RUNNING)
        return self._sync_now(name)

    def sync(self, name: str) -> ExperimentRecord:
        """See ``Engine.sync``: while the cluster does not answer the state stays, and the reason says since when."""
        record = self.store.load(name)
        fresh = time.monotonic() - self._last_looks.get(record.directory, -self._patience.look) < self._patience.look
        return record if fresh or not record.state.is_active() else self._sync_now(name)

    def experiments(self) -> tuple[ExperimentSummary, ...]:
        """All experiments of the store, the newest first, brought up to date where this engine runs them."""
        summaries = self.store.experiments()
        active = [summary for summary in summaries if summary.state.is_active() and summary.engine == "kubeflow"]
        for summary in active:
            self.sync(summary.name)
        return self.store.experiments() if active else summaries

    def delete(self, name: str) -> None:
        """Remove an experiment and its files, here and on the cluster; one made elsewhere is only forgotten here.

        Raises:
            ExperimentError: it is running, does not exist, or the cluster does not answer.
        """
        record = self.store.load(name)
        link = self._link_or_none(name)
        if link is not None and not link.read_only:
            if record.state.is_active():
                raise ExperimentError(f"{name} is running: stop it before deleting it")
            # A cluster that nobody knows any more need not keep what is here.
            with suppress(NotConfigured):
                api = self._api(link.settings)
                existing = remote.find(api, "experiments", name)
                if existing is None or _is_same(existing, link, record):
                    remote.delete_everything(api, name)
                self._delete_files(api, link.settings, name)
        self.store.delete(name)

    # Experiments made elsewhere.

    def foreign(self) -> tuple[str, ...]:
        """Names of the namespace's Katib experiments that the store does not know, the newest first.

        Raises:
            ClusterError: the cluster does not answer.
        """
        known = {summary.name for summary in self.store.experiments()}
        found = [entry["metadata"] for entry in self._api(self.settings).list("experiments")]
        found.sort(key=lambda metadata: str(metadata.get("creationTimestamp")), reverse=True)
        return tuple(metadata["name"] for metadata in found if metadata["name"] not in known)

    def open_foreign(self, name: str) -> ExperimentRecord:
        """Add an experiment made elsewhere to the store, to be looked at.

        Raises:
            SettingsError: it searches what cannot be shown.
            ExperimentError: there is none, or the cluster does not answer.
        """
        settings = self.settings
        manifest = self._api(settings).get("experiments", name)
        foreign = foreign_experiment(manifest)
        self.store.create(foreign.experiment)
        uid, limit = manifest["metadata"]["uid"], foreign.experiment.max_trials
        link = Link(cluster=settings.to_dict(), uid=uid, read_only=True, names=foreign.names, limit=limit)
        save_link(self.store, name, link)
        started = (manifest.get("status") or {}).get("startTime")
        ExperimentWriter(self.store, name).set_status(ExperimentState.RUNNING, since=started)
        return self._sync_now(name)

    # Beginning, and beginning again.

    def _api(self, settings: ClusterSettings) -> Api:
        key = (self._reach, os.environ.get("KUBECONFIG", ""), settings.namespace)
        api = self._apis.get(key)
        if api is None:
            api = self._apis[key] = self._reach(settings)
        return api

    def _is_taken(self, name: str) -> bool:
        try:
            self.store.study_id(name)
        except ExperimentError:
            return False
        return True

    def _link_or_none(self, name: str) -> Link | None:
        try:
            return load_link(self.store, name)
        except ExperimentError:
            return None

    def _is_foreign(self, name: str) -> bool:
        link = self._link_or_none(name)
        return link is not None and link.read_only

    def _own_link(self, name: str) -> Link:
        link = load_link(self.store, name)
        if link.read_only:
            raise ExperimentError(f"{name} was made elsewhere and is only shown here: change it where it was made")
        return link

    def _create(self, api: Api, experiment: Experiment, manifest: Resource, *, limit: int) -> Resource:
        created = remote.create(api, manifest)
        name, uid = experiment.name, created["metadata"]["uid"]
        save_link(self.store, name, replace(load_link(self.store, name), uid=uid, limit=limit).heard())
        self.store.clear_stop_request(name)
        ExperimentWriter(self.store, name).set_status(ExperimentState.RUNNING)
        return created

    def _begin_again(self, record: ExperimentRecord) -> None:
        """Have Katib go on where the store is, with what its search knows where that is still there."""
        name = record.name
        if self._link_or_none(name) is None:
            self.start(record.experiment)  # created, and never started
            return
        link, writer = self._own_link(name), ExperimentWriter(self.store, name)
        api = self._api(link.settings)
        manifest = _manifest(record.experiment, link.settings)
        limit = manifest["spec"]["maxTrialCount"]
        forget_failures(self.store, name)
        if record.state is ExperimentState.FAILED:
            writer.forgive_failures()
        known: list[Resource] | None = None
        if record.finished_trials < limit:
            known = self._take_over(api, writer, record, link)
            record = self.store.load(name)
        if record.finished_trials >= limit:
            save_link(self.store, name, replace(link, uid="", limit=limit))  # only the judgement is left to do
            self.store.clear_stop_request(name)
            writer.set_status(ExperimentState.RUNNING)
            return
        remote.set_counts(manifest["spec"], record, known or (), forgiven=writer.forgiven_failures)
        # Katib gives them again under their names, and an earlier attempt may have left half of their files.
        unfinished = [trial.directory for trial in record.trials if not trial.state.is_finished()]
        for directory in unfinished:
            shutil.rmtree(directory, ignore_errors=True)
        if unfinished and (files := self._files(api, link.settings, name)) is not None:
            files.remove([f"{name}/{directory.name}" for directory in unfinished])
        created = self._create(api, record.experiment, manifest, limit=limit)
        if known is not None:
            remote.adopt(api, created, known)

    def _take_over(
        self, api: Api, writer: ExperimentWriter, record: ExperimentRecord, link: Link
    ) -> list[Resource] | None:
        """What Katib's search still knows (see ``remote.known_trials``), without the experiment it belonged to."""
        name = record.name
        existing = remote.find(api, "experiments", name)
        if existing is not None:
            if not _is_same(existing, link, record):
                raise ExperimentError(
                    f"meanwhile {link.settings.namespace} has another Katib experiment named {name}: delete that first"
                )
            remote.take_away(api, name)
        known = remote.known_trials(api, name, resume_policy=link.settings.resume_policy)
        if known is not None:
            # Some may have finished unseen.
            facts = in_order(known, remote.find(api, "suggestions", name))
            if (files := self._files(api, link.settings, name)) is not None:
                files.wait()
                files.fetch(_unread(record, facts))
            mirror(writer, record, facts, foreign_names=None)
        return known

    def _raise_trials(self, record: ExperimentRecord, longer: Experiment, link: Link) -> bool:
        """Have the Katib experiment do more trials; False where it is gone, and so has to be begun again.

        Raises:
            ExperimentError: Katib does not allow it.
        """
        limit = int(_manifest(longer, link.settings)["spec"]["maxTrialCount"])
        if not link.uid:
            return False
        if limit > link.limit:
            api = self._api(link.settings)
            existing = remote.find(api, "experiments", record.name)
            if existing is None or not _is_same(existing, link, record):
                return False
            if ending(existing) is not None and link.settings.resume_policy == "Never":
                raise ExperimentError(
                    f"{record.name} was started with Katib's resume policy Never and cannot go on: start a new one"
                )
            if condition(existing, "Failed") is not None:
                return False
            count = existing["spec"]["maxTrialCount"] + limit - link.limit
            api.patch("experiments", record.name, {"spec": {"maxTrialCount": count}})
            save_link(self.store, record.name, replace(link, limit=limit))
        return True

    # Files on a claim that is not mounted here.

    def _files(self, api: Api, settings: ClusterSettings, name: str) -> ClaimFiles | None:
        """How they are reached; None where they are here."""
        if is_claim_here(self.workspace, settings):
            return None
        return ClaimFiles(api, settings, root=self.workspace.root, purpose=name, tell=self._tell)

    def _fetched(self, api: Api, record: ExperimentRecord, link: Link, facts: list[TrialFacts]) -> str | None:
        """Bring what trials have written since; None once it is here, or else what is waited for.

        A trial that has ended is written down as it is then, so its files come first. Those that
        run are looked at now and then.
        """
        files = None if link.read_only else self._files(api, link.settings, record.name)
        folders = _unread(record, facts)
        ended = {f"{record.name}/{fact.name}" for fact in facts if fact.state.is_finished()}
        is_fresh = time.monotonic() - self._last_fetches.get(record.directory, -math.inf) < self._patience.files
        if files is None or not folders or (is_fresh and ended.isdisjoint(folders)):
            return None
        return self._fetch(files, record, folders)

    def _fetch(
        self, files: ClaimFiles, record: ExperimentRecord, folders: list[str], *, most_bytes: int | None = SMALL_FILE
    ) -> str | None:
        trouble = files.is_ready()
        if trouble is not None:
            return f"waiting for {files.pod}, the pod that copies files here{trouble and f': {trouble}'}"
        files.fetch(folders, most_bytes=most_bytes)
        self._last_fetches[record.directory] = time.monotonic()
        return None

    def _delete_files(self, api: Api, settings: ClusterSettings, name: str) -> None:
        if (files := self._files(api, settings, name)) is None:
            return
        try:
            files.remove([name])
        except ClusterError as error:
            _logger.warning("the files of %s stay on claim %s: %s", name, settings.claim, error)
        _close(files)

    def _end_files(self, link: Link, name: str) -> None:
        """Nothing more is to be copied."""
        with suppress(NotConfigured):
            if not link.read_only and (files := self._files(self._api(link.settings), link.settings, name)) is not None:
                _close(files)

    # Looking.

    def _sync_now(self, name: str) -> ExperimentRecord:
        record = self.store.load(name)
        if not record.state.is_active():
            return record
        with experiment_lock(record.directory) as lock:
            if not lock.acquire():
                return record  # somebody else is looking just now
            record, link = self.store.load(name), load_link(self.store, name)
            if record.state.is_active() and link.may_ask():
                self._look(record, link)
                self._last_looks[record.directory] = time.monotonic()
        return self.store.load(name)

    def _look(self, record: ExperimentRecord, link: Link) -> None:
        writer = ExperimentWriter(self.store, record.name)
        try:
            if record.state is ExperimentState.STOPPING:
                self._stop(writer, record, link)
            elif link.uid:
                self._update(writer, record, link)
            else:
                self._conclude(writer, link, Ending(state=ExperimentState.SUCCEEDED))
        except NotFound:
            where = f"{record.name} in {link.settings.namespace}"
            hint = "" if link.read_only else "; resume starts it again"
            reason = f"the Katib experiment {where} is gone: somebody deleted it on the cluster{hint}"
            _put_back(writer, self.store)
            self._end_files(link, record.name)
            writer.set_status(ExperimentState.INTERRUPTED, reason)
        except ClusterError as error:
            self._apis.clear()  # perhaps its address has changed
            save_link(self.store, record.name, link.unheard(self._patience.silence))
            seen = f"last seen {link.seen[:16].replace('T', ' ')} UTC" if link.seen else "never seen"
            _say(writer, record, f"{error} ({seen}); it is asked again")

    def _update(self, writer: ExperimentWriter, record: ExperimentRecord, link: Link) -> None:
        api = self._api(link.settings)
        seen = remote.look(api, record.name, uid=link.uid)
        if link.silent or _is_old(link.seen):
            save_link(self.store, record.name, link.heard())
        names = link.names if link.read_only else None
        facts = in_order(seen.trials, seen.suggestion)
        if waiting := self._fetched(api, record, link, facts):
            _say(writer, record, waiting)
            return
        if not mirror(writer, record, facts, foreign_names=names, seconds=self._patience.reading):
            _say(writer, record, "the trials so far are being read from the cluster")
            return
        if not link.read_only:
            see_to_baselines(self.store, record)
        over = ending(seen.experiment)
        if over is None:
            _say(writer, record, self._stall(api, seen))
            return
        if not link.read_only:
            # Katib lets trials run on after it has given up (katib #2061).
            remote.delete_unfinished(api, seen.trials)
        is_failure = condition(seen.experiment, "Failed") is not None
        end = Ending(
            state=ExperimentState.FAILED if is_failure else ExperimentState.SUCCEEDED, reason=f"Katib says: {over}"
        )
        self._conclude(writer, link, end, since=(seen.experiment.get("status") or {}).get("completionTime"))

    def _stall(self, api: Api, seen: remote.Seen) -> str:
        now = datetime.now(UTC)
        if now - quiet_since(seen.experiment, seen.trials) < self._patience.stall:
            return ""
        pods = api.list("pods", labels={EXPERIMENT_LABEL: seen.experiment["metadata"]["name"]})
        return stall(seen.experiment, seen.trials, seen.suggestion, pods, now=now)

    # Ending.

    def _stop(self, writer: ExperimentWriter, record: ExperimentRecord, link: Link) -> None:
        """Every step can be taken again, so it does not matter where an outage breaks in."""
        name = record.name
        if link.uid:
            api = self._api(link.settings)
            existing = remote.find(api, "experiments", name)
            if existing is None or _is_same(existing, link, record):
                remote.take_away(api, name)
                trials = remote.trials_of(api, name)
                facts = in_order(trials, remote.find(api, "suggestions", name))
                remote.delete_unfinished(api, trials)
                if waiting := self._fetched(api, record, link, facts):
                    _say(writer, record, waiting)
                    return
                mirror(writer, record, facts, foreign_names=None)
        _put_back(writer, self.store)
        self._end_files(link, name)
        save_link(self.store, name, replace(link, uid="").heard())
        writer.set_status(ExperimentState.STOPPED)

    def _conclude(self, writer: ExperimentWriter, link: Link, katibs: Ending, *, since: str | None = None) -> None:
        """Write how the search ended, once its best model is judged.

        Args:
            katibs: how Katib says it ended; said where our own count of the trials says nothing.
            since: when it ended.
        """
        _put_back(writer, self.store)
        record = self.store.load(writer.experiment.name)
        if not link.read_only and (waiting := self._is_judging(record, link)):
            _say(writer, record, waiting)
            return
        self._end_files(link, record.name)
        experiment = record.experiment
        exhausted = (
            "" if link.limit >= experiment.max_trials else f"all {link.limit} points of the grid have been tried"
        )
        end = search_ending(
            _progress(record),
            max_trials=experiment.max_trials,
            max_failed_trials=experiment.max_failed_trials,
            forgiven_failures=writer.forgiven_failures,
            exhausted=exhausted,
        )
        if not link.read_only and (reason := failed_judgement(self.store, record)):
            reason = f"the best model could not be judged on the test lines: {reason}"
            end = Ending(state=ExperimentState.FAILED, reason=reason)
        moment, started = read_time(since), record.started
        is_later = moment is not None and started is not None and moment >= started
        end = end or katibs
        writer.set_status(end.state, end.reason, since=since if is_later else None)

    def _is_judging(self, record: ExperimentRecord, link: Link) -> str:
        """What is still waited for before the best model is judged; empty once everything is."""
        if see_to_baselines(self.store, record):
            return JUDGING
        if record.best is not None and self._snapshots:
            self._take_snapshot(link, record.name, record.best.number)
        if needs_judgement(self.store, record) and (waiting := self._best_is_missing(record, link)):
            return waiting
        return JUDGING if see_to_best(self.store, record) else ""

    def _best_is_missing(self, record: ExperimentRecord, link: Link) -> str | None:
        """Bring all files of the best trial, its network too; None once they are here."""
        assert record.best is not None
        files = self._files(self._api(link.settings), link.settings, record.name)
        folder = f"{record.name}/{record.best.directory.name}"
        return None if files is None else self._fetch(files, record, [folder], most_bytes=None)

    def _take_snapshot(self, link: Link, name: str, trial: int) -> None:
        snapshot = f"{name}-{trial}"
        if link.snapshot == snapshot:
            return
        # One that cannot be taken costs nobody the experiment.
        with suppress(ClusterError):
            snapshot_claim(self._api(link.settings), link.settings, snapshot)
        save_link(self.store, name, replace(link, snapshot=snapshot))


def _prepared(workspace: Workspace, experiment: Experiment) -> Dataset:
    try:
        dataset = Dataset.load(workspace.dataset_directory(experiment.dataset))
    except InputError as error:
        raise SettingsError(str(error), field="dataset") from error
    if dataset.has_missing:
        raise SettingsError("the dataset has missing genotypes: prepare (impute) it first", field="dataset")
    return dataset


def _manifest(experiment: Experiment, settings: ClusterSettings) -> Resource:
    points = experiment.space.size
    if experiment.algorithm.name == "grid" and points is not None:
        # Katib refuses more trials than there are points.
        experiment = replace(experiment, max_trials=min(experiment.max_trials, points))
    manifest = katib_experiment(experiment, cluster=settings)
    manifest["metadata"].setdefault("annotations", {})[remote.CREATED_ANNOTATION] = experiment.created
    return manifest


def _is_same(existing: Resource, link: Link, record: ExperimentRecord) -> bool:
    return remote.is_same(existing, uid=link.uid, created=record.experiment.created)


def _unread(record: ExperimentRecord, facts: Iterable[TrialFacts]) -> list[str]:
    """Folders of trials that have begun, and are not written down to their end."""
    done = {trial.directory.name for trial in record.trials if trial.state.is_finished()}
    begun = (fact.name for fact in facts if fact.state is not TrialState.WAITING and fact.name not in done)
    return [f"{record.name}/{name}" for name in begun if is_folder(name)]


def _close(files: ClaimFiles) -> None:
    """Its pod ends by itself where it cannot be ended now."""
    with suppress(ClusterError):
        files.close()


def _put_back(writer: ExperimentWriter, store: Store) -> None:
    """What is not finished waits to be begun again."""
    for trial in store.load(writer.experiment.name).trials:
        if trial.state is TrialState.RUNNING:
            writer.put_back(trial.number)


def _say(writer: ExperimentWriter, record: ExperimentRecord, reason: str) -> None:
    """Write why nothing seems to happen, or that it does again."""
    if reason != record.reason:
        writer.set_status(ExperimentState.RUNNING, reason)


def _is_old(seen: str) -> bool:
    moment = read_time(seen)
    return moment is None or (datetime.now(UTC) - moment).total_seconds() > _SEEN_SECONDS


def _progress(record: ExperimentRecord) -> Progress:
    counts = record.counts
    reasons: dict[str, int] = {}
    for trial in record.trials:
        if trial.state is TrialState.FAILED:
            reasons[trial.reason] = reasons.get(trial.reason, 0) + 1
    return Progress(
        succeeded=counts[TrialState.SUCCEEDED],
        pruned=counts[TrialState.PRUNED],
        failed=counts[TrialState.FAILED],
        best=None if record.best is None else record.best.number,
        reasons=tuple(sorted(reasons.items(), key=lambda entry: -entry[1])),
    )
