"""A Kubernetes API server with Katib behind it, on this machine: as documented, faults included.

    with KatibServer(tmp_path) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))

There is one user's namespace, ``team``. Jobs run as processes of this machine, so a claim's mount path
is simply a folder here.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.kubeflow import pod_exec
from tests.kubeflow.katib_admission import INJECTION_LABEL, Refused, admit
from tests.kubeflow.katib_controller import Katib, Objects, Resource, now

NAMESPACE = "team"
KATIB = "/apis/kubeflow.org/v1beta1"
NFS = "nfs.csi.k8s.io"

_OBJECT_PATH = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?(/status)?")
_EXEC_PATH = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/exec")
_NAMESPACE_PATH = re.compile(r"/api/v1/namespaces/([^/]+)")
_KINDS = {
    "experiments": (KATIB, "Experiment"),
    "suggestions": (KATIB, "Suggestion"),
    "trials": (KATIB, "Trial"),
    "jobs": ("/apis/batch/v1", "Job"),
    "pods": ("/api/v1", "Pod"),
    "persistentvolumeclaims": ("/api/v1", "PersistentVolumeClaim"),
    "volumesnapshots": ("/apis/snapshot.storage.k8s.io/v1", "VolumeSnapshot"),
    "deployments": ("/apis/apps/v1", "Deployment"),
}
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    500: "InternalError",
}


@dataclass
class Fault:
    """What befalls a request instead of, or before, its answer.

    Attributes:
        status: the error it gets; 0 for none.
        delay: seconds before anything is answered.
        drop: whether the connection ends without an answer.
        after: whether the request is carried out all the same, and only its answer is lost.
        cut: bytes of the answer after which the connection ends, its length being told as that of the whole; of a
            command in a pod, bytes of its input or output.
        garble: whether the answer is half of itself, with that length; of a command, a bit of what it is told
            or, with ``after``, of what it says.
        match: the requests it befalls, by method and path; all where None.
    """

    status: int = 0
    delay: float = 0.0
    drop: bool = False
    after: bool = False
    cut: int | None = None
    garble: bool = False
    match: Callable[[str, str], bool] | None = None


_NO_FAULT = Fault()


class Answer(Exception):
    """The answer to a request."""

    def __init__(self, status: int, body: Resource | str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def failure(status: int, message: str, *, name: str = "") -> Answer:
    """An error as the API server words it."""
    details = {"name": name} if name else {}
    reason = _REASONS.get(status, "InternalError")
    return Answer(
        status,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": status,
        },
    )


class KatibServer:
    """The server.

    Attributes:
        objects, katib: what is on the cluster, and the controllers that work on it.
        faults: what befalls the next requests; one is used up by each request that it matches.
        requests: method and path of every request so far.
        namespace_labels, storage_classes, denied: what the user's namespace, the cluster and RBAC are like;
            ``denied`` holds verbs and resources, as in ``("create", "experiments")``.
        missing: kinds and services that are not installed: ``experiments``, ``ml-pipeline``, ``volumesnapshots``.
    """

    def __init__(self, folder: Path, *, environment: dict[str, str] | None = None) -> None:
        self.objects = Objects()
        self.katib = Katib(self.objects, environment=environment or {}, folder=folder)
        self.faults: deque[Fault] = deque()
        self.requests: list[tuple[str, str]] = []
        self.token = "first-token"
        self.namespace_labels = dict(INJECTION_LABEL)
        self.storage_classes: list[Resource] = [storage_class("shared", NFS, default=True)]
        self.denied: set[tuple[str, str]] = set()
        self.missing: set[str] = {"volumesnapshots"}
        self.kubeconfig = folder / "kubeconfig.yaml"
        self._pages: dict[str, list[Resource]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        controller = {"metadata": {"name": "katib-controller"}, "apiVersion": "apps/v1", "kind": "Deployment"}
        image = {"name": "katib-controller", "image": "ghcr.io/kubeflow/katib/katib-controller:v0.19.0"}
        controller["spec"] = {"template": {"spec": {"containers": [image]}}}
        self.objects.add("deployments", controller)

    def __enter__(self) -> KatibServer:
        self._listen()
        self.write_kubeconfig()
        self.katib.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.katib.close()
        self._hang_up()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def write_kubeconfig(self) -> None:
        """What a person is given to reach the cluster: address and token, as they are now."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": self.address}}],
            "users": [{"name": "me", "user": {"token": self.token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": NAMESPACE}}],
            "current-context": "here",
        }
        self.kubeconfig.write_text(yaml.safe_dump(content), encoding="utf-8")

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Nobody listens for a while; Katib goes on working."""
        self._hang_up()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        handler = type("Handler", (_Handler,), {"cluster": self})
        self._server = _Server(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _hang_up(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # Answers.

    def answer(self, method: str, path: str, query: dict[str, str], body: Resource | None) -> Answer:
        """What the API says to a request; ``Answer`` raised or returned."""
        if method == "GET" and path == "/version":
            return Answer(200, {"gitVersion": "v1.31.4", "major": "1", "minor": "31"})
        kinds = [
            {"name": plural, "kind": kind}
            for plural, (prefix, kind) in _KINDS.items()
            if prefix == path and plural not in self.missing
        ]
        if method == "GET" and kinds:
            return Answer(200, {"kind": "APIResourceList", "resources": kinds})
        if method == "GET" and path == "/apis/storage.k8s.io/v1/storageclasses":
            self.authorise("list", "storageclasses")
            return Answer(200, {"kind": "StorageClassList", "items": self.storage_classes})
        if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            assert body is not None
            asked = body["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
            return Answer(201, {**body, "status": {"allowed": (asked["verb"], resource) not in self.denied}})
        if path.endswith("/services/ml-pipeline:8888/proxy/apis/v2beta1/healthz"):
            if "ml-pipeline" in self.missing:
                raise failure(404, 'services "ml-pipeline" not found', name="ml-pipeline")
            return Answer(200, {"tag_name": "2.17.0", "multi_user": True})
        if method == "GET" and (match := _NAMESPACE_PATH.fullmatch(path)):
            self.authorise("get", "namespaces")
            return Answer(200, {"kind": "Namespace", "metadata": {"name": match[1], "labels": self.namespace_labels}})
        match = _OBJECT_PATH.fullmatch(path)
        if match is None or match[3] in self.missing or _KINDS.get(match[3], ("",))[0] != match[1]:
            raise Answer(404, "404 page not found\n")
        plural, name = match[3], unquote(match[4] or "")
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}.get(method, "get")
        self.authorise(verb if name or method != "GET" else "list", plural)
        with self.objects.lock:
            if not name:
                return self._create(plural, body or {}, query) if method == "POST" else self._list(plural, query)
            found = self.objects.get(plural, name)
            if found is None:
                raise failure(404, f'{plural}.kubeflow.org "{name}" not found', name=name)
            if method == "GET":
                return Answer(200, copy.deepcopy(found))
            if method == "DELETE":
                orphan = (body or {}).get("propagationPolicy") == "Orphan"
                self.objects.mark_deleted(plural, name, orphan=orphan)
                return Answer(200, {"kind": "Status", "status": "Success"})
            return self._change(plural, found, body or {}, merge=method == "PATCH")

    def authorise(self, verb: str, resource: str) -> None:
        if (verb, resource) in self.denied:
            raise failure(403, f'{resource} is forbidden: User "team" cannot {verb} resource "{resource}"')

    def check_runs(self, pod: str) -> None:
        """See that a command can run in a pod."""
        with self.objects.lock:
            found = self.objects.get("pods", pod)
            if found is None or "deletionTimestamp" in found["metadata"]:
                raise failure(404, f'pods "{pod}" not found', name=pod)
            if (found.get("status") or {}).get("phase") != "Running":
                raise failure(500, f"unable to upgrade connection: container not found in pod {pod}")

    def _list(self, plural: str, query: dict[str, str]) -> Answer:
        if token := query.get("continue"):
            left = self._pages.pop(token, None)
            if left is None:
                raise failure(410, "The provided continue parameter is too old to display a consistent list result.")
        else:
            labels = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)
            left = copy.deepcopy(self.objects.all(plural, **labels))
        limit = int(query.get("limit", len(left) or 1))
        page, left = left[:limit], left[limit:]
        metadata: Resource = {"resourceVersion": str(self.objects.version)}
        if left:
            metadata["continue"] = base64.b64encode(f"{plural}-{time.monotonic_ns()}".encode()).decode()
            self._pages[metadata["continue"]] = left
        return Answer(200, {"kind": f"{_KINDS[plural][1]}List", "metadata": metadata, "items": page})

    def forget_pages(self) -> None:
        """As etcd compacts: lists begun earlier cannot be read on (410)."""
        self._pages.clear()

    def _create(self, plural: str, body: Resource, query: dict[str, str]) -> Answer:
        name = body["metadata"]["name"]
        if (existing := self.objects.get(plural, name)) is not None:
            message = f'{plural}.kubeflow.org "{name}" already exists'
            if "deletionTimestamp" in existing["metadata"]:
                message = f"object is being deleted: {message}"
            raise failure(409, message, name=name)
        if plural == "experiments":
            body = self._admitted(body)
        if plural == "persistentvolumeclaims":
            wanted = body["spec"].get("storageClassName")
            known = [entry["metadata"]["name"] for entry in self.storage_classes]
            body["status"] = {"phase": "Bound" if known and wanted in (None, *known) else "Pending"}
        if query.get("dryRun") == "All":
            return Answer(201, body)
        created = self.objects.add(plural, body)
        created["metadata"]["namespace"] = NAMESPACE
        return Answer(201, copy.deepcopy(created))

    def _admitted(self, body: Resource, old: Resource | None = None) -> Resource:
        try:
            return admit(body, old=old, namespace_labels=self.namespace_labels)
        except Refused as error:
            webhook = 'admission webhook "validator.experiment.katib.kubeflow.org" denied the request'
            raise failure(400, f"{webhook}: {error}") from error

    def _change(self, plural: str, found: Resource, body: Resource, *, merge: bool) -> Answer:
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != found["metadata"]["resourceVersion"]:
            raise failure(409, "the object has been modified; please apply your changes to the latest version")
        changed = merged(found, body) if merge else body
        if plural == "experiments":
            changed = self._admitted(changed, found)
        if changed["spec"] != found["spec"]:
            changed["metadata"]["generation"] += 1
        found.clear()
        found.update(changed)
        self.objects.changed(plural, found)
        return Answer(200, copy.deepcopy(found))

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault that befalls this request."""
        for fault in self.faults:
            if fault.match is None or fault.match(method, path):
                self.faults.remove(fault)
                return fault
        return None


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def storage_class(name: str, provisioner: str, *, default: bool = False) -> Resource:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}, "provisioner": provisioner}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    cluster: KatibServer
    protocol_version = "HTTP/1.1"
    timeout = 30
    # Else each answer's body waits 40 ms for the client to acknowledge its head.
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Quiet: ``requests`` holds what was asked."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        address = urlsplit(self.path)
        cluster = self.cluster
        cluster.requests.append((self.command, address.path))
        if cluster._server is None:  # hung up, but for this connection that was kept open
            self.close_connection = True
            return
        fault = cluster.next_fault(self.command, address.path)
        if fault is not None and not fault.after and self._befall(fault):
            return
        try:
            if self.headers.get("Authorization", "").lower() != f"bearer {cluster.token}":
                raise failure(401, "Unauthorized")
            if self.command == "PATCH" and self.headers.get("Content-Type") != "application/merge-patch+json":
                raise failure(415, "only merge patches are taken here")
            if match := _EXEC_PATH.fullmatch(address.path):
                self._exec(unquote(match[2]), parse_qs(address.query)["command"], fault or Fault())
                return
            query = {name: values[-1] for name, values in parse_qs(address.query).items()}
            answer = cluster.answer(self.command, address.path, query, json.loads(content) if content else None)
        except Answer as raised:
            answer = raised
        if fault is not None and fault.after and self._befall(fault):
            return
        self._send(answer, fault or Fault())

    def _exec(self, pod: str, command: list[str], fault: Fault) -> None:
        """A command in a pod; the connection is a WebSocket from here on."""
        # A handshake is a GET; since 1.35 it needs both (kubernetes #134577).
        for verb in ("get", "create"):
            self.cluster.authorise(verb, "pods/exec")
        self.cluster.check_runs(pod)
        if self.headers.get("Sec-WebSocket-Protocol") != pod_exec.SUBPROTOCOL:
            raise failure(400, "unable to upgrade: unknown subprotocol")
        self.send_response(101)
        for name, value in pod_exec.response_headers(self.headers["Sec-WebSocket-Key"]).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        folder = self.cluster.kubeconfig.parent
        flips = [pod_exec.STDOUT if fault.after else pod_exec.STDIN] if fault.garble else []
        pod_exec.serve(self.connection, command, folder=folder, most_bytes=fault.cut, flips=flips)

    def _befall(self, fault: Fault) -> bool:
        """Let the fault happen; True when nothing is left to answer."""
        time.sleep(fault.delay)
        if fault.drop:
            self.close_connection = True
        elif fault.status:
            self._send(failure(fault.status, f"made to fail at {now()}"))
        return fault.drop or bool(fault.status)

    def _send(self, answer: Answer, fault: Fault = _NO_FAULT) -> None:
        is_text = isinstance(answer.body, str)
        content = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        if fault.garble:
            content = content[: len(content) // 2]
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: fault.cut])
            self.close_connection |= fault.cut is not None
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
