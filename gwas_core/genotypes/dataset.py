"""The one form in which genotypes and a trait travel through the project."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.files import write_json
from gwas_core.messages import quoted

MISSING = -1
"""How a genotype that was not called is written in ``Dataset.genotypes``."""

SNP_COLUMNS = ("name", "chromosome", "position")
_FORMAT = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Genotypes of some lines and one trait measured on them.

    Attributes:
        genotypes: int8 (lines, SNPs), copies of the counted allele: 0, 1, 2, or ``MISSING``.
        phenotype: float64 (lines,), in the trait's own unit, all finite.
        line_names: one name a line, no two the same.
        snps: one row a SNP: ``name`` (unique), ``chromosome`` (text, empty when unknown), ``position``
            (base pairs, 0 when unknown); columns such as ``effect_allele`` may follow.
        trait: the phenotype's name, as the file gives it.
        family: family of each line as text, or None where lines have no families.
        folds: cross-validation fold of each line, or None where the file brings none.

    Raises:
        InputError: when the parts do not fit together.
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
                raise InputError(f"{name} must have one value a line ({lines}), not shape {values.shape}")

    @property
    def lines(self) -> int:
        """Number of lines (rows)."""
        return int(self.genotypes.shape[0])

    @cached_property
    def has_missing(self) -> bool:
        """Whether any genotype is missing; networks and GBLUP want none (see ``preprocessing``)."""
        # In blocks: a comparison of the whole memory-mapped matrix would bring a copy of it into memory.
        return any(bool((self.genotypes[start : start + 512] < 0).any()) for start in range(0, self.lines, 512))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of everything a result can depend on; the address of the dataset on disk."""
        digest = hashlib.sha256(f"gwas-dataset-{_FORMAT}".encode())
        digest.update(np.ascontiguousarray(self.genotypes).tobytes())
        digest.update(self.phenotype.tobytes())
        digest.update(json.dumps(self._description(), sort_keys=True).encode())
        return digest.hexdigest()

    def _description(self) -> dict[str, Any]:
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
        """A copy with the chosen lines and SNPs (index or boolean arrays), in the order given."""
        genotypes = self.genotypes
        changes: dict[str, Any] = {}
        if lines is not None:
            index = np.arange(self.lines)[lines]
            genotypes = genotypes[index]
            changes = {
                "phenotype": self.phenotype[index],
                "line_names": tuple(self.line_names[i] for i in index),
                "family": None if self.family is None else self.family[index],
                "folds": None if self.folds is None else self.folds[index],
            }
        if snps is not None:
            chosen = np.arange(genotypes.shape[1])[snps]
            genotypes = genotypes[:, chosen]
            changes["snps"] = self.snps.iloc[chosen].reset_index(drop=True)
        return replace(self, genotypes=np.ascontiguousarray(genotypes), **changes)

    def save(self, directory: Path) -> Path:
        """Write the dataset to ``directory`` (``genotypes.npy``, ``phenotype.npy``, ``dataset.json``).

        An existing folder is left as it is: the address is the content, so it already holds
        the same. The folder appears whole or not at all.
        """
        if (directory / "dataset.json").is_file():
            return directory
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
        try:
            np.save(temporary / "genotypes.npy", self.genotypes, allow_pickle=False)
            np.save(temporary / "phenotype.npy", self.phenotype, allow_pickle=False)
            write_json(temporary / "dataset.json", self._description())
            temporary.chmod(0o755)
            try:
                temporary.rename(directory)
            except OSError:
                # Another process wrote the same content first: that one serves.
                if not (directory / "dataset.json").is_file():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return directory

    @classmethod
    def load(cls, directory: Path) -> Dataset:
        """Open a saved dataset; the genotypes stay on disk and are memory-mapped, shared by all processes.

        Raises:
            InputError: when the folder does not hold a dataset of ours.
        """
        try:
            description = json.loads((directory / "dataset.json").read_text(encoding="utf-8"))
            if description["format"] != _FORMAT:
                raise InputError(
                    f"the dataset {directory.name[:12]} was written by another version "
                    f"(format {description['format']}): load the genotypes again"
                )
            family, folds = description["family"], description["folds"]
            return cls(
                genotypes=np.load(directory / "genotypes.npy", mmap_mode="r", allow_pickle=False),
                phenotype=np.load(directory / "phenotype.npy", allow_pickle=False),
                line_names=tuple(description["line_names"]),
                snps=pd.DataFrame(description["snps"]),
                trait=description["trait"],
                family=None if family is None else np.array(family, dtype=np.str_),
                folds=None if folds is None else np.array(folds, dtype=np.int64),
            )
        except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            # Its name, a hash, and not where it is: pages show this to whoever looks.
            raise InputError(
                f"the dataset {directory.name[:12]} is gone or damaged: load the genotypes again"
            ) from error
