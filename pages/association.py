"""Show which SNPs are associated with the trait: a test of each SNP by itself, on the training lines."""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from ui.association import associations_of, show_chosen_snp, show_limits, show_plots, show_settings, show_table
from ui.chooser import choose_experiment
from ui.router import through_app
from ui.store import engines, show_error

through_app()

st.title("Association")
try:
    engine = engines()
    name = choose_experiment(engine.experiments(), key="association")
    if name is not None:
        record = engine.sync(name)
        settings = show_settings(engine.workspace, record)
        associations = associations_of(engine.workspace, record, family_effects=settings.family_effects)
        show_limits(associations, settings)
        show_plots(associations, settings)
        show_chosen_snp(engine.workspace, record, associations)
        show_table(associations, settings, name=record.name)
except GwasError as error:
    show_error(error)
