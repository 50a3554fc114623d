"""The one criterion on its two kinds of covariance: against each other and against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from gwas_core.genotypes.dataset import Dataset
from gwas_core.model.mixed_model import decompose, fit_mixed_model, genomic_relationship
from gwas_core.model.variance_components import (
    CovarianceModel,
    DenseModel,
    RestrictedLikelihood,
    SpectralModel,
    maximise_restricted_likelihood,
)


def kernels_of(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Relationship among lines, and their membership of families."""
    rows = np.arange(dataset.lines)
    relationship, _ = genomic_relationship(dataset.genotypes, train=rows, predicted=rows[:1])
    assert dataset.family is not None
    return relationship, (dataset.family[:, None] == np.unique(dataset.family)).astype(np.float64)


def models_of(dataset: Dataset) -> dict[str, CovarianceModel]:
    """The same model by eigenvectors and by dense kernels."""
    relationship, member = kernels_of(dataset)
    phenotype = dataset.phenotype - dataset.phenotype.mean()
    spectrum = decompose(relationship.copy())
    rotation = spectrum.vectors.T
    return {
        "spectral": SpectralModel(
            eigenvalues=spectrum.values,
            phenotype=rotation @ phenotype,
            covariates=rotation @ np.ones((dataset.lines, 1)),
            groups=rotation @ member,
            total_variance=float(phenotype.var()),
        ),
        "dense": DenseModel(
            [relationship.astype(np.float32), (member @ member.T).astype(np.float32)], phenotype.astype(np.float32)
        ),
    }


def log_likelihood(dataset: Dataset, variances: np.ndarray) -> float:
    """The restricted log-likelihood written out, but for its constants."""
    relationship, member = kernels_of(dataset)
    covariance = variances[0] * relationship + variances[1] * member @ member.T + variances[2] * np.eye(dataset.lines)
    inverse = np.linalg.inv(covariance)
    total = inverse.sum()
    project = inverse - np.outer(inverse.sum(axis=1), inverse.sum(axis=0)) / total
    quadratic = dataset.phenotype @ project @ dataset.phenotype
    return -0.5 * float(np.linalg.slogdet(covariance)[1] + np.log(total) + quadratic)


@pytest.mark.parametrize("kind", ["spectral", "dense"])
def test_the_criterion_and_its_gradient_are_those_of_the_definition(dataset: Dataset, kind: str) -> None:
    variances = dataset.phenotype.var() * np.array([0.2, 0.3, 0.4])
    found = RestrictedLikelihood.at(models_of(dataset)[kind], variances)
    assert found.value == pytest.approx(log_likelihood(dataset, variances), abs=1e-2 if kind == "dense" else 1e-6)
    slopes = scipy.optimize.approx_fprime(variances, lambda values: log_likelihood(dataset, values), 1e-5 * variances)
    np.testing.assert_allclose(found.gradient, slopes, rtol=1e-3, atol=1e-4 * np.abs(slopes).max())


def test_a_group_without_variance_and_no_groups_are_the_same(dataset: Dataset) -> None:
    model = models_of(dataset)["spectral"]
    assert isinstance(model, SpectralModel)
    alone = SpectralModel(
        model.eigenvalues, model.phenotype, model.covariates, model.groups[:, :0], model.total_variance
    )
    variances = np.array([1.0, 0.0, 2.0])
    one, other = (RestrictedLikelihood.at(each, variances) for each in (model, alone))
    assert one.value == pytest.approx(other.value)
    np.testing.assert_allclose(one.residual, other.residual)


def test_both_kinds_of_covariance_have_their_maximum_at_the_same_variances(dataset: Dataset) -> None:
    relationship, member = kernels_of(dataset)
    found = maximise_restricted_likelihood(
        models_of(dataset)["dense"], tolerance=0.02, iterations=25, least_residual=1e-3
    )
    other = fit_mixed_model(
        decompose(relationship), dataset.phenotype, covariates=np.ones((dataset.lines, 1)), groups=member
    ).variance
    np.testing.assert_allclose(found, [other.genetic, other.group, other.residual], rtol=0.05, atol=0.01)


def test_the_maximum_is_that_of_a_general_optimiser(dataset: Dataset) -> None:
    relationship, member = kernels_of(dataset)
    fitted = fit_mixed_model(
        decompose(relationship), dataset.phenotype, covariates=np.ones((dataset.lines, 1)), groups=member
    ).variance
    found = np.array([fitted.genetic, fitted.group, fitted.residual])
    best = scipy.optimize.minimize(
        lambda logs: -log_likelihood(dataset, np.exp(logs)),
        np.log(np.full(3, dataset.phenotype.var() / 3)),
        method="L-BFGS-B",
        bounds=[(-14, 8)] * 3,
    )
    assert log_likelihood(dataset, found) >= -best.fun - 1e-4


def test_a_variance_that_falls_to_zero_does_not_lead_the_others_astray(dataset: Dataset) -> None:
    """Lines that are the less alike the more they are related: the best relationship is none, and all is residual."""
    relationship, _ = kernels_of(dataset)
    spectrum, intercept = decompose(relationship), np.ones((dataset.lines, 1))
    signs = np.where(np.arange(dataset.lines) % 2, 1.0, -1.0)
    phenotype = spectrum.vectors @ (signs * np.exp(-spectrum.values / 2))
    found = fit_mixed_model(spectrum, phenotype, covariates=intercept).variance
    assert found.proportion_explained < 1e-3
    assert found.residual == pytest.approx(phenotype.var(ddof=1), rel=1e-3)


def test_the_unit_of_the_phenotype_does_not_matter(dataset: Dataset) -> None:
    relationship, member = kernels_of(dataset)
    spectrum, intercept = decompose(relationship), np.ones((dataset.lines, 1))
    plain = fit_mixed_model(spectrum, dataset.phenotype, covariates=intercept, groups=member).variance
    for scale in (1e-6, 1e6):
        scaled = fit_mixed_model(spectrum, scale * dataset.phenotype + 1e3 * scale, covariates=intercept, groups=member)
        found = np.array([scaled.variance.genetic, scaled.variance.group, scaled.variance.residual]) / scale**2
        np.testing.assert_allclose(found, [plain.genetic, plain.group, plain.residual], rtol=1e-5)
