"""Any bytes as a genotype table: read, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import strategies as st

from gwas_core.genotypes.column_roles import guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.quality import quality_report
from gwas_core.genotypes.readers import SnpChoice, read_table
from gwas_core.report.quality_charts import quality_warnings
from gwas_core.spreadsheets import csv_text
from tests.fuzz.fuzzing import fuzz, maybe_compressed, mutated, refusals_allowed
from tests.genotypes.bad_input import as_text, good_rows

TABLES = [
    *(
        as_text(good_rows()).replace("\t", delimiter).replace("\n", end).encode()
        for delimiter in ("\t", ",", ";", " ")
        for end in ("\n", "\r\n")
    ),
    as_text([row[2:] for row in good_rows()]).encode(),
    as_text([[f'"{cell}"' for cell in row] for row in good_rows()]).encode(),
]
CHOICES = st.none() | st.builds(
    lambda kind, text: SnpChoice(**{kind: (text,) if kind == "names" else text}),
    st.sampled_from(("names", "prefix", "after")),
    st.sampled_from(("Gm", "strain", "height", "Gm01_100", "'", "\n", "x" * 300)),
)


@fuzz(
    maybe_compressed(mutated(st.sampled_from(TABLES)) | st.binary(max_size=300)),
    CHOICES,
    st.booleans(),
    examples=500,
)
def test_tables(content: bytes, choice: SnpChoice | None, drop: bool) -> None:
    with TemporaryDirectory() as folder, refusals_allowed():
        path = Path(folder) / "table.txt"
        path.write_bytes(content)
        table = read_table(path, snp_columns=choice)
        assert table.genotypes.dtype == np.int8
        assert set(np.unique(table.genotypes)) <= {-1, 0, 1, 2}
        assert table.genotypes.shape == (table.lines, len(table.snps))
        assert all(len(values) == table.lines for values in table.columns.values())
        dataset, notes = make_dataset(table, guess_roles(table), drop_missing_phenotype=drop)
        assert all(note.isprintable() for note in notes)
        for warning in quality_warnings(quality_report(dataset)):
            assert warning.isprintable()
        again = Dataset.load(dataset.save(Path(folder) / dataset.content_hash))
        assert again.content_hash == dataset.content_hash
        csv_text(dataset.snps)
