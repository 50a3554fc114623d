"""SNP names that hold chromosome and position, and the order in which chromosomes are listed.

Also here: patterns such as Gm05_1234 and chr1:123; scaffolds last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

# Gm05_1234, Chr1_123, chr1:123, S5_1234 (TASSEL), 5:1234, 1_1234, 2B_77 (wheat), X5.1234 (R's make.names of
# 5:1234), scaffold_12_99; alleles may follow, as PLINK and many arrays write them (5:1234:A:G, Gm05_1234_A_G).
# The letters before a number are the usual words for a chromosome or two letters of a species' name, so that
# a trait such as "height_2019" or "rep1_2" is no SNP.
_SNP_NAME = re.compile(
    r"""
    (?P<chromosome>
        (?P<bare>\d{1,3}[A-Za-z]?)
        | (?:(?i:chromosome|chrom|chr|ch|lg)[_.]?|[A-Z][a-z]|[SX]) \d{1,3}[A-Za-z]?
        | (?i:scaffold|scaf|contig|super)[_.]?\d{1,7}
        | (?:(?i:chromosome|chrom|chr|ch)[_.]?|[A-Z][a-z])? (?:X|Y|XY|W|Z|M|MT|Mt|Pt|Un)
    )
    (?:[_:] | (?(bare)(?!)|\.))  # a dot only after letters: 0.125 is a number
    (?P<position>\d{1,12})
    (?:[_:./][ACGTN*-]+){0,2}
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"(?P<prefix>[a-z_.]*?)_?(?P<number>\d+)(?P<suffix>[a-z]?)")
_UNPLACED = ("scaf", "contig", "super", "un")
_LETTERS = ("x", "y", "xy", "w", "z", "m", "mt", "pt")


def snp_place(name: str) -> tuple[str, int] | None:
    """Return the place that a SNP's name holds.

    Args:
        name: such as ``Gm01_123456`` or ``1A:123456``.

    Returns:
        Chromosome as written and position in base pairs, or None if the name holds none.
    """
    match = _SNP_NAME.fullmatch(name)
    return (match["chromosome"], int(match["position"])) if match else None


def snp_table(names: Sequence[str]) -> pd.DataFrame:
    """Return the table of SNPs that ``Dataset.snps`` documents.

    Args:
        names: of the SNPs, in order.

    Returns:
        A row for each SNP; chromosome ``""`` and position 0 for names that hold no place.
    """
    places = [snp_place(name) or ("", 0) for name in names]
    return pd.DataFrame(
        {
            "name": pd.Series(list(names), dtype="str"),
            "chromosome": pd.Series([chromosome for chromosome, _ in places], dtype="str"),
            "position": np.array([position for _, position in places], dtype=np.int64),
        }
    )


def chromosome_key(chromosome: str) -> tuple[int, int, str, str]:
    """Return the sort key of a chromosome, in the order in which a person lists them.

    Numbers count as numbers (``Gm2`` before ``Gm10``, ``1A`` before ``1B`` before ``2A``); then come
    X, Y and other letters, then scaffolds and contigs, then other names, and last unknown (``""``).

    Args:
        chromosome: as the file writes it; ``""`` if it is unknown.
    """
    text = chromosome.casefold()
    if not text:
        return (4, 0, "", "")
    bare = re.sub(r"^(chromosome|chrom|chr|ch)[_.]?", "", text)
    if bare in _LETTERS:
        return (1, _LETTERS.index(bare), "", text)
    match = _NUMBERED.fullmatch(text)
    if match is None:
        return (3, 0, text, "")
    group = 2 if match["prefix"].startswith(_UNPLACED) else 0
    return (group, int(match["number"]), match["suffix"], match["prefix"])


def sorted_chromosomes(chromosomes: Iterable[str]) -> list[str]:
    """Return the different chromosomes in the order in which a person lists them.

    Args:
        chromosomes: perhaps repeated, as of every SNP.
    """
    return sorted(set(chromosomes), key=chromosome_key)
