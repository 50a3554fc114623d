from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS, main, write_section


def test_a_section_is_rewritten_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    write_section(path, "first")
    path.write_text("before\n" + path.read_text(encoding="utf-8") + "after\n", encoding="utf-8")
    write_section(path, "second")
    text = path.read_text(encoding="utf-8")
    assert "second" in text
    assert "first" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_an_unknown_part_is_refused_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmark", "--only", "epoch,coffee"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "unknown: coffee" in said
    assert all(name in said for name in PARTS)


def test_a_file_of_another_layout_is_refused_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, out = tmp_path / "table.txt", tmp_path / "out.md"
    table.write_text("strain\theight\tfolds\na\t1\t1\n")
    for file, reason in ((table, "no column norm_phe"), (tmp_path / "nothing", "cannot be read as a table")):
        monkeypatch.setattr("sys.argv", ["benchmark", "--file", str(file), "--out", str(out)])
        with pytest.raises(SystemExit):
            main()
        assert reason in capsys.readouterr().err
    assert not out.exists()
