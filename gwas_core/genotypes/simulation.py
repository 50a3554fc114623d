"""Simulator of a nested association mapping (NAM) population whose causal SNPs are known.

Also here: settings and their limits; causal SNPs, their effects and epistasis; missing genotypes; names of lines; files
written; heritability.

One hub parent is crossed with every founder; the lines of such a family descend from the F1 by selfing (McMullen et
al. 2009, doi:10.1126/science.1174320, and SoyNAM: Song et al. 2017, doi:10.3835/plantgenome2016.10.0109). Families
differ in their means because founders differ in the alleles they carry, not because a mean is added to them.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import SettingsError
from gwas_core.files import atomic_path, write_text
from gwas_core.genotypes.dataset import MISSING, Dataset
from gwas_core.genotypes.founders import SnpPanel, draw_snp_panel
from gwas_core.genotypes.genetic_map import CHROMOSOMES, Chromosome, draw_inbred_lines
from gwas_core.genotypes.snp_names import snp_table
from gwas_core.genotypes.splits import apportion
from gwas_core.messages import quoted
from gwas_core.spreadsheets import csv_text, with_formula_mark

LINE_PREFIX = "SM24"
CAUSAL_COLUMNS = ("name", "chromosome", "position", "kind", "effect", "partner")

# In SoyNAM before imputation nearly every missing genotype lies in a family and SNP of which all are missing.
_MISSING_IN_MISSING_CELLS = 0.99
_MISSING_IN_CALLED_CELLS = 0.005
_MOST_GENOTYPES = 2_000_000_000
# With more, the allele counts of the causal SNPs alone would fill the memory.
_MOST_POLYGENIC = 5000


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """Settings of a simulation.

    Attributes:
        families: number of founders crossed with the hub parent.
        lines_per_family: number of inbred lines from each cross.
        snps: number of SNPs in all; at each of them the hub differs from at least one founder.
        chromosomes: number of chromosomes used, of the twenty of ``genetic_map``.
        selfing_generations: number of selfings of the F1; 4 gives F5 lines, of whose segregating genotypes 1/16 is
            heterozygous.
        ancestral_haplotypes: number of haplotypes of which all parents are mosaics; fewer make founders more alike.
        ancestral_block_centimorgans: mean length of a stretch that a parent has from one ancestor.
        large_qtl: number of causal SNPs of large effect, on different chromosomes, that segregate in about half of the
            families.
        polygenic_qtl: number of other causal SNPs, with normally distributed effects. If None, a fifth of the SNPs, at
            most 200.
        epistatic_pairs: number of pairs of large QTL that interact: the first with the second, and so on.
        large_qtl_share: weight of the large QTL beside the polygenic part, which has the rest. A weight is the part's
            variance over that of the three parts before they are added; as they are correlated, their variances do not
            add up.
        epistasis_share: weight of the epistatic pairs.
        heritability: share of the phenotype's variance that is genetic, over all lines.
        missing_fraction: share of the genotypes that is missing.
        missing_follows_families: whether a SNP is called in nearly all lines of a family or in nearly none.
        trait: name of the trait.
        trait_mean: in the trait's unit (cm for height).
        trait_standard_deviation: in the trait's unit.
        folds: number of random, equally large cross-validation folds.
        seed: the same settings give the same population.

    Raises:
        SettingsError: a setting is refused; ``field`` is its name.
    """

    families: int = 39
    lines_per_family: int = 130
    snps: int = 4236
    chromosomes: int = len(CHROMOSOMES)
    selfing_generations: int = 4
    ancestral_haplotypes: int = 10
    ancestral_block_centimorgans: float = 8.0
    large_qtl: int = 4
    polygenic_qtl: int | None = None
    epistatic_pairs: int = 0
    large_qtl_share: float = 0.3
    epistasis_share: float = 0.0
    heritability: float = 0.8
    missing_fraction: float = 0.0
    missing_follows_families: bool = True
    trait: str = "height"
    trait_mean: float = 85.0
    trait_standard_deviation: float = 11.0
    folds: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_whole_numbers()
        self._check_numbers()
        if self.lines * self.snps > _MOST_GENOTYPES:
            raise SettingsError(
                f"{self.lines:,} lines × {self.snps:,} SNPs are more than {_MOST_GENOTYPES:,} genotypes: ask for less",
                field="snps",
            )
        self._check_shares()
        trait = str(self.trait)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", trait) or trait in ("folds", "strain", "norm_phe"):
            raise SettingsError(
                "the trait's name must be letters, digits and underscores, at most 40, and not folds, strain or "
                f"norm_phe, not {quoted(trait)}",
                field="trait",
            )

    def _check_whole_numbers(self) -> None:
        for name, least, most in (
            ("families", 1, 99),
            ("lines_per_family", 2, 999),
            ("chromosomes", 1, len(CHROMOSOMES)),
            ("snps", 1, 200_000),
            ("selfing_generations", 1, 20),
            ("ancestral_haplotypes", 2, 100),
            ("large_qtl", 0, len(CHROMOSOMES)),
            ("seed", 0, 2**63 - 1),
        ):
            _check_whole(name, getattr(self, name), least, most)
        if self.polygenic_qtl is None:
            object.__setattr__(self, "polygenic_qtl", min(200, self.snps // 5))
        # Settings whose bounds depend on other settings.
        for name, least, most in (
            ("snps", self.chromosomes, 200_000),
            ("large_qtl", 0, self.chromosomes),
            ("epistatic_pairs", 0, self.large_qtl // 2),
            ("polygenic_qtl", 0, min(self.snps - self.large_qtl, _MOST_POLYGENIC)),
            ("folds", 2, self.lines),
        ):
            _check_whole(name, getattr(self, name), least, most)

    def _check_numbers(self) -> None:
        for name, low, high in (
            ("ancestral_block_centimorgans", 0.1, 1e4),
            ("large_qtl_share", 0.0, 1.0),
            ("epistasis_share", 0.0, 1.0),
            ("heritability", 0.01, 1.0),
            ("missing_fraction", 0.0, 0.95),
            ("trait_mean", -1e6, 1e6),
            ("trait_standard_deviation", 0.1, 1e6),
        ):
            _check_number(name, getattr(self, name), low, high)

    def _check_shares(self) -> None:
        polygenic = 1 - self.large_qtl_share - self.epistasis_share
        if polygenic < -1e-9:
            raise SettingsError("large_qtl_share and epistasis_share add up to more than 1", field="large_qtl_share")
        for share, count, name in (
            (self.large_qtl_share, self.large_qtl, "large_qtl"),
            (self.epistasis_share, self.epistatic_pairs, "epistatic_pairs"),
            (polygenic, self.polygenic_qtl, "polygenic_qtl"),
        ):
            if share > 1e-9 and count == 0:
                raise SettingsError(f"{name} is 0, yet {share:.3g} of the genetic variance is its share", field=name)

    @property
    def lines(self) -> int:
        """Number of lines in all."""
        return self.families * self.lines_per_family


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulation:
    """Simulated population with its causal SNPs and genetic values.

    Attributes:
        settings: settings of the simulation.
        dataset: lines in the order of their names; the phenotype is in the trait's unit, to 3 decimals as in files. A
            genotype counts the hub parent's alleles.
        causal: one row for each effect (``CAUSAL_COLUMNS``): ``kind`` is ``large``, ``polygenic`` or ``epistatic``;
            ``effect`` is in the trait's unit, per copy of the hub's allele, and for an epistatic pair (``name`` and
            ``partner``) per unit of the product of their allele counts, each less 1.
        genetic_values: (lines,), phenotype without noise, in the trait's unit.
        differs: bool (families, SNPs): whether the family's founder carries another allele than the hub.
    """

    settings: SimulationSettings
    dataset: Dataset
    causal: pd.DataFrame
    genetic_values: NDArray[np.float64]
    differs: NDArray[np.bool_]


def simulate(settings: SimulationSettings) -> Simulation:
    """Return a simulated population: genotypes, trait, and missing genotypes, in this order.

    Every stage has a random stream of its own, so that, for instance, another heritability keeps the genotypes.
    20,000 lines × 40,000 SNPs take about half a minute and 1.3 GB.

    Args:
        settings: sizes, heritability and seed; the same ones give the same population.

    Raises:
        SettingsError: the parents are too alike for so many SNPs.
    """
    streams = np.random.SeedSequence(settings.seed).spawn(4)
    panels, genotypes = _breed(settings, streams[0])
    differs = np.concatenate([panel.differs for _, panel in panels], axis=1)
    names = [f"{chromosome.name}_{position}" for chromosome, panel in panels for position in panel.positions.tolist()]
    snps = snp_table(names)
    causal, genetic_values = _trait(settings, _generator(streams[1]), genotypes, differs, snps)
    noise_generator = _generator(streams[2])
    noise = noise_generator.standard_normal(settings.lines) * settings.trait_standard_deviation
    phenotype = genetic_values + noise * math.sqrt(1 - settings.heritability)
    family = np.repeat([f"{number:02d}" for number in range(1, settings.families + 1)], settings.lines_per_family)
    _remove_genotypes(settings, _generator(streams[3]), genotypes)
    dataset = Dataset(
        genotypes=genotypes,
        phenotype=np.round(phenotype, 3),
        line_names=_line_names(settings),
        snps=snps,
        trait=settings.trait,
        family=family,
        folds=noise_generator.permutation(np.arange(settings.lines) % settings.folds + 1).astype(np.int64),
    )
    return Simulation(settings=settings, dataset=dataset, causal=causal, genetic_values=genetic_values, differs=differs)


def causal_path(path: Path) -> Path:
    """Return the path of the causal SNPs that belong to a table: ``demo_height_causal.tsv`` beside the table.

    Args:
        path: of the table of lines.
    """
    stem = path.with_suffix("") if path.suffix == ".gz" else path
    return path.with_name(f"{stem.with_suffix('').name}_causal.tsv")


def write_table(simulation: Simulation, path: Path) -> tuple[Path, Path]:
    """Write the population in the layout of ``IMP_height.txt`` and its causal SNPs beside it.

    The table is tab-separated: ``folds``, ``norm_phe`` (the trait as a z-score), ``strain``, the trait, the SNPs
    (0, 1, 2 or ``nan``). It is compressed if the name ends in ``.gz``, without a time stamp, so that the same
    simulation gives the same file.

    Args:
        simulation: population with its causal SNPs.
        path: of the table; it is compressed if the name ends in ``.gz``.

    Returns:
        Path of the table, and path of the causal SNPs (see ``causal_path``).
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        if path.suffix == ".gz":
            # Level 9 takes seven times as long for files a third smaller.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as compressed:
                _write_rows(simulation.dataset, compressed)
        else:
            _write_rows(simulation.dataset, file)
    causal = causal_path(path)
    write_text(causal, csv_text(simulation.causal, separator="\t", float_format="%.6f"))
    return path, causal


