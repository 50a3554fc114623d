"""Add genotypes, or show what was read for a study, how good it is, and which population it is.

Also here: which dataset's report is shown.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.studies.listing import Study
from ui import url
from ui.data.datasets import show_datasets
from ui.data.population import show_population
from ui.data.quality import show_quality
from ui.data.reading import show_source
from ui.data.sources import choose_source
from ui.refusals import Refusals
from ui.router import through_app
from ui.store import dataset_library, show_error
from ui.studies.current import STUDY, all_studies, current_study
from ui.studies.frame import DATA, show_frame

through_app()


def study_data(study: Study) -> None:
    """Show what was read for a study.

    Args:
        study: of the URL.
    """
    if study.entry is None:
        st.info(
            "The data of this study are no longer here as they were read. Its searches keep their own prepared copy.",
            icon=":material/info:",
        )
    else:
        show_quality(study.entry)
        show_population(study.entry)


if url.read(STUDY) or url.read("experiment"):
    try:
        study = current_study(all_studies())
        show_frame(study, DATA)
        if study is None:
            st.error("There is no such study here: it was deleted, or the link is wrong.", icon=":material/error:")
        else:
            study_data(study)
    except GwasError as error:
        show_error(error)
    st.stop()

st.title("Data")
entries = dataset_library().entries()
st.markdown(
    "Press **Train** beside a dataset to find the network that predicts its trait best, or add another one here."
    if entries
    else "Load the demo data to try everything in minutes, or bring your own genotypes; then press **Train**."
)
st.subheader("Add a dataset")
refusals = Refusals()
try:
    source = choose_source(refusals, is_first=not entries)
    if source is not None:
        show_source(source, refusals)
except (GwasError, OSError) as error:
    show_error(error if isinstance(error, GwasError) else GwasError(f"the workspace cannot be written: {error}"))

st.subheader("Datasets")
entries = dataset_library().entries()
if entries:
    # The dataset in the URL, or else the one added last.
    wanted = st.query_params.get("dataset", "")
    chosen = next((entry for entry in entries if entry.hash == wanted), entries[0])
    show_datasets(entries, chosen.hash)
    show_quality(chosen)
    show_population(chosen)
else:
    st.info("There are no datasets yet. Load the demo data or your own genotypes above.", icon=":material/info:")
