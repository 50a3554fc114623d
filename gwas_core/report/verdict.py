"""Verdict on whether a network beats its baselines: facts first, and sentences made from them.

Also here: which baseline is the strongest; better, worse or undecided by the 95 % interval; how a difference is
written; the sentence that says so.

``experiment_verdict`` compares errors on the test lines of one split, which says nothing of their uncertainty;
``evaluation_verdict`` takes the differences of an evaluation with their confidence intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gwas_core.evaluation.intervals import FIGURES, Estimate
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.report.comparison import comparison
from gwas_core.report.titles import model_title
from gwas_core.tuning.records import ExperimentRecord, ExperimentSummary

LOWER_IS_BETTER = frozenset({"mean_absolute_error"})
"""Figures of which the smaller value is the better one."""

_IN_SENTENCES = {
    "pearson": "Pearson correlation",
    "within_family_pearson": "correlation within families",
    "mean_absolute_error": "mean absolute error",
}


class Outcome(StrEnum):
    """Standing of a network against one baseline in one figure.

    With a confidence interval, ``BETTER`` and ``WORSE`` say that the interval excludes zero and ``UNDECIDED`` that it
    holds zero. Without one they compare two values, and equal ones count as ``WORSE``: a draw is no win. The values
    answer whether the network is better, in tables.
    """

    BETTER = "yes"
    WORSE = "no"
    UNDECIDED = "unsure"


_CLAUSES = {
    Outcome.BETTER: "is better than {against} in",
    Outcome.WORSE: "is worse than {against} in",
    Outcome.UNDECIDED: "is not clearly different from {against} in",
}


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Difference of the network from one baseline in one figure, the network less the baseline.

    Attributes:
        baseline: name of the baseline, as in records.
        figure: name of the figure, such as ``pearson``.
        difference: in the unit of the figure.
        relative: ``difference`` divided by the baseline's value; None if that is zero or not known.
        interval: 95 % confidence interval (lower, upper) of the difference; None for a single split.
    """

    baseline: str
    figure: str
    difference: float
    relative: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def outcome(self) -> Outcome:
        """Standing of the network against the baseline."""
        sign = -1.0 if self.figure in LOWER_IS_BETTER else 1.0
        if self.interval is None:
            return Outcome.BETTER if sign * self.difference > 0 else Outcome.WORSE
        low, high = sorted(sign * end for end in self.interval)
        if low > 0:
            return Outcome.BETTER
        return Outcome.WORSE if high < 0 else Outcome.UNDECIDED


