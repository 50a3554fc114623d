"""Find the study that a page shows: that of the URL, named by its key, by one of its searches or by its dataset."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from gwas_core.studies.listing import Study, list_studies, study_key, study_of
from gwas_core.tuning.records import ExperimentSummary
from ui import url
from ui.store import dataset_library, engines

STUDY, _EXPERIMENT, _DATASET = "study", "experiment", "dataset"


def all_studies(experiments: Sequence[ExperimentSummary] | None = None) -> tuple[Study, ...]:
    """Return the studies of the workspace, the one that changed last first.

    Args:
        experiments: all of them, where they have just been read.

    Raises:
        GwasError: the store cannot be used.
    """
    engine = engines()
    listed = engine.experiments() if experiments is None else experiments
    return list_studies(engine.workspace, dataset_library().entries(), listed)


def current_study(studies: tuple[Study, ...]) -> Study | None:
    """Return the study that the URL names; None if it names none that is here.

    Args:
        studies: all of them.
    """
    key = url.read(STUDY) or study_key(st.query_params.get(_DATASET, ""))
    if key:
        return next((study for study in studies if study.key == key), None)
    return study_of(studies, url.read(_EXPERIMENT)) if url.read(_EXPERIMENT) else None
