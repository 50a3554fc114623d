"""Effects of haplotypes whose blocks differ in variance, as a mixed model's best linear unbiased predictions.

Some blocks hold a gene that matters, most do not: with one variance for all of them, a mixed model shrinks the few
large effects as hard as the many small ones. Here each block has a variance of its own, for all lines and within
families, as each SNP has in BayesA (Meuwissen, Hayes & Goddard 2001, doi:10.1093/genetics/157.4.1819). They are found
by going round: effects at these variances, then MacKay's variances at these effects (1992, Bayesian interpolation,
doi:10.1162/neco.1992.4.3.415). A block is held to the mean of all by a prior, since one block is known from little.

REML of single variances, where this starts: average information, Gilmour, Thompson & Cullis 1995,
doi:10.2307/2533274.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_ITERATIONS = 25
_ENOUGH = 0.02
"""Change of the log-likelihood below which its maximum is reached."""
# Variances are ratios of sums over lines: of so many lines they are known well enough, in seconds.
_LINES_FOR_REML = 1500
# A block's own variance needs all the lines there are; this is where a round would take longer than some seconds.
_LINES_FOR_BLOCKS = 4500
_PORTION = 1024
# Share of the trait's variance: with less, single precision could not invert the covariance.
_LEAST_RESIDUAL = 1e-3
ROUNDS = 6
PRIOR_EFFECTS = 0.3
"""How many well-determined effects the mean variance of all blocks counts as, against those of a block itself."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Features:
    """A matrix (lines, B * p): p features of each of B blocks, decided by the haplotype that a line carries there.

    A block has few haplotypes, so that this takes a tenth of the matrix's memory and less. Columns are made some at a
    time, as they are used.

    Attributes:
        values: (haplotypes of all blocks, p) float32.
        carried: (lines, B) int32, the row of ``values``.
    """

    values: Floats
    carried: NDArray[np.int32]

    @property
    def columns(self) -> int:
        return self.blocks * int(self.values.shape[1])

    @property
    def blocks(self) -> int:
        return int(self.carried.shape[1])

    def rows(self, chosen: NDArray[np.int64]) -> Features:
        return replace(self, carried=self.carried[chosen])

    def dense(self) -> Floats:
        """All of it."""
        return np.asarray(self.values[self.carried].reshape(len(self.carried), -1))

    def portions(self) -> Iterator[tuple[slice, Floats]]:
        """Which columns, and these columns, which the caller may change."""
        width = self.values.shape[1]
        step = max(_PORTION // width, 1)
        for at in range(0, self.blocks, step):
            some = Features(values=self.values, carried=self.carried[:, at : at + step])
            yield slice(at * width, at * width + some.columns), some.dense()

    def times(self, vectors: Floats) -> Floats:
        """The product with ``vectors`` (B * p, ...)."""
        out = np.zeros((len(self.carried), *vectors.shape[1:]), dtype=np.float32)
        for columns, features in self.portions():
            out += features @ vectors[columns]
        return out

    def transposed_times(self, vectors: Floats) -> Floats:
        """The product of the transposed matrix with ``vectors`` (lines, ...)."""
        return np.concatenate([features.T @ vectors for _, features in self.portions()])

    def sums_of_squares(self) -> NDArray[np.float64]:
        """Over all lines and a block's features, (B,)."""
        squares = np.einsum("ij,ij->i", self.values, self.values, dtype=np.float64)
        return np.asarray(squares[self.carried].sum(axis=0))

    def by_block(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sums over a block's features, (B,), of ``values`` (B * p,)."""
        return np.asarray(values.reshape(self.blocks, -1).sum(axis=1, dtype=np.float64))

    def of_blocks(self, values: NDArray[np.float64]) -> Floats:
        """To every feature of a block the block's value: (B,) to (B * p,)."""
        return np.repeat(values, self.values.shape[1]).astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """What the effects are of, by line: centred SNPs (lines, SNPs), centred features of blocks, and membership of
    families (lines, q), one 1 a row; q may be 0."""

    snps: Floats
    features: Features
    member: Floats

    def rows(self, chosen: NDArray[np.int64]) -> Design:
        return replace(self, snps=self.snps[chosen], features=self.features.rows(chosen), member=self.member[chosen])

    def families(self) -> list[NDArray[np.int64]]:
        """Rows of each family."""
        return [np.flatnonzero(column) for column in self.member.T]


@dataclass(frozen=True, eq=False, kw_only=True)
class Variances:
    """Of a SNP's effect, of a feature's effect in each block (B,), of a family's effect, of a feature's effect within
    a family (B,), of the residual."""

    snps: float
    haplotypes: NDArray[np.float64]
    families: float
    within_families: NDArray[np.float64]
    residual: float

    def explained(self, design: Design) -> NDArray[np.float64]:
        """Variance among lines that comes of SNPs, haplotypes, families, haplotypes within families, residual: (5,)."""
        lines = len(design.snps)
        of_blocks = design.features.sums_of_squares() / lines
        snps = float(np.einsum("ij,ij->", design.snps, design.snps, dtype=np.float64)) / lines
        within = float(self.within_families @ of_blocks)
        return np.array(
            [self.snps * snps, self.haplotypes @ of_blocks, self.families, within, self.residual], dtype=np.float64
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Effects:
    """Of SNPs (SNPs,), of features (B * p,), of families (q,), of features within families (B * p, q), float32."""

    mean: float
    snps: Floats
    haplotypes: Floats
    families: Floats
    within_families: Floats
    variances: NDArray[np.float64]
    """(5,) shares of the variance, as ``Variances.explained``."""


def no_effects(design: Design) -> Effects:
    """All of them zero."""
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
    """Estimate the variances, then all effects on ``target`` (lines,) at once.

    Args:
        rounds: how often the variances are renewed; 0 leaves one for all blocks.
    """
    lines = len(target)
    some = _spread_out(lines, _LINES_FOR_REML)
    variances = _single_variances(design.rows(some), target[some])
    many = _spread_out(lines, _LINES_FOR_BLOCKS)
    part = design if len(many) == lines else design.rows(many)
    for _ in range(rounds):
        variances = renew_variances(part, target[many], variances)
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
        haplotypes=features.of_blocks(variances.haplotypes) * features.transposed_times(weights),
        families=np.float32(variances.families) * by_family.sum(axis=0),
        within_families=features.of_blocks(variances.within_families)[:, None] * features.transposed_times(by_family),
        variances=shares / shares.sum(),
    )


def _single_variances(design: Design, target: Floats) -> Variances:
    """By REML, the same one for all blocks."""
    ones = np.ones(design.features.blocks)
    unit = Variances(snps=1.0, haplotypes=ones, families=1.0, within_families=ones, residual=1.0)
    sizes = np.maximum(unit.explained(design), 1e-6)
    haplotypes = _no_covariance(len(target))
    for _, features in design.features.portions():
        _add_products(haplotypes, features, 1 / sizes[1])
    _mirror(haplotypes)
    same = design.member @ design.member.T
    kernels = [design.snps @ design.snps.T / np.float32(sizes[0]), haplotypes, same, haplotypes * same]
    found = estimate_variances(kernels, target) / sizes
    return Variances(
        snps=float(found[0]),
        haplotypes=found[1] * ones,
        families=float(found[2]),
        within_families=found[3] * ones,
        residual=float(found[4]),
    )


def renew_variances(
    design: Design, target: Floats, variances: Variances, *, prior_effects: float = PRIOR_EFFECTS
) -> Variances:
    """One round: each variance so that the effects found at these variances are as large as it says.

    With V⁻¹ made orthogonal to the mean, P, and the design X of some effects of variance v, the likelihood is greatest
    where y'PXX'Py = tr(X'PX); v * tr(X'PX) is how many of the effects the data determine.
    """
    inverse, _ = _inverse(_covariance(design, variances))
    ones = inverse.sum(axis=1)
    total = float(ones.sum(dtype=np.float64))
    weights = inverse @ target
    weights -= ones * np.float32(float(ones @ target) / total)

    def sizes(portions: Iterable[Floats], rows: NDArray[np.int64] | slice) -> tuple[Floats, Floats]:
        """(y'Px)² and x'Px of every column x that is one of ``portions`` in these rows and 0 in others."""
        part = np.asarray(inverse[rows][:, rows], order="F")
        found, expected = [], []
        for some in portions:
            found.append(np.square(some.T @ weights[rows]))
            of_mean = np.square(some.T @ ones[rows]) / np.float32(total)
            expected.append(_quadratic_forms(part, some) - of_mean)
        return np.concatenate(found), np.maximum(np.concatenate(expected), 1e-12)

    def renewed(of_blocks: NDArray[np.float64], found: Floats, expected: Floats) -> NDArray[np.float64]:
        """(v² y'PXX'Py + prior) / (v tr(X'PX) + prior), of every block."""
        mean = float(np.average(of_blocks, weights=heights))
        determined = of_blocks * features.by_block(expected)
        squares = np.square(of_blocks) * features.by_block(found)
        return np.asarray((squares + prior_effects * mean) / (determined + prior_effects))

    def scaled(variance: float, found: Floats, expected: Floats) -> float:
        return variance * float(found.sum(dtype=np.float64) / expected.sum(dtype=np.float64))

    everyone, features = slice(None), design.features
    heights = np.maximum(features.sums_of_squares(), 1e-12)
    families, within_families = variances.families, variances.within_families
    if by_family := [sizes([_with_ones(features.rows(rows).dense())], rows) for rows in design.families()]:
        found, expected = (np.sum(part, axis=0) for part in zip(*by_family, strict=True))
        families = scaled(families, found[-1:], expected[-1:])
        within_families = renewed(within_families, found[:-1], expected[:-1])
    trace = float(np.trace(inverse, dtype=np.float64)) - float(ones @ ones) / total
    return Variances(
        snps=scaled(variances.snps, *sizes(_portions(design.snps), everyone)) if variances.snps > 0 else 0.0,
        haplotypes=renewed(variances.haplotypes, *sizes((some for _, some in features.portions()), everyone)),
        families=families,
        within_families=within_families,
        residual=max(variances.residual * float(weights @ weights) / trace, _LEAST_RESIDUAL * float(target.var())),
    )


def _covariance(design: Design, variances: Variances) -> Floats:
    """Of the lines, (lines, lines) float32 in LAPACK's order; what is above the diagonal does not count."""
    covariance = _no_covariance(len(design.snps))
    deviations = np.sqrt(design.features.of_blocks(variances.haplotypes))
    for columns, features in design.features.portions():
        features *= deviations[columns]
        _add_products(covariance, features)
    if variances.snps > 0:
        _add_products(covariance, design.snps, variances.snps)
    deviations = np.sqrt(design.features.of_blocks(variances.within_families))
    for rows in design.families():
        scaled = design.features.rows(rows).dense() * deviations
        covariance[np.ix_(rows, rows)] += scaled @ scaled.T + np.float32(variances.families)
    covariance[np.diag_indices_from(covariance)] += np.float32(variances.residual)
    return covariance


def _no_covariance(lines: int) -> Floats:
    return np.zeros((lines, lines), dtype=np.float32, order="F")


def _add_products(covariance: Floats, matrix: Floats, factor: float = 1.0) -> None:
    """Add factor * XX' for ``matrix`` X (lines, columns), in place, on and below the diagonal alone."""
    scipy.linalg.blas.ssyrk(factor, matrix.T, beta=1, c=covariance, trans=1, lower=1, overwrite_c=1)


def _quadratic_forms(symmetric: Floats, matrix: Floats) -> Floats:
    """x'Sx of every column x. By S's lower half alone, which is half the multiplications: 2 x'Lx - x'Dx."""
    products = scipy.linalg.blas.strmm(1, symmetric, matrix.T, side=1, lower=1).T
    twice = 2 * np.einsum("ij,ij->j", matrix, products)
    return np.asarray(twice - np.diag(symmetric) @ np.square(matrix, out=products))


def _with_ones(features: Floats) -> Floats:
    """Features within a family, and a last column for the family itself."""
    return np.column_stack([features, np.ones(len(features), dtype=np.float32)])


def _portions(matrix: Floats) -> list[Floats]:
    """Some columns at a time: what is made of them all at once would be as large as the data."""
    return [matrix[:, at : at + _PORTION] for at in range(0, matrix.shape[1], _PORTION)]


def _inverse(covariance: Floats) -> tuple[Floats, float]:
    """Of a positive definite matrix (as ``_covariance``), which is used up; and the logarithm of its determinant."""
    factor = scipy.linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
    log_determinant = 2 * float(np.log(np.diag(factor)).sum(dtype=np.float64))
    (invert,) = scipy.linalg.get_lapack_funcs(("potri",), (factor,))
    inverse = invert(factor, lower=1, overwrite_c=True)[0]
    _mirror(inverse)
    return inverse, log_determinant


def _mirror(matrix: Floats) -> None:
    """Copy what is below the diagonal to above it, in place: the matrix is as large as many others together."""
    for at in range(0, len(matrix), _PORTION):
        end = at + _PORTION
        on_diagonal = matrix[at:end, at:end]
        on_diagonal[:] = np.tril(on_diagonal) + np.tril(on_diagonal, -1).T
        matrix[at:end, end:] = matrix[end:, at:end].T


def _spread_out(lines: int, wanted: int) -> NDArray[np.int64]:
    """Rows at random, always the same ones: neighbours in a file are often of one family."""
    order = np.argsort(np.random.PCG64(0).random_raw(lines))
    return np.sort(order[:wanted])


def estimate_variances(kernels: list[Floats], phenotype: Floats) -> NDArray[np.float64]:
    """REML variances of components with these covariances (n, n), then of the residual; none is negative.

    Two steps of expectation maximisation, then average information; a variance that would fall below zero is drawn
    towards it, and none grows beyond ten times that of the phenotype, as a step may where there is no residual.
    """
    lines = len(phenotype)
    total = float(phenotype.var())
    least = 1e-6 * total
    # A kernel of nothing (no families) has no variance to estimate.
    present = np.array([bool(np.any(kernel)) for kernel in kernels] + [True])
    variances = np.where(present, total / present.sum(), 0.0)
    before = -np.inf
    for iteration in range(_ITERATIONS):
        fit = _RemlStep.of(kernels, phenotype, variances)
        if abs(fit.log_likelihood - before) < _ENOUGH:
            break
        before = fit.log_likelihood
        if iteration < 2:
            step = variances**2 * fit.gradient * 2 / lines
        else:
            free = present & ((variances > 10 * least) | (fit.gradient > 0))
            step = np.zeros_like(variances)
            information = fit.information[np.ix_(free, free)] + 1e-9 * np.eye(int(free.sum()))
            step[free] = np.linalg.solve(information, fit.gradient[free])
        moved = variances + step
        variances = np.where(moved < least, np.maximum(0.1 * variances, least), np.minimum(moved, 10 * total))
        variances = np.where(present, variances, 0.0)
        variances[-1] = max(variances[-1], _LEAST_RESIDUAL * total)
    return np.where(variances > 10 * least, variances, 0.0)


@dataclass(frozen=True, eq=False)
class _RemlStep:
    log_likelihood: float
    gradient: NDArray[np.float64]
    information: NDArray[np.float64]

    @classmethod
    def of(cls, kernels: list[Floats], phenotype: Floats, variances: NDArray[np.float64]) -> _RemlStep:
        covariance = _no_covariance(len(phenotype))
        for variance, kernel in zip(variances[:-1], kernels, strict=True):
            covariance += np.float32(variance) * kernel
        covariance[np.diag_indices_from(covariance)] += np.float32(variances[-1])
        inverse, log_determinant = _inverse(covariance)
        ones = inverse.sum(axis=1)
        total = float(ones.sum(dtype=np.float64))

        def project(vector: Floats) -> Floats:
            return np.asarray(inverse @ vector - ones * np.float32((ones @ vector) / total))

        rest = project(phenotype)
        products = [kernel @ rest for kernel in kernels] + [rest]
        traces = [float(np.vdot(inverse, kernel)) - float(ones @ (kernel @ ones)) / total for kernel in kernels]
        traces.append(float(np.trace(inverse)) - float(ones @ ones) / total)
        projected = [project(product) for product in products]
        return cls(
            log_likelihood=-0.5 * (log_determinant + np.log(total) + float(phenotype @ rest)),
            gradient=np.array(
                [-0.5 * (trace - float(rest @ product)) for trace, product in zip(traces, products, strict=True)]
            ),
            information=0.5 * np.array([[float(a @ b) for b in projected] for a in products]),
        )
