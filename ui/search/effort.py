"""Choose how thorough a search is: three cards with their projected time and cost, beside any number of trials."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from gwas_core.messages import counted, duration_range
from gwas_core.tuning.experiment import Experiment
from ui.search.lines import PreparedLines
from ui.search.outlook import look_ahead, price_per_hour


@dataclass(frozen=True)
class Effort:
    """How much a search tries.

    Attributes:
        title: of the card.
        trials: networks to train and compare.
        help: when to choose it.
    """

    title: str
    trials: int
    help: str


EFFORTS = (
    Effort("Quick", 12, "A first look: is there anything that a network can learn here?"),
    Effort("Standard", 35, "What the proposed search space is made for."),
    Effort("Thorough", 100, "For a trait that matters, or where the last trials of a search still improved."),
)


def show_efforts(lines: PreparedLines, plan: Experiment, form: str) -> None:
    """Show the cards; pressing one sets the number of trials.

    Args:
        lines: dataset as it will be after the filters, and its division.
        plan: the search as it would be launched now.
        form: part of the keys of the fields.
    """
    price = price_per_hour(form, plan.engine)
    for column, effort in zip(st.columns(len(EFFORTS)), EFFORTS, strict=True):
        is_chosen = plan.max_trials == effort.trials
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{effort.title}** · {counted(effort.trials, 'trial')}")
            st.markdown(_time_and_cost(lines, replace(plan, max_trials=effort.trials), price))
            st.caption(effort.help)
            st.button(
                "Chosen" if is_chosen else f"Choose {effort.title.lower()}",
                key=f"search-effort-{effort.trials}-{form}",
                icon=":material/check:" if is_chosen else None,
                disabled=is_chosen,
                on_click=_choose,
                args=(form, effort.trials),
            )


def _time_and_cost(lines: PreparedLines, plan: Experiment, price: float) -> str:
    outlook = look_ahead(lines, plan)
    projection = outlook.projection
    if projection is None:
        return "Time not known yet: measure it below."
    text = duration_range(projection.low, projection.high)
    if price and not outlook.is_about_this_machine:
        least, most = (f"{cost:,.2f}" for cost in projection.cost(price))
        text += f", cost {least if least == most else f'{least} to {most}'}"
    return text


def _choose(form: str, trials: int) -> None:
    st.session_state[f"search-max_trials-{form}"] = trials
