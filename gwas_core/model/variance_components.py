"""Variance components by restricted maximum likelihood (REML): criterion and maximiser of every mixed model.

    y = X b + u_1 + ... + u_k + e,   u_i ~ N(0, K_i σ²_i),   e ~ N(0, I σ²_e)

Models differ in how the covariance V = Σ K_i σ²_i + I σ²_e is inverted, and only in that:

- ``SpectralModel``: one relationship, decomposed into eigenvectors before, and groups (families). An iteration costs
  lines times the square of the groups, in double precision: GBLUP of thousands of lines.
- ``DenseModel``: any number of kernels, inverted as they are. An iteration costs the cube of the lines, in single
  precision: haplotype models of up to some 1,500 lines.

Sources: restricted likelihood, Patterson & Thompson 1971, doi:10.1093/biomet/58.3.545; average information, Gilmour,
Thompson & Cullis 1995, doi:10.2307/2533274; the sums over eigenvalues, Kang et al. 2008 (EMMA),
doi:10.1534/genetics.107.080101, and Lippert et al. 2011 (FaST-LMM), doi:10.1038/nmeth.1681.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SingleFloats = NDArray[np.float32]
Matrix = NDArray[Any]
"""Float64 of a ``SpectralModel``, float32 of a ``DenseModel``."""

# Before average information takes over: it converges fast near the maximum and can go astray far from it.
_EXPECTATION_MAXIMISATION_STEPS = 2
# Shares of the phenotype's variance: below the first a variance is not told from zero, and none is above the other,
# where a step may lead that starts without a residual.
_LEAST_SHARE, _GREATEST_SHARE = 1e-6, 10.0
_RIDGE = 1e-9
_COLUMNS_AT_ONCE = 1024


class InverseCovariance(Protocol):
    """V⁻¹ at given variances."""

    @property
    def log_determinant(self) -> float:
        """log|V|."""

    def multiply(self, matrix: Matrix) -> Matrix:
        """Return V⁻¹ times a matrix.

        Args:
            matrix: (lines, ...).

        Returns:
            Of the same shape.
        """

    def weigh_covariates(self) -> Matrix:
        """Return V⁻¹X, (lines, c)."""

    def kernel_traces(self) -> Floats:
        """Return tr(V⁻¹K_i) of every component, the residual's last: (k + 1,)."""


