"""A small Katib, and as much of Kubernetes as it stands on: experiments, suggestions, trials, and jobs that really run.

Follows kubeflow/katib 0.19: pkg/controller.v1beta1/{experiment,suggestion,trial} and
pkg/metricscollector/v1beta1. An object is looked at again only after it, or one that it
owns, has changed, as controllers do: what nobody owns wakes nobody.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.kubeflow.katib_admission import condition, is_restartable, refused_settings
from tests.kubeflow.katib_services import MedianStop, Service, make_service

Resource = dict[str, Any]
Key = tuple[str, str]

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"
FINISHED = ("Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable")

_PLURALS = {"Experiment": "experiments", "Suggestion": "suggestions", "Trial": "trials", "Job": "jobs"}
_NAME_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
_METRIC = re.compile(r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)")
_TICK_SECONDS = 0.01
_RETRY_SECONDS = 0.1  # Katib's begin at 5 ms and double
_GRACE_SECONDS = 2.0


class Objects:
    """Every object of the cluster by kind and name (there is one namespace), with versions as etcd counts them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.version = 1
        self.dirty: set[Key] = set()
        self._objects: dict[Key, Resource] = {}

    def get(self, plural: str, name: str) -> Resource | None:
        return self._objects.get((plural, name))

    def all(self, plural: str, **labels: str) -> list[Resource]:
        """Objects of a kind, the oldest first."""
        return [
            resource
            for (kind, _), resource in self._objects.items()
            if kind == plural and labels.items() <= (resource["metadata"].get("labels") or {}).items()
        ]

    def add(self, plural: str, resource: Resource, *, owner: Resource | None = None) -> Resource:
        """A new object, which the server gives its identity."""
        metadata = resource.setdefault("metadata", {})
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
        if owner is not None:
            metadata["ownerReferences"] = [reference(owner)]
        self._objects[plural, metadata["name"]] = resource
        self.changed(plural, resource)
        return resource

    def changed(self, plural: str, resource: Resource) -> None:
        """Count a change, and wake who looks after the object and who owns it."""
        self.version += 1
        resource["metadata"]["resourceVersion"] = str(self.version)
        self.dirty.add((plural, resource["metadata"]["name"]))
        self._wake_owners(resource)

    def _wake_owners(self, resource: Resource) -> None:
        for owner in resource["metadata"].get("ownerReferences", ()):
            key = (_PLURALS[owner["kind"]], owner["name"])
            found = self._objects.get(key)
            if found is not None and found["metadata"]["uid"] == owner["uid"]:
                self.dirty.add(key)

    def mark_deleted(self, plural: str, name: str, *, orphan: bool = False) -> None:
        """Have the object go, shortly; with everything it owns unless that is to be orphaned."""
        resource = self._objects[plural, name]
        resource["metadata"]["deletionTimestamp"] = now()
        resource["metadata"]["orphan"] = orphan
        self.changed(plural, resource)

    def collect_garbage(self) -> list[Resource]:
        """Remove what is to go; returns it."""
        gone = []
        for (plural, name), resource in list(self._objects.items()):
            metadata = resource["metadata"]
            if "deletionTimestamp" not in metadata:
                continue
            del self._objects[plural, name]
            self.version += 1
            self._wake_owners(resource)
            gone.append(resource)
            for (kind, dependent), other in list(self._objects.items()):
                owners = other["metadata"].get("ownerReferences", ())
                if any(owner["uid"] == metadata["uid"] for owner in owners):
                    if metadata["orphan"]:
                        other["metadata"]["ownerReferences"] = [
                            owner for owner in owners if owner["uid"] != metadata["uid"]
                        ]
                        self.changed(kind, other)
                    elif "deletionTimestamp" not in other["metadata"]:
                        self.mark_deleted(kind, dependent)
        return gone


