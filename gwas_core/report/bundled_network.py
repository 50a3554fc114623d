"""Network of a bundle: the one that was judged, or the one that was trained on all lines afterwards, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from gwas_core.model.bundle_files import LearnedLines
from gwas_core.model.refit import RefitResult
from gwas_core.tuning.records import ExperimentRecord


@dataclass(frozen=True, kw_only=True)
class BundledNetwork:
    """Network that a bundle of an experiment holds.

    Attributes:
        refit: how it was trained on all lines; None if the bundle holds the network that was judged.
        reason: why there is no refit, as far as that is known; empty otherwise.
        is_expected: whether the search is still at work, so that a refit may come.
    """

    refit: RefitResult | None
    reason: str = ""
    is_expected: bool = False

    def learned_lines(self, training_lines: int) -> LearnedLines:
        """Return how many lines the judged network and that of the bundle learned.

        Args:
            training_lines: of the split.
        """
        return LearnedLines(judged=training_lines, packed=self.refit.lines if self.refit else training_lines)


def bundled_network(record: ExperimentRecord) -> BundledNetwork:
    """Return which network a bundle of the experiment's best trial holds.

    Args:
        record: of an experiment whose best trial was evaluated on the test lines.
    """
    refit = record.refit_of_best
    if refit is None:
        return BundledNetwork(refit=None, is_expected=record.state.is_active())
    return BundledNetwork(refit=refit.result, reason=refit.reason)


def bundled_network_sentence(network: BundledNetwork) -> str:
    """Return in sentences which network a bundle holds, and whose figures stand beside it.

    Args:
        network: of a bundle. Its reason may hold text from outside, which is not escaped here.
    """
    if network.refit is not None:
        learned = network.learned_lines(network.refit.judged_lines)
        return (
            f"The figures are those of the network that learned {learned.judged:,} training lines; the network in the "
            f"bundle learned all {learned.packed:,} lines afterwards, and has been judged by nobody."
        )
    judged = "The network in the bundle is the one that was judged: it learned the training lines alone."
    if network.is_expected:
        return f"{judged} It is being trained on all lines now; the bundle packed after that holds the result."
    if network.reason:
        return f"{judged} It could not be trained on all lines: {network.reason}."
    return f"{judged} It was not trained on all lines afterwards."
