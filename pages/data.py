"""Add genotypes, check their quality, see which population they are, and keep them for searches.

Also here: which dataset's report is shown.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from ui.data.datasets import show_datasets
from ui.data.population import show_population
from ui.data.quality import show_quality
from ui.data.reading import show_source
from ui.data.sources import choose_source
from ui.refusals import Refusals
from ui.router import through_app
from ui.store import dataset_library, show_error

through_app()

st.title("Data")
entries = dataset_library().entries()
st.markdown(
    "Press **Search** beside a dataset to find the network that predicts its trait best, or add another one here."
    if entries
    else "Load the demo data to try everything in minutes, or bring your own genotypes; then press **Search**."
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
