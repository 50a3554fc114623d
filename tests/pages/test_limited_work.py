"""Work in processes with limits: who waits, and refusals that are kept."""

from __future__ import annotations

import traceback

import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.workspace import Workspace
from tests.pages.conftest import OpenPage
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


def test_a_report_that_is_there_waits_for_nobody(open_page: OpenPage, workspace: Workspace, dataset: Dataset) -> None:
    library = DatasetLibrary(workspace)
    content_hash = library.add(dataset, source="my table.txt")
    library.quality(content_hash)
    with TURNS, TURNS:
        assert "Lines" in [metric.label for metric in open_page("pages/data.py", dataset=content_hash).metric]
