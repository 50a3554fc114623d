from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize

from gwas_core.model.effects import Design, Effects, Features, Variances, fit_effects, update_variances

BLOCKS, HAPLOTYPES, FEATURES, FAMILIES = 40, 30, 3, 5


def make_design(*, lines: int = 900, blocks: int = BLOCKS, families: int = FAMILIES) -> Design:
    random = np.random.default_rng(0)
    values = random.standard_normal((HAPLOTYPES * blocks, FEATURES)).astype(np.float32)
    carried = random.integers(HAPLOTYPES, size=(lines, blocks), dtype=np.int32)
    for block in range(blocks):
        of_block = values[block * HAPLOTYPES : (block + 1) * HAPLOTYPES]
        of_block -= of_block[carried[:, block]].mean(axis=0)
    carried += HAPLOTYPES * np.arange(blocks, dtype=np.int32)
    member = np.eye(max(families, 1), dtype=np.float32)[random.integers(max(families, 1), size=lines)]
    return Design(
        snps=random.standard_normal((lines, 50)).astype(np.float32),
        features=Features(values=values, carried=carried),
        member=member if families else member[:, :0],
    )


def make_trait(design: Design, blocks: list[int], *, within_families: bool) -> tuple[np.ndarray, np.ndarray]:
    """A trait that these blocks decide by half, and what they contribute; both (lines,)."""
    random = np.random.default_rng(1)
    columns = design.features.columns
    effects = random.standard_normal((design.member.shape[1] if within_families else 1, columns))
    effects *= np.isin(np.arange(columns) // FEATURES, blocks)
    family = design.member.argmax(axis=1) if within_families else np.zeros(len(design.member), dtype=int)
    genetic = (effects[family] * design.features.dense()).sum(axis=1)
    genetic /= genetic.std()
    return (genetic + random.standard_normal(len(genetic))).astype(np.float32), genetic


def predict(design: Design, effects: Effects) -> np.ndarray:
    features = design.features.dense()
    by_family = features @ effects.within_families + effects.families
    for_all = effects.mean + design.snps @ effects.snps + features @ effects.haplotypes
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
    member, features = design.member.astype(float), design.features.dense().astype(float)
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
        variances = update_variances(design, trait, variances, prior_effects=0)
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


def test_features_are_the_matrix_they_stand_for() -> None:
    """What is worked out by portions, by several of them, and by haplotypes."""
    features = make_design(lines=50, blocks=800, families=0).features
    dense = features.dense()
    assert dense.shape == (50, features.columns) == (50, 800 * FEATURES)
    portions = list(features.portions())
    assert len(portions) > 1
    np.testing.assert_array_equal(np.concatenate([portion for _, portion in portions], axis=1), dense)
    for columns, portion in portions:
        np.testing.assert_array_equal(dense[:, columns], portion)
    random = np.random.default_rng(3)
    left, right = (random.standard_normal((size, 2)).astype(np.float32) for size in reversed(dense.shape))
    np.testing.assert_allclose(features.multiply(left), dense @ left, atol=1e-3)
    np.testing.assert_allclose(features.multiply_transposed(right), dense.T @ right, atol=1e-3)
    squares = np.square(dense.astype(float)).reshape(50, 800, -1).sum(axis=(0, 2))
    np.testing.assert_allclose(features.sums_of_squares(), squares)
    np.testing.assert_allclose(features.sum_by_block(np.square(dense).sum(axis=0)), squares, rtol=1e-5)
    np.testing.assert_array_equal(features.rows(np.array([3, 1])).dense(), dense[[3, 1]])