def _breed(
    settings: SimulationSettings, stream: np.random.SeedSequence
) -> tuple[list[tuple[Chromosome, SnpPanel]], NDArray[np.int8]]:
    """Draw SNPs of each chromosome, and the genotypes of all lines, int8 (lines, SNPs)."""
    chromosomes = CHROMOSOMES[: settings.chromosomes]
    genome = sum(chromosome.base_pairs for chromosome in chromosomes)
    # At least one SNP on each chromosome, the others by its length.
    counts = 1 + apportion(
        settings.snps - len(chromosomes), tuple(chromosome.base_pairs / genome for chromosome in chromosomes)
    )
    genotypes = np.empty((settings.lines, settings.snps), dtype=np.int8)
    panels = []
    start = 0
    for chromosome, count, own in zip(chromosomes, counts.tolist(), stream.spawn(len(chromosomes)), strict=True):
        random = _generator(own)
        panel = draw_snp_panel(
            random,
            chromosome,
            snps=count,
            founders=settings.families,
            ancestors=settings.ancestral_haplotypes,
            block_centimorgans=settings.ancestral_block_centimorgans,
        )
        first, second = draw_inbred_lines(
            random,
            settings.lines,
            generations=settings.selfing_generations,
            map_positions=chromosome.map_positions(panel.positions),
            centimorgans=chromosome.centimorgans,
        )
        first += second
        first *= np.repeat(panel.differs, settings.lines_per_family, axis=0)
        np.subtract(2, first, out=genotypes[:, start : start + count], casting="unsafe")
        panels.append((chromosome, panel))
        start += count
    return panels, genotypes


