#!/usr/bin/env bash
# From the root of a clone that is set up: makes the keepsakes of this version in a folder that is not there yet.
set -euo pipefail
root=$PWD out=$(realpath -m "$1")
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$out/workspace" && cd "$out"
export GWAS_WORKSPACE=$out/workspace PYTHONPATH=$root OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
gwas() { "$python" -m gwas_core "$@"; }

cat >space.yaml <<'YAML'
format: 1
parameters:
- {name: learning_rate, kind: double, minimum: 1.0e-3, maximum: 5.0e-2, scale: log, default: 1.0e-2}
- {name: start_l2, kind: double, minimum: 1.0e-6, maximum: 10.0, scale: log, default: 1.0e-3}
- {name: conv_kernel_size, kind: discrete, choices: [3, 5], default: 5}
- {name: conv_activation, kind: categorical, choices: [elu, relu], default: elu}
- {name: dropout_rate, kind: double, minimum: 0.0, maximum: 0.6, step: 0.2, default: 0.2}
fixed: {network: hybrid, linear_start: mixed_model, loss: mean_squared_error, conv_filters: 4, num_dense_units: 4,
  batch_size: 16, epochs: 4}
YAML
"$python" - <<'PYTHON'
from pathlib import Path
from gwas_core.tuning.space import SearchSpace
SearchSpace.load(Path("space.yaml")).save(Path("space.json"))
PYTHON

gwas simulate height.txt.gz --families 4 --lines-per-family 40 --snps 100 --heritability 0.8 --missing 0.02 --seed 1
search() { gwas tune height.txt.gz --space space.yaml --early-stopping none --seed 0 "$@"; }
search --name finished --max-trials 4 --parallel-trials 1 --xla auto --json >tune.json
search --name stopped --max-trials 5 --parallel-trials 1 --xla off --detach
"$python" - <<'PYTHON'
# In the middle of the third trial.
import time
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
store = Store(Workspace.from_environment())
while len(store.load("stopped").trials) < 3 or not store.load("stopped").trials[2].history:
    time.sleep(0.02)
store.request_stop("stopped")
while store.load("stopped").state.is_active():
    time.sleep(0.02)
PYTHON
gwas evaluate height.txt.gz --space space.yaml --name evaluation --trials 2 --seeds 1 --parallel 1 --seed 0 --xla off \
  --tune-folds 1-5 --test-folds 6-7 --json >evaluation.json

gwas status --json >experiments.json
for name in finished stopped; do
  gwas status "$name" --json >"status-$name.json"
  gwas trials "$name" --json >"trials-$name.json"
done
cp "$(gwas bundle finished --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["bundle"])')" finished.zip
gwas predict finished.zip height.txt.gz --out predicted.csv

# What is kept ends here. What a resumed search comes to, told by a copy of it.
tar --sort=name --owner=0 --group=0 --exclude='*.lock' -czf workspace.tar.gz workspace
cp -r workspace resumed
export GWAS_WORKSPACE=$out/resumed
gwas resume stopped --json >status-resumed.json
gwas trials stopped --json >trials-resumed.json
sed -i "s#$out/##g" ./*.json
rm -r workspace resumed tune.json
