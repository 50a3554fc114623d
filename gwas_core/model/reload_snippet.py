# Unzip the bundle, put a tab-separated new_lines.txt beside it, then: python reload.py (needs tensorflow, pandas)
import json
from pathlib import Path

import keras
import pandas as pd

snps = pd.read_csv("snps.csv").replace({"name": {"^'(?='*[=+@-])": ""}}, regex=True).set_index("name")
phenotype = json.loads(Path("preprocessing.json").read_text(encoding="utf-8"))["phenotype"]
table = pd.read_csv("new_lines.txt", sep="\t").reindex(columns=snps.index)
genotypes = table.fillna(snps["imputed_value"]).to_numpy("int8")
z_scores = keras.models.load_model("model.keras", compile=False).predict(genotypes, verbose=0)[:, 0]
print((pd.Series(z_scores) * phenotype["standard_deviation"] + phenotype["mean"]).to_string(index=False))