def _trait(
    settings: SimulationSettings,
    random: np.random.Generator,
    genotypes: NDArray[np.int8],
    differs: NDArray[np.bool_],
    snps: pd.DataFrame,
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Choose causal SNPs and effects; return their table and the genetic values, (lines,), they add up to."""
    large = _choose_large(settings, random, differs, snps["chromosome"].to_numpy())
    others = np.setdiff1d(np.arange(settings.snps), large)
    polygenic = np.sort(random.choice(others, settings.polygenic_qtl, replace=False))
    pairs = large[: 2 * settings.epistatic_pairs].reshape(-1, 2)
    centred = genotypes[:, np.concatenate([large, polygenic])].astype(np.float64) - 1
    first = genotypes[:, pairs[:, 0]].astype(np.float64) - 1
    parts = [
        _GeneticComponent("large", centred[:, : len(large)], _signs(random, len(large)), settings.large_qtl_share),
        _GeneticComponent(
            "polygenic",
            centred[:, len(large) :],
            random.standard_normal(len(polygenic)),
            1 - settings.large_qtl_share - settings.epistasis_share,
        ),
        _GeneticComponent(
            "epistatic", first * (genotypes[:, pairs[:, 1]] - 1.0), _signs(random, len(pairs)), settings.epistasis_share
        ),
    ]
    scaled = [part.scaled_effects() for part in parts]
    total = sum((part.counts @ effects for part, effects in zip(parts, scaled, strict=True)), np.zeros(len(genotypes)))
    if total.std() == 0:
        raise SettingsError("the causal SNPs do not vary among so few lines: simulate more", field="polygenic_qtl")
    target = settings.trait_standard_deviation * math.sqrt(settings.heritability)
    # Rounded as in the file of causal SNPs, so that the file explains the trait exactly.
    final = [np.round(effects * target / total.std(), 6) for effects in scaled]
    values = sum((part.counts @ effects for part, effects in zip(parts, final, strict=True)), np.zeros(len(genotypes)))
    indices = np.concatenate([large, polygenic, pairs[:, 0]])
    causal = snps.iloc[indices].reset_index(drop=True)
    causal["kind"] = np.repeat([part.kind for part in parts], [len(effects) for effects in final])
    causal["effect"] = np.concatenate(final)
    names = snps["name"].to_numpy()
    causal["partner"] = np.concatenate([np.full(len(large) + len(polygenic), ""), names[pairs[:, 1]]])
    return causal[list(CAUSAL_COLUMNS)], values - values.mean() + settings.trait_mean


@dataclass(frozen=True, eq=False)
class _GeneticComponent:
    """Component of the genetic value: allele counts (lines, effects), effects in any unit, and its weight."""

    kind: str
    counts: NDArray[np.float64]
    effects: NDArray[np.float64]
    share: float

    def scaled_effects(self) -> NDArray[np.float64]:
        """Return the effects, scaled so that the component has the variance ``share``."""
        deviation = float((self.counts @ self.effects).std()) if len(self.effects) else 0.0
        # A component that does not vary (one fixed SNP) has no scale; its effect is then its weight.
        return self.effects * (math.sqrt(max(self.share, 0.0)) / (deviation or 1.0))


def _choose_large(
    settings: SimulationSettings,
    random: np.random.Generator,
    differs: NDArray[np.bool_],
    chromosome: NDArray[Any],
) -> NDArray[np.int64]:
    """Return indices of SNPs of large effect, one on each chosen chromosome; half of the families segregate there."""
    distance = np.abs(differs.mean(axis=0) - 0.5)
    chosen = []
    for name in random.permutation(np.unique(chromosome))[: settings.large_qtl]:
        own = np.flatnonzero(chromosome == name)
        near = own[distance[own] <= max(0.15, distance[own].min())]
        chosen.append(int(random.choice(near)))
    return np.array(chosen, dtype=np.int64)


def _signs(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return effects of random sign whose sizes decrease: 1, 0.85, 0.72 and so on."""
    return np.asarray(random.choice([-1.0, 1.0], count) * 0.85 ** np.arange(count), dtype=np.float64)


def _remove_genotypes(settings: SimulationSettings, random: np.random.Generator, genotypes: NDArray[np.int8]) -> None:
    """Set genotypes to ``MISSING``, in place."""
    if settings.missing_fraction == 0:
        return
    background = settings.missing_fraction
    rate = np.full((settings.families, settings.snps), background, dtype=np.float32)
    if settings.missing_follows_families:
        background = min(background, _MISSING_IN_CALLED_CELLS)
        lost = (settings.missing_fraction - background) / (_MISSING_IN_MISSING_CELLS - background)
        rate = np.where(random.random(rate.shape) < lost, _MISSING_IN_MISSING_CELLS, background).astype(np.float32)
    for family in range(settings.families):
        rows = genotypes[family * settings.lines_per_family : (family + 1) * settings.lines_per_family]
        rows[random.random(rows.shape, dtype=np.float32) < rate[family]] = MISSING


def _line_names(settings: SimulationSettings) -> tuple[str, ...]:
    """Return names such as ``SM24-03012``: line 012 of family 03, as SoyNAM's ``DS11-23045``."""
    return tuple(
        f"{LINE_PREFIX}-{family:02d}{line:03d}"
        for family in range(1, settings.families + 1)
        for line in range(1, settings.lines_per_family + 1)
    )


def _write_rows(dataset: Dataset, file: BinaryIO | gzip.GzipFile) -> None:
    names = map(with_formula_mark, ("folds", "norm_phe", "strain", dataset.trait, *dataset.snps["name"]))
    file.write("\t".join(names).encode() + b"\n")
    assert dataset.folds is not None
    normalised = (dataset.phenotype - dataset.phenotype.mean()) / dataset.phenotype.std(ddof=1)
    fields = zip(
        dataset.folds.tolist(),
        normalised.tolist(),
        dataset.line_names,
        dataset.phenotype.tolist(),
        _genotype_fields(dataset.genotypes),
        strict=True,
    )
    for fold, score, name, value, genotypes in fields:
        file.write(f"{fold}\t{score:.10f}\t{name}\t{value:.3f}".encode() + genotypes + b"\n")


def _genotype_fields(genotypes: NDArray[np.int8]) -> Iterator[bytes]:
    """Yield the genotypes of each line as text, a tab before each."""
    texts = np.array([list(b"\t0\0\0"), list(b"\t1\0\0"), list(b"\t2\0\0"), list(b"\tnan")], dtype=np.uint8)
    for row in genotypes:
        field = texts[row]  # -1, missing, is the last one
        yield field[field != 0].tobytes()


def _generator(stream: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(stream))


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most:,}, not {quoted(value)}", field=name)


def _check_number(name: str, value: Any, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise SettingsError(f"{name} must be a number from {least:g} to {most:g}, not {quoted(value)}", field=name)


DEMO = SimulationSettings(
    families=16,
    lines_per_family=50,
    snps=1200,
    large_qtl=4,
    polygenic_qtl=120,
    epistatic_pairs=2,
    large_qtl_share=0.4,
    epistasis_share=0.1,
    heritability=0.85,
    seed=33,
)
"""Settings of ``data/demo_height.txt.gz``."""
