"""Dataset: genotypes of some lines with one trait, frozen, with a content hash; saved and memory-mapped.

Also here: the code of a missing genotype; a dataset that is gone or of another version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.files import disk_errors, read_json, synchronise, write_json
from gwas_core.genotypes.arrays import open_array
from gwas_core.messages import quoted

MISSING = -1
"""Value of a genotype that was not called in ``Dataset.genotypes``."""

SNP_COLUMNS = ("name", "chromosome", "position")
_FORMAT = 1
_LARGEST_DESCRIPTION = 4 * 1024**3


class _Description(TypedDict):
    """Everything of a dataset but its genotypes and phenotype, as ``dataset.json`` holds it."""

    format: int
    trait: str
    shape: list[int]
    line_names: list[str]
    snps: dict[str, list[Any]]
    family: list[str] | None
    folds: list[int] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Genotypes of some lines and one trait measured on them.

    Attributes:
        genotypes: int8 (lines, SNPs), copies of the counted allele: 0, 1, 2, or ``MISSING``.
        phenotype: float64 (lines,), in the trait's own unit, all finite.
        line_names: one name for each line, no two the same.
        snps: one row for each SNP: ``name`` (unique), ``chromosome`` (text, empty if unknown), ``position``
            (base pairs, 0 if unknown); columns such as ``effect_allele`` may follow.
        trait: name of the phenotype, as the file gives it.
        family: family of each line as text, or None if the lines have no families.
        folds: cross-validation fold of each line, or None if the file has none.

    Raises:
        InputError: the parts do not fit together.
    """

    genotypes: NDArray[np.int8]
    phenotype: NDArray[np.float64]
    line_names: tuple[str, ...]
    snps: pd.DataFrame
    trait: str
    family: NDArray[np.str_] | None = None
    folds: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.genotypes.dtype != np.int8 or self.genotypes.ndim != 2:
            raise InputError(
                "genotypes must be an int8 matrix (lines, SNPs), "
                f"not {self.genotypes.dtype} of shape {self.genotypes.shape}"
            )
        lines, snps = self.genotypes.shape
        if self.phenotype.shape != (lines,) or self.phenotype.dtype != np.float64:
            raise InputError(
                f"the phenotype must be float64 of shape ({lines},), "
                f"not {self.phenotype.dtype} of shape {self.phenotype.shape}"
            )
        if not np.isfinite(self.phenotype).all():
            raise InputError(f"every value of {quoted(self.trait)} must be a finite number; drop the lines without one")
        if len(self.line_names) != lines or len(set(self.line_names)) != lines:
            raise InputError(f"there must be {lines} different line names, one a line")
        if len(self.snps) != snps or tuple(self.snps.columns[:3]) != SNP_COLUMNS:
            raise InputError(f"the SNP table must have {snps} rows and start with the columns {SNP_COLUMNS}")
        if self.snps["name"].duplicated().any():
            raise InputError("no two SNPs may have the same name")
        for name, values in (("family", self.family), ("folds", self.folds)):
            if values is not None and values.shape != (lines,):
                raise InputError(f"{name} must have one value for each line ({lines}), not shape {values.shape}")

    @property
    def lines(self) -> int:
        """Number of lines (rows)."""
        return int(self.genotypes.shape[0])

    @cached_property
    def has_missing(self) -> bool:
        """Whether any genotype is missing; networks and GBLUP need complete genotypes (see ``preprocessing``)."""
        # In blocks: a comparison of the whole memory-mapped matrix would bring a copy of it into memory.
        return any(bool((self.genotypes[start : start + 512] < 0).any()) for start in range(0, self.lines, 512))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of everything a result can depend on; names the folder of the dataset on disk."""
        digest = hashlib.sha256(f"gwas-dataset-{_FORMAT}".encode())
        for start in range(0, self.lines, 512):  # in blocks, so that no copy of the whole matrix is made
            digest.update(np.ascontiguousarray(self.genotypes[start : start + 512]).reshape(-1).data)
        digest.update(self.phenotype.tobytes())
        digest.update(json.dumps(self._description(), sort_keys=True).encode())
        return digest.hexdigest()

    def _description(self) -> _Description:
        return {
            "format": _FORMAT,
            "trait": self.trait,
            "shape": list(self.genotypes.shape),
            "line_names": list(self.line_names),
            "snps": {name: self.snps[name].tolist() for name in self.snps.columns},
            "family": None if self.family is None else self.family.tolist(),
            "folds": None if self.folds is None else self.folds.tolist(),
        }

    def take(self, *, lines: NDArray[Any] | None = None, snps: NDArray[Any] | None = None) -> Dataset:
        """Return a copy with the chosen lines and SNPs, in the order given.

        Args:
            lines: indices or a boolean array (lines,); all lines if not given.
            snps: indices or a boolean array (SNPs,); all SNPs if not given.
        """
        taken = self
        if lines is not None:
            index = np.arange(self.lines)[lines]
            taken = replace(
                taken,
                genotypes=np.ascontiguousarray(taken.genotypes[index]),
                phenotype=taken.phenotype[index],
                line_names=tuple(taken.line_names[i] for i in index),
                family=None if taken.family is None else taken.family[index],
                folds=None if taken.folds is None else taken.folds[index],
            )
        if snps is not None:
            chosen = np.arange(taken.genotypes.shape[1])[snps]
            taken = replace(
                taken,
                genotypes=np.ascontiguousarray(taken.genotypes[:, chosen]),
                snps=taken.snps.iloc[chosen].reset_index(drop=True),
            )
        return taken

    def save(self, directory: Path) -> Path:
        """Write the dataset to a folder and return the folder.

        The folder holds ``genotypes.npy``, ``phenotype.npy`` and ``dataset.json``; it appears whole or not at all.

        Args:
            directory: named by the content hash, so that an existing folder already holds the same and is left as
                it is.

        Raises:
            DiskError: the disk is full, or does not let it be written.
        """
        if (directory / "dataset.json").is_file():
            return directory
        with disk_errors(directory):
            directory.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
            try:
                for name, values in (("genotypes.npy", self.genotypes), ("phenotype.npy", self.phenotype)):
                    np.save(temporary / name, values, allow_pickle=False)
                    synchronise(temporary / name)
                write_json(temporary / "dataset.json", self._description())
                temporary.chmod(0o755)
                try:
                    temporary.rename(directory)
                except OSError:
                    # Another process wrote the same content first, which is used.
                    if not (directory / "dataset.json").is_file():
                        raise
                synchronise(directory.parent)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return directory

    @classmethod
    def load(cls, directory: Path) -> Dataset:
        """Open a saved dataset; its genotypes stay on disk and are memory-mapped, shared by all processes.

        Args:
            directory: a folder that ``save`` wrote.

        Returns:
            The dataset, whose ``genotypes`` are read-only.

        Raises:
            InputError: the folder holds no dataset, a damaged one, or one of another version.
        """
        try:
            description: _Description = read_json(directory / "dataset.json", limit=_LARGEST_DESCRIPTION)
            written = description["format"]
            if written == _FORMAT:
                genotypes, phenotype = (open_array(directory / name) for name in ("genotypes.npy", "phenotype.npy"))
                return cls._described(description, genotypes, phenotype)
        except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            # Only the hash, not the path: pages show this message to every visitor.
            raise InputError(
                f"the dataset {directory.name[:12]} is gone or damaged: load the genotypes again"
            ) from error
        raise InputError(
            f"the dataset {directory.name[:12]} was written by another version (format {quoted(written)}): load the "
            "genotypes again"
        )

    @classmethod
    def _described(
        cls, description: _Description, genotypes: NDArray[np.int8], phenotype: NDArray[np.float64]
    ) -> Dataset:
        family, folds = description["family"], description["folds"]
        return cls(
            genotypes=genotypes,
            phenotype=np.array(phenotype),
            line_names=tuple(description["line_names"]),
            snps=pd.DataFrame(description["snps"]),
            trait=description["trait"],
            family=None if family is None else np.array(family, dtype=np.str_),
            folds=None if folds is None else np.array(folds, dtype=np.int64),
        )
