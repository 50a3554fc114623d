"""Choose between this machine and a cluster, check the cluster, and open experiments that were made on it.

Also here: where a new experiment runs; the table of checks.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from gwas_core.errors import SettingsError
from gwas_core.kubeflow.cluster import is_claim_here, is_configured
from gwas_core.kubeflow.preflight import Check, CheckStatus, preflight
from gwas_core.kubeflow.settings import ENVIRONMENT_PREFIX, ClusterSettings
from gwas_core.tuning.experiment import EngineName, Experiment
from gwas_core.workspace import Workspace
from ui.refusals import Refusals
from ui.store import engines, errors_shown
from ui.text import markdown_text

ENGINE_TITLES: dict[EngineName, str] = {"local": "This machine", "kubeflow": "Kubeflow cluster"}

_STATUSES = {CheckStatus.OK: "✓\u00a0ok", CheckStatus.FAILED: "✗\u00a0failed", CheckStatus.UNKNOWN: "?\u00a0unknown"}
_TRIAL_KINDS = {"pipeline": "each trial runs as a pipeline", "job": "each trial runs as a job"}
# Answers of the cluster, kept until somebody presses the button again.
_CHECKED, _FOUND = "cluster-checked", "cluster-found"


# Where a new experiment runs


def engine_choice(form: str, refusals: Refusals) -> EngineName | None:
    """Show where trials can run and return the choice, or None if the chosen cluster cannot be used.

    Args:
        form: part of the key of the field.
        refusals: gets the reason why the cluster cannot be used.
    """
    if not is_configured():
        return "local"
    chosen: EngineName = st.radio(
        "Run on",
        list(ENGINE_TITLES),
        format_func=ENGINE_TITLES.__getitem__,
        horizontal=True,
        key=f"search-engine-{form}",
        persist_state="session",
    )
    refusals.beside("engine")
    return chosen if chosen == "local" or _cluster_fits(refusals) else None


def cluster_note() -> None:
    """Show how to use a cluster, if none is configured."""
    if not is_configured():
        st.caption(
            "The search runs on this machine. To run on Kubeflow, open this dashboard in a Kubeflow notebook server, "
            "or set KUBECONFIG to the path of a kubeconfig file; docs/kubeflow.md shows how."
        )


def _cluster_fits(refusals: Refusals) -> bool:
    """Show the settings of the cluster and return whether they can be used."""
    try:
        settings = ClusterSettings.from_environment()
    except SettingsError as error:
        refusals.show_at("engine", error)
        return False
    _show_settings(settings)
    _show_readiness(settings)
    return True


def check_for_katib(experiment: Experiment) -> None:
    """Check an experiment by the rules of Katib.

    Raises:
        SettingsError: with the name of the field that Katib would refuse.
    """
    with st.spinner("Reading Katib's rules"):  # the first time only
        from gwas_core.kubeflow.katib import check_katib
    check_katib(experiment)


def _show_settings(settings: ClusterSettings) -> None:
    places = {
        "namespace": settings.namespace,
        "image": settings.image,
        "claim": f"{settings.claim} at {settings.mount_path}",
    }
    named = ", ".join(f"{name} **{markdown_text(value)}**" for name, value in places.items())
    st.caption(
        f"On the cluster: {named}; {_TRIAL_KINDS[settings.trial_kind]} with {markdown_text(settings.cpu)} CPU, "
        f"{markdown_text(settings.memory)} memory and {settings.gpu} GPU. "
        f"Environment variables {markdown_text(ENVIRONMENT_PREFIX)}… of the dashboard change this."
    )
    if not is_claim_here(Workspace.from_environment(), settings):
        st.caption(
            "The claim is not the volume of this dashboard's workspace. When you launch, a pod is made that copies the "
            "data to the claim, and the results back."
        )


def _show_readiness(settings: ClusterSettings) -> None:
    """Offer to check the cluster, and show the result."""
    with st.expander("Is the cluster ready?", icon=":material/fact_check:"):
        moment, asked, checks = st.session_state.get(_CHECKED, (None, None, ()))
        place = st.container()
        if st.button("Check the cluster", key="cluster-check", icon=":material/fact_check:"):
            with st.spinner("Asking the cluster. If it does not answer, this takes some seconds"):
                moment, asked, checks = datetime.now(UTC), settings, preflight(settings)
            st.session_state[_CHECKED] = moment, asked, checks
        if moment is not None and asked == settings:
            with place:
                st.table(checks_table(checks), hide_index=True, alt="What experiments need and the cluster has")
                st.caption(f"As of {moment:%H:%M} UTC.")


def checks_table(checks: tuple[Check, ...]) -> pd.DataFrame:
    """Return one row per check, in Markdown; what to do is below what was found, which fits a narrow page.

    Args:
        checks: what the preflight found.

    Returns:
        Columns ``State`` and ``Found, and what to do``.
    """
    rows = []
    for check in checks:
        found = f"**{markdown_text(check.name)}**: {markdown_text(check.sentence)}"
        remedy = f"  \n→ {markdown_text(check.remedy)}" if check.remedy else ""
        rows.append({"State": _STATUSES[check.status], "Found, and what to do": found + remedy})
    return pd.DataFrame(rows)


# Experiments made elsewhere


def cluster_experiments() -> None:
    """Offer to open Katib experiments that were not made here; show nothing if no cluster is configured."""
    if not is_configured():
        return
    if st.button("Look for experiments on the cluster", key="cluster-look", icon=":material/search:"):
        st.session_state.pop(_FOUND, None)
        with errors_shown(), st.spinner("Asking the cluster"):
            st.session_state[_FOUND] = engines().kubeflow.external_experiments()
    names = st.session_state.get(_FOUND)
    if names is None:
        return
    if not names:
        st.caption("The cluster has no other experiments than those listed here.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Made elsewhere", names, key="cluster-experiment", width=340)
        is_pressed = st.button(
            "Open to view",
            key="cluster-open",
            icon=":material/visibility:",
            help="Adds it to the list. It can only be viewed here; to change it, use the place where it was made.",
        )
    if is_pressed:
        with errors_shown():
            with st.spinner(f"Reading {markdown_text(name)}"):
                engines().kubeflow.open_external(name)
            st.session_state.pop(_FOUND)
            st.switch_page("pages/machine_room.py", query_params={"experiment": name})
