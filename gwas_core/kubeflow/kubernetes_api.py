"""Kubernetes API, as far as it is used here: objects as plain dictionaries, errors as sentences.

Also here: time limits of requests; fresh credentials after a refusal; long lists in pages; answers that were cut off;
running a command in a pod; what 401, 403, 404, 409 and 422 mean.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import urllib3

from gwas_core.errors import ExperimentError
from gwas_core.serialization import JsonObject

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_Answer = TypeVar("_Answer")

KATIB = "/apis/kubeflow.org/v1beta1"
CORE = "/api/v1"
SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1"

# Where the namespaced kinds used here live.
_PREFIXES = {
    "experiments": KATIB,
    "trials": KATIB,
    "suggestions": KATIB,
    "pods": CORE,
    "persistentvolumeclaims": CORE,
    "volumesnapshots": SNAPSHOTS,
}
_CONNECT_SECONDS, _ANSWER_SECONDS = 3.0, 10.0
_PAGE = 100  # objects of a list in one answer: a trial is about 10 kB
_LISTING_ATTEMPTS = 3
_FRAME = 1 << 17  # bytes; servers take a few MB at most
_STDIN, _STDOUT, _STDERR, _STATUS = range(4)  # channels of v4.channel.k8s.io


class ClusterError(ExperimentError):
    """Refusal or failure of the cluster."""


class Unreachable(ClusterError):
    """Missing answer, or one that says to try again later; whether the request was carried out is not known."""


class NotAllowed(ClusterError):
    """Refusal because the credentials are not known, or not allowed to do this (401, 403)."""


class NotFound(ClusterError):
    """Answer that there is no such object (404)."""


class NotInstalled(ClusterError):
    """Answer that the cluster does not know this kind of object at all (404)."""


class Conflict(ClusterError):
    """Refusal because the object is there already, or was changed meanwhile (409)."""


class Invalid(ClusterError):
    """Refusal of the object by admission (400, 422)."""


class KubernetesApi:
    """Client for one namespace of one cluster; safe to share between threads.

    Every method raises a ``ClusterError``; its subclasses say which kind.

    Args:
        load: makes the client's configuration; called again when the cluster no longer accepts the credentials.
        namespace: in which objects are created and looked for.
    """

    def __init__(self, load: Callable[[], Configuration], *, namespace: str) -> None:
        self.namespace = namespace
        self._load = load
        self._client = self._connect()

    def _connect(self) -> Any:
        from kubernetes.client import ApiClient  # half a second, which no local experiment should cost

        configuration = self._load()
        # Callers try again in their own way; urllib3's retries would only make a page wait three times as long.
        configuration.retries = False
        return ApiClient(configuration)

    @property
    def host(self) -> str:
        """Address of the API server."""
        return str(self._client.configuration.host)

    def get(self, plural: str, name: str) -> JsonObject:
        """Return one object of the namespace.

        Args:
            plural: kind of the object, as in addresses of the API: ``"experiments"``.
            name: of the object.

        Raises:
            NotFound: there is none of this name.
        """
        return self.request("GET", self._path(plural, name))

    def list(self, plural: str, *, labels: Mapping[str, str] | None = None) -> list[JsonObject]:
        """Return all objects of a kind that have these labels.

        The list is read in pages, and from its beginning if the cluster has forgotten the page that is asked for.

        Args:
            plural: kind of the objects, as in addresses of the API: ``"trials"``.
            labels: names and values that the objects must have.
        """
        for attempt in range(_LISTING_ATTEMPTS):
            try:
                return list(self._pages(plural, labels or {}))
            except _Expired:
                if attempt == _LISTING_ATTEMPTS - 1:
                    break
        raise Unreachable(f"the cluster's list of {plural} changed faster than it could be read")

    def _pages(self, plural: str, labels: Mapping[str, str]) -> Iterator[JsonObject]:
        query: dict[str, str | int] = {"limit": _PAGE}
        if labels:
            query["labelSelector"] = ",".join(f"{name}={value}" for name, value in labels.items())
        while True:
            page = self.request("GET", self._path(plural), query=query)
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def create(self, plural: str, body: JsonObject, *, dry_run: bool = False) -> JsonObject:
        """Create an object and return it as the cluster stored it.

        Args:
            plural: kind of the object.
            body: the object.
            dry_run: only find out whether it would be accepted.

        Raises:
            Conflict: there is one of this name.
            Invalid: it is refused.
        """
        return self.request("POST", self._path(plural), body=body, query={"dryRun": "All"} if dry_run else None)

    def patch(self, plural: str, name: str, body: JsonObject) -> JsonObject:
        """Merge changes into an object.

        Args:
            plural: kind of the object, such as ``"experiments"``.
            name: of the object.
            body: the changes, by JSON merge patch: null deletes an entry.

        Returns:
            The object after the change.
        """
        return self.request("PATCH", self._path(plural, name), body=body)

    def delete(self, plural: str, name: str, *, keep_dependents: bool = False) -> None:
        """Delete an object; nothing happens if it is gone already.

        Args:
            plural: kind of the object.
            name: of the object.
            keep_dependents: whether the objects that it owns stay.
        """
        options = {"propagationPolicy": "Orphan" if keep_dependents else "Background"}
        try:
            self.request("DELETE", self._path(plural, name), body=options)
        except NotFound:
            return

    def may(self, verb: str, resource: str, *, group: str = "", subresource: str = "") -> bool:
        """Return whether our credentials allow something in the namespace.

        Args:
            verb: ``"get"``, ``"create"`` and so on.
            resource: plural of the kind of object.
            group: API group of the kind; empty for the core group.
            subresource: such as ``"exec"`` of pods.
        """
        attributes = {"namespace": self.namespace, "verb": verb, "group": group, "resource": resource}
        if subresource:
            attributes["subresource"] = subresource
        review = self.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
        )
        return bool((review.get("status") or {}).get("allowed"))

    def request(
        self, method: str, path: str, *, body: JsonObject | None = None, query: Mapping[str, str | int] | None = None
    ) -> JsonObject:
        """Return the answer to one request, which is an object.

        Args:
            method: of HTTP.
            path: of the address, below the API server's.
            body: sent as JSON.
            query: parameters of the address.
        """
        text = self._authenticated(lambda: self._send(method, path, body, query))
        try:
            answer = json.loads(text)
        except ValueError as error:
            # A list that was cut off, taken for an empty one, would say that everything is gone.
            raise Unreachable(f"the answer of the cluster at {self.host} was cut off, or is no JSON") from error
        return answer if isinstance(answer, dict) else {}

    def run(self, pod: str, command: Sequence[str], data: bytes, *, seconds: float) -> tuple[int, bytes, str]:
        """Run a command in a pod's container; return its exit code, stdout and stderr.

        Args:
            pod: name of the pod, which has one container.
            command: program and arguments.
            data: input of the command, which has to know its length: the protocol cannot close the input.
            seconds: time after which the command is given up.

        Raises:
            Unreachable: the command has not ended in time, or the connection broke off.
        """
        outcome: queue.Queue[tuple[int, bytes, str] | Exception] = queue.Queue()
        deadline = time.monotonic() + seconds

        def work() -> None:
            try:
                outcome.put(self._run(pod, command, data, deadline))
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                outcome.put(error)

        # The client waits for a handshake for as long as it takes.
        threading.Thread(target=work, daemon=True).start()
        try:
            found = outcome.get(timeout=seconds)
        except queue.Empty:
            raise Unreachable(f"pod {pod} has not answered in {seconds:.0f} seconds") from None
        if isinstance(found, Exception):
            raise found
        return found

    def _run(self, pod: str, command: Sequence[str], data: bytes, deadline: float) -> tuple[int, bytes, str]:
        connection = self._authenticated(lambda: self._attach(pod, command))
        from websocket import WebSocketException

        try:
            return _talk(connection, data, deadline)
        except (WebSocketException, OSError) as error:
            raise Unreachable(f"the connection to pod {pod} broke off: {_cause(error)}") from error
        finally:
            connection.sock.shutdown()

    def _attach(self, pod: str, command: Sequence[str]) -> Any:
        from kubernetes.client import ApiClient, ApiException, CoreV1Api
        from kubernetes.stream import stream

        # A client of its own: ``stream`` changes what the client does meanwhile.
        core = CoreV1Api(ApiClient(self._client.configuration))
        try:
            return stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                self.namespace,
                command=list(command),
                stdin=True,
                stdout=True,
                stderr=True,
                tty=False,
                binary=True,
                _preload_content=False,
            )
        except ApiException as error:
            # The exception itself holds only a text; its cause has the status.
            cause = error.__context__
            status = getattr(cause, "status_code", None)
            if cause is None or status is None:
                raise Unreachable(f"pod {pod} cannot be reached: {_cause(cause or error)}") from error
            error.status, error.body = status, getattr(cause, "resp_body", b"")
            raise _as_sentence(error) from error

    def _authenticated(self, ask: Callable[[], _Answer]) -> _Answer:
        """Call ``ask`` and return its answer, retrying once with fresh credentials if the first are refused."""
        try:
            return ask()
        except _Unauthenticated:
            # Tokens are exchanged now and then; the configuration knows where the new one is.
            self._client = self._connect()
        try:
            return ask()
        except _Unauthenticated as error:
            raise NotAllowed(str(error)) from error

    def _send(self, method: str, path: str, body: JsonObject | None, query: Mapping[str, str | int] | None) -> str:
        from kubernetes.client import ApiException

        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            answer = self._client.call_api(
                path + (f"?{urlencode(query)}" if query else ""),
                method,
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                response_type="str",
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _preload_content=False,
                _request_timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
            )
            return bytes(answer.data).decode("utf-8", errors="replace")
        except ApiException as error:
            raise _as_sentence(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"the cluster at {self.host} does not answer: {_cause(error)}") from error

    def _path(self, plural: str, name: str = "") -> str:
        path = f"{_PREFIXES[plural]}/namespaces/{quote(self.namespace, safe='')}/{plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


class _Expired(ClusterError):
    """Answer that a page of a list was asked for too late (410)."""


class _Unauthenticated(ClusterError):
    """Refusal of the credentials (401)."""


def _talk(connection: Any, data: bytes, deadline: float) -> tuple[int, bytes, str]:
    """Give a command its input; return its exit code, stdout and stderr once it has ended."""
    connection.sock.settimeout(_ANSWER_SECONDS)
    for start in range(0, len(data), _FRAME):
        connection.write_channel(_STDIN, data[start : start + _FRAME])
    read: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: [], _STATUS: []}
    while connection.is_open():
        if time.monotonic() > deadline:
            raise Unreachable("the pod has not answered in time")
        # Short, because what is left in a buffer of TLS does not wake it.
        connection.update(timeout=0.05)
        for channel, parts in read.items():
            if part := connection.read_channel(channel):
                parts.append(part)
    output, words, ending = (b"".join(parts) for parts in read.values())
    return _exit_code(ending), output, words.decode("utf-8", errors="replace")


def _exit_code(ending: bytes) -> int:
    status = _status_object(ending)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdecimal():
            return int(cause["message"])
    raise Unreachable(f"the command in the pod broke off: {_shorten(str(status.get('message') or 'no reason given'))}")


def _as_sentence(error: Any) -> ClusterError:
    """Return the API's answer as one of our errors."""
    status = _status_object(error.body)
    said = _shorten(str(status.get("message") or error.reason or "no reason given"))
    if error.status == 401:
        return _Unauthenticated(f"the cluster does not accept our credentials: {said}")
    if error.status == 403:
        return NotAllowed(f"the cluster does not allow this: {said}")
    if error.status == 404:
        # The answer names an object that is not there; for an unknown kind it has only a text.
        is_object = bool((status.get("details") or {}).get("name"))
        return NotFound(said) if is_object else NotInstalled(f"the cluster does not know this kind of object: {said}")
    if error.status == 409:
        return Conflict(said)
    if error.status == 410:
        return _Expired(said)
    if error.status in (400, 422):
        return Invalid(f"the cluster refuses it: {said}")
    return Unreachable(f"the cluster answers with an error ({error.status}): {said}")


def _status_object(body: Any) -> JsonObject:
    if isinstance(body, bytes):
        body = body.decode("utf-8", errors="replace")
    try:
        status = json.loads(body)
    except (TypeError, ValueError):
        return {"message": body}
    return status if isinstance(status, dict) else {}


def _cause(error: BaseException) -> str:
    # To urllib3 a connection that was refused is a kind of time-out.
    is_timeout = isinstance(error, urllib3.exceptions.TimeoutError)
    if is_timeout and not isinstance(error, urllib3.exceptions.NewConnectionError):
        return "no answer in time"
    return _shorten(str(error).rpartition(": ")[2] or type(error).__name__)


def _shorten(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= 400 else f"{line[:399]}…"
