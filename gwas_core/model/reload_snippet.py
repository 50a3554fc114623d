# Unzip the bundle, put a tab-separated new_lines.txt beside it, then: python reload.py (needs tensorflow, pandas)
import json
from pathlib import Path

import keras
import pandas as pd

LINE_NAMES = ("strain", "line", "line_name", "id", "iid", "sample", "taxa", "genotype", "accession")
snps = pd.read_csv("snps.csv").replace({"name": {"^'(?='*[=+@-])": ""}}, regex=True).set_index("name")
phenotype = json.loads(Path("preprocessing.json").read_text(encoding="utf-8"))["phenotype"]
table = pd.read_csv("new_lines.txt", sep="\t", dtype=str)
named = [column for column in table if str(column).casefold() in LINE_NAMES]
lines = table[named[0]] if named else [f"row-{number:05d}" for number in range(1, len(table) + 1)]
genotypes = table.reindex(columns=snps.index).astype(float).fillna(snps["imputed_value"]).to_numpy("int8")
z_scores = keras.models.load_model("model.keras", compile=False).predict(genotypes, verbose=0)[:, 0]
predicted = z_scores * phenotype["standard_deviation"] + phenotype["mean"]
print(pd.DataFrame({"line": lines, "predicted": predicted}).to_csv(sep="\t", index=False), end="")
