"""Pipeline runs over the REST API of Kubeflow Pipelines (v2beta1): upload, start, find, follow and end.

Also here: which states of a run are final; pauses between attempts; when the service account's token is read again;
installations for a single user.

The SDK's client does most of this, but it waits for ever for a run that was cancelled, and refreshes the wrong token
when the API no longer accepts the one it has. So requests are made here, each with the token as it then is.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import urllib3

from gwas_core.errors import InputError
from gwas_core.kubeflow.kubernetes_api import ClusterError, Conflict, Invalid, NotAllowed, NotFound, Unreachable
from gwas_core.serialization import JsonObject

Found = TypeVar("Found")

TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - its name, not what is in it
"""Environment variable with the path of the service account's token for Pipelines."""

_DEFAULT_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
_API = "/apis/v2beta1"
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# The kubelet writes a new token well before the old one ends; a refusal that outlasts these attempts is meant.
_TOKEN_ATTEMPTS = 4
_EQUALS = 1  # operation of a filter


def token_path() -> Path | None:
    """Return the file with the pod's token for Pipelines, or None if it has none."""
    given = os.environ.get(TOKEN_VARIABLE)
    if given:
        return Path(given)
    return _DEFAULT_TOKEN if _DEFAULT_TOKEN.is_file() else None


class RunState(StrEnum):
    """State of a run, or of a step of it."""

    UNKNOWN = "RUNTIME_STATE_UNSPECIFIED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"

    def is_finished(self) -> bool:
        """Return whether the run or step has ended."""
        return self in (RunState.SUCCEEDED, RunState.SKIPPED, RunState.FAILED, RunState.CANCELED)


@dataclass(frozen=True, kw_only=True)
class RunStep:
    """One task of a run.

    Attributes:
        name: of the task; tasks that Pipelines adds by itself have one too, or none.
        message: what the API says went wrong; empty if it says nothing.
    """

    name: str
    state: RunState
    message: str


@dataclass(frozen=True, kw_only=True)
class PipelineReference:
    """Version of a pipeline that was uploaded."""

    pipeline_id: str
    pipeline_version_id: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """Pipeline run as the API describes it.

    Attributes:
        message: what the API says went wrong; empty if it says nothing.
        steps: tasks of the run, in no order.
    """

    run_id: str
    name: str
    state: RunState
    message: str
    steps: tuple[RunStep, ...]

    @classmethod
    def of(cls, answer: JsonObject) -> Run:
        """Return the run that an answer of the API describes.

        Args:
            answer: what the API says of one run; entries that are missing stay empty.
        """
        details = answer.get("run_details") or {}
        return cls(
            run_id=str(answer.get("run_id", "")),
            name=str(answer.get("display_name", "")),
            state=_state(answer),
            message=_message(answer),
            steps=tuple(
                RunStep(name=str(task.get("display_name", "")), state=_state(task), message=_message(task))
                for task in details.get("task_details") or ()
            ),
        )


def _state(answer: JsonObject) -> RunState:
    try:
        return RunState(answer.get("state") or RunState.UNKNOWN)
    except ValueError:
        return RunState.UNKNOWN


def _message(answer: JsonObject) -> str:
    return str((answer.get("error") or {}).get("message") or "")


