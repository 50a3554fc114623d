"""The evaluation as tables, a sentence and a figure."""

from __future__ import annotations

import numpy as np

from gwas_core.evaluation.intervals import HeldOutPredictions, compare
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.report.evaluation import differences_figure, differences_table, evaluation_rows, evaluation_table
from gwas_core.report.verdict import Outcome, evaluation_verdict, verdict_sentence
from tests.evaluation.test_plan import made_plan


def made_result(*, families: bool = True, skill: float = 0.9) -> EvaluationResult:
    """Two parts of 90 lines; the network sees more of the genetic value than GBLUP where ``skill`` is high."""
    random = np.random.default_rng(1)
    parts = []
    for _ in range(2):
        family = np.repeat(["a", "b", "c"], 30)
        effect = np.repeat([-1.0, 0.0, 1.0], 30)
        genetic = random.normal(size=90)
        observed = effect + genetic + 0.3 * random.normal(size=90)
        predicted = {
            "network": effect + skill * genetic,
            "mean": np.zeros(90),
            **({"family_mean": effect} if families else {}),
            "gblup": effect + 0.5 * genetic + 0.5 * random.normal(size=90),
            **({"gblup_family": effect + 0.5 * genetic + 0.5 * random.normal(size=90)} if families else {}),
        }
        parts.append(
            HeldOutPredictions(
                observed=observed, predicted=predicted, family=family.astype(np.str_) if families else None
            )
        )
    return EvaluationResult(
        name="height",
        trait="height",
        standard_deviation=1.4,
        lines=180,
        experiment="made",
        trial=1,
        hyperparameters={"epochs": 2},
        comparison=compare(parts, resamples=300),
        held_out=(),
        reading=(),
        notes=("A note with *stars*.",),
        plan=made_plan(),
    )


def test_the_table_holds_what_is_defined_in_the_order_of_strength() -> None:
    table = evaluation_table(made_result())
    assert table["model"].drop_duplicates().tolist() == ["network", "gblup_family", "gblup", "family_mean", "mean"]
    assert table[table["model"] == "mean"]["figure"].tolist() == ["mean_absolute_error"]
    assert (table["lower"] <= table["value"]).all()
    assert (table["value"] <= table["upper"]).all()


def test_lower_errors_and_higher_correlations_are_better() -> None:
    table = differences_table(made_result()).set_index(["model", "figure"])
    assert table.loc[("gblup", "mean_absolute_error"), "value"] < 0
    assert table.loc[("gblup", "pearson"), "value"] > 0
    assert set(table.loc["gblup"]["better"]) == {"yes"}
    worse = differences_table(made_result(skill=-0.5)).set_index(["model", "figure"])
    assert set(worse.loc["gblup"]["better"]) == {"no"}
    alike = differences_table(made_result(skill=0.0)).set_index(["model", "figure"])
    assert alike.loc[("family_mean", "pearson"), "better"] == "unsure"


def test_the_sentence_is_about_the_strongest_baseline() -> None:
    verdict = evaluation_verdict(made_result())
    assert (verdict.strongest_baseline, verdict.is_better, verdict.beaten) == ("gblup_family", True, ("gblup_family",))
    sentence = verdict_sentence(verdict)
    assert sentence.startswith("The network is better than GBLUP + family (REML) in Pearson correlation +")
    assert "correlation within families +" in sentence
    assert "mean absolute error -" in sentence
    assert sentence.endswith("] (95 % confidence intervals in brackets).")
    worse = evaluation_verdict(made_result(skill=-0.5))
    assert not worse.is_better
    assert {contrast.outcome for contrast in worse.contrasts} == {Outcome.WORSE}
    assert verdict_sentence(worse).startswith("The network is worse than GBLUP + family (REML) in")
    assert "better" not in verdict_sentence(worse)
    assert verdict_sentence(evaluation_verdict(made_result(families=False))).startswith(
        "The network is better than GBLUP (REML) in Pears"
    )


def test_an_interval_that_holds_zero_decides_nothing() -> None:
    """The network correlates better within families only; its errors are as large as those of GBLUP."""
    verdict = evaluation_verdict(made_result(skill=0.25))
    assert [each.figure for each in verdict.of_outcome(Outcome.BETTER)] == ["within_family_pearson"]
    unsure = verdict.of_outcome(Outcome.UNDECIDED)
    assert [each.figure for each in unsure] == ["pearson", "mean_absolute_error"]
    assert all(each.interval is not None and each.interval[0] < 0 < each.interval[1] for each in unsure)
    assert not verdict.is_better
    assert "is not clearly different from GBLUP + family (REML) in" in verdict_sentence(verdict)


def test_the_rows_of_text_leave_a_dash_where_there_is_no_figure() -> None:
    rows = evaluation_rows(made_result())
    assert list(rows) == ["figures", "network less"]
    means = next(row for row in rows["figures"] if row[0] == "Training mean")
    assert means[1:3] == ("–", "–")
    assert means[3].count("[") == 1
    assert all(row[3].startswith("-") for row in rows["network less"])


def test_the_figure_has_a_panel_a_figure_and_marks_what_intervals_say() -> None:
    table = differences_table(made_result())
    figure = differences_figure(table)
    assert len(figure.data) == 3
    errors = figure.data[2]
    assert list(errors.y)[-1] == "GBLUP + family (REML)"
    assert set(errors.marker.symbol) == {"diamond"}
    row = table[(table["figure"] == "mean_absolute_error") & (table["model"] == "mean")].iloc[0]
    assert errors.error_x.array[0] == row["upper"] - row["value"]
    assert set(differences_figure(differences_table(made_result(skill=-0.5))).data[0].marker.symbol) == {"square"}
    assert len(differences_figure(differences_table(made_result(families=False))).data) == 2
