"""Show which SNPs are associated with the trait of a study: a test of each SNP by itself.

Also here: on which lines; without a search, on all of them.
"""

from __future__ import annotations

import streamlit as st

from gwas_core.errors import GwasError
from gwas_core.studies.listing import Study
from ui import url
from ui.association import (
    TestedLines,
    all_lines,
    associations_of,
    show_chosen_snp,
    show_limits,
    show_plots,
    show_settings,
    show_table,
    training_lines,
)
from ui.chooser import choose_experiment
from ui.router import through_app
from ui.store import engines, show_error
from ui.studies.current import all_studies, current_study
from ui.studies.frame import LOCI, show_frame

through_app()

_ALL = "All lines"


def lines_of(study: Study | None) -> tuple[TestedLines, str] | None:
    """Show whose lines can be tested, and return the chosen ones with a name for files; None if there are none."""
    engine = engines()
    if study is None:
        name = choose_experiment(engine.experiments(), key="association")
        return None if name is None else (training_lines(engine.workspace, engine.sync(name)), name)
    searches = {f"Training lines of {entry.name}": entry.name for entry in study.experiments}
    choices = [*([_ALL] if study.entry is not None else []), *searches]
    wanted = next((choice for choice, name in searches.items() if name == url.read("experiment")), choices[0])
    chosen: str = wanted
    if len(choices) > 1:
        chosen = st.selectbox(
            "Lines",
            choices,
            index=choices.index(wanted),
            key=f"loci-lines-{study.key}",
            width=420,
            help="To look for loci, all lines. The training lines of a search are those that its network has seen.",
        )
    if study.entry is not None and chosen == _ALL:
        return all_lines(engine.workspace, study.entry.hash), study.trait
    name = searches[chosen]
    return training_lines(engine.workspace, engine.sync(name)), name


try:
    study = current_study(all_studies())
    show_frame(study, LOCI)
    found = lines_of(study)
    if found is not None:
        tested, name = found
        settings = show_settings(tested)
        associations = associations_of(tested, family_effects=settings.family_effects)
        show_limits(associations, settings, tested)
        show_plots(associations, settings)
        show_chosen_snp(tested, associations)
        show_table(associations, settings, tested, name=name)
except GwasError as error:
    show_error(error)
