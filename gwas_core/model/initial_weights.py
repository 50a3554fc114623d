"""Initial weights of a network: the best linear unbiased prediction of a mixed model of haplotypes.

Also here: blocks and prototypes of haplotypes; how a new line's family is recognised from its genotypes; that trials
share weights computed once; from how many families on none are told apart.

    y = μ + a + h + f + s + e

a are additive effects of SNPs (GBLUP), h additive effects of haplotypes of blocks of neighbouring SNPs, f effects of
families and s effects of haplotypes within a family, beyond those in all lines. ``effects`` estimates their variances,
for h and s one per block. Haplotypes enter through features: the similarity of a block to each of a few prototypes,
exp(-d² / bandwidth), whitened among the prototypes, so that inner products of features approximate the Gaussian kernel
(Nyström's method: Williams & Seeger 2001, Using the Nyström method to speed up kernel machines, NIPS 13).

Reason: in crosses of many founders the same SNP allele marks different causal alleles in different families; the
founder haplotype that a line carries in a block tells more than its SNPs one by one.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.special
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.files import atomic_path
from gwas_core.genotypes.arrays import read_arrays
from gwas_core.model.effects import ROUNDS, Design, Features, fit_effects, no_effects
from gwas_core.processes.memory import give_back_memory

Floats = NDArray[np.float32]

# Relative to a kernel's largest eigenvalue: directions in which the prototypes hardly differ.
_SMALLEST_EIGENVALUE = 1e-3
# Ridge penalty and sharpness of the family scores: with these, 99 % of lines of 39 families are assigned to their
# family, and a line of another family gets shares in several.
_FAMILY_RIDGE, FAMILY_SHARPNESS = 0.1, 15.0
MAXIMUM_FAMILIES = 200
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingLines:
    """Data of the training lines.

    Attributes:
        genotypes: int8 (lines, SNPs) without missing values.
        target: float32 (lines,), z-scores of the phenotype.
        family: (lines,) name of each line's family; None if lines have none.
    """

    genotypes: NDArray[np.int8]
    target: Floats
    family: NDArray[np.str_] | None

    @property
    def families(self) -> int:
        """Number of families a network distinguishes; 0 for none, for one, and for so many that each has few lines."""
        number = 0 if self.family is None else len(np.unique(self.family))
        return number if 1 < number <= min(MAXIMUM_FAMILIES, len(self.target) // 8) else 0


@dataclass(frozen=True, eq=False, kw_only=True)
class InitialWeights:
    """Initial weights for B blocks of w SNPs with p prototypes each and q families (q may be 0).

    All are float32, except ``variances``.

    Attributes:
        mean: (SNPs,) allele count.
        scale: (), standard deviation of allele counts, all SNPs together.
        prototypes: (B, 2w, p), factors of centred, scaled counts and their squares; with ``prototype_bias`` they give
            the exponent of the similarity.
        prototype_bias: (B, p).
        whitening: (B, p, p), from similarities to features.
        additive: (SNPs,) effects.
        haplotypes: (B * p,) effects.
        bias: ().
        family_scores: (SNPs, q), with ``family_bias`` the exponents of a line's share in each family.
        family_bias: (q,).
        family_haplotypes: (B * p, q) effects of haplotypes in a family, beyond those in all lines.
        family_means: (q,) effects of families.
        variances: (5,) share of the variance: additive, haplotypes, families, haplotypes within them, residual.
    """

    mean: Floats
    scale: Floats
    prototypes: Floats
    prototype_bias: Floats
    whitening: Floats
    additive: Floats
    haplotypes: Floats
    bias: Floats
    family_scores: Floats
    family_bias: Floats
    family_haplotypes: Floats
    family_means: Floats
    variances: NDArray[np.float64]

    def predict(self, genotypes: NDArray[np.int8]) -> Floats:
        """Return what a network with these weights predicts.

        Args:
            genotypes: int8 (lines, SNPs), without missing values.

        Returns:
            float32 (lines,): z-scores of the phenotype.
        """
        centred = (genotypes - self.mean) / self.scale
        blocks = _Blocks(self.prototypes, self.prototype_bias, self.whitening)
        features = blocks.features(_haplotypes(centred, genotypes, self.prototypes.shape[1] // 2))
        predicted = centred @ self.additive + features.multiply(self.haplotypes) + self.bias
        if self.family_means.size:
            shares = scipy.special.softmax(centred @ self.family_scores + self.family_bias, axis=1)
            predicted += (shares * (features.multiply(self.family_haplotypes) + self.family_means)).sum(axis=1)
        return np.asarray(predicted)


def fit_initial_weights(
    lines: TrainingLines,
    *,
    block: int,
    prototypes: int,
    sharpness: float,
    effects: bool = True,
    rounds: int = ROUNDS,
    cache: Path | None = None,
) -> InitialWeights:
    """Fit the mixed model of this module; it takes half a minute of one core for 4,000 lines × 4,000 SNPs.

    Args:
        lines: training lines.
        block: SNPs per block.
        prototypes: prototype haplotypes per block.
        sharpness: 1 for a bandwidth of the mean squared distance between lines, 2 for half of it.
        effects: whether to estimate effects; if not, all are zero, and the network starts as the mean.
        rounds: number of updates of the variances of blocks; 0 for one variance for all blocks.
        cache: folder that keeps the weights, so that trials of one experiment compute them once.
    """
    settings = block, prototypes, sharpness, effects, rounds
    if cache is None:
        return _fit(lines, *settings)
    path = cache / f"start-{_digest(lines, *settings)}.npz"
    # The locks only save work and memory: a process that gets none within a minute computes the weights all the same.
    from gwas_core.processes.locks import FileLock, acquire_any
    from gwas_core.processes.threads import usable_cores

    initial = _read(path)
    if initial is None:
        with FileLock(path.with_suffix(".lock")) as lock:
            lock.acquire(seconds=_PATIENCE_SECONDS)
            initial = _read(path)
            if initial is None:
                # More processes at a time than cores would not be faster.
                places = [FileLock(cache / f"fit-{platform.node()}-{place}.lock") for place in range(usable_cores())]
                with acquire_any(places, seconds=_PATIENCE_SECONDS):
                    initial = _fit(lines, *settings)
                    give_back_memory()
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.savez(file, allow_pickle=False, **_arrays(initial))
                # As all others read them.
                initial = _read(path) or initial
    return initial


def _read(path: Path) -> InitialWeights | None:
    """Return the weights that another trial computed; None if there are none, or their file was damaged."""
    try:
        arrays = read_arrays(path)
        return InitialWeights(**{field.name: arrays[field.name] for field in fields(InitialWeights)})
    except (InputError, KeyError):
        return None


def _arrays(initial: InitialWeights) -> dict[str, NDArray[np.generic]]:
    return {field.name: getattr(initial, field.name) for field in fields(InitialWeights)}


def _digest(lines: TrainingLines, *settings: float) -> str:
    digest = hashlib.sha256(repr((lines.genotypes.shape, settings)).encode())
    digest.update(lines.genotypes.tobytes())
    digest.update(lines.target.tobytes())
    digest.update(repr(None if lines.family is None else lines.family.tolist()).encode())
    return digest.hexdigest()[:16]


def _fit(
    lines: TrainingLines, block: int, prototypes: int, sharpness: float, with_effects: bool, rounds: int
) -> InitialWeights:
    mean = lines.genotypes.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = lines.genotypes - mean
    scale = np.float32(max(np.sqrt(np.mean(np.square(centred), dtype=np.float64)), 1e-3))
    centred /= scale
    haplotypes = _haplotypes(centred, lines.genotypes, block)
    blocks = _Blocks.of(haplotypes, prototypes, sharpness)
    features, feature_mean = blocks.centred_features(haplotypes)
    member = _membership(lines)
    design = Design(snps=centred, features=features, member=member)
    effects = fit_effects(design, lines.target, rounds=rounds) if with_effects else no_effects(design)
    scores, score_bias = _family_scores(centred, member)
    return InitialWeights(
        mean=mean,
        scale=np.asarray(scale),
        prototypes=blocks.matrix,
        prototype_bias=blocks.bias,
        whitening=blocks.whitening,
        additive=effects.snps,
        haplotypes=effects.haplotypes,
        bias=np.asarray(effects.mean - feature_mean @ effects.haplotypes, dtype=np.float32),
        family_scores=scores,
        family_bias=score_bias,
        family_haplotypes=effects.within_families,
        family_means=effects.families - feature_mean @ effects.within_families,
        variances=effects.variances,
    )


def _membership(lines: TrainingLines) -> Floats:
    """Return (lines, families), 1 if a line is in a family, else 0."""
    if not lines.families or lines.family is None:
        return np.zeros((len(lines.target), 0), dtype=np.float32)
    return np.asarray(lines.family[:, None] == np.unique(lines.family), dtype=np.float32)


def _diagonal_mean(centred: Floats) -> float:
    return max(float(np.einsum("ij,ij->", centred, centred, dtype=np.float64)) / len(centred), 1e-6)


def _family_scores(centred: Floats, member: Floats) -> tuple[Floats, Floats]:
    """Return scores and bias of families: ridge regression of membership on genotypes, times a sharpness.

    The sharpness is so large that the family with the greatest score gets a share of almost 1.
    """
    if not member.shape[1]:
        return np.zeros((centred.shape[1], 0), dtype=np.float32), np.zeros(0, dtype=np.float32)
    share = member.mean(axis=0)
    kernel = centred @ centred.T
    kernel[np.diag_indices_from(kernel)] += np.float32(_FAMILY_RIDGE * _diagonal_mean(centred))
    # The transposed matrix is the same, since it is symmetric, and in LAPACK's order, so no copy is made.
    factor = scipy.linalg.cho_factor(kernel.T, lower=True, overwrite_a=True, check_finite=False)
    solved = scipy.linalg.cho_solve(factor, member - share, check_finite=False)
    sharp = np.float32(FAMILY_SHARPNESS)
    return sharp * (centred.T @ solved), sharp * share


@dataclass(frozen=True, eq=False, kw_only=True)
class _Haplotypes:
    """Distinct haplotypes of one block.

    Attributes:
        values: (h, SNPs), centred and scaled allele counts.
        carried: (lines,), the haplotype that a line carries.
        count: (h,), number of lines that carry a haplotype.
    """

    values: Floats
    carried: NDArray[np.int32]
    count: NDArray[np.int64]

    @property
    def lines(self) -> int:
        return len(self.carried)

    def prototypes(self, number: int) -> Floats:
        """Return prototypes (number, SNPs).

        The first is the most frequent haplotype, each further one that with the greatest distance from those before,
        weighted by its frequency.
        """
        distance = np.full(len(self.values), np.inf, dtype=np.float32)
        chosen = [int(self.count.argmax())]
        for _ in range(number - 1):
            distance = np.minimum(distance, np.square(self.values - self.values[chosen[-1]]).sum(axis=1))
            chosen.append(int((distance * self.count).argmax()))
        return np.asarray(self.values[chosen])

    def variance(self) -> float:
        """Return the sum over SNPs of the variance among lines."""
        mean = self.mean(self.values)
        return float(self.mean(np.square(self.values - mean)).sum())

    def mean(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean over lines (...,) of values per haplotype (h, ...)."""
        return np.asarray(self.count @ values.astype(np.float64) / self.lines)


