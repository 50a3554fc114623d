from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gwas_core.errors import SettingsError
from gwas_core.model.hyperparameters import HybridHyperparameters, TutorialHyperparameters, parse_hyperparameters
from gwas_core.model.networks import NETWORKS, parse_network


@pytest.mark.parametrize("kind", [HybridHyperparameters, TutorialHyperparameters])
def test_defaults_are_allowed_and_survive_as_text(kind: type[Any]) -> None:
    defaults = kind()
    # Katib hands every value over as text.
    texts = {name: str(value) for name, value in dataclasses.asdict(defaults).items()}
    assert parse_hyperparameters(kind, texts) == defaults


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"learning_rates": 0.1}, "learning_rates", "has no hyperparameter 'learning_rates'"),
        ({"learning_rate": "fast"}, "learning_rate", "must be a number, not 'fast'"),
        ({"learning_rate": "nan"}, "learning_rate", "between 1e-09 and 10, not nan"),
        ({"learning_rate": -1}, "learning_rate", "not -1"),
        ({"batch_size": 2.5}, "batch_size", "must be a whole number, not 2.5"),
        ({"batch_size": "inf"}, "batch_size", "must be a whole number, not 'inf'"),
        ({"batch_size": 0}, "batch_size", "between 1 and 4096, not 0"),
        ({"loss": "hinge"}, "loss", "must be one of huber"),
        ({"dropout_rate": 1.0}, "dropout_rate", "between 0 and 0.99"),
        ({"network": "transformer"}, "network", "must be one of hybrid, tutorial"),
    ],
)
def test_what_does_not_fit_is_refused_beside_its_field(values: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_network(values)
    assert refused.value.field == field
    assert said in str(refused.value)


def test_the_network_is_chosen_by_name() -> None:
    network, chosen = parse_network({"network": "tutorial", "num_dense_layers": "2"})
    assert network is NETWORKS["tutorial"]
    assert isinstance(chosen, TutorialHyperparameters)
    assert chosen.num_dense_layers == 2
