"""Files written atomically: whole for every reader, and whole after a power cut."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gwas_core.errors import DiskError
from gwas_core.files import atomic_path, disk_errors, has_room, write_json, write_text

REPOSITORY = Path(__file__).resolve().parents[1]
CALLS = (
    "openat,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,close,chmod,fchmodat"
)


@dataclass
class Disk:
    """Stand-in for a disk that loses power: it keeps of a folder's files only what a file system must keep.

    The content of a file is kept as it was at its last ``fsync``; anything may have happened to what was written since.
    A name is kept as it was at the folder's last ``fsync``; a later one may be kept or lost.
    """

    synced: dict[int, bytes] = field(default_factory=dict)
    written: dict[int, bytes] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    kept_names: dict[str, int] = field(default_factory=dict)

    def after_a_cut(self, name: str) -> list[bytes | None]:
        """What the file of this name may hold once the power is back; None if it may be gone."""
        found: list[bytes | None] = []
        for names in (self.kept_names, self.names):
            number = names.get(name)
            if number is None:
                found.append(None)
            else:
                # Not synced, it may be empty, half, or whole.
                content, safe = self.written.get(number, b""), self.synced.get(number)
                found += [content] if safe == content else [b"", content[: len(content) // 2], content]
        return found


def replay(trace: str, folder: Path, before: dict[str, bytes]) -> list[Disk]:
    """The states of the disk after each system call that a process made on a folder, from ``strace -y`` of it."""
    disk, numbers = Disk(), iter(range(1, 1_000_000))
    for name, content in before.items():
        number = next(numbers)
        disk.synced[number] = disk.written[number] = content
        disk.names[name] = disk.kept_names[name] = number
    states = [disk]
    for line in trace.splitlines():
        call = re.match(r"(?:\d+\s+)?(\w+)\((.*)\)\s+= (-?\d+)", line)
        if call is None or call[3].startswith("-") or str(folder) not in line:
            continue
        disk = Disk(dict(disk.synced), dict(disk.written), dict(disk.names), dict(disk.kept_names))
        paths = [Path(path) for path in re.findall(r'[<"](/[^">]*)[">]', call[2])]
        inside = [path.name for path in paths if path.parent == folder]
        match call[1]:
            case "openat" | "creat" if "O_CREAT" in call[2] and inside and inside[-1] not in disk.names:
                disk.names[inside[-1]] = next(numbers)
            case "write" | "pwrite64" | "writev" if inside:
                number = disk.names[inside[0]]
                disk.written[number] = disk.written.get(number, b"") + b"." * int(call[3])
            case "fsync" | "fdatasync" if inside:
                number = disk.names[inside[0]]
                disk.synced[number] = disk.written.get(number, b"")
            case "fsync" if folder in paths:
                disk.kept_names = dict(disk.names)
            case "rename" | "renameat" | "renameat2" if len(inside) == 2:
                disk.names[inside[1]] = disk.names.pop(inside[0])
        states.append(disk)
    return states


PROGRAM = """
import sys
from pathlib import Path
from gwas_core.files import atomic_path
with atomic_path(Path(sys.argv[1])) as path:
    {write}
"""
WRITES = {
    "text": "path.write_text('y' * 5000)",
    "in parts": "[path.open('ab').write(b'y' * 1250) for _ in range(4)]",
}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_power_cut_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path, write: str) -> None:
    """Every system call of the writing process is a moment at which the power may go."""
    old, new = b"." * 300, b"." * 5000
    (tmp_path / "file").write_bytes(old)
    trace = tmp_path.parent / f"{tmp_path.name}.trace"
    command = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", str(trace), sys.executable, "-c"]
    ran = subprocess.run(
        [*command, PROGRAM.format(write=write), str(tmp_path / "file")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in ran.stderr and ran.returncode:
        pytest.skip("this system does not let processes be traced")
    assert ran.returncode == 0, ran.stderr
    states = replay(trace.read_text(), tmp_path, {"file": old})
    assert len(states) > 5
    for number, disk in enumerate(states):
        for content in disk.after_a_cut("file"):
            assert content in (old, new), (number, content, trace.read_text())
    # Once it is done, it is the new one.
    assert set(states[-1].after_a_cut("file")) == {new}


def test_the_stand_in_finds_what_is_not_synced(tmp_path: Path) -> None:
    """The same replay on a process that only renames: the test above could fail."""
    trace = f"""
1 openat(AT_FDCWD</x>, "{tmp_path}/.file.tmp", O_RDWR|O_CREAT|O_EXCL, 0600) = 3<{tmp_path}/.file.tmp>
1 write(3<{tmp_path}/.file.tmp>, ""..., 5000) = 5000
1 rename("{tmp_path}/.file.tmp", "{tmp_path}/file") = 0
"""
    last = replay(trace, tmp_path, {"file": b"." * 300})[-1]
    assert set(last.after_a_cut("file")) == {b"." * 300, b"", b"." * 2500, b"." * 5000}


def test_a_failed_write_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "old")
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "file") as path:
        path.write_text(f"new {1 / 0}")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "file", float("nan"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_others_may_read_it(tmp_path: Path) -> None:
    write_text(tmp_path / "folder" / "file", "text")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "folder" / "file").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: /data/x cannot be written"),
        (errno.EDQUOT, "the disk is full: /data/x cannot be written"),
        (errno.EROFS, "/data/x cannot be used: read-only file system"),
        (errno.EIO, "/data/x cannot be used: input/output error"),
        (errno.EACCES, "/data/x cannot be used: permission denied"),
    ],
)
def test_errors_of_the_disk_are_sentences(number: int, words: str) -> None:
    with pytest.raises(DiskError) as error, disk_errors(Path("/data/x")):
        raise OSError(number, os.strerror(number))
    assert str(error.value).startswith(words)
    assert error.value.errno == number


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path):
        (tmp_path / "nothing").read_text()
    assert has_room(tmp_path)
    assert has_room(tmp_path / "nothing")


def test_a_real_full_device() -> None:
    """``/dev/full`` refuses every byte; the text layer writes the last ones when it is closed."""
    with (
        pytest.raises(DiskError, match="disk is full"),
        disk_errors(Path("/dev/full")),
        Path("/dev/full").open("w") as file,
    ):
        file.write("no room")
