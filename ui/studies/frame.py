"""Draw what every tab of a study has at its top: the way home, the study's title and state, and links to its tabs.

Also here: the tabs, in the order of thinking; which one a study opens with.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from gwas_core.studies.listing import Study, StudyState
from ui.studies.current import STUDY
from ui.studies.states import study_badge
from ui.text import markdown_text

HOME_PAGE = "pages/studies.py"


@dataclass(frozen=True)
class Tab:
    """Page of a study.

    Attributes:
        title: name of the tab.
        page: script of the page.
        icon: Streamlit's sign for the icon.
        help: what the tab answers.
    """

    title: str
    page: str
    icon: str
    help: str


DATA = Tab("Data", "pages/data.py", ":material/table_chart:", "What was read, and is it good?")
LOCI = Tab("Loci", "pages/loci.py", ":material/scatter_plot:", "Which SNPs go with the trait?")
TRAIN = Tab("Train", "pages/train.py", ":material/tune:", "Search for the network that predicts the trait best")
ANSWER = Tab("Answer", "pages/answer.py", ":material/verified:", "Is the network better than simple methods?")
PREDICT = Tab("Predict", "pages/predict.py", ":material/online_prediction:", "Predict the trait of new lines")

# One link from Train: how a search works, trial by trial.
MACHINE_ROOM = Tab("Machine room", "pages/machine_room.py", ":material/monitoring:", "One search, trial by trial")

TABS = (DATA, LOCI, TRAIN, ANSWER, PREDICT)


def first_tab(study: Study) -> Tab:
    """Return the tab that a study opens with: the answer once there is one, else what comes next."""
    if study.answering is not None:
        return ANSWER
    return TRAIN if study.state is not StudyState.NO_SEARCH else DATA


def show_frame(study: Study | None, tab: Tab) -> None:
    """Show the top of a tab, ending with the tab's own title.

    Args:
        study: that the tab shows; None for a page that shows none yet.
        tab: that is shown.
    """
    if study is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(HOME_PAGE, label="Studies", icon=":material/arrow_back:")
            st.markdown(f"**{markdown_text(study.title)}**", width="content")
            study_badge(study)
        with st.container(horizontal=True, key="study-tabs"):
            for each in TABS:
                st.page_link(
                    each.page,
                    label=f"**{each.title}**" if each is tab else each.title,
                    icon=each.icon,
                    query_params={STUDY: study.key},
                    help=each.help,
                )
    st.title(tab.title)