class CovarianceModel(Protocol):
    """Phenotype, its fixed effects and the covariance of the rest."""

    @property
    def phenotype(self) -> Matrix:
        """y, (lines,)."""

    @property
    def covariates(self) -> Matrix:
        """X, (lines, c), of full column rank."""

    @property
    def total_variance(self) -> float:
        """Variance of the phenotype among lines."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """(k + 1,) whether a component's kernel is anything but zero; the residual's is."""

    def invert(self, variances: Floats) -> InverseCovariance:
        """Return V⁻¹.

        Args:
            variances: (k + 1,), the residual's last.
        """

    def kernel_products(self, vector: Matrix) -> list[Matrix]:
        """Return the product of each component's kernel K_i with a vector.

        Args:
            vector: (lines, ...).

        Returns:
            (lines, ...) for each component, the residual's last.
        """


@dataclass(frozen=True, eq=False)
class Projection:
    """P = V⁻¹ - V⁻¹X (X'V⁻¹X)⁻¹ X'V⁻¹, the inverse covariance without what fixed effects can explain.

    Attributes:
        inverse: V⁻¹.
        weighted_covariates: V⁻¹X, (lines, c).
        information: X'V⁻¹X, (c, c).
    """

    inverse: InverseCovariance
    weighted_covariates: Matrix
    information: Floats

    @classmethod
    def of(cls, inverse: InverseCovariance, covariates: Matrix) -> Projection:
        """Return the projection that removes covariates.

        Args:
            inverse: V⁻¹.
            covariates: X, (lines, c).
        """
        weighted = inverse.weigh_covariates()
        return cls(inverse, weighted, np.asarray(covariates.T.astype(np.float64) @ weighted))

    def fixed_effects(self, vector: Matrix) -> Floats:
        """Return generalised least squares estimates of the fixed effects b.

        Args:
            vector: phenotype, (lines,).

        Returns:
            (c,), one for each covariate.
        """
        right = np.array([float(column @ vector) for column in self.weighted_covariates.T])
        return np.asarray(np.linalg.solve(self.information, right), dtype=np.float64)

    def multiply(self, vector: Matrix) -> Matrix:
        """Return the projection P times a vector.

        Args:
            vector: (lines,).

        Returns:
            (lines,).
        """
        explained = self.weighted_covariates @ self.fixed_effects(vector).astype(vector.dtype)
        return np.asarray(self.inverse.multiply(vector) - explained)

    def kernel_traces(self, model: CovarianceModel) -> Floats:
        """Return the traces tr(P K_i).

        Args:
            model: with the kernels K_i.

        Returns:
            (k + 1,), the residual's last.
        """
        weighted = self.weighted_covariates
        explained = []
        for product in model.kernel_products(weighted):
            quadratic = np.array([[float(left @ right) for right in product.T] for left in weighted.T])
            explained.append(float(np.trace(np.linalg.solve(self.information, quadratic))))
        return np.asarray(self.inverse.kernel_traces() - np.array(explained))


@dataclass(frozen=True, eq=False, kw_only=True)
class RestrictedLikelihood:
    """Criterion at given variances, and its derivatives.

    Attributes:
        variances: (k + 1,), the residual's last.
        value: log-likelihood, without the constant -(lines - c)/2 log 2π + 1/2 log|X'X|.
        gradient: (k + 1,) by the variances.
        average_information: (k + 1, k + 1), mean of observed and expected information.
        fixed_effects: (c,) generalised least squares estimates.
        residual: P y, (lines,): what a kernel times its variance is multiplied by to predict its random effect.
    """

    variances: Floats
    value: float
    gradient: Floats
    average_information: Floats
    fixed_effects: Floats
    residual: Matrix

    @classmethod
    def at(cls, model: CovarianceModel, variances: Floats) -> RestrictedLikelihood:
        """Return the REML criterion of a model.

        Args:
            model: covariance model with its phenotype.
            variances: (k + 1,), the residual's last.

        Returns:
            The criterion with its gradient and average information at these variances.
        """
        inverse = model.invert(variances)
        projection = Projection.of(inverse, model.covariates)
        residual = projection.multiply(model.phenotype)
        products = model.kernel_products(residual)
        projected = [projection.multiply(product) for product in products]
        squares = np.array([float(residual @ product) for product in products])
        return cls(
            variances=variances,
            value=-0.5
            * (
                inverse.log_determinant
                + float(np.linalg.slogdet(projection.information)[1])
                + float(model.phenotype @ residual)
            ),
            gradient=-0.5 * (projection.kernel_traces(model) - squares),
            average_information=0.5 * np.array([[float(a @ b) for b in projected] for a in products]),
            fixed_effects=projection.fixed_effects(model.phenotype),
            residual=residual,
        )


def maximise_restricted_likelihood(
    model: CovarianceModel,
    *,
    start: Sequence[float] | None = None,
    tolerance: float,
    iterations: int,
    least_residual: float,
) -> Floats:
    """Return the variances at which the restricted likelihood is greatest; none is negative.

    Two steps of expectation maximisation, then average information. A variance that would fall below zero is drawn
    towards it, the others then move as is best beside it, and a step that makes the likelihood smaller is halved.

    Args:
        model: phenotype and covariance.
        start: (k + 1,) shares of the phenotype's variance to begin with; equal ones if None.
        tolerance: change of the log-likelihood below which its maximum is reached.
        iterations: most inversions of the covariance.
        least_residual: least residual variance, as a share of the phenotype's.

    Returns:
        (k + 1,), the residual's last, in the squared unit of the phenotype; 0 for what is not told from zero.
    """
    total, present = model.total_variance, model.present
    lines = len(model.phenotype)
    least = _LEAST_SHARE * total
    shares = present / present.sum() if start is None else np.asarray(start) * present
    variances = total * shares
    before: RestrictedLikelihood | None = None
    for iteration in range(iterations):
        fit = RestrictedLikelihood.at(model, variances)
        if before is not None:
            if abs(fit.value - before.value) < tolerance:
                break
            if fit.value < before.value:
                variances = (variances + before.variances) / 2
                continue
        before = fit
        if iteration < _EXPECTATION_MAXIMISATION_STEPS:
            step = variances**2 * fit.gradient * 2 / lines
        else:
            free = present & ((variances > 10 * least) | (fit.gradient > 0))
            # The ridge keeps the system regular for kernels that are alike; relative, so the phenotype's unit is free.
            information = fit.average_information + _RIDGE / total**2 * np.eye(len(variances))
            step = _average_information_step(information, fit.gradient, variances, free=free, least=least)
        moved = variances + step
        variances = np.where(
            moved < least, np.maximum(0.1 * variances, least), np.minimum(moved, _GREATEST_SHARE * total)
        )
        variances = np.where(present, variances, 0.0)
        variances[-1] = max(variances[-1], least_residual * total)
    return np.where(variances > 10 * least, variances, 0.0)


def _average_information_step(
    information: Floats, gradient: Floats, variances: Floats, *, free: NDArray[np.bool_], least: float
) -> Floats:
    """Return the change of the variances: Newton's for those that stay positive, a fall to a tenth for the others.

    The step of those that stay is solved anew beside the falls that are made. In the step of all of them together they
    answer to falls far below zero that never happen, which may lead downhill, however often it is halved.
    """
    step = np.zeros_like(variances)
    free = free.copy()
    while free.any():
        right = gradient[free] - information[np.ix_(free, ~free)] @ step[~free]
        step[free] = np.linalg.solve(information[np.ix_(free, free)], right)
        falls = free & (variances + step < least)
        if not falls.any():
            break
        step[falls] = np.maximum(0.1 * variances[falls], least) - variances[falls]
        free &= ~falls
    return step


@dataclass(frozen=True, eq=False)
class SpectralModel:
    """Covariance K σ²_g + F F' σ²_f + I σ²_e in the coordinates of K's eigenvectors.

    Attributes:
        eigenvalues: (lines,) of K.
        phenotype: (lines,) rotated.
        covariates: (lines, c) rotated.
        groups: (lines, q) F, rotated; q may be 0.
        total_variance: of the phenotype before it was rotated.
    """

    eigenvalues: Floats
    phenotype: Floats
    covariates: Floats
    groups: Floats
    total_variance: float

    @property
    def present(self) -> NDArray[np.bool_]:
        """(3,): relationship, groups, residual."""
        return np.array([True, self.groups.shape[1] > 0, True])

    def invert(self, variances: Floats) -> SpectralInverse:
        """Return the inverse for the variances of relationship, groups and residual.

        Args:
            variances: (3,).
        """
        return SpectralInverse.of(self, variances)

    def kernel_products(self, vector: Floats) -> list[Floats]:
        """Return the products of K, F F' and I with ``vector`` (lines, ...).

        Args:
            vector: (lines, ...).
        """
        diagonal = self.eigenvalues if vector.ndim == 1 else self.eigenvalues[:, None]
        return [diagonal * vector, self.groups @ (self.groups.T @ vector), vector]


@dataclass(frozen=True, eq=False)
class SpectralInverse:
    """Inverse of a diagonal A plus F F' σ²_f, by Woodbury's identity.

    With H = A⁻¹F σ_f and C = I + F'H σ_f, V⁻¹ = A⁻¹ - H C⁻¹ H'; C stays regular when σ²_f nears 0.
    """

    model: SpectralModel
    diagonal: Floats
    scaled_groups: Floats
    """H, (lines, q)."""
    factor: tuple[Floats, bool]
    """Cholesky factor of C, (q, q)."""

    @classmethod
    def of(cls, model: SpectralModel, variances: Floats) -> SpectralInverse:
        """Return the inverse for the variances of relationship, groups and residual.

        Args:
            model: in the coordinates of the relationship's eigenvectors.
            variances: (3,) of relationship, groups and residual.
        """
        genetic, group, residual = variances
        diagonal = genetic * model.eigenvalues + residual
        deviation = np.sqrt(group)
        scaled = deviation * model.groups / diagonal[:, None]
        inner = np.eye(model.groups.shape[1]) + deviation * (model.groups.T @ scaled)
        return cls(model, diagonal, scaled, scipy.linalg.cho_factor(inner, lower=True, check_finite=False))

    @property
    def log_determinant(self) -> float:
        """log|V|."""
        return float(np.log(self.diagonal).sum() + 2 * np.log(np.diag(self.factor[0])).sum())

    def multiply(self, matrix: Floats) -> Floats:
        """Return V⁻¹ times a matrix.

        Args:
            matrix: (lines, ...).
        """
        divided = matrix / (self.diagonal if matrix.ndim == 1 else self.diagonal[:, None])
        return np.asarray(divided - self.scaled_groups @ self._solve(self.scaled_groups.T @ matrix))

    def weigh_covariates(self) -> Floats:
        """Return V⁻¹X, (lines, c)."""
        return self.multiply(self.model.covariates)

    def kernel_traces(self) -> Floats:
        """Return tr(V⁻¹K), tr(V⁻¹FF') and tr(V⁻¹): (3,)."""
        weights = self.model.eigenvalues
        groups = self.model.groups
        return np.array(
            [
                self._trace(weights),
                float(np.vdot(groups, self.multiply(groups))),
                self._trace(np.ones_like(weights)),
            ]
        )

    def _trace(self, weights: Floats) -> float:
        """tr(V⁻¹ diag(weights))."""
        inner = self.scaled_groups.T @ (weights[:, None] * self.scaled_groups)
        return float((weights / self.diagonal).sum() - np.trace(self._solve(inner)))

    def _solve(self, matrix: Floats) -> Floats:
        if not len(matrix):
            return matrix
        solved: Floats = scipy.linalg.cho_solve(self.factor, matrix, check_finite=False)
        return solved


@dataclass(frozen=True, eq=False)
class DenseModel:
    """Any kernels (lines, lines) float32, for a phenotype (lines,) that has a mean and no other fixed effect."""

    kernels: Sequence[SingleFloats]
    phenotype: SingleFloats

    @property
    def covariates(self) -> SingleFloats:
        """Intercept, (lines, 1)."""
        return np.ones((len(self.phenotype), 1), dtype=np.float32)

    @property
    def total_variance(self) -> float:
        """Variance of the phenotype among lines."""
        return float(self.phenotype.var())

    @property
    def present(self) -> NDArray[np.bool_]:
        """(k + 1,): a kernel of nothing (no families) has no variance to estimate."""
        return np.array([*(bool(np.any(kernel)) for kernel in self.kernels), True])

    def invert(self, variances: Floats) -> DenseInverse:
        """Return V⁻¹.

        Args:
            variances: (k + 1,), the residual's last.
        """
        covariance = empty_covariance(len(self.phenotype))
        for variance, kernel in zip(variances[:-1], self.kernels, strict=True):
            covariance += np.float32(variance) * kernel
        covariance[np.diag_indices_from(covariance)] += np.float32(variances[-1])
        return DenseInverse.of(covariance, kernels=self.kernels)

    def kernel_products(self, vector: SingleFloats) -> list[SingleFloats]:
        """Return the products of every kernel and I with ``vector`` (lines, ...)."""
        return [*(kernel @ vector for kernel in self.kernels), vector]


@dataclass(frozen=True, eq=False)
class DenseInverse:
    """Inverse covariance written out.

    Attributes:
        matrix: V⁻¹, (lines, lines) float32.
        log_determinant: log|V|.
        kernels: those whose traces are wanted.
    """

    matrix: SingleFloats
    log_determinant: float
    kernels: Sequence[SingleFloats] = ()

    @classmethod
    def of(cls, covariance: SingleFloats, *, kernels: Sequence[SingleFloats] = ()) -> DenseInverse:
        """Invert a positive definite matrix as ``empty_covariance`` makes one; its memory is used up.

        Args:
            covariance: (lines, lines) float32 in LAPACK's order; what is above the diagonal does not count.
            kernels: those whose traces are wanted.
        """
        factor = scipy.linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        log_determinant = 2 * float(np.log(np.diag(factor)).sum(dtype=np.float64))
        (invert,) = scipy.linalg.get_lapack_funcs(("potri",), (factor,))
        inverse = invert(factor, lower=1, overwrite_c=True)[0]
        mirror(inverse)
        return cls(inverse, log_determinant, kernels)

    def multiply(self, matrix: SingleFloats) -> SingleFloats:
        """Return V⁻¹ times a matrix.

        Args:
            matrix: (lines, ...).
        """
        return np.asarray(self.matrix @ matrix)

    def weigh_covariates(self) -> SingleFloats:
        """Return V⁻¹ times a column of ones, (lines, 1)."""
        return np.asarray(self.matrix.sum(axis=1, keepdims=True))

    def kernel_traces(self) -> Floats:
        """Return tr(V⁻¹K_i) of every kernel, then tr(V⁻¹)."""
        traces = [float(np.vdot(self.matrix, kernel)) for kernel in self.kernels]
        return np.array([*traces, float(np.trace(self.matrix))])


def empty_covariance(lines: int) -> SingleFloats:
    """Return zeros in LAPACK's order, to add to.

    Args:
        lines: number of rows and columns.

    Returns:
        float32 (lines, lines).
    """
    return np.zeros((lines, lines), dtype=np.float32, order="F")


def mirror(matrix: SingleFloats) -> None:
    """Copy what is below the diagonal to above it, in place: a copy would take as much memory again.

    Args:
        matrix: (lines, lines), of which only the part below the diagonal is read.
    """
    for at in range(0, len(matrix), _COLUMNS_AT_ONCE):
        end = at + _COLUMNS_AT_ONCE
        on_diagonal = matrix[at:end, at:end]
        on_diagonal[:] = np.tril(on_diagonal) + np.tril(on_diagonal, -1).T
        matrix[at:end, end:] = matrix[end:, at:end].T