class Basis(StrEnum):
    """Lines that a verdict rests on."""

    TEST_LINES = "test lines of one split"
    EVALUATION = "held-out sets of an evaluation"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Comparison of a network with the baselines it has to beat.

    Attributes:
        basis: lines on which the models were judged.
        is_judged: whether the network was judged on them at all.
        contrasts: on test lines one for each baseline, the strongest baseline first; of an evaluation those with the
            strongest baseline, one for each figure that has an interval.
    """

    basis: Basis
    is_judged: bool
    contrasts: tuple[Contrast, ...] = ()

    @property
    def strongest_baseline(self) -> str | None:
        """Name of the baseline that is hardest to beat; None if there is none to compare with."""
        return self.contrasts[0].baseline if self.contrasts else None

    @property
    def beaten(self) -> tuple[str, ...]:
        """Names of the baselines that are worse than the network in every figure compared."""
        names = dict.fromkeys(contrast.baseline for contrast in self.contrasts)
        return tuple(
            name
            for name in names
            if all(each.outcome is Outcome.BETTER for each in self.contrasts if each.baseline == name)
        )

    @property
    def is_better(self) -> bool:
        """Whether the network beats the strongest baseline."""
        return self.strongest_baseline is not None and self.strongest_baseline in self.beaten

    def of_outcome(self, outcome: Outcome) -> tuple[Contrast, ...]:
        """Return the contrasts with this outcome, in their order.

        Args:
            outcome: such as ``Outcome.BETTER``: the network is better than the contrast's baseline.
        """
        return tuple(contrast for contrast in self.contrasts if contrast.outcome is outcome)


def experiment_verdict(record: ExperimentRecord | ExperimentSummary) -> Verdict:
    """Compare the best trial's error on the test lines with every baseline's.

    Returns:
        Facts by the mean absolute error, without intervals: one split does not tell how sure a difference is.
    """
    rows = comparison(record, "test")
    network = next((row.metrics.mean_absolute_error for row in rows if row.is_network), None)
    if network is None:
        return Verdict(basis=Basis.TEST_LINES, is_judged=False)
    contrasts = []
    for row in rows:
        if not row.is_network:
            error = row.metrics.mean_absolute_error
            contrasts.append(
                Contrast(
                    baseline=row.name,
                    figure="mean_absolute_error",
                    difference=network - error,
                    relative=(network - error) / error if error else None,
                )
            )
    return Verdict(basis=Basis.TEST_LINES, is_judged=True, contrasts=tuple(contrasts))


def evaluation_verdict(result: EvaluationResult) -> Verdict:
    """Compare the network with the strongest baseline of an evaluation.

    Returns:
        Facts by every figure whose difference has an interval.
    """
    name = strongest_baseline(result)
    contrasts = [
        contrast
        for figure in FIGURES
        if (contrast := contrast_of(name, figure, result.comparison.differences[name][figure])) is not None
        and contrast.interval is not None
    ]
    return Verdict(basis=Basis.EVALUATION, is_judged=True, contrasts=tuple(contrasts))


def strongest_baseline(result: EvaluationResult) -> str:
    """Return the name of the linear model to beat: GBLUP with a family effect, if lines have families."""
    return "gblup_family" if "gblup_family" in result.comparison.models else "gblup"


def contrast_of(baseline: str, figure: str, estimate: Estimate) -> Contrast | None:
    """Return the contrast that an estimated difference is.

    Args:
        baseline: name of the baseline.
        figure: name of the figure.
        estimate: network less baseline, with its interval.

    Returns:
        None if the figure is not defined.
    """
    if estimate.value is None:
        return None
    return Contrast(baseline=baseline, figure=figure, difference=estimate.value, interval=estimate.interval)


def verdict_sentence(verdict: Verdict) -> str:
    """Return a verdict in one sentence, for people.

    Args:
        verdict: of an experiment or of an evaluation; only the latter has intervals, which the sentence names.
    """
    return _evaluation_sentence(verdict) if verdict.basis is Basis.EVALUATION else _test_sentence(verdict)


def _test_sentence(verdict: Verdict) -> str:
    if not verdict.is_judged:
        return "No network has been judged on the test lines yet."
    if not verdict.contrasts:
        return "No baseline could be computed, so there is nothing to compare the network with."
    strongest = verdict.contrasts[0]
    best, change = model_title(strongest.baseline), _error_change(strongest.relative or 0.0)
    if verdict.is_better:
        return f"The network predicts the test lines better than the best baseline, {best} ({change})."
    sentence = f"The network does not beat {best} on the test lines ({change})"
    beaten = [model_title(name) for name in verdict.beaten]
    return f"{sentence}; it beats: {', '.join(beaten)}." if beaten else f"{sentence}, nor any other baseline."


def _error_change(relative: float) -> str:
    """Return a relative difference of errors in words: ``4.2 % lower error``."""
    percent = f"{abs(relative) * 100:.1f}"
    if float(percent) == 0:
        return "the same error" if relative == 0 else f"less than 0.1 % {'lower' if relative < 0 else 'higher'} error"
    return f"{percent} % {'lower' if relative < 0 else 'higher'} error"


def _evaluation_sentence(verdict: Verdict) -> str:
    if verdict.strongest_baseline is None:
        return "No difference of the network from its strongest baseline has a confidence interval."
    against = model_title(verdict.strongest_baseline)
    clauses = [
        f"{words.format(against=against)} {'; '.join(_in_words(contrast) for contrast in contrasts)}"
        for outcome, words in _CLAUSES.items()
        if (contrasts := verdict.of_outcome(outcome))
    ]
    return f"The network {', and '.join(clauses)} (95 % confidence intervals in brackets)."


def _in_words(contrast: Contrast) -> str:
    return f"{_IN_SENTENCES[contrast.figure]} {difference_text(contrast)}"


def difference_text(contrast: Contrast) -> str:
    """Return a difference with three decimals and its interval: ``+0.045 [+0.020, +0.070]``."""
    value = signed(contrast.difference)
    return value if contrast.interval is None else f"{value} [{', '.join(signed(end) for end in contrast.interval)}]"


def signed(value: float) -> str:
    """Return a number with its sign and three decimals."""
    return f"{value + 0.0:+.3f}"  # + 0.0 makes a negative zero positive
