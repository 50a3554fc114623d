"""Commands ``bundle`` (write the best model's zip), ``report`` (its HTML page) and ``predict`` (CSV of new lines)."""

from __future__ import annotations

import argparse

import numpy as np

from gwas_core.commands.common import print_json, read_input_table, roles_from_options, say, say_notes
from gwas_core.errors import InputError
from gwas_core.files import open_regular_file, write_text
from gwas_core.spreadsheets import csv_text
from gwas_core.workspace import Workspace


def bundle(options: argparse.Namespace) -> None:
    """Write the bundle of an experiment's best model."""
    from gwas_core.engines.selection import Engines
    from gwas_core.report.bundle_export import export_bundle

    workspace = Workspace.from_environment()
    path = export_bundle(workspace, Engines(workspace).sync(options.name), path=options.out)
    say(f"The best model of {options.name} is in {path} ({path.stat().st_size / 1e6:.1f} MB).")
    if options.json:
        print_json({"bundle": str(path), "bytes": path.stat().st_size})
    else:
        print(path)


def report(options: argparse.Namespace) -> None:
    """Write the report of a finished search."""
    from gwas_core.engines.selection import Engines
    from gwas_core.report.study_report import study_report, study_report_page

    workspace = Workspace.from_environment()
    page = study_report_page(study_report(workspace, Engines(workspace).sync(options.name)))
    write_text(options.out, page)
    say(f"The report of {options.name} is in {options.out}.")
    if options.json:
        print_json({"report": str(options.out), "bytes": options.out.stat().st_size})
    else:
        print(options.out)


def predict(options: argparse.Namespace) -> None:
    """Predict the phenotype of new lines with a bundle."""
    from gwas_core.genotypes.column_roles import check_roles, read_families, read_line_names
    from gwas_core.model.bundle import open_bundle
    from gwas_core.model.prediction import predict_lines

    try:
        open_regular_file(options.bundle).close()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(
            f"there is no bundle {options.bundle}: `bundle NAME --out {options.bundle.name}` makes one"
        ) from error
    table = read_input_table(options)
    chosen = roles_from_options(options, table)
    check_roles(table, chosen)
    names = read_line_names(table, chosen.line_name)
    predictions = predict_lines(
        open_bundle(options.bundle),
        genotypes=table.genotypes,
        snp_names=table.snps["name"].tolist(),
        line_names=names,
        family=read_families(table, chosen, names),
    )
    say_notes((*table.notes, *predictions.notes))
    text = csv_text(predictions.table, float_format="%.6g")
    if options.out is not None:
        write_text(options.out, text)
        say(f"{len(predictions.table):,} predictions of {predictions.trait} written to {options.out}.")
    if options.json:
        print_json(
            {
                "lines": len(predictions.table),
                "trait": predictions.trait,
                "matched_snps": predictions.matched,
                "missing_snps": predictions.missing,
                "unknown_snps": predictions.unknown,
                "mean_prediction": float(np.mean(predictions.table["predicted"])),
                "out": None if options.out is None else str(options.out),
            }
        )
    elif options.out is None:
        print(text, end="")
