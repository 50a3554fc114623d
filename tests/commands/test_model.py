from __future__ import annotations

import gzip
import html
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwas_core.spreadsheets import read_csv
from tests.commands.conftest import Searched


@pytest.fixture(scope="module")
def new_lines(searched: Searched, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve lines without a phenotype, SNPs in another order, some missing."""
    table = pd.read_csv(searched.file, sep="\t").head(12)
    snps = table.columns[4:]
    shuffled = np.random.default_rng(1).permutation(snps)[5:]
    path = tmp_path_factory.mktemp("new") / "new_lines.txt"
    frame = table[["strain", *shuffled]].astype(dict.fromkeys(shuffled, "object"))
    frame.iloc[3, 4] = "NA"
    frame.to_csv(path, sep="\t", index=False)
    return path


def test_predictions_match_by_name_and_say_what_was_missing(searched: Searched, new_lines: Path) -> None:
    bundle = searched.answer.json["bundle"]
    out = new_lines.with_name("p.csv")
    answer = searched.run("predict", bundle, new_lines, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["lines"], answer.json["matched_snps"], answer.json["missing_snps"]) == (12, 145, 5)
    assert "5 SNPs are missing from the file and were imputed" in answer.err
    predicted = pd.read_csv(out)
    assert predicted["line"].tolist() == pd.read_csv(new_lines, sep="\t")["strain"].tolist()
    assert predicted["imputed_fraction"][3] == pytest.approx(6 / 150, rel=1e-4)
    assert predicted["predicted"].std() > 0
    on_stdout = searched.run("predict", bundle, new_lines).out
    assert on_stdout.splitlines()[0] == "line,predicted,imputed_fraction"


def test_names_of_lines_are_no_formulas_in_the_predictions(searched: Searched, new_lines: Path, tmp_path: Path) -> None:
    table = pd.read_csv(new_lines, sep="\t", dtype=str)
    names = ["=1+1", "+x", "-x", "@x", "-1.5", "'=2", *table["strain"][6:]]
    table["strain"] = names
    file, out = tmp_path / "formulas.txt", tmp_path / "p.csv"
    table.to_csv(file, sep="\t", index=False)
    answer = searched.run("predict", searched.answer.json["bundle"], file, "--out", out)
    assert answer.code == 0, answer.err
    cells = [row.split(",")[0] for row in out.read_text().splitlines()[1:]]
    # The apostrophe in the file is the mark of a formula already.
    assert cells[:6] == ["'=1+1", "'+x", "'-x", "'@x", "-1.5", "'=2"]
    assert read_csv(out, dtype={"line": str})["line"].tolist()[:5] == names[:5]
    assert all(float(row.split(",")[1]) for row in out.read_text().splitlines()[1:])


def test_the_reload_snippet_predicts_the_same_without_this_package(
    searched: Searched, new_lines: Path, tmp_path: Path
) -> None:
    bundle = searched.answer.json["bundle"]
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    snippet = (tmp_path / "reload.py").read_text()
    code = [line for line in snippet.splitlines() if line and not line.startswith("#")]
    assert len(code) == 14
    assert "gwas_core" not in snippet
    (tmp_path / "new_lines.txt").write_bytes(new_lines.read_bytes())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "reload.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    ours = pd.read_csv(new_lines.with_name("q.csv")) if searched.run(
        "predict", bundle, new_lines, "--out", new_lines.with_name("q.csv")
    ).code == 0 else None  # fmt: skip
    assert ours is not None
    told = pd.read_csv(io.StringIO(done.stdout), sep="\t")
    assert told["line"].tolist() == ours["line"].tolist()
    np.testing.assert_allclose(told["predicted"], ours["predicted"], rtol=1e-4, atol=1e-5)


def test_too_few_snps_are_refused(searched: Searched, tmp_path: Path) -> None:
    table = pd.read_csv(searched.file, sep="\t").head(5).iloc[:, 2:40]
    table.to_csv(tmp_path / "few.txt", sep="\t", index=False)
    out = tmp_path / "p.csv"
    refused = searched.run("predict", searched.answer.json["bundle"], tmp_path / "few.txt", "--out", out)
    assert refused.code == 1
    assert refused.err.startswith("error: only 36 of the model's 150 SNPs are in the file")
    assert not out.exists()


def test_what_is_no_bundle_is_refused(searched: Searched, new_lines: Path, tmp_path: Path) -> None:
    for content in (b"", gzip.compress(b"x")):
        (tmp_path / "best.zip").write_bytes(content)
        refused = searched.here("predict", tmp_path / "best.zip", new_lines)
        assert (refused.code, refused.out) == (1, "")
        assert "is not a model bundle" in refused.err
    assert "there is no bundle" in searched.here("predict", tmp_path / "none.zip", new_lines).err
    os.mkfifo(tmp_path / "pipe.zip")
    refused = searched.here("predict", tmp_path / "pipe.zip", new_lines)
    assert (refused.code, refused.out) == (1, "")
    assert "'pipe.zip' is a pipe, and only ordinary files are read" in refused.err


def test_a_bundle_goes_where_it_is_wanted(searched: Searched, tmp_path: Path) -> None:
    answer = searched.here("bundle", "searched", "--out", tmp_path / "mine.zip", "--json")
    assert answer.json["bytes"] == (tmp_path / "mine.zip").stat().st_size


def test_a_report_is_one_page_that_fetches_nothing(searched: Searched, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    answer = searched.here("report", "searched", "--out", out, "--json")
    assert answer.code == 0, answer.err
    page = out.read_text(encoding="utf-8")
    assert answer.json == {"report": str(out), "bytes": len(page.encode())}
    assert searched.answer.json["verdict"] in html.unescape(page)
    assert "judged by nobody" in page
    # The name of the file ends like a tag.
    assert "<td>b&gt;.txt.gz</td>" in page
    assert "<script" not in page
    refused = searched.here("report", "none", "--out", tmp_path / "none.html")
    assert (refused.code, refused.out) == (1, "")
