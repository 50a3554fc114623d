"""Files: only ordinary ones are read, and nothing else is written over."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gwas_core.errors import FailureKind, GwasError, InputError
from gwas_core.evaluation.store import EvaluationStore
from gwas_core.files import atomic_path, open_regular_file, read_regular_file, read_whole_lines_at_end, write_text
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.splits import load_split
from gwas_core.kubeflow.driver import MetricsTail
from gwas_core.kubeflow.steps import PreparedData, read_failure_kind
from gwas_core.kubeflow.trial_files import read_history
from gwas_core.report.learning_curves import read_training_errors
from gwas_core.report.observed_predicted import read_predictions
from gwas_core.tuning.space import SearchSpace
from ui.trials import log_tail

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="these files are Linux's")


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """What looks like a file, by its kind; opening the pipe for reading would wait for ever."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    link = tmp_path / "link.yaml"
    link.symlink_to(pipe)
    place = Path.cwd()
    os.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.yaml")
        os.chdir(place)
        yield {
            "a pipe": pipe,
            "a pipe behind a link": link,
            "a socket": tmp_path / "socket.yaml",
            "a device": Path("/dev/zero"),
        }


KINDS = ["a pipe", "a pipe behind a link", "a socket", "a device"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_ordinary_files_are_opened(odd: dict[str, Path], kind: str) -> None:
    with pytest.raises(InputError, match=kind.removesuffix(" behind a link")) as refusal:
        open_regular_file(odd[kind])
    assert "only ordinary files are read" in str(refusal.value)


@LINUX
@pytest.mark.parametrize("path", ["/proc/version", "/proc/self/environ", "/sys/kernel/mm/transparent_hugepage/enabled"])
def test_files_of_the_system_are_not_read(path: str, tmp_path: Path) -> None:
    """As /proc/kmsg, which waits for the next message of the kernel, and which not every test may open."""
    if not Path(path).exists():
        pytest.skip("not on this system")
    link = tmp_path / "genotypes.txt"
    link.symlink_to(path)
    for place in (Path(path), link):
        with pytest.raises(InputError, match="is a file of the system, and only ordinary files are read"):
            open_regular_file(place)


def test_ordinary_files_are_read_through_links_too(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"text")
    link.symlink_to(file)
    assert read_regular_file(link, limit=4) == b"text"
    with pytest.raises(InputError, match="'link' is larger than 3 bytes, the limit"):
        read_regular_file(link, limit=3)
    with pytest.raises(IsADirectoryError):
        open_regular_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular_file(tmp_path / "other")


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"", b""),
        (b"one\ntwo", b"one\ntwo"),
        (b"the first line\ntwo\n", b"two\n"),
        (b"the first line\ntwo\nthr", b"two\nthr"),
        (b"only one long line", b"ong line"),
        (b"only one long line\n", b"ng line\n"),
    ],
)
def test_a_long_file_is_read_from_a_whole_line_on(content: bytes, end: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(content)
    assert read_whole_lines_at_end(tmp_path / "log", limit=8) == end


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="is no path of a file"):
        open_regular_file(Path(path))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", [read_table, SearchSpace.load], ids=["table", "space"])
def test_readers_of_files_that_people_name_refuse_them(
    odd: dict[str, Path], kind: str, read: Callable[[Path], object]
) -> None:
    path = odd[kind]
    if not path.suffix:  # a space has the name of one
        link = odd["a pipe"].with_name("zero.yaml")
        link.symlink_to(path)
        path = link
    with pytest.raises(InputError, match="only ordinary files are read"):
        read(path)


def _fifo(folder: Path, *names: str) -> Path:
    for name in names:
        os.mkfifo(folder / name)
    return folder


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (Dataset.load, ("dataset.json",)),
        (Preparation.load, ("imputation.npz", "preparation.json")),
        (load_split, ("split.json",)),
        (read_predictions, ("predictions.csv",)),
        (lambda folder: EvaluationStore(folder).result(), ("result.json", "plan.json")),
        (PreparedData.load, ("settings.json",)),
    ],
    ids=["dataset", "preparation", "split", "predictions", "evaluation", "prepared"],
)
def test_a_pipe_in_the_workspace_is_a_damaged_file(
    read: Callable[[Path], object], names: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(GwasError):
        read(_fifo(tmp_path, *names))


def test_a_pipe_in_a_trial_is_no_file(tmp_path: Path) -> None:
    folder = _fifo(tmp_path, "metrics.jsonl", "log.txt", "train.kind")
    assert read_training_errors(folder) == {}
    assert read_history(folder) == []
    assert log_tail(folder / "log.txt") is None
    assert MetricsTail(folder / "metrics.jsonl").read() == []
    assert read_failure_kind(folder / "train.log") is FailureKind.UNKNOWN


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_an_ordinary_file_is_written_over(odd: dict[str, Path], kind: str) -> None:
    mode = odd[kind].stat().st_mode
    with pytest.raises(InputError, match="is no place for a file"):
        write_text(odd[kind], "text")
    assert odd[kind].stat().st_mode == mode


@LINUX
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/new-file", "/proc/self/new-file", "/dev/fd/1"])
def test_no_file_is_made_among_devices(path: str) -> None:
    with pytest.raises(InputError, match="is no place for a file"):
        write_text(Path(path), "text")


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder: give the name of a file in it"), atomic_path(tmp_path):
        raise AssertionError("not reached")
