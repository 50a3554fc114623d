"""Files of a claim that is not mounted here, through the real client and a pod; faults included."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwas_core.kubeflow import transfer_pod
from gwas_core.kubeflow.cluster import connect
from gwas_core.kubeflow.kubernetes_api import ClusterError, NotAllowed, Unreachable
from gwas_core.kubeflow.settings import ClusterSettings
from gwas_core.kubeflow.transfer_pod import TransferPod
from tests.kubeflow.katib_server import NAMESPACE, Fault, KatibServer
from tests.waiting import wait_until

DATASET = "_datasets/0123456789abcdef"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A workspace with a dataset that takes many messages."""
    folder = tmp_path / "laptop" / DATASET
    folder.mkdir(parents=True)
    (folder / "genotypes.npz").write_bytes(bytes(range(256)) * 2000)
    (folder / "description.json").write_text("{}", encoding="utf-8")
    return tmp_path / "laptop"


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    (tmp_path / "claim").mkdir()
    return tmp_path / "claim"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def files(server: KatibServer, here: Path, claim: Path, told: list[str]) -> TransferPod:
    settings = ClusterSettings(namespace=NAMESPACE, mount_path=str(claim))
    return TransferPod(connect(settings), settings, root=here, purpose="height", tell=told.append)


def is_exec(method: str, path: str) -> bool:
    return path.endswith("/exec")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dataset_is_copied_once(
    server: KatibServer, files: TransferPod, here: Path, claim: Path, told: list[str]
) -> None:
    files.send([DATASET])
    assert content(claim) == content(here)
    assert told == ["copying 2 files (0.5 MB) to claim gwas-workspace"]
    pod = server.objects.get("pods", "gwas-files-height")
    assert pod is not None
    (volume,) = pod["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "gwas-workspace"}
    files.send([DATASET])
    assert len(told) == 1, "it is there already"
    (claim / DATASET / "description.json").write_text("[]", encoding="utf-8")  # damaged
    files.send([DATASET])
    assert told[1:] == ["copying 1 file (0.0 MB) to claim gwas-workspace"]
    assert content(claim) == content(here)
    files.close()
    files.close()
    assert server.objects.get("pods", "gwas-files-height") is None or pod["metadata"]["deletionTimestamp"]


def test_what_trials_write_comes_back(files: TransferPod, here: Path, claim: Path) -> None:
    trial = claim / "height" / "height-x"
    trial.mkdir(parents=True)
    (trial / "metrics.jsonl").write_text("one\n", encoding="utf-8")
    (trial / "model.keras").write_bytes(b"m" * (transfer_pod.SMALL_FILE + 1))
    files.wait()
    files.fetch(["height/height-x"])
    back = here / "height" / "height-x"
    assert [path.name for path in back.iterdir()] == ["metrics.jsonl"]
    assert (back / "metrics.jsonl").read_text(encoding="utf-8") == "one\n"
    (trial / "metrics.jsonl").write_text("one\ntwo\n", encoding="utf-8")
    files.fetch(["height/height-x"], most_bytes=None)
    assert content(back) == content(trial)
    files.remove(["height/height-x"])
    assert not trial.exists()


def test_a_pod_that_finds_no_place(server: KatibServer, files: TransferPod, monkeypatch: pytest.MonkeyPatch) -> None:
    server.katib.no_room = True
    monkeypatch.setattr(transfer_pod, "_START_SECONDS", 0.5)
    with pytest.raises(Unreachable, match=r"has not started .* finds no place on the cluster \(0/1 nodes"):
        files.send([DATASET])
    server.katib.no_room = False
    files.send([DATASET])


def test_a_pod_whose_time_is_over_is_made_anew(server: KatibServer, files: TransferPod) -> None:
    files.wait()
    with server.objects.lock:
        pod = server.objects.get("pods", "gwas-files-height")
        assert pod is not None
        before = pod["metadata"]["uid"]
        pod["status"] = {"phase": "Failed", "reason": "DeadlineExceeded"}
    files.send([DATASET])
    pod = server.objects.get("pods", "gwas-files-height")
    assert pod is not None
    assert pod["metadata"]["uid"] != before


@pytest.mark.parametrize("verb", ["get", "create"])
def test_commands_that_are_not_allowed(server: KatibServer, files: TransferPod, verb: str) -> None:
    server.denied.add((verb, "pods/exec"))
    with pytest.raises(NotAllowed, match=f"cannot {verb} resource .pods/exec."):
        files.send([DATASET])
    server.denied = {("create", "pods")}
    files.close()
    wait_until(lambda: server.objects.get("pods", files.name) is None)
    with pytest.raises(NotAllowed, match="pods is forbidden"):
        files.send([DATASET])


@pytest.mark.parametrize("cut", [0, 300_000])
def test_a_stream_that_breaks_off(server: KatibServer, files: TransferPod, here: Path, claim: Path, cut: int) -> None:
    questions = iter(range(10))
    # The second question is the archive.
    server.faults.append(Fault(cut=cut, match=lambda method, path: is_exec(method, path) and next(questions) == 1))
    with pytest.raises(Unreachable, match="broke"):
        files.send([DATASET])
    assert content(claim) == {}
    files.send([DATASET])
    assert content(claim) == content(here)


@pytest.mark.parametrize(
    ("after", "sentence"), [(False, "what arrived is not what was sent"), (True, "did not arrive as it was sent")]
)
def test_what_is_changed_on_the_way_is_noticed(
    server: KatibServer, files: TransferPod, claim: Path, after: bool, sentence: str
) -> None:
    server.faults.append(Fault(garble=True, after=after, match=is_exec))
    with pytest.raises(ClusterError, match=sentence):
        files.send([DATASET])
    assert content(claim) == {}


def test_the_pod_is_gone_or_cannot_do_it(
    server: KatibServer, files: TransferPod, claim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unreachable, match="went away"):
        files.fetch(["height/height-x"])
    claim.rmdir()
    claim.write_text("no folder", encoding="utf-8")
    with pytest.raises(ClusterError, match=r"failed \(1\): .*Not a directory"):
        files.send([DATASET])
    with server.outage(), pytest.raises(Unreachable):
        files.send([DATASET])
    files.wait()
    monkeypatch.setattr(transfer_pod, "_EXCHANGE_SECONDS", 0.3)
    server.faults.append(Fault(delay=1.0, match=is_exec))
    with pytest.raises(Unreachable, match="has not answered in 0 seconds"):
        files.fetch(["height/height-x"])


def test_exchanged_credentials_are_read_anew(server: KatibServer, files: TransferPod) -> None:
    files.wait()
    server.token = "second-token"
    server.write_kubeconfig()
    files.fetch(["height/height-x"])
    server.token = "one-that-nobody-told-us"
    with pytest.raises(NotAllowed, match="does not accept our credentials"):
        files.fetch(["height/height-x"])


def test_the_connection_breaks_before_it_is_one(server: KatibServer, files: TransferPod) -> None:
    files.wait()
    server.faults.append(Fault(drop=True, match=is_exec))
    with pytest.raises(Unreachable, match="cannot be reached"):
        files.fetch(["height/height-x"])
