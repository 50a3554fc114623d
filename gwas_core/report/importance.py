"""Importance of hyperparameters for being among the best trials (PED-ANOVA), and what chance alone reaches.

Also here: from how many trials on it is shown; which trials count as the best.

PED-ANOVA (Watanabe et al. 2023, doi:10.24963/ijcai.2023/488), as implemented in Optuna, compares where the best
trials lie in each parameter with where all trials lie. Unlike in methods that explain the variance of the error,
trials with extreme errors count no more than other bad ones, and it takes 0.1 s where fANOVA takes 30 s.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from gwas_core.messages import counted
from gwas_core.report.figure_style import BLUE, GREY, ORANGE, bar_pattern, new_figure
from gwas_core.report.text import plot_text
from gwas_core.tuning.experiment import TrialState
from gwas_core.tuning.records import ExperimentRecord, TrialRecord

Floats = NDArray[np.float64]

FEWEST_TRIALS = 12
"""With fewer, the five best that are compared are nearly half of all."""

_TARGET_SHARE = 0.1
_FEWEST_BEST = 5  # as PED-ANOVA's authors ask for in Optuna
_FULL = 0.87  # a bar beyond this share has its figure inside
_SHOWN_STEP = 0.001  # shares are shown to a tenth of a percent
# The largest importance of nine shuffles is passed by chance in one search of ten.
_SHUFFLES = 9
_SEED = 20240417


@dataclass(frozen=True, eq=False, kw_only=True)
class Importance:
    """Facts of the figure.

    Attributes:
        table: parameter and share (of all importance; shares sum to 1), the largest first, and beyond_chance: whether
            the share is above ``chance``. Empty if there is a ``reason``.
        chance: share that the most important parameter reaches in nine of ten searches in which no parameter matters;
            above 1 where chance alone gives more than all parameters together have.
        trials: number of trials that were compared.
        best: number of them that count as the best.
        reason: sentence why there is no importance to show; empty if there is.
    """

    table: pd.DataFrame
    chance: float
    trials: int
    best: int
    reason: str = ""


def parameter_importance(record: ExperimentRecord) -> Importance:
    """Return the importance of the searched parameters, from the finished trials that have an error.

    Pruned trials take part with the error of their last epoch; without them the comparison would see only regions that
    did well. It takes about 1.2 s for 1,000 trials of 29 parameters and 0.1 s for 100 trials, so a page should cache it
    by the number of finished trials. The result repeats exactly.

    Returns:
        Each parameter's share of all importance, or the reason why there is none to show yet.
    """
    trials, distributions = _usable(record)
    if len(trials) < FEWEST_TRIALS:
        missing = FEWEST_TRIALS - len(trials)
        return _none(
            len(trials),
            f"Importance is shown from {FEWEST_TRIALS} finished trials on: {missing} more "
            f"{'is' if missing == 1 else 'are'} needed.",
        )
    values = np.array([trial.value for trial in trials], dtype=np.float64)
    if not distributions:
        return _none(len(trials), "No parameter took more than one value, so none can matter.")
    # Trials as good as the last of the best are among the best too.
    wanted = max(math.ceil(_TARGET_SHARE * len(trials)), _FEWEST_BEST)
    best = int((values <= np.partition(values, wanted - 1)[wanted - 1]).sum())
    if best > len(trials) / 2:
        return _none(len(trials), "Most trials have the same error, so there are no best ones to compare.")
    try:
        study = _study(trials, distributions)
    except ValueError:
        return _none(len(trials), "The trials' values do not fit the search space they are kept with.")
    evaluator = PedAnovaImportanceEvaluator(target_quantile=wanted / len(trials))
    measured = _measure(study, evaluator, values)
    total = sum(measured.values())
    if total == 0:
        return _none(len(trials), "The best trials lie where all trials lie: no parameter stands out.")
    random = np.random.default_rng(_SEED)
    luckiest = [max(_measure(study, evaluator, random.permutation(values)).values()) for _ in range(_SHUFFLES)]
    chance = max(luckiest)
    table = pd.DataFrame({"parameter": list(measured), "share": [value / total for value in measured.values()]})
    table["beyond_chance"] = [value > chance for value in measured.values()]
    table = table.sort_values(["share", "parameter"], ascending=[False, True], ignore_index=True)
    return Importance(table=table, chance=chance / total, trials=len(trials), best=best)


def importance_figure(importance: Importance, *, top: int = 15) -> go.Figure:
    """Draw shares of importance as bars, the most important on top, and a line at what chance alone reaches.

    Args:
        importance: facts to draw.
        top: largest number of bars.
    """
    rows = importance.table.head(top).iloc[::-1]
    shown = shown_shares(importance.table["share"].tolist())[: len(rows)][::-1]
    figure = new_figure(height=140 + 24 * max(len(rows), 3), bargap=0.35, showlegend=True, barmode="overlay")
    figure.update_layout(margin={"t": 64, "r": 20}, legend={"y": 1, "yref": "container", "yanchor": "top"})
    beyond = rows["beyond_chance"].to_numpy(dtype=bool)
    largest = max([*shown, min(importance.chance, 1.0), 0.01])
    for is_beyond, name, colour, pattern in (
        (True, "more than chance alone gives", BLUE, ""),
        (False, "could be chance", GREY, "/"),
    ):
        places = np.flatnonzero(beyond == is_beyond)
        figure.add_trace(
            go.Bar(
                x=[shown[place] for place in places],
                y=[plot_text(rows["parameter"].iloc[place]) for place in places],
                orientation="h",
                name=name,
                marker={"color": colour, "pattern": bar_pattern(pattern)},
                text=[f"{shown[place]:.1%}" for place in places],
                # A bar that fills the axis has no room beside it.
                textposition=["inside" if shown[place] > _FULL else "outside" for place in places],
                insidetextanchor="end",
                constraintext="none",
                cliponaxis=False,
                hovertemplate="%{y}: %{x:.1%}<extra></extra>",
            )
        )
    if len(rows):
        _add_chance(figure, importance.chance)
        figure.update_xaxes(range=[0, min(1.0, 1.15 * largest)])
    more = len(importance.table) - len(rows)
    if more > 0:
        figure.add_annotation(
            text=f"{more} more, less than {importance.table['share'].iloc[top]:.1%} each",
            x=1,
            y=0,
            xref="paper",
            yref="paper",
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
        )
    figure.update_xaxes(
        # In two lines, so that it fits a phone.
        title=f"Share of importance<br>for being among the best {counted(importance.best, 'trial')}",
        tickformat=".0%",
    )
    figure.update_yaxes(
        showgrid=False, ticks="", type="category", categoryarray=rows["parameter"].map(plot_text).tolist()
    )
    return figure


def shown_shares(shares: Sequence[float]) -> list[float]:
    """Return shares rounded to a tenth of a percent in such a way that their sum never passes 100 %.

    Args:
        shares: of a whole, from the largest to the smallest.

    Returns:
        Shares rounded by the method of largest remainders: in order, and as near to 100 % together as they were.
    """
    steps = np.array(shares, dtype=np.float64) / _SHOWN_STEP
    whole = np.floor(steps + 1e-9)
    left = round(float(min(steps.sum(), 1 / _SHOWN_STEP) - whole.sum()))
    if left > 0:
        whole[np.argsort(-(steps - whole), kind="stable")[:left]] += 1
    return [float(count) * _SHOWN_STEP for count in whole]


def _add_chance(figure: go.Figure, chance: float) -> None:
    """Mark what chance alone reaches; beyond 100 % it has no place on the axis, and an arrow says so."""
    if chance <= 1:
        figure.add_vline(x=chance, line={"color": ORANGE, "dash": "dash", "width": 1.5}, layer="below")
    figure.add_annotation(
        text="chance alone" if chance <= 1 else "chance alone reaches more than 100 % →",
        x=min(chance, 1.0),
        xanchor="center" if chance <= 0.8 else "right",
        y=1,
        yref="y domain",
        yanchor="bottom",
        showarrow=False,
        font={"size": 11},
    )


def _none(trials: int, reason: str) -> Importance:
    table = pd.DataFrame(
        {
            "parameter": pd.Series(dtype="str"),
            "share": pd.Series(dtype="float64"),
            "beyond_chance": pd.Series(dtype="bool"),
        }
    )
    return Importance(table=table, chance=0.0, trials=trials, best=0, reason=reason)


def _usable(record: ExperimentRecord) -> tuple[list[TrialRecord], dict[str, BaseDistribution]]:
    """Return the trials that count, and the distributions of the parameters that vary among them."""
    space = record.experiment.space
    distributions = space.to_distributions()
    trials = [
        trial
        for trial in record.trials
        if trial.state in (TrialState.SUCCEEDED, TrialState.PRUNED)
        and trial.value is not None
        and math.isfinite(trial.value)
        and all(name in trial.parameters for name in space.names)
    ]
    varying = {
        name: distribution
        for name, distribution in distributions.items()
        if len({trial.parameters[name] for trial in trials}) > 1
    }
    return trials, varying


def _study(trials: Sequence[TrialRecord], distributions: dict[str, BaseDistribution]) -> optuna.Study:
    """Return the trials, numbered from 0, as a study in memory.

    Raises:
        ValueError: if a value does not belong to its distribution.
    """
    study = optuna.create_study()
    for trial in trials:
        parameters = {name: trial.parameters[name] for name in distributions}
        study.add_trial(optuna.trial.create_trial(params=parameters, distributions=distributions, value=trial.value))
    return study


def _measure(study: optuna.Study, evaluator: PedAnovaImportanceEvaluator, values: Floats) -> dict[str, float]:
    """Return Optuna's importance for errors by trial number, not normalised to a sum of 1."""
    with warnings.catch_warnings():
        # One says that `normalize` is new, the other that low targets count as good, which is meant.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)
        return get_param_importances(
            study, evaluator=evaluator, target=lambda trial: float(values[trial.number]), normalize=False
        )
