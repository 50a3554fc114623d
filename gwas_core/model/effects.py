"""Effects of haplotypes whose blocks differ in variance, predicted by a mixed model (as BayesA does for SNPs).

Also here: how many lines the variances are estimated from; one variance for each block; work in portions that fit into
memory.

Some blocks contain a gene that affects the trait, most do not. With one variance for all blocks, a mixed model shrinks
the few large effects as much as the many small ones. Here each block has its own variance, for all lines and within
families, as each SNP has in BayesA (Meuwissen, Hayes & Goddard 2001, doi:10.1093/genetics/157.4.1819).

Estimation has two steps. First one variance for all blocks by REML (``variance_components``). Then a fixed point for
the variances of blocks: effects at the current variances, then new variances from these effects (MacKay 1992, Bayesian
interpolation, doi:10.1162/neco.1992.4.3.415). Since one block has little information on its variance, a prior shrinks
it towards the mean of all blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gwas_core.model.variance_components import (
    DenseInverse,
    DenseModel,
    Projection,
    empty_covariance,
    maximise_restricted_likelihood,
    mirror,
)

Floats = NDArray[np.float32]

# The variances of blocks are estimated from here on: shares of the variance are good enough long before convergence to
# the last digit.
_TOLERANCE, _ITERATIONS = 0.02, 25
# Variances are ratios of sums over lines: with this many lines they are precise enough, and REML takes seconds.
_LINES_FOR_REML = 1500
# The variance of a single block needs all lines; with more than this, a round would take more than some seconds.
_LINES_FOR_BLOCKS = 4500
_PORTION = 1024
# Share of the trait's variance; with a smaller residual the covariance cannot be inverted in single precision.
_LEAST_RESIDUAL = 1e-3
ROUNDS = 6
PRIOR_EFFECTS = 0.3
"""Weight of the mean variance of all blocks in the variance of one, as a number of well-determined effects."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """Matrix (lines, B * p) of p features of each of B blocks, which depend on the haplotype a line carries there.

    A block has few haplotypes, so this takes a tenth of the matrix's memory or less. Columns are made in portions, as
    they are used.

    Attributes:
        values: float32 (haplotypes of all blocks, p).
        carried: int32 (lines, B), row of ``values`` for the haplotype that a line carries.
    """

    values: Floats
    carried: NDArray[np.int32]

    @property
    def columns(self) -> int:
        """Number of columns, B * p."""
        return self.blocks * int(self.values.shape[1])

    @property
    def blocks(self) -> int:
        """Number of blocks, B."""
        return int(self.carried.shape[1])

    def rows(self, chosen: NDArray[np.int64]) -> Features:
        """Return the features of some lines.

        Args:
            chosen: (n,) row numbers.
        """
        return replace(self, carried=self.carried[chosen])

    def dense(self) -> Floats:
        """Return the whole matrix, float32 (lines, B * p)."""
        return np.asarray(self.values[self.carried].reshape(len(self.carried), -1))

    def portions(self) -> Iterator[tuple[slice, Floats]]:
        """Yield slices of columns and a copy of these columns, which the caller may change."""
        width = self.values.shape[1]
        step = max(_PORTION // width, 1)
        for at in range(0, self.blocks, step):
            portion = Features(values=self.values, carried=self.carried[:, at : at + step])
            yield slice(at * width, at * width + portion.columns), portion.dense()

    def multiply(self, vectors: Floats) -> Floats:
        """Return the product of the feature matrix with vectors.

        Args:
            vectors: (B * p, ...).

        Returns:
            float32 (lines, ...).
        """
        out = np.zeros((len(self.carried), *vectors.shape[1:]), dtype=np.float32)
        for columns, features in self.portions():
            out += features @ vectors[columns]
        return out

    def multiply_transposed(self, vectors: Floats) -> Floats:
        """Return the product of the transposed feature matrix with vectors.

        Args:
            vectors: (lines, ...).

        Returns:
            float32 (B * p, ...).
        """
        return np.concatenate([features.T @ vectors for _, features in self.portions()])

    def sums_of_squares(self) -> NDArray[np.float64]:
        """Return sums over all lines and a block's features, (B,)."""
        squares = np.einsum("ij,ij->i", self.values, self.values, dtype=np.float64)
        return np.asarray(squares[self.carried].sum(axis=0))

    def sum_by_block(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the sum over the features of each block.

        Args:
            values: (B * p,), one for each feature.

        Returns:
            float64 (B,).
        """
        return np.asarray(values.reshape(self.blocks, -1).sum(axis=1, dtype=np.float64))

    def repeat_for_features(self, values: NDArray[np.float64]) -> Floats:
        """Return for each feature the value of its block.

        Args:
            values: (B,), one for each block.

        Returns:
            float32 (B * p,).
        """
        return np.repeat(values, self.values.shape[1]).astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """Design of the mixed model.

    Attributes:
        snps: float32 (lines, SNPs), centred.
        features: centred features of blocks.
        member: float32 (lines, q), 1 for the line's family, 0 elsewhere; q may be 0.
    """

    snps: Floats
    features: Features
    member: Floats

    def rows(self, chosen: NDArray[np.int64]) -> Design:
        """Return the design of some lines.

        Args:
            chosen: (n,) row numbers.
        """
        return replace(self, snps=self.snps[chosen], features=self.features.rows(chosen), member=self.member[chosen])

    def families(self) -> list[NDArray[np.int64]]:
        """Return the rows of each family."""
        return [np.flatnonzero(column) for column in self.member.T]


@dataclass(frozen=True, eq=False, kw_only=True)
class Variances:
    """Variances of effects, and of the residual.

    Attributes:
        snps: of the effect of a SNP.
        haplotypes: (B,), of the effect of a feature, by block.
        families: of the effect of a family.
        within_families: (B,), of the effect of a feature within a family, by block.
        residual: of the residual.
    """

    snps: float
    haplotypes: NDArray[np.float64]
    families: float
    within_families: NDArray[np.float64]
    residual: float

    def explained(self, design: Design) -> NDArray[np.float64]:
        """Return the variance among lines that is due to each part of the model.

        Args:
            design: of the lines among which the variance is meant.

        Returns:
            (5,): SNPs, haplotypes, families, haplotypes within families, residual.
        """
        lines = len(design.snps)
        of_blocks = design.features.sums_of_squares() / lines
        snps = float(np.einsum("ij,ij->", design.snps, design.snps, dtype=np.float64)) / lines
        within = float(self.within_families @ of_blocks)
        return np.array(
            [self.snps * snps, self.haplotypes @ of_blocks, self.families, within, self.residual], dtype=np.float64
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Effects:
    """Predicted effects; arrays are float32 except ``variances``.

    Attributes:
        mean: intercept.
        snps: (SNPs,).
        haplotypes: (B * p,), effects of features.
        families: (q,).
        within_families: (B * p, q), effects of features within families.
        variances: (5,) shares of the variance, in the order of ``Variances.explained``.
    """

    mean: float
    snps: Floats
    haplotypes: Floats
    families: Floats
    within_families: Floats
    variances: NDArray[np.float64]


def no_effects(design: Design) -> Effects:
    """Return effects that are all zero, for a design.

    Args:
        design: decides the shapes.
    """
    features, families = design.features.columns, design.member.shape[1]
    return Effects(
        mean=0.0,
        snps=np.zeros(design.snps.shape[1], dtype=np.float32),
        haplotypes=np.zeros(features, dtype=np.float32),
        families=np.zeros(families, dtype=np.float32),
        within_families=np.zeros((features, families), dtype=np.float32),
        variances=np.zeros(5),
    )


def fit_effects(design: Design, target: Floats, *, rounds: int = ROUNDS) -> Effects:
    """Estimate the variances, then predict all effects together.

    Args:
        design: of the training lines.
        target: float32 (lines,), z-scores of the phenotype.
        rounds: number of updates of the variances of blocks; 0 for one variance for all blocks.
    """
    lines = len(target)
    sample = _spread_out(lines, _LINES_FOR_REML)
    variances = _single_variances(design.rows(sample), target[sample])
    many = _spread_out(lines, _LINES_FOR_BLOCKS)
    part = design if len(many) == lines else design.rows(many)
    for _ in range(rounds):
        variances = update_variances(part, target[many], variances)
    factor = scipy.linalg.cho_factor(_covariance(design, variances), lower=True, overwrite_a=True, check_finite=False)
    both = scipy.linalg.cho_solve(factor, np.stack([target, np.ones_like(target)], axis=1), check_finite=False)
    mean = float(both[:, 0].sum() / both[:, 1].sum())
    weights = both[:, 0] - np.float32(mean) * both[:, 1]
    by_family = design.member * weights[:, None]
    shares = variances.explained(design)
    features = design.features
    return Effects(
        mean=mean,
        snps=np.float32(variances.snps) * (design.snps.T @ weights),
        haplotypes=features.repeat_for_features(variances.haplotypes) * features.multiply_transposed(weights),
        families=np.float32(variances.families) * by_family.sum(axis=0),
        within_families=features.repeat_for_features(variances.within_families)[:, None]
        * features.multiply_transposed(by_family),
        variances=shares / shares.sum(),
    )


def _single_variances(design: Design, target: Floats) -> Variances:
    """Estimate variances by REML, with the same one for all blocks."""
    ones = np.ones(design.features.blocks)
    unit = Variances(snps=1.0, haplotypes=ones, families=1.0, within_families=ones, residual=1.0)
    sizes = np.maximum(unit.explained(design), 1e-6)
    haplotypes = empty_covariance(len(target))
    for _, features in design.features.portions():
        _add_products(haplotypes, features, 1 / sizes[1])
    mirror(haplotypes)
    same_family = design.member @ design.member.T
    kernels = [design.snps @ design.snps.T / np.float32(sizes[0]), haplotypes, same_family, haplotypes * same_family]
    found = maximise_restricted_likelihood(
        DenseModel(kernels, target),
        tolerance=_TOLERANCE,
        iterations=_ITERATIONS,
        least_residual=_LEAST_RESIDUAL,
    )
    found /= sizes
    return Variances(
        snps=float(found[0]),
        haplotypes=found[1] * ones,
        families=float(found[2]),
        within_families=found[3] * ones,
        residual=float(found[4]),
    )


def update_variances(
    design: Design, target: Floats, variances: Variances, *, prior_effects: float = PRIOR_EFFECTS
) -> Variances:
    """Return the variances after one update: each so that the effects predicted at the variances before fit it.

    For effects of design X and variance v, and with P as in ``variance_components.Projection``, the restricted
    likelihood is greatest if y'PXX'Py = tr(X'PX); v * tr(X'PX) is the number of effects that the data determine
    (MacKay 1992).

    Args:
        design: of the training lines.
        target: float32 (lines,), z-scores of the phenotype.
        variances: before the update.
        prior_effects: weight of the mean variance of all blocks in the variance of each.
    """
    inverted = DenseInverse.of(_covariance(design, variances))
    projection = Projection.of(inverted, np.ones((len(target), 1), dtype=np.float32))
    inverse, weights = inverted.matrix, projection.multiply(target)
    weighted_ones, total = projection.weighted_covariates[:, 0], float(projection.information[0, 0])

    def sums(portions: Iterable[Floats], rows: NDArray[np.int64] | slice) -> tuple[Floats, Floats]:
        """Return (y'Px)² and x'Px of every column x that is one of ``portions`` in these rows and 0 elsewhere."""
        part = np.asarray(inverse[rows][:, rows], order="F")
        found, expected = [], []
        for portion in portions:
            found.append(np.square(portion.T @ weights[rows]))
            of_mean = np.square(portion.T @ weighted_ones[rows]) / np.float32(total)
            expected.append(_quadratic_forms(part, portion) - of_mean)
        return np.concatenate(found), np.maximum(np.concatenate(expected), 1e-12)

    def updated(of_blocks: NDArray[np.float64], found: Floats, expected: Floats) -> NDArray[np.float64]:
        """Return (v² y'PXX'Py + prior) / (v tr(X'PX) + prior) of every block."""
        mean = float(np.average(of_blocks, weights=block_sizes))
        determined = of_blocks * features.sum_by_block(expected)
        squares = np.square(of_blocks) * features.sum_by_block(found)
        return np.asarray((squares + prior_effects * mean) / (determined + prior_effects))

    def scaled(variance: float, found: Floats, expected: Floats) -> float:
        """Return v y'PXX'Py / tr(X'PX), of one variance."""
        return variance * float(found.sum(dtype=np.float64) / expected.sum(dtype=np.float64))

    all_lines, features = slice(None), design.features
    block_sizes = np.maximum(features.sums_of_squares(), 1e-12)
    families, within_families = variances.families, variances.within_families
    if by_family := [sums([_with_ones(features.rows(rows).dense())], rows) for rows in design.families()]:
        found, expected = (np.sum(part, axis=0) for part in zip(*by_family, strict=True))
        families = scaled(families, found[-1:], expected[-1:])
        within_families = updated(within_families, found[:-1], expected[:-1])
    trace = float(np.trace(inverse, dtype=np.float64)) - float(weighted_ones @ weighted_ones) / total
    return Variances(
        snps=scaled(variances.snps, *sums(_portions(design.snps), all_lines)) if variances.snps > 0 else 0.0,
        haplotypes=updated(variances.haplotypes, *sums((portion for _, portion in features.portions()), all_lines)),
        families=families,
        within_families=within_families,
        residual=max(variances.residual * float(weights @ weights) / trace, _LEAST_RESIDUAL * float(target.var())),
    )


def _covariance(design: Design, variances: Variances) -> Floats:
    """Return the covariance of lines, float32 (lines, lines) in LAPACK's order; only the lower triangle is filled."""
    covariance = empty_covariance(len(design.snps))
    deviations = np.sqrt(design.features.repeat_for_features(variances.haplotypes))
    for columns, features in design.features.portions():
        features *= deviations[columns]
        _add_products(covariance, features)
    if variances.snps > 0:
        _add_products(covariance, design.snps, variances.snps)
    deviations = np.sqrt(design.features.repeat_for_features(variances.within_families))
    for rows in design.families():
        scaled = design.features.rows(rows).dense() * deviations
        covariance[np.ix_(rows, rows)] += scaled @ scaled.T + np.float32(variances.families)
    covariance[np.diag_indices_from(covariance)] += np.float32(variances.residual)
    return covariance


def _add_products(covariance: Floats, matrix: Floats, factor: float = 1.0) -> None:
    """Add factor * XX' for ``matrix`` X (lines, columns), in place, on and below the diagonal only."""
    scipy.linalg.blas.ssyrk(factor, matrix.T, beta=1, c=covariance, trans=1, lower=1, overwrite_c=1)


def _quadratic_forms(symmetric: Floats, matrix: Floats) -> Floats:
    """Return x'Sx of every column x, as 2 x'Lx - x'Dx: the lower triangle L takes half the multiplications."""
    products = scipy.linalg.blas.strmm(1, symmetric, matrix.T, side=1, lower=1).T
    twice = 2 * np.einsum("ij,ij->j", matrix, products)
    return np.asarray(twice - np.diag(symmetric) @ np.square(matrix, out=products))


def _with_ones(features: Floats) -> Floats:
    """Return features within a family with a column of ones added, for the family itself."""
    return np.column_stack([features, np.ones(len(features), dtype=np.float32)])


def _portions(matrix: Floats) -> list[Floats]:
    """Return portions of columns: results for all columns at once would be as large as the data."""
    return [matrix[:, at : at + _PORTION] for at in range(0, matrix.shape[1], _PORTION)]


def _spread_out(lines: int, wanted: int) -> NDArray[np.int64]:
    """Return random rows, always the same: neighbours in a file are often of one family."""
    order = np.argsort(np.random.PCG64(0).random_raw(lines))
    return np.sort(order[:wanted])
