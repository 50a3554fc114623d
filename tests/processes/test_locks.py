from __future__ import annotations

from pathlib import Path

from gwas_core.processes.locks import FileLock, acquire_any


def free(folder: Path) -> list[str]:
    """Which of the places below could be taken at this moment."""
    names = []
    for name in ("a", "b"):
        with FileLock(folder / name) as lock:
            if lock.acquire():
                names.append(name)
    return names


def test_one_of_several_places_is_taken_and_given_up(tmp_path: Path) -> None:
    places = [FileLock(tmp_path / name) for name in ("a", "b")]
    assert free(tmp_path) == ["a", "b"]
    with acquire_any(places, seconds=0):
        assert free(tmp_path) == ["b"]
        with acquire_any([FileLock(tmp_path / name) for name in ("a", "b")], seconds=0):
            assert free(tmp_path) == []
            with acquire_any([FileLock(tmp_path / "a")], seconds=0.05):  # goes on without
                assert free(tmp_path) == []
        assert free(tmp_path) == ["b"]
    assert free(tmp_path) == ["a", "b"]
