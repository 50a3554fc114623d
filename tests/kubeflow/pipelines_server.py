"""The part of the Pipelines v2beta1 API that the driver uses, over real HTTP, with faults on demand.

Follows the API's published description (the ``kfp_server_api`` package is generated from it) and kubeflow/pipelines,
backend/src/apiserver: names are unique for pipelines and experiments but not for runs; uploads that clash answer 500;
a multi-user installation wants a namespace, a single-user one refuses it.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

_API = "/apis/v2beta1"
_FINISHED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@dataclass
class Fault:
    """What goes wrong with some requests.

    Attributes:
        path: regular expression over ``METHOD /path``.
        status: answered instead; 0 to close the connection without an answer.
        times: how often.
        seconds: waited before.
        too_late: the request is carried out first.
    """

    path: str
    status: int = 500
    times: int = 1
    seconds: float = 0.0
    too_late: bool = False


class Refusal(Exception):
    """An error answer: (HTTP status, gRPC code, message)."""


@dataclass
class PipelinesServer:
    """Use as a context manager; ``host`` is its address.

    Attributes:
        token: what requests have to bring; None for nothing.
        started: called with each new run, in a thread of its own, and may work on it.
        requests: ``METHOD /path`` of all that came.
    """

    multi_user: bool = True
    token: str | None = None
    started: Callable[[Json], None] = lambda run: None
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    experiments: dict[str, Json] = field(default_factory=dict)
    pipelines: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)

    def __enter__(self) -> PipelinesServer:
        self._lock = threading.RLock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self.host = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def run(self, name: str) -> Json:
        """The one run of this name."""
        (found,) = (run for run in self.runs.values() if run["display_name"] == name)
        return found

    def end(self, name: str, state: str, **others: Any) -> None:
        """What the workflow controller reports of a run."""
        self.run(name).update(state=state, **others)

    def add_run(self, name: str, group: str, state: str) -> Json:
        """A run that was made before."""
        with self._lock:
            experiment = next((e for e in self.experiments.values() if e["display_name"] == group), None)
            experiment = experiment or self._create_experiment({}, {"display_name": group, "namespace": "ns"})
            return self._add_run({"display_name": name, "experiment_id": experiment["experiment_id"], "state": state})

    def take_fault(self, request: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.path, request):
                    fault.times -= 1
                    return fault
        return None

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Json:
        routes: list[tuple[str, str, Callable[..., Json]]] = [
            ("GET", r"/healthz", lambda q, b: {"multi_user": self.multi_user}),
            ("GET", r"/experiments", self._list_experiments),
            ("POST", r"/experiments", self._create_experiment),
            ("GET", r"/pipelines/names/([^/]+)", self._pipeline_by_name),
            ("GET", r"/pipelines/([^/]+)/versions", self._list_versions),
            ("POST", r"/pipelines/upload", self._upload),
            ("GET", r"/runs", self._list_runs),
            ("POST", r"/runs", self._create_run),
            ("GET", r"/runs/([^/:]+)", lambda q, b, run_id: self._known_run(run_id)),
            ("POST", r"/runs/([^/:]+):terminate", self._terminate),
        ]
        with self._lock:
            for known, pattern, function in routes:
                match = re.fullmatch(_API + pattern, path)
                if known == method and match:
                    return function(query, body, *match.groups())
        raise Refusal(404, 5, f"Not Found: {method} {path}")

    def _check_namespace(self, given: str | None) -> None:
        if self.multi_user and not given:
            raise Refusal(400, 3, "Invalid input error: namespace is empty in multi-user mode")
        if not self.multi_user and given:
            raise Refusal(400, 3, "In single-user mode, cannot filter by namespace.")

    def _list_experiments(self, query: dict[str, str], body: Any) -> Json:
        self._check_namespace(query.get("namespace"))
        found = _filtered(list(self.experiments.values()), query)
        return {"experiments": found, "total_size": len(found)} if found else {}

    def _create_experiment(self, query: dict[str, str], body: Json) -> Json:
        self._check_namespace(body.get("namespace"))
        if any(entry["display_name"] == body["display_name"] for entry in self.experiments.values()):
            raise Refusal(409, 6, f"Already exist error: the name {body['display_name']} already exist.")
        made = {"experiment_id": str(uuid.uuid4()), **body}
        self.experiments[made["experiment_id"]] = made
        return made

    def _pipeline_by_name(self, query: dict[str, str], body: Any, name: str) -> Json:
        self._check_namespace(query.get("namespace"))
        for pipeline in self.pipelines.values():
            if pipeline["name"] == name:
                return {key: value for key, value in pipeline.items() if key not in ("versions", "package")}
        raise Refusal(404, 5, f"Failed to get pipeline by name: {name} not found")

    def _list_versions(self, query: dict[str, str], body: Any, pipeline_id: str) -> Json:
        return {"pipeline_versions": self.pipelines[pipeline_id]["versions"]}

    def _upload(self, query: dict[str, str], body: bytes) -> Json:
        self._check_namespace(query.get("namespace"))
        if any(pipeline["name"] == query["name"] for pipeline in self.pipelines.values()):
            raise Refusal(500, 13, f"Failed to create a new pipeline. The name {query['name']} already exist.")
        identity = str(uuid.uuid4())
        self.pipelines[identity] = {
            "pipeline_id": identity,
            "name": query["name"],
            "package": body,
            "versions": [{"pipeline_id": identity, "pipeline_version_id": str(uuid.uuid4())}],
        }
        return {"pipeline_id": identity, "name": query["name"]}

    def _list_runs(self, query: dict[str, str], body: Any) -> Json:
        runs = [run for run in self.runs.values() if run["experiment_id"] == query.get("experiment_id")]
        newest = sorted(_filtered(runs, query), key=lambda run: run["created_at"], reverse=True)
        return {"runs": newest} if newest else {}

    def _create_run(self, query: dict[str, str], body: Json) -> Json:
        if body["experiment_id"] not in self.experiments:
            raise Refusal(404, 5, "experiment not found")
        reference = body["pipeline_version_reference"]
        versions = self.pipelines[reference["pipeline_id"]]["versions"]
        if reference["pipeline_version_id"] not in [version["pipeline_version_id"] for version in versions]:
            raise Refusal(404, 5, "pipeline version not found")
        run = self._add_run({**body, "state": "PENDING"})
        threading.Thread(target=self.started, args=(run,), daemon=True).start()
        return run

    def _add_run(self, values: Json) -> Json:
        run = {"run_id": str(uuid.uuid4()), "created_at": time.time_ns(), **values}
        self.runs[run["run_id"]] = run
        return run

    def _known_run(self, run_id: str) -> Json:
        if run_id not in self.runs:
            raise Refusal(404, 5, f"Run {run_id} not found")
        return self.runs[run_id]

    def _terminate(self, query: dict[str, str], body: Any, run_id: str) -> Json:
        run = self._known_run(run_id)
        if run["state"] in _FINISHED:
            raise Refusal(400, 9, "Failed to terminate a run that is finished")
        run["state"] = "CANCELED"
        return {}


def _filtered(entries: list[Json], query: dict[str, str]) -> list[Json]:
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", ()):
        assert predicate["operation"] in (1, "EQUALS")
        entries = [entry for entry in entries if entry.get(predicate["key"]) == predicate["stringValue"]]
    return entries


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: PipelinesServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner = self.server.owner
        url = urlsplit(self.path)
        request = f"{self.command} {url.path.removeprefix(_API)}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        owner.requests.append(request)
        fault = owner.take_fault(request)
        if fault is not None:
            time.sleep(fault.seconds)
        if fault is None or fault.too_late:
            status, answer = self._answer(url, body)
        if fault is not None and fault.status == 0:
            self.close_connection = True
            return
        if fault is not None and fault.status != 200:
            status, answer = fault.status, {"code": 13, "message": "as the test wants it"}
        elif fault is not None:
            status, answer = self._answer(url, body)
        text = json.dumps(answer).encode()
        # The driver may have given up waiting.
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def _answer(self, url: Any, body: bytes) -> tuple[int, Json]:
        owner = self.server.owner
        if owner.token is not None and self.headers.get("Authorization") != f"Bearer {owner.token}":
            return 401, {"code": 16, "message": "Request header error: token has expired"}
        if "kubeflow-userid" in self.headers:
            return 403, {"code": 7, "message": "the identity header is for the gateway to set"}
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            value = json.loads(body) if self.headers.get("Content-Type") == "application/json" else body
            return 200, owner.answer(self.command, url.path, query, value)
        except Refusal as refusal:
            status, code, message = refusal.args
            return status, {"code": code, "message": message}