class PipelinesApi:
    """Client for the Pipelines API of one namespace.

    Every method raises a ``ClusterError``; its subclasses say which kind.

    Args:
        host: address of the API.
        namespace: of the runs.
        token: file with the service account's token, read anew for every request; None if no token is asked for.
        patience: seconds to go on trying while the API does not answer; may be changed later.
    """

    def __init__(self, host: str, *, namespace: str, token: Path | None = None, patience: float = 600.0) -> None:
        self._host = host.rstrip("/")
        self._namespace = namespace
        self._token = token
        self.patience = patience
        self._http = urllib3.PoolManager(retries=False)
        self._has_users: bool | None = None

    # Runs

    def upload(self, name: str, package: Path) -> PipelineReference:
        """Return the reference to a pipeline of this name, uploaded if there is none.

        Several processes may try at the same time.

        Args:
            name: of the pipeline.
            package: compiled pipeline, a YAML file.

        Raises:
            InputError: the package cannot be read.
        """
        try:
            content = package.read_bytes()
        except OSError as error:
            raise InputError(f"the pipeline's package {package} cannot be read: submit the experiment again") from error

        def make() -> None:
            # The answer names the pipeline but no version, which comes a moment later.
            fields = {"uploadfile": (f"{name}.yaml", content, "application/yaml")}
            self._request(
                "POST",
                "/pipelines/upload",
                query={"name": name, **self._namespace_parameter()},
                fields=fields,
                patience=0,
            )

        return self._find_or_make(lambda: self._version(name), make)

    def _version(self, name: str) -> PipelineReference | None:
        try:
            pipeline = self._request(
                "GET", f"/pipelines/names/{quote(name, safe='')}", query=self._namespace_parameter()
            )
        except NotFound:
            return None
        identity = str(pipeline["pipeline_id"])
        answer = self._request("GET", f"/pipelines/{identity}/versions", query={"sort_by": "created_at desc"})
        versions = answer.get("pipeline_versions") or ()
        if not versions:
            return None
        return PipelineReference(pipeline_id=identity, pipeline_version_id=str(versions[0]["pipeline_version_id"]))

    def start(
        self, name: str, *, group: str, pipeline: PipelineReference, parameters: JsonObject, account: str = ""
    ) -> Run:
        """Return the run of this name: the one there is, or a new one.

        Args:
            name: of the run.
            group: name of the Pipelines "experiment" that holds the run.
            pipeline: what ``upload`` returned.
            parameters: of the pipeline, by name.
            account: service account of the steps; the installation's default if empty.
        """
        group_id = self._group(group)
        body: JsonObject = {
            "display_name": name,
            "experiment_id": group_id,
            "pipeline_version_reference": asdict(pipeline),
            "runtime_config": {"parameters": dict(parameters)},
        }
        if account:
            body["service_account"] = account
        return self._find_or_make(
            lambda: self._find(name, group_id),
            lambda: Run.of(self._request("POST", "/runs", body=body, patience=0)),
        )

    def find(self, name: str, *, group: str) -> Run | None:
        """Return the latest run of a name, or None.

        Args:
            name: of the run.
            group: name of the Pipelines "experiment" that holds it.
        """
        group_id = self._find_group(group)
        return None if group_id is None else self._find(name, group_id)

    def _find(self, name: str, group_id: str) -> Run | None:
        query = {"experiment_id": group_id, "sort_by": "created_at desc", "filter": _named(name)}
        runs = self._request("GET", "/runs", query={**query, **self._namespace_parameter()}).get("runs") or ()
        return Run.of(runs[0]) if runs else None

    def get(self, run_id: str) -> Run:
        """Return a run as it is now.

        Args:
            run_id: identity that Pipelines gave the run.
        """
        return Run.of(self._request("GET", f"/runs/{quote(run_id, safe='')}"))

    def terminate(self, run_id: str) -> None:
        """End a run; one that has ended already is left alone.

        Args:
            run_id: identity that Pipelines gave the run.
        """
        with contextlib.suppress(Invalid, NotFound, Conflict):
            self._request("POST", f"/runs/{quote(run_id, safe='')}:terminate")

    def _group(self, name: str) -> str:
        return self._find_or_make(
            lambda: self._find_group(name),
            lambda: str(
                self._request(
                    "POST", "/experiments", body={"display_name": name, **self._namespace_parameter()}, patience=0
                )["experiment_id"]
            ),
        )

    def _find_or_make(self, find: Callable[[], Found | None], make: Callable[[], Found | None]) -> Found:
        """Return what ``find`` finds, after ``make`` has made it if it was not there.

        It is looked for before each attempt, because a request that seemed to fail may have made it, and so may another
        process.
        """
        deadline = time.monotonic() + self.patience
        for pause in _pauses():
            found = find()
            if found is not None:
                return found
            try:
                made = make()
                if made is not None:
                    return made
            except Invalid:
                # Some releases say this if the name is taken.
                found = find()
                if found is None:
                    raise
                return found
            except (Conflict, Unreachable):
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
        raise AssertionError("the pauses have no end")

    def _find_group(self, name: str) -> str | None:
        answer = self._request("GET", "/experiments", query={"filter": _named(name), **self._namespace_parameter()})
        groups = answer.get("experiments") or ()
        return str(groups[0]["experiment_id"]) if groups else None

    def _namespace_parameter(self) -> dict[str, str]:
        """Return the namespace as a parameter; none for an installation for a single user, which refuses it."""
        if self._has_users is None:
            self._has_users = bool(self._request("GET", "/healthz").get("multi_user"))
        return {"namespace": self._namespace} if self._has_users else {}

    # Requests

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        fields: Mapping[str, tuple[str, bytes, str]] | None = None,
        patience: float | None = None,
    ) -> JsonObject:
        """Send a request until the API answers and accepts the token; return the answer."""
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        refusals = 0
        for pause in _pauses():
            try:
                return self._send(method, path, query, body, fields)
            except _Unauthenticated as error:
                refusals += 1
                if refusals == _TOKEN_ATTEMPTS:
                    raise NotAllowed(str(error)) from error
            except Unreachable:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
        raise AssertionError("the pauses have no end")

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: JsonObject | None,
        fields: Mapping[str, tuple[str, bytes, str]] | None,
    ) -> JsonObject:
        address = f"{self._host}{_API}{path}"
        if query:
            address += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        try:
            answer = self._http.request(
                method,
                address,
                headers=self._headers(),
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS),
                json=body,
                fields=None if fields is None else dict(fields),
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"Pipelines at {self._host} does not answer ({type(error).__name__})") from error
        text = answer.data.decode("utf-8", errors="replace")
        if answer.status >= 300:
            raise _refusal(answer.status, text)
        return _object(text)

    def _headers(self) -> dict[str, str]:
        if self._token is None:
            return {}
        try:
            return {"Authorization": f"Bearer {self._token.read_text(encoding='ascii').strip()}"}
        except OSError as error:
            raise NotAllowed(f"the service account's token {self._token} cannot be read: {error.strerror}") from error


class _Unauthenticated(ClusterError):
    """Refusal of the token (401)."""


def _refusal(status: int, text: str) -> ClusterError:
    answer = _object(text)
    said = " ".join(str(answer.get("message") or answer.get("error_message") or text).split())[:400]
    if status == 401:
        return _Unauthenticated(f"Pipelines does not accept our token: {said}")
    if status == 403:
        return NotAllowed(f"Pipelines does not allow this: {said}")
    if status == 404:
        return NotFound(said)
    if status == 409:
        return Conflict(said)
    if status < 500 and status not in (408, 429):
        return Invalid(f"Pipelines refuses it: {said}")
    return Unreachable(f"Pipelines answers with an error ({status}): {said}")


def _object(text: str) -> JsonObject:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": "display_name", "stringValue": name}]})


def _pauses() -> Iterator[float]:
    """Yield the seconds between attempts: longer each time, without end."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
