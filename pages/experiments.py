"""Every experiment of the store, live."""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.tuning.local import LocalEngine
from gwas_core.workspace import Workspace
from ui.experiments import show_experiments


@st.fragment(run_every=3)
def experiments() -> None:
    """The table, read anew every few seconds."""
    try:
        summaries = LocalEngine(Workspace.from_environment()).experiments()
    except GwasError as error:
        st.error(str(error), icon=":material/error:")
        return
    if summaries:
        show_experiments(summaries)
    else:
        st.info(
            "There are no experiments yet. In a terminal, `./run demo` starts one on simulated data, and "
            "`./run tune FILE` one on your own genotypes; it appears here as soon as it runs.",
            icon=":material/info:",
        )


st.title("Experiments")
experiments()
