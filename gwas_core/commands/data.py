"""Commands ``simulate`` and ``inspect``: the simulator's files, and the quality report as text or JSON.

Also here: heterozygosity, duplicates and outliers in words.
"""

from __future__ import annotations

import argparse

from gwas_core.commands.common import format_number, load_dataset, print_json, printable, say, say_notes
from gwas_core.genotypes.quality import QualityReport, quality_report
from gwas_core.serialization import JsonObject, to_json_values


def simulate(options: argparse.Namespace) -> None:
    """Write a simulated population, and its causal SNPs beside it."""
    from gwas_core.genotypes.simulation import SimulationSettings, simulate, write_table

    given = {
        name: getattr(options, option)
        for option, name in (
            ("families", "families"),
            ("lines_per_family", "lines_per_family"),
            ("snps", "snps"),
            ("heritability", "heritability"),
            ("missing", "missing_fraction"),
            ("seed", "seed"),
        )
        if getattr(options, option) is not None
    }
    simulation = simulate(SimulationSettings(**given))
    paths = write_table(simulation, options.out)
    lines, snps = simulation.dataset.genotypes.shape
    say(f"{lines:,} lines and {snps:,} SNPs written to {options.out}; {len(simulation.causal)} causal SNPs beside it.")
    if options.json:
        print_json({"lines": lines, "snps": snps, "files": [str(path) for path in paths]})


def inspect(options: argparse.Namespace) -> None:
    """Read and check a file, and print its quality report."""
    dataset, notes = load_dataset(options)
    report = quality_report(dataset)
    if options.json:
        print_json(_inspection(report, notes))
        return
    print(_text(report))
    say_notes(notes)


def _inspection(report: QualityReport, notes: tuple[str, ...]) -> JsonObject:
    """Return the quality report as JSON values: counts at the top level, distributions below."""
    details = to_json_values(report)
    chromosomes, families = details.pop("chromosomes"), details.pop("families")
    return {
        **details,
        "chromosomes": len([name for name in chromosomes if name]),
        "snps_per_chromosome": chromosomes,
        "families": 0 if families is None else families["count"],
        "family_details": families,
        "notes": list(notes),
    }


def _text(report: QualityReport) -> str:
    chromosomes = {name or "(unknown)": count for name, count in report.chromosomes.items()}
    phenotype = report.phenotype
    spread = (
        f"mean {format_number(phenotype.mean)}, standard deviation {format_number(phenotype.standard_deviation)}, "
        f"from {format_number(phenotype.minimum)} to {format_number(phenotype.maximum)}"
    )
    rows = [
        ("lines", f"{report.lines:,}"),
        ("SNPs", f"{report.snps:,} on {len(chromosomes)} chromosomes: {', '.join(list(chromosomes)[:30])}"),
        ("missing", f"{report.missing_fraction:.1%} of all genotypes"),
        ("heterozygous", "–" if report.heterozygosity is None else f"{report.heterozygosity:.2%} of called genotypes"),
        ("monomorphic", f"{report.monomorphic:,} SNPs"),
        ("duplicates", f"{report.duplicates:,} SNPs that equal an earlier one in every line"),
        (f"trait {phenotype.name}", spread),
        ("outliers", f"{phenotype.outliers} {', '.join(phenotype.outlier_lines)}".rstrip()),
        ("families", _families(report)),
    ]
    width = max(len(name) for name, _ in rows)
    return printable("\n".join(f"{name:<{width}}  {value}" for name, value in rows))


def _families(report: QualityReport) -> str:
    families = report.families
    if families is None:
        return "none known (--family or --family-characters names them)"
    sizes = sorted(families.sizes.values())
    text = f"{families.count}, of {sizes[0]} to {sizes[-1]} lines"
    if families.cells_missing > 0.01:
        text += (
            f"; missingness follows families ({families.cells_missing:.1%} of family x SNP cells are empty): "
            "a model could learn families from it"
        )
    return text
