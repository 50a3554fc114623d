"""Each hyperparameter is explained."""

from __future__ import annotations

from dataclasses import fields

import pytest

from gwas_core.model.networks import NETWORKS
from gwas_core.report.hyperparameter_words import hyperparameter_sentence

NAMES = sorted({"network", *(field.name for network in NETWORKS.values() for field in fields(network.hyperparameters))})


@pytest.mark.parametrize("name", NAMES)
def test_every_hyperparameter_has_a_sentence(name: str) -> None:
    sentence = hyperparameter_sentence(name)
    assert sentence.endswith(".")
    assert sentence[0].isupper()


@pytest.mark.parametrize("name", ["", "conv_9_kernel_l1", "conv_1_kernel_l3", "dense_x", "<b>"])
def test_other_names_have_none(name: str) -> None:
    assert hyperparameter_sentence(name) == ""
