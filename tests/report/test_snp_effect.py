from __future__ import annotations

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.report.snp_effect import snp_effect, snp_effect_figure


def test_a_row_for_each_genotype_that_occurs() -> None:
    genotypes = np.array([2, 0, 2, 0, 2, 2, 2], dtype=np.int8)
    phenotype = np.array([1.0, 10.0, 2.0, 20.0, 3.0, 4.0, 5.0])
    facts = snp_effect(genotypes, phenotype)
    assert facts["copies"].tolist() == [0, 2]
    assert facts["lines"].tolist() == [2, 5]
    assert facts.iloc[1].to_dict() == {
        "copies": 2, "lines": 5, "mean": 3.0, "minimum": 1.0, "lower_quartile": 2.0, "median": 3.0,
        "upper_quartile": 4.0, "maximum": 5.0,
    }  # fmt: skip
    figure = snp_effect_figure(facts, trait="<b>height</b>")
    assert list(figure.data[0].x) == ["0 (2 lines)", "2 (5 lines)"]
    assert "<b>" not in figure.layout.yaxis.title.text


def test_a_phenotype_of_other_lines_is_refused() -> None:
    with pytest.raises(InputError, match="one genotype a line"):
        snp_effect(np.zeros(3, dtype=np.int8), np.zeros(4))