def _haplotypes(centred: Floats, genotypes: NDArray[np.int8], block: int) -> list[_Haplotypes]:
    """Return the haplotypes of each block of neighbouring SNPs; the last block is padded with the mean, 0."""
    found = []
    for at in range(0, genotypes.shape[1], block):
        # Compared as strings of bytes, which is many times faster than as rows of numbers.
        rows = np.ascontiguousarray(genotypes[:, at : at + block])
        strings = rows.view(np.dtype((np.void, rows.shape[1]))).reshape(-1)
        _, first, carried, count = np.unique(strings, return_index=True, return_inverse=True, return_counts=True)
        values = centred[first, at : at + block]
        values = np.pad(values, ((0, 0), (0, block - values.shape[1])))
        found.append(_Haplotypes(values=values, carried=carried.astype(np.int32), count=count))
    return found


@dataclass(frozen=True, eq=False)
class _Blocks:
    matrix: Floats
    bias: Floats
    whitening: Floats

    @classmethod
    def of(cls, haplotypes: list[_Haplotypes], prototypes: int, sharpness: float) -> _Blocks:
        chosen = np.stack([block.prototypes(prototypes) for block in haplotypes])
        variance = np.maximum(2 * np.array([block.variance() for block in haplotypes], dtype=np.float32), 1e-3)
        bandwidth = variance / np.float32(sharpness)
        among = np.square(chosen[:, :, None] - chosen[:, None]).sum(axis=3)
        kernel = np.exp(-among / bandwidth[:, None, None]).astype(np.float64)
        # The weight of a block is the variance of its SNPs.
        whitening = _inverse_roots(kernel) * np.sqrt(variance / variance.mean())[:, None, None]
        across = chosen.transpose(0, 2, 1)
        matrix = np.concatenate([2 * across, -np.ones_like(across)], axis=1) / bandwidth[:, None, None]
        return cls(
            matrix.astype(np.float32),
            (-np.square(chosen).sum(axis=2) / bandwidth[:, None]).astype(np.float32),
            whitening.astype(np.float32),
        )

    def features(self, haplotypes: list[_Haplotypes]) -> Features:
        return _features(self._values(haplotypes), haplotypes)

    def centred_features(self, haplotypes: list[_Haplotypes]) -> tuple[Features, Floats]:
        """Return features centred over lines, and their means (B * p,)."""
        values = self._values(haplotypes)
        means = [block.mean(of_block).astype(np.float32) for of_block, block in zip(values, haplotypes, strict=True)]
        centred = [of_block - mean for of_block, mean in zip(values, means, strict=True)]
        return _features(centred, haplotypes), np.concatenate(means)

    def _values(self, haplotypes: list[_Haplotypes]) -> list[Floats]:
        """Return features of each block's haplotypes, (h, p)."""
        return [self._of_block(number, block) for number, block in enumerate(haplotypes)]

    def _of_block(self, number: int, block: _Haplotypes) -> Floats:
        """Return features of one block's haplotypes, (h, p)."""
        both = np.concatenate([block.values, np.square(block.values)], axis=1)
        similarity = np.exp(both @ self.matrix[number] + self.bias[number])
        return np.asarray(similarity @ self.whitening[number])


def _features(values: list[Floats], haplotypes: list[_Haplotypes]) -> Features:
    ends = np.cumsum([len(of_block) for of_block in values], dtype=np.int32)
    carried = np.stack([block.carried for block in haplotypes], axis=1)
    carried[:, 1:] += ends[:-1]
    return Features(values=np.concatenate(values), carried=carried)


def _inverse_roots(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return K^(-1/2) of each kernel, without directions in which prototypes do not differ (some may be equal)."""
    values, vectors = np.linalg.eigh(kernels)
    kept = values > _SMALLEST_EIGENVALUE * values[:, -1:]
    roots = np.where(kept, np.maximum(values, 1e-12) ** -0.5, 0.0)
    return np.asarray((vectors * roots[:, None]) @ vectors.transpose(0, 2, 1))