def now() -> str:
    """As the API writes times: to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reference(owner: Resource) -> Resource:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


class Katib:
    """The controllers and the kubelet, in one thread.

    Attributes:
        suggestion_trouble: while set, suggestion services do not start, for this reason (``OOMKilled``).
        pod_trouble: while set, trials' pods do not start, for this reason (``ImagePullBackOff``).
        no_room: while true, no node has room for pods that somebody creates.
        is_asleep: while true, no controller does anything.
        errors: what the suggestion services raised.
        environment: what jobs started from now on find in theirs.
    """

    def __init__(self, objects: Objects, *, environment: dict[str, str], folder: Path) -> None:
        self.objects = objects
        self.suggestion_trouble = ""
        self.pod_trouble = ""
        self.no_room = False
        self.is_asleep = False
        self.errors: list[str] = []
        self.environment = environment
        self._folder = folder
        self._services: dict[str, Service] = {}
        self._stoppers: dict[str, MedianStop] = {}
        self._logs: dict[str, list[tuple[str, str]]] = {}
        self._runs: dict[str, Run] = {}
        self._later: dict[Key, float] = {}
        self._random = random.Random()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="katib", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the controllers and every job."""
        self._ended.set()
        self._thread.join(timeout=10)
        for run in self._runs.values():
            run.kill()

    def forget_services(self) -> None:
        """Restart every suggestion pod: what they had in memory is gone."""
        with self.objects.lock:
            self._services.clear()
            self._stoppers.clear()

    def _loop(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            if self.is_asleep:
                continue
            with self.objects.lock:
                for gone in self.objects.collect_garbage():
                    self._forget(gone)
                for key, moment in list(self._later.items()):
                    if time.monotonic() >= moment:
                        del self._later[key]
                        self.objects.dirty.add(key)
                for name, run in self._runs.items():
                    if run.has_news():
                        self.objects.dirty.add(("jobs", name))
                keys, self.objects.dirty = self.objects.dirty, set()
                for key in sorted(keys):
                    self._reconcile(key)

    def _forget(self, gone: Resource) -> None:
        if gone["kind"] == "Job" and (run := self._runs.pop(gone["metadata"]["name"], None)) is not None:
            run.kill()
        if gone["kind"] == "Trial":
            self._logs.pop(gone["metadata"]["name"], None)
        self._services.pop(gone["metadata"]["uid"], None)
        self._stoppers.pop(gone["metadata"]["uid"], None)

    def _reconcile(self, key: Key) -> None:
        plural, name = key
        resource = self.objects.get(plural, name)
        work = {
            "experiments": self._experiment,
            "suggestions": self._suggestion,
            "trials": self._trial,
            "jobs": self._job,
            "pods": self._pod,
        }.get(plural)
        if resource is None or work is None or "deletionTimestamp" in resource["metadata"]:
            return
        before = copy.deepcopy(resource)
        try:
            work(resource)
        except Exception as error:  # noqa: BLE001 - whatever it is, a controller tries again
            self.errors.append(f"{type(error).__name__}: {error}")
            if len(self.errors) == 1:
                traceback.print_exc()
            self._later[key] = time.monotonic() + _RETRY_SECONDS
        if resource != before:
            self.objects.changed(plural, resource)

    # Experiments.

    def _experiment(self, experiment: Resource) -> None:
        spec, status = experiment["spec"], experiment.setdefault("status", {})
        if is_completed(experiment):
            suggestion = self.objects.get("suggestions", experiment["metadata"]["name"])
            if spec["resumePolicy"] != "LongRunning" and suggestion is not None:
                set_condition(suggestion, "Succeeded", "SuggestionSucceeded", "Suggestion is succeeded")
                self.objects.changed("suggestions", suggestion)
            if not (is_restartable(experiment) and spec["maxTrialCount"] > status.get("trials", 0)):
                if status.get("trialsRunning", 0):
                    self._count_trials(experiment)
                return
            remove_conditions(experiment, "Succeeded", "Failed")
            set_condition(experiment, "Restarting", "ExperimentRestarting", "Experiment is restarted")
            if spec["resumePolicy"] == "FromVolume" and suggestion is not None:
                remove_conditions(suggestion, "Succeeded")
                self.objects.changed("suggestions", suggestion)
        if condition(experiment, "Created") is None:
            status.setdefault("startTime", now())
            set_condition(experiment, "Created", "ExperimentCreated", "Experiment is created")
            return
        trials = self._count_trials(experiment)
        if trials and self._completes(experiment):
            return
        if trials:
            set_condition(experiment, "Running", "ExperimentRunning", "Experiment is running")
        self._balance(experiment, trials)

    def _trials_of(self, experiment: Resource) -> list[Resource]:
        return self.objects.all("trials", **{EXPERIMENT_LABEL: experiment["metadata"]["name"]})

    def _count_trials(self, experiment: Resource) -> list[Resource]:
        trials = self._trials_of(experiment)
        states = [trial_state(trial) for trial in trials]
        experiment["status"] |= {"trials": len(trials)} | {
            field: states.count(state)
            for field, state in (
                ("trialsPending", "Pending"),
                ("trialsRunning", "Running"),
                ("trialsSucceeded", "Succeeded"),
                ("trialsFailed", "Failed"),
                ("trialsKilled", "Killed"),
                ("trialsEarlyStopped", "EarlyStopped"),
                ("trialMetricsUnavailable", "MetricsUnavailable"),
            )
        }
        return trials

    def _completes(self, experiment: Resource) -> bool:
        spec, status = experiment["spec"], experiment["status"]
        failed = status["trialsFailed"] + status["trialMetricsUnavailable"]
        completed = failed + status["trialsSucceeded"] + status["trialsKilled"] + status["trialsEarlyStopped"]
        if failed and failed >= spec.get("maxFailedTrialCount", failed + 1):
            message = "Experiment has failed because max failed count has reached"
            complete(experiment, "Failed", "ExperimentFailed", message)
        elif completed >= spec.get("maxTrialCount", completed + 1):
            message = "Experiment has succeeded because max trial count has reached"
            complete(experiment, "Succeeded", "ExperimentMaxTrialsReached", message)
        else:
            return False
        return True

    def _balance(self, experiment: Resource, trials: list[Resource]) -> None:
        """Ask for as many trials as there should be more."""
        spec, status = experiment["spec"], experiment["status"]
        active = status.get("trialsPending", 0) + status.get("trialsRunning", 0)
        done = sum(status.get(f"trials{state}", 0) for state in ("Succeeded", "Failed", "Killed", "EarlyStopped"))
        required = min(spec.get("maxTrialCount", done + spec["parallelTrialCount"]) - done, spec["parallelTrialCount"])
        if required <= active:
            return
        unread = sum(trial_state(trial) == "EarlyStopped" and not has_observation(trial) for trial in trials)
        requests = len(trials) + required - active - unread
        name = experiment["metadata"]["name"]
        suggestion = self.objects.get("suggestions", name)
        if suggestion is None:
            keys = ("algorithm", "earlyStopping", "resumePolicy")
            self.objects.add(
                "suggestions",
                {
                    "apiVersion": experiment["apiVersion"],
                    "kind": "Suggestion",
                    "metadata": {"name": name, "labels": dict(experiment["metadata"].get("labels") or {})},
                    "spec": {key: spec[key] for key in keys if key in spec} | {"requests": requests},
                },
                owner=experiment,
            )
            return
        if condition(suggestion, "Failed") is not None:
            complete(experiment, "Failed", "ExperimentFailed", "Suggestion has failed")
            return
        known = {trial["metadata"]["name"] for trial in trials}
        suggestions = (suggestion.get("status") or {}).get("suggestions", ())
        if len(suggestions) > len(trials):
            for assignment in suggestions:
                if assignment["name"] not in known:
                    self._create_trial(experiment, assignment)
        if suggestion["spec"]["requests"] != requests:
            suggestion["spec"]["requests"] = requests
            self.objects.changed("suggestions", suggestion)

    def _create_trial(self, experiment: Resource, assignment: Resource) -> None:
        if self.objects.get("trials", assignment["name"]) is not None:
            return  # it is still being deleted: "Trial create error", and another time
        spec = experiment["spec"]
        template = spec["trialTemplate"]
        labels = dict(experiment["metadata"].get("labels") or {})
        self.objects.add(
            "trials",
            {
                "apiVersion": experiment["apiVersion"],
                "kind": "Trial",
                "metadata": {
                    "name": assignment["name"],
                    "labels": labels | {EXPERIMENT_LABEL: experiment["metadata"]["name"]},
                },
                "spec": {
                    "objective": spec["objective"],
                    "parameterAssignments": assignment["parameterAssignments"],
                    "earlyStoppingRules": assignment.get("earlyStoppingRules", []),
                    "primaryContainerName": template["primaryContainerName"],
                    "retainRun": template.get("retain", False),
                    "runSpec": substitute(template, assignment),
                },
            },
            owner=experiment,
        )

    # Suggestions.

    def _suggestion(self, suggestion: Resource) -> None:
        if condition(suggestion, "Succeeded") is not None:
            self._services.pop(suggestion["metadata"]["uid"], None)
            return
        status = suggestion.setdefault("status", {})
        if condition(suggestion, "Created") is None:
            set_condition(suggestion, "Created", "SuggestionCreated", "Suggestion is created")
            return
        name = suggestion["metadata"]["name"]
        self._suggestion_pod(suggestion)
        if self.suggestion_trouble:
            message = "Deployment is not ready"
            set_condition(suggestion, "DeploymentReady", "DeploymentNotReady", message, status="False")
            return
        set_condition(suggestion, "DeploymentReady", "DeploymentReady", "Deployment is ready")
        experiment = self.objects.get("experiments", name)
        if experiment is None:
            raise LookupError(f"Experiment {name} not found")
        if condition(suggestion, "Running") is None:
            if refusal := refused_settings(experiment["spec"]):
                message = f"Validation failed: ValidateAlgorithmSettings Error: {refusal}"
                set_condition(suggestion, "Failed", "SuggestionFailed", message)
                return
            set_condition(suggestion, "Running", "SuggestionRunning", "Suggestion is running")
        count = suggestion["spec"]["requests"] - status.get("suggestionCount", 0)
        if count <= 0:
            return
        uid = suggestion["metadata"]["uid"]
        if uid not in self._services:
            self._services[uid] = make_service(experiment["spec"])
        trials = [trial for trial in self._trials_of(experiment) if condition(trial, "MetricsUnavailable") is None]
        points = self._services[uid].suggest(trials, count)
        rules = []
        if "earlyStopping" in suggestion["spec"]:
            rules = self._stoppers.setdefault(uid, MedianStop(experiment["spec"])).rules(trials, self._logs)
        status["suggestions"] = [
            *status.get("suggestions", ()),
            *(
                {
                    "name": f"{name}-{''.join(self._random.choices(_NAME_CHARACTERS, k=8))}",
                    "parameterAssignments": [{"name": key, "value": value} for key, value in point.items()],
                    "earlyStoppingRules": rules,
                }
                for point in points
            ),
        ]
        status["suggestionCount"] = len(status["suggestions"])

    def _suggestion_pod(self, suggestion: Resource) -> None:
        name = f"{suggestion['metadata']['name']}-{suggestion['spec']['algorithm']['algorithmName']}"
        pod = self.objects.get("pods", name)
        if pod is None:
            experiment = suggestion["metadata"]["name"]
            labels = {"katib.kubeflow.org/suggestion": experiment, EXPERIMENT_LABEL: experiment}
            metadata = {"name": name, "labels": labels}
            pod = self.objects.add("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, owner=suggestion)
        container: Resource = {"name": "suggestion", "ready": True, "restartCount": 0, "state": {"running": {}}}
        if self.suggestion_trouble:
            container |= {
                "ready": False,
                "restartCount": 4,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"reason": self.suggestion_trouble, "exitCode": 137}},
            }
        pod["status"] = {"phase": "Running", "containerStatuses": [container]}

    # Trials.

    def _trial(self, trial: Resource) -> None:
        status = trial.setdefault("status", {})
        name = trial["metadata"]["name"]
        if condition(trial, "Created") is None:
            status.setdefault("startTime", now())
            set_condition(trial, "Created", "TrialCreated", "Trial is created")
            return
        job = self.objects.get("jobs", name)
        if trial_state(trial) in FINISHED:
            if job is not None and not trial["spec"]["retainRun"]:
                self.objects.mark_deleted("jobs", name)
            if trial_state(trial) == "EarlyStopped" and name in self._logs:
                status["observation"] = observe(trial, self._logs[name])
            return
        if job is None:
            job = copy.deepcopy(trial["spec"]["runSpec"])
            job["metadata"] = {**job.get("metadata", {}), "name": name}
            job = self.objects.add("jobs", job, owner=trial)
        if failed := condition(job, "Failed"):
            message = f"Trial has failed. Job message: {failed['message']}"
            complete(trial, "Failed", f"TrialFailed. Job reason: {failed['reason']}", message)
        elif condition(job, "Complete"):
            if name not in self._logs:
                self._later["trials", name] = time.monotonic() + _RETRY_SECONDS  # metrics are not reported yet
                return
            status["observation"] = observe(trial, self._logs[name])
            if has_observation(trial):
                complete(trial, "Succeeded", "TrialSucceeded", "Trial has succeeded")
            else:
                complete(trial, "MetricsUnavailable", "MetricsUnavailable", "Metrics are not available")
        elif condition(trial, "Running") is None:
            set_condition(trial, "Running", "TrialRunning", "Trial is running")

    # Pods that somebody creates: commands run in them as processes here.

    def _pod(self, pod: Resource) -> None:
        if "spec" not in pod or (pod.get("status") or {}).get("phase") == "Running":
            return
        if self.no_room:
            unplaced = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
            pod["status"] = {"phase": "Pending", "conditions": [unplaced]}
            self._later["pods", pod["metadata"]["name"]] = time.monotonic() + _RETRY_SECONDS
            return
        pod["status"] = {"phase": "Running"}

    # Jobs: each is one process here.

    def _job(self, job: Resource) -> None:
        name = job["metadata"]["name"]
        trial = self.objects.get("trials", name)
        if trial is None or condition(job, "Complete") or condition(job, "Failed"):
            return
        run = self._runs.get(name)
        if run is None:
            self._job_pod(job, trial)
            if self.pod_trouble:
                self._later["jobs", name] = time.monotonic() + _RETRY_SECONDS
                return
            run = self._runs[name] = Run(job, trial, environment=self.environment, folder=self._folder)
            return
        if not run.is_over:
            return
        self._logs[name] = run.metrics()
        if run.was_stopped_early:
            set_condition(trial, "EarlyStopped", "TrialEarlyStopped", "Trial is early stopped")
            trial["status"]["completionTime"] = now()
            self.objects.changed("trials", trial)
        if run.code == 0 or run.was_stopped_early:
            set_condition(job, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        else:
            set_condition(job, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        pod = self.objects.get("pods", f"{name}-pod")
        if pod is not None:
            pod["status"] = {"phase": "Succeeded" if run.code == 0 else "Failed"}

    def _job_pod(self, job: Resource, trial: Resource) -> None:
        name = job["metadata"]["name"]
        pod = self.objects.get("pods", f"{name}-pod")
        if pod is None:
            labels = {**trial["metadata"]["labels"], "katib.kubeflow.org/trial": name}
            metadata = {"name": f"{name}-pod", "labels": labels}
            pod = self.objects.add("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, owner=job)
        pod["status"] = {"phase": "Running"}
        if self.pod_trouble:
            waiting = {"reason": self.pod_trouble, "message": "Back-off pulling image"}
            pod["status"] = {
                "phase": "Pending",
                "containerStatuses": [{"name": "driver", "state": {"waiting": waiting}}],
            }


class Run:
    """A job's container as a process, and the collector that reads what it prints.

    The command is wrapped in a shell without quotes, as Katib's webhook does it.
    """

    def __init__(self, job: Resource, trial: Resource, *, environment: dict[str, str], folder: Path) -> None:
        container = job["spec"]["template"]["spec"]["containers"][0]
        text = " ".join([*container["command"], *container.get("args", ())])
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        given = {entry["name"]: entry["value"] for entry in container.get("env", ()) if "value" in entry}
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        self._metric = trial["spec"]["objective"]["objectiveMetricName"]
        self._rules = trial["spec"].get("earlyStoppingRules") or []
        self._lines: list[str] = []
        self.was_stopped_early = False
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**kept, "PATH": path, "PYTHONPATH": str(REPOSITORY), **environment, **given},
            cwd=folder,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._told = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        values: list[float] = []
        with self._process.stdout as output:
            for line in output:
                self._lines.append(line)
                values += [float(value) for name, value in _pairs(line) if name == self._metric and value]
                if any(len(values) == rule["startStep"] and min(values) > float(rule["value"]) for rule in self._rules):
                    self.was_stopped_early = True
                    self._signal(signal.SIGTERM)

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None and not self._reader.is_alive()

    @property
    def code(self) -> int:
        return self._process.wait()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def has_news(self) -> bool:
        """Whether it ended since this was last true."""
        if self._told or not self.is_over:
            return False
        self._told = True
        return True

    def metrics(self) -> list[tuple[str, str]]:
        """What the collector hands in: the objective, or that it is not available."""
        found = [pair for line in self._lines for pair in _pairs(line) if pair[0] == self._metric]
        return found or [(self._metric, "unavailable")]

    def kill(self) -> None:
        """As the kubelet ends a pod: told, and killed a moment later."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()
        self._reader.join(timeout=_GRACE_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _pairs(line: str) -> list[tuple[str, str]]:
    return [(match[1].strip(), match[2].strip()) for match in _METRIC.finditer(line)]


def substitute(template: Resource, assignment: Resource) -> Resource:
    """The trial's job: placeholders replaced in the text of the template."""
    text = json.dumps(template["trialSpec"])
    values = {entry["name"]: entry["value"] for entry in assignment["parameterAssignments"]}
    used = 0
    for parameter in template["trialParameters"]:
        if parameter["reference"] == "${trialSpec.Name}":
            value = assignment["name"]
        else:
            value = values[parameter["reference"]]
            used += 1
        text = text.replace(f"${{trialParameters.{parameter['name']}}}", value)
    if used != len(values):
        raise ValueError(f"Number of TrialAssignment: {len(values)} != number of nonMetaTrialParameters: {used}")
    return dict(json.loads(text))


def observe(trial: Resource, log: list[tuple[str, str]]) -> Resource:
    """The observation of a trial: least, greatest and last value of the objective, as text."""
    metric = {"min": "unavailable", "max": "unavailable", "latest": "unavailable"}
    metric["name"] = trial["spec"]["objective"]["objectiveMetricName"]
    for _, value in log:
        with suppress(ValueError):
            number = float(value)
            if metric["min"] == "unavailable" or number < float(metric["min"]):
                metric["min"] = value
            if metric["max"] == "unavailable" or number > float(metric["max"]):
                metric["max"] = value
        metric["latest"] = value
    return {"metrics": [metric]}


def has_observation(trial: Resource) -> bool:
    metrics = ((trial.get("status") or {}).get("observation") or {}).get("metrics", ())
    name = trial["spec"]["objective"]["objectiveMetricName"]
    return any(metric["name"] == name and metric["latest"] != "unavailable" for metric in metrics)


def trial_state(trial: Resource) -> str:
    for kind in ("Killed", "Failed", "Succeeded", "EarlyStopped", "Running", "MetricsUnavailable"):
        if condition(trial, kind) is not None:
            return kind
    return "Pending"


def is_completed(experiment: Resource) -> bool:
    return condition(experiment, "Succeeded") is not None or condition(experiment, "Failed") is not None


def set_condition(resource: Resource, kind: str, reason: str, message: str, *, status: str = "True") -> None:
    conditions = resource.setdefault("status", {}).setdefault("conditions", [])
    for entry in conditions:
        if entry["type"] == kind and entry["status"] == status and entry["reason"] == reason:
            return
    remove_conditions(resource, kind)
    moment = now()
    resource["status"]["conditions"].append(
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": moment,
            "lastUpdateTime": moment,
        }
    )


def remove_conditions(resource: Resource, *kinds: str) -> None:
    status = resource["status"]
    status["conditions"] = [entry for entry in status.get("conditions", ()) if entry["type"] not in kinds]


def complete(resource: Resource, kind: str, reason: str, message: str) -> None:
    """The last condition; what ran runs no more."""
    running = condition(resource, "Running")
    if running is not None:
        set_condition(resource, "Running", running["reason"], running["message"], status="False")
    set_condition(resource, kind, reason, message)
    resource["status"]["completionTime"] = now()


def command_line(job: Resource) -> list[str]:
    """What a job's container runs, as a shell would split it."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    return shlex.split(" ".join([*container["command"], *container.get("args", ())]))
