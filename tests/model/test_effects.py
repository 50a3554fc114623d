from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize

from gwas_core.model.effects import Design, Effects, Variances, fit_effects, renew_variances

BLOCKS, FEATURES, FAMILIES = 40, 3, 5


def make_design(*, lines: int = 900, blocks: int = BLOCKS, families: int = FAMILIES) -> Design:
    random = np.random.default_rng(0)
    features = random.standard_normal((lines, blocks * FEATURES)).astype(np.float32)
    member = np.eye(max(families, 1), dtype=np.float32)[random.integers(max(families, 1), size=lines)]
    return Design(
        snps=random.standard_normal((lines, 50)).astype(np.float32),
        features=features - features.mean(axis=0),
        member=member if families else member[:, :0],
        blocks=blocks,
    )


def make_trait(design: Design, blocks: list[int], *, within_families: bool) -> tuple[np.ndarray, np.ndarray]:
    """A trait that these blocks decide by half, and what they contribute; both (lines,)."""
    random = np.random.default_rng(1)
    effects = random.standard_normal((design.member.shape[1] if within_families else 1, design.features.shape[1]))
    effects *= np.isin(np.arange(design.features.shape[1]) // FEATURES, blocks)
    family = design.member.argmax(axis=1) if within_families else np.zeros(len(design.member), dtype=int)
    genetic = (effects[family] * design.features).sum(axis=1)
    genetic /= genetic.std()
    return (genetic + random.standard_normal(len(genetic))).astype(np.float32), genetic


def predict(design: Design, effects: Effects) -> np.ndarray:
    by_family = design.features @ effects.within_families + effects.families
    for_all = effects.mean + design.snps @ effects.snps + design.features @ effects.haplotypes
    return np.asarray(for_all + (design.member * by_family).sum(axis=1))


def accuracies(design: Design, blocks: list[int], *, within_families: bool) -> tuple[float, float]:
    """Correlation with the genetic value of lines not learned from: blocks of variances of their own, and of one."""
    trait, genetic = make_trait(design, blocks, within_families=within_families)
    learn, rest = np.arange(600), np.arange(600, 900)

    def accuracy(**options: int) -> float:
        predicted = predict(design.rows(rest), fit_effects(design.rows(learn), trait[learn], **options))
        return float(np.corrcoef(predicted, genetic[rest])[0, 1])

    return accuracy(), accuracy(rounds=0)


@pytest.mark.parametrize("within_families", [False, True])
def test_few_blocks_that_matter_are_found(within_families: bool) -> None:
    own, one = accuracies(make_design(), [1, 20], within_families=within_families)
    assert own > one + 0.03
    assert own > 0.9


def test_nothing_is_lost_where_all_blocks_matter() -> None:
    own, one = accuracies(make_design(), list(range(BLOCKS)), within_families=False)
    assert own > one - 0.01


def test_lines_of_no_family_have_no_effects_of_families() -> None:
    design = make_design(families=0)
    trait, genetic = make_trait(design, [1, 20], within_families=False)
    effects = fit_effects(design, trait)
    assert effects.within_families.shape == (BLOCKS * FEATURES, 0)
    assert np.corrcoef(predict(design, effects), genetic)[0, 1] > 0.95
    assert effects.variances[3] == 0
    assert effects.variances.sum() == pytest.approx(1)


def test_without_a_prior_the_rounds_end_where_the_likelihood_is_greatest() -> None:
    """Against the restricted likelihood written out, and a general optimiser."""
    design = make_design(lines=300, blocks=2, families=4)
    trait, _ = make_trait(design, [0], within_families=True)
    member, features = design.member.astype(float), design.features.astype(float)
    same = member @ member.T
    parts = [features[:, :FEATURES], features[:, FEATURES:]]
    kernels = [part @ part.T for part in parts] + [same] + [part @ part.T * same for part in parts] + [np.eye(300)]

    def loss(logs: np.ndarray) -> float:
        inverse = np.linalg.inv(
            covariance := sum(np.exp(log) * kernel for log, kernel in zip(logs, kernels, strict=True))
        )
        total = inverse.sum()
        project = inverse - np.outer(inverse.sum(axis=1), inverse.sum(axis=0)) / total
        return float(np.linalg.slogdet(covariance)[1] + np.log(total) + trait @ project @ trait) / 2

    variances = Variances(
        snps=0.0, haplotypes=np.full(2, 0.1), families=0.1, within_families=np.full(2, 0.1), residual=0.5
    )
    for _ in range(60):
        variances = renew_variances(design, trait, variances, prior_effects=0)
    found = [*variances.haplotypes, variances.families, *variances.within_families, variances.residual]
    best = scipy.optimize.minimize(loss, np.log(np.full(6, 0.1)), method="L-BFGS-B", bounds=[(-14, 5)] * 6)
    assert loss(np.log(np.maximum(found, 1e-6))) == pytest.approx(best.fun, abs=0.05)
    assert variances.within_families[0] == pytest.approx(np.exp(best.x[3]), rel=0.05)
    assert variances.residual == pytest.approx(np.exp(best.x[5]), rel=0.02)


def test_a_trait_that_nothing_explains_gets_hardly_any_effects() -> None:
    design = make_design()
    trait = np.random.default_rng(2).standard_normal(900).astype(np.float32)
    predicted = predict(replace(design), fit_effects(design, trait))
    assert predicted.std() < 0.5 * trait.std()


def test_a_trait_without_noise_is_fitted_too() -> None:
    design = make_design()
    _, genetic = make_trait(design, [1, 20], within_families=False)
    effects = fit_effects(design, genetic.astype(np.float32))
    assert np.corrcoef(predict(design, effects), genetic)[0, 1] > 0.999
