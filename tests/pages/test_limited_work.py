"""Work in processes with limits: who waits, and refusals that are kept."""

from __future__ import annotations

import threading
import traceback

import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.genotypes.limited_reading import limited_quality
from gwas_core.workspace import Workspace
from tests.pages.conftest import OpenPage
from tests.waiting import LIMIT
from ui.limited_work import TURNS, raised, result_or_refusal


def refuse() -> None:
    raise InputError("as told")


def test_a_refusal_that_is_kept_does_not_grow() -> None:
    refusal = result_or_refusal(refuse)
    lengths = []
    for _ in range(3):
        with pytest.raises(InputError, match="as told") as error:
            raised(refusal)
        lengths.append(len(traceback.extract_tb(error.value.__traceback__)))
    assert lengths[0] == lengths[2]


def test_two_at_a_time(workspace: Workspace) -> None:
    done = threading.Event()
    with TURNS, TURNS:
        thread = threading.Thread(target=result_or_refusal, args=[done.set])
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(LIMIT)
    thread.join()


def test_a_report_is_made_in_a_process_with_limits(
    workspace: Workspace, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_hash = DatasetLibrary(workspace).add(dataset, source="my table.txt")
    monkeypatch.setenv("GWAS_READING_SECONDS", "0.001")
    with pytest.raises(InputError, match="takes more than"):
        limited_quality(workspace, content_hash)


def test_a_report_that_is_there_waits_for_nobody(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> None:
    library = DatasetLibrary(workspace)
    content_hash = library.add(dataset, source="my table.txt")
    library.quality(content_hash)
    with TURNS, TURNS:
        assert "Lines" in [metric.label for metric in open_page("pages/data.py", dataset=content_hash).metric]
