"""Which network a bundle holds is a fact of the record, and said."""

from __future__ import annotations

from dataclasses import replace

from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import SplitSettings, make_split
from gwas_core.model.bundle_files import LearnedLines
from gwas_core.model.refit import RefitResult
from gwas_core.report.bundled_network import bundled_network, bundled_network_sentence
from gwas_core.report.card import model_card
from gwas_core.report.loci import training_loci
from gwas_core.tuning.experiment import ExperimentState, TrialState
from gwas_core.tuning.records import ExperimentRecord, Refit
from tests.report.test_summary import record, trial

RESULT = RefitResult(lines=5011, judged_lines=3507, epochs=4, seed=9, seconds=60.0)


def judged(**changes: object) -> ExperimentRecord:
    best = trial(0, TrialState.SUCCEEDED, seconds=1, value=0.5)
    return replace(record(best, network=0.5), **{"state": ExperimentState.SUCCEEDED, **changes})


def test_a_refitted_network_is_packed_and_the_figures_are_those_of_the_judged_one() -> None:
    network = bundled_network(judged(refit=Refit(trial=0, result=RESULT)))
    assert network.refit == RESULT
    assert network.learned_lines(3507) == LearnedLines(judged=3507, packed=5011)
    assert bundled_network_sentence(network) == (
        "The figures are those of the network that learned 3,507 training lines; the network in the bundle learned all "
        "5,011 lines afterwards, and has been judged by nobody."
    )


def test_without_a_refit_the_judged_one_is_packed_and_that_is_said() -> None:
    old = bundled_network(judged())
    assert (old.refit, old.learned_lines(3507)) == (None, LearnedLines(judged=3507, packed=3507))
    assert bundled_network_sentence(old).endswith("It was not trained on all lines afterwards.")
    failed = bundled_network(judged(refit=Refit(trial=0, result=None, reason="memory ran out")))
    assert "could not be trained on all lines: memory ran out." in bundled_network_sentence(failed)
    running = bundled_network(judged(state=ExperimentState.RUNNING))
    assert "being trained on all lines now" in bundled_network_sentence(running)


def test_the_refit_of_an_earlier_best_trial_is_not_packed() -> None:
    assert bundled_network(judged(refit=Refit(trial=7, result=RESULT))).refit is None


def test_the_card_tells_both() -> None:
    dataset = simulate(SimulationSettings(families=2, lines_per_family=30, snps=20, polygenic_qtl=5)).dataset
    split = make_split(dataset, SplitSettings(seed=1))
    loci = training_loci(dataset, split)
    card = model_card(judged(refit=Refit(trial=0, result=RESULT)), dataset, split, [], loci=loci)
    assert "has been judged by nobody" in card
    assert "trained for 4 epochs on all 5,011 lines" in card
    assert "Whether training helped is not known" in card
    assert "`loci.csv` holds the association of each SNP" in card
    assert loci.sentence in card
    without = model_card(judged(), dataset, split, [])
    assert "was not trained on all lines" in without
    assert "loci.csv" not in without
