"""Seeds that follow from another seed (suggestions, trainings, layers): the one home of every such derivation.

Each is fixed for good. With another derivation a search, an evaluation or a trial that is repeated with its old seed
would give other figures.
"""

from __future__ import annotations

import hashlib

import numpy as np

LARGEST_SEED = 2**31 - 1
"""The largest seed of an experiment or a trial: every library that is asked for a seed accepts it."""


def derived_seed(seed: int, *numbers: int) -> int:
    """Return a seed of 32 bits for each combination of numbers, unrelated to that of any other combination.

    For suggestions: a search that is resumed in another process goes on as if it had not been interrupted, whereas
    one long random stream would begin again and repeat itself.

    Args:
        seed: of the search.
        numbers: what is to have a seed of its own, such as the trial's number and the attempt.
    """
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


def training_seed(seed: int, number: int) -> int:
    """Return the seed, up to ``LARGEST_SEED``, with which one network is trained.

    Args:
        seed: of the experiment or evaluation.
        number: of the trial, or of the network among those of a held-out set.
    """
    return derived_seed(seed, number) & LARGEST_SEED


def named_training_seed(seed: int, name: str) -> int:
    """Return the seed, up to ``LARGEST_SEED``, with which a network is trained that has a name and no number.

    Args:
        seed: of the experiment.
        name: of the trial; Katib names trials, and does not number them.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (LARGEST_SEED + 1)


def refit_seed(seed: int) -> int:
    """Return the seed, up to ``LARGEST_SEED``, with which the network of a trial is trained again on all lines.

    Args:
        seed: of the trial.
    """
    return named_training_seed(seed, "refit")


def layer_seed(seed: int, place: int) -> int:
    """Return the seed of 32 bits of one random layer of a network.

    Args:
        seed: of the training.
        place: number of the layer among the random ones, from 0.
    """
    # 0x9E3779B9 is 2**32 divided by the golden ratio: multiples of it are spread over all 32 bits.
    return (seed + 0x9E3779B9 * place) % 2**32
