"""The simulator: reproducible, true to its settings, and readable as any other file."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwas_core.errors import SettingsError
from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.genetic_map import CHROMOSOMES
from gwas_core.genotypes.readers import read_table
from gwas_core.genotypes.simulation import (
    CAUSAL_COLUMNS,
    DEMO,
    Simulation,
    SimulationSettings,
    causal_path,
    simulate,
    write_table,
)
from tests.waiting import LIMIT

DATA = Path(__file__).resolve().parents[2] / "data"
SMALL = SimulationSettings(
    families=8,
    lines_per_family=40,
    snps=300,
    chromosomes=4,
    large_qtl=3,
    polygenic_qtl=60,
    epistatic_pairs=1,
    large_qtl_share=0.3,
    epistasis_share=0.1,
    seed=1,
)


@pytest.fixture(scope="module")
def small() -> Simulation:
    return simulate(SMALL)


def table_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_the_same_seed_gives_the_same_population_and_another_seed_another(small: Simulation) -> None:
    again = simulate(SMALL)
    assert again.dataset.content_hash == small.dataset.content_hash
    pd.testing.assert_frame_equal(again.causal, small.causal)
    other = simulate(replace(SMALL, seed=2))
    assert not np.array_equal(other.dataset.genotypes, small.dataset.genotypes)


def test_the_shape_is_what_was_asked(small: Simulation) -> None:
    dataset = small.dataset
    assert dataset.genotypes.shape == (320, 300)
    assert not dataset.has_missing
    assert set(np.unique(dataset.genotypes)) == {0, 1, 2}
    assert list(dict.fromkeys(dataset.snps["chromosome"])) == ["Gm01", "Gm02", "Gm03", "Gm04"]
    for _, snps in dataset.snps.groupby("chromosome"):
        assert (np.diff(snps["position"]) > 0).all()
    assert np.unique(dataset.family, return_counts=True)[1].tolist() == [40] * 8
    assert dataset.line_names[:2] == ("SM24-01001", "SM24-01002")
    assert [name[5:7] for name in dataset.line_names] == dataset.family.tolist()
    assert np.bincount(dataset.folds).tolist() == [0] + [32] * 10


def test_another_heritability_keeps_the_genotypes(small: Simulation) -> None:
    other = simulate(replace(SMALL, heritability=0.3, missing_fraction=0.2))
    called = other.dataset.genotypes >= 0
    np.testing.assert_array_equal(other.dataset.genotypes[called], small.dataset.genotypes[called])


@pytest.mark.parametrize("heritability", [0.2, 0.5, 0.9])
def test_heritability_is_realised(heritability: float) -> None:
    for seed in range(3):
        simulation = simulate(replace(SMALL, lines_per_family=150, heritability=heritability, seed=seed))
        assert simulation.genetic_values.var() / simulation.dataset.phenotype.var() == pytest.approx(
            heritability, abs=0.05
        )
        noise = simulation.dataset.phenotype - simulation.genetic_values
        assert abs(np.corrcoef(noise, simulation.genetic_values)[0, 1]) < 0.1


def test_with_heritability_1_there_is_no_noise() -> None:
    simulation = simulate(replace(SMALL, heritability=1.0))
    np.testing.assert_allclose(simulation.dataset.phenotype, simulation.genetic_values, atol=5e-4)


def test_the_trait_has_its_scale() -> None:
    phenotype = simulate(replace(SMALL, lines_per_family=200)).dataset.phenotype
    assert phenotype.mean() == pytest.approx(85, abs=1.5)
    assert phenotype.std() == pytest.approx(11, abs=0.6)


def test_the_causal_snps_explain_the_genetic_values_exactly(small: Simulation) -> None:
    dataset, causal = small.dataset, small.causal
    assert tuple(causal.columns) == CAUSAL_COLUMNS
    assert causal["kind"].value_counts().to_dict() == {"polygenic": 60, "large": 3, "epistatic": 1}
    counts = pd.DataFrame(dataset.genotypes.astype(float) - 1, columns=dataset.snps["name"].tolist())
    values = np.zeros(dataset.lines)
    for row in causal.itertuples():
        values += row.effect * counts[row.name] * (counts[row.partner] if row.partner else 1.0)
    np.testing.assert_allclose(values - values.mean() + 85, small.genetic_values, atol=1e-9)


def test_large_qtl_are_large_and_lie_on_different_chromosomes_in_many_families(small: Simulation) -> None:
    large = small.causal[small.causal["kind"] == "large"]
    polygenic = small.causal[small.causal["kind"] == "polygenic"]
    assert large["chromosome"].is_unique
    assert large["effect"].abs().min() > 2 * polygenic["effect"].abs().median()
    segregating = small.differs[:, np.isin(small.dataset.snps["name"], large["name"])].mean(axis=0)
    assert ((segregating >= 0.3) & (segregating <= 0.7)).all()


def test_families_segregate_only_between_their_two_parents(small: Simulation) -> None:
    genotypes = small.dataset.genotypes.reshape(8, 40, 300)
    for family, differs in enumerate(small.differs):
        # Where the founder has the hub's allele, so has every line, twice.
        assert (genotypes[family][:, ~differs] == 2).all()
        # Elsewhere both alleles are about as frequent; 40 lines leave room for chance.
        frequency = genotypes[family][:, differs].mean(axis=0) / 2
        assert ((frequency > 0.1) & (frequency < 0.9)).all()
        assert frequency.mean() == pytest.approx(0.5, abs=0.1)


def test_lines_are_nearly_inbred(small: Simulation) -> None:
    segregating = np.repeat(small.differs, 40, axis=0)
    assert (small.dataset.genotypes[segregating] == 1).mean() == pytest.approx(1 / 16, abs=0.012)


def test_families_differ_in_their_means_by_their_genes() -> None:
    simulation = simulate(replace(SMALL, families=20, lines_per_family=60))
    family = simulation.dataset.family
    means = [simulation.dataset.phenotype[family == name].mean() for name in np.unique(family)]
    # By chance alone, means of 60 lines would have a standard deviation of 1.4.
    assert np.std(means) > 3


def test_linkage_disequilibrium_decays_with_distance_inside_a_family() -> None:
    simulation = simulate(replace(SMALL, families=2, lines_per_family=400))
    snps, differs = simulation.dataset.snps, simulation.differs[0]
    rows = simulation.dataset.genotypes[:400][:, differs].astype(float)
    r2 = np.corrcoef(rows.T) ** 2
    chromosome = snps["chromosome"].to_numpy()[differs]
    on_map = np.concatenate(
        [c.map_positions(snps["position"][snps["chromosome"] == c.name].to_numpy()) for c in CHROMOSOMES[:4]]
    )[differs]
    distance = np.abs(on_map[:, None] - on_map)
    same = (chromosome[:, None] == chromosome) & ~np.eye(len(on_map), dtype=bool)
    means = [
        r2[same & (distance >= low) & (distance < high)].mean() for low, high in ((0, 2), (5, 10), (20, 30), (60, 130))
    ]
    assert means[0] > 0.9
    assert means == sorted(means, reverse=True)
    assert means[2] < 0.6
    assert means[3] < 0.1
    assert r2[chromosome[:, None] != chromosome].mean() < 0.01


def test_missing_genotypes_follow_families_when_asked() -> None:
    settings = replace(SMALL, families=20, missing_fraction=0.25)
    genotypes = simulate(settings).dataset.genotypes
    assert (genotypes < 0).mean() == pytest.approx(0.25, abs=0.02)
    by_cell = (genotypes.reshape(20, 40, 300) < 0).mean(axis=1)
    # SoyNAM before imputation: 24.5 % of the cells missing, 72 % called.
    assert (by_cell >= 0.9).mean() == pytest.approx(0.25, abs=0.03)
    assert (by_cell <= 0.1).mean() == pytest.approx(0.75, abs=0.03)
    scattered = simulate(replace(settings, missing_follows_families=False)).dataset.genotypes
    assert (scattered < 0).mean() == pytest.approx(0.25, abs=0.01)
    by_cell = (scattered.reshape(20, 40, 300) < 0).mean(axis=1)
    assert by_cell.max() < 0.7


@pytest.mark.parametrize("name", ["population.txt", "population.txt.gz"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_a_written_table_is_read_back_as_it_was(tmp_path: Path, name: str, missing: float) -> None:
    simulation = simulate(replace(SMALL, missing_fraction=missing, snps=120))
    path = tmp_path / "new folder" / name
    written, causal = write_table(simulation, path)
    assert written == path
    assert causal == tmp_path / "new folder" / "population_causal.tsv"
    table = read_table(path)
    roles = guess_roles(table)
    assert (roles.phenotype, roles.line_name, roles.folds) == ("norm_phe", "strain", "folds")
    dataset, _ = make_dataset(table, replace(roles, phenotype="height"))
    assert dataset.content_hash == simulation.dataset.content_hash
    normalised, _ = make_dataset(table, roles)
    assert normalised.phenotype.mean() == pytest.approx(0, abs=1e-9)
    assert normalised.phenotype.std(ddof=1) == pytest.approx(1, abs=1e-9)
    read = pd.read_csv(causal, sep="\t", keep_default_na=False)
    pd.testing.assert_frame_equal(read, simulation.causal, check_dtype=False)


def test_writing_twice_gives_the_same_bytes(small: Simulation, tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt.gz", tmp_path / "other.txt.gz"
    write_table(small, one)
    write_table(small, other)
    assert one.read_bytes() == other.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        "one.txt.gz",
        "other.txt.gz",
        "one_causal.tsv",
        "other_causal.tsv",
    }


@pytest.mark.parametrize(
    ("table", "causal"),
    [("a.txt.gz", "a_causal.tsv"), ("b.tsv", "b_causal.tsv"), ("c", "c_causal.tsv"), ("d.v2.txt", "d.v2_causal.tsv")],
)
def test_the_causal_snps_lie_beside_the_table(table: str, causal: str) -> None:
    assert causal_path(Path("folder") / table) == Path("folder") / causal


def test_the_demo_data_are_what_the_demo_settings_give(tmp_path: Path) -> None:
    path = tmp_path / "demo_height.txt.gz"
    _, causal = write_table(simulate(DEMO), path)
    shipped = DATA / "demo_height.txt.gz"
    # Decompressed, since another build of zlib may compress the same bytes otherwise.
    assert table_of(path) == table_of(shipped)
    assert causal.read_bytes() == causal_path(shipped).read_bytes()
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 300_000


def test_the_demos_large_qtl_are_the_strongest_of_gemmas_mixed_model(tmp_path: Path) -> None:
    program = shutil.which("gemma")
    if program is None:
        pytest.skip("GEMMA is not installed (Debian package gemma): the demo's large QTL are not looked for with it")
    simulation = simulate(DEMO)
    named = zip(simulation.dataset.snps["name"], simulation.dataset.genotypes.T, strict=True)
    rows = [f"{name},A,T," + ",".join(map(str, snp)) for name, snp in named]
    (tmp_path / "genotypes.txt").write_text("\n".join(rows) + "\n")
    np.savetxt(tmp_path / "height.txt", simulation.dataset.phenotype, fmt="%.3f")
    files = ("-g", "genotypes.txt", "-p", "height.txt")
    for step in (("-gk", "1", "-notsnp", "-o", "k"), ("-k", "output/k.cXX.txt", "-lmm", "1", "-o", "scan")):
        subprocess.run([program, *files, *step], cwd=tmp_path, capture_output=True, check=True, timeout=LIMIT)
    scan = pd.read_csv(tmp_path / "output" / "scan.assoc.txt", sep="\t").sort_values("p_wald")
    large = simulation.causal[simulation.causal["kind"] == "large"]
    assert set(scan["rs"].head(4)) == set(large["name"])
    assert scan["p_wald"].iloc[3] < 1e-6


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"families": 0}, "families"),
        ({"families": 100}, "families"),
        ({"lines_per_family": 1000}, "lines_per_family"),
        ({"snps": 3}, "snps"),
        ({"snps": 300.0}, "snps"),
        ({"chromosomes": 21}, "chromosomes"),
        ({"large_qtl": 5}, "large_qtl"),
        ({"large_qtl": "3"}, "large_qtl"),
        ({"chromosomes": None}, "chromosomes"),
        ({"epistatic_pairs": 2}, "epistatic_pairs"),
        ({"polygenic_qtl": 298}, "polygenic_qtl"),
        ({"polygenic_qtl": 0}, "polygenic_qtl"),
        ({"large_qtl": 0, "epistatic_pairs": 0, "epistasis_share": 0.0}, "large_qtl"),
        ({"epistatic_pairs": 0}, "epistatic_pairs"),
        ({"large_qtl_share": 0.95}, "large_qtl_share"),
        ({"heritability": 0.0}, "heritability"),
        ({"heritability": float("nan")}, "heritability"),
        ({"missing_fraction": 1.0}, "missing_fraction"),
        ({"trait_standard_deviation": 0.0}, "trait_standard_deviation"),
        ({"trait": "norm_phe"}, "trait"),
        ({"trait": "plant height"}, "trait"),
        ({"trait": "<b>"}, "trait"),
        ({"folds": 1}, "folds"),
        ({"families": 99, "lines_per_family": 999, "snps": 30_000}, "snps"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
    ],
)
def test_refused_settings_name_their_field(change, field) -> None:
    with pytest.raises(SettingsError) as refused:
        replace(SMALL, **change)
    assert refused.value.field == field


def test_few_snps_need_no_other_setting() -> None:
    simulation = simulate(SimulationSettings(families=3, lines_per_family=20, snps=60))
    assert simulation.causal["kind"].value_counts().to_dict() == {"polygenic": 12, "large": 4}


def test_one_family_and_one_kind_of_qtl_are_enough() -> None:
    simulation = simulate(
        SimulationSettings(
            families=1,
            lines_per_family=60,
            snps=50,
            chromosomes=1,
            large_qtl=0,
            large_qtl_share=0.0,
            polygenic_qtl=10,
            trait="yield_t_ha",
            trait_mean=3.0,
            trait_standard_deviation=0.5,
        )
    )
    assert simulation.differs.all()
    assert simulation.dataset.trait == "yield_t_ha"
    assert set(simulation.causal["kind"]) == {"polygenic"}
