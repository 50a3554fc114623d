"""Seeds that follow from another seed: the numbers themselves, which must never change."""

from __future__ import annotations

from gwas_core.seeds import LARGEST_SEED, derived_seed, layer_seed, named_training_seed, refit_seed, training_seed

DERIVED = [2968811710, 3964924996, 2682643779]
TRAINING = [821328062, 1817441348, 1318712413]
NAMED = [8217354, 368209246]
REFITS = [1949230622, 271630254]
LAYERS = [0, 2654435774, 1520856362]


def test_derivations_are_fixed_for_good() -> None:
    """The numbers are those that version 0.1.0 gave (of refits, the first version that made any): with others, old
    searches could not be repeated."""
    assert [derived_seed(0), derived_seed(0, 1), derived_seed(7, 3, 2)] == DERIVED
    assert [training_seed(0, 0), training_seed(0, 1), training_seed(7, 3)] == TRAINING
    assert [named_training_seed(0, "soy-abc"), named_training_seed(7, "soy-abd")] == NAMED
    assert [refit_seed(0), refit_seed(7)] == REFITS
    assert [layer_seed(0, 0), layer_seed(5, 1), layer_seed(LARGEST_SEED, 3)] == LAYERS


def test_seeds_differ_and_stay_in_their_range() -> None:
    seeds = [training_seed(seed, number) for seed in range(5) for number in range(100)]
    seeds += [named_training_seed(0, f"trial-{number}") for number in range(100)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed <= LARGEST_SEED for seed in seeds)
    assert all(0 <= layer_seed(LARGEST_SEED, place) < 2**32 for place in range(100))
