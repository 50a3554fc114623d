from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwas_core.errors import InputError, SettingsError, TrialFailed, TrialPruned
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model import training
from gwas_core.model.calibration import Calibration, Timing, calibrate
from gwas_core.model.finalise import finalise
from gwas_core.model.metrics import PredictionMetrics, compute_metrics
from gwas_core.model.trainer import Standardisation, load_model, predict
from gwas_core.model.training import TrialResult, run_trial
from gwas_core.model.trial_folder import START_ERROR
from gwas_core.report.observed_predicted import read_predictions
from gwas_core.serialization import from_json_values, to_json_values

QUICK = {"epochs": 8, "learning_rate": 3e-3, "batch_size": 16}


def ignore(epoch: int, metrics: dict[str, float]) -> None:
    """A reporter nobody listens to."""


def trial(dataset: Dataset, split: Split, directory: Path, values: dict[str, Any], **options: Any) -> TrialResult:
    return run_trial(dataset, split, values, directory, **{"report": ignore, "xla": "off", "seed": 7, **options})


def check_same_network(loaded: PredictionMetrics, trained: PredictionMetrics | None) -> None:
    """The figures of a loaded network are those it had in training, but for how its 32-bit floats are summed.

    A loaded network is Keras's program, one in training is ours: compilers fuse and order their sums differently, and
    how differently is up to the processor. That moves a prediction by about 1e-7 of its size; another network, as of
    the next epoch, moves it by more than 1e-3.
    """
    assert trained is not None
    found, expected = asdict(loaded), asdict(trained)
    undefined = {name for name, value in expected.items() if value is None}
    assert undefined == {name for name, value in found.items() if value is None}
    for name in expected.keys() - undefined:
        assert found[name] == pytest.approx(expected[name], rel=1e-5), name


def test_a_trial_beats_the_mean_and_leaves_its_records(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    reported: list[tuple[int, dict[str, float]]] = []
    result = trial(dataset, split, tmp_path, QUICK, report=lambda epoch, metrics: reported.append((epoch, metrics)))

    mean_error = np.abs(dataset.phenotype[split.validation] - dataset.phenotype[split.train].mean()).mean()
    # On so few lines GBLUP stands at 0.95 of it, and one with a family effect at 0.93.
    assert result.val_mean_absolute_error < 0.95 * mean_error
    assert from_json_values(TrialResult, to_json_values(result), name="result") == result

    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    # Before the epochs the start, which no reader of the objective takes for an epoch.
    start = written.pop(0)
    assert (start["epoch"], start.keys()) == (0, {"epoch", START_ERROR})
    assert [(entry.pop("epoch"), entry) for entry in written] == reported
    assert [epoch for epoch, _ in reported] == list(range(1, result.epochs + 1))
    errors = [metrics["val_mean_absolute_error"] for _, metrics in reported]
    assert min(errors) == pytest.approx(result.val_mean_absolute_error)
    assert errors.index(min(errors)) + 1 == result.best_epoch
    assert {"loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error", "seconds"} == set(reported[0][1])

    hyperparameters = json.loads((tmp_path / "hyperparameters.json").read_text())
    assert hyperparameters["network"] == "hybrid"
    assert hyperparameters["learning_rate"] == 3e-3
    assert hyperparameters["seed"] == 7
    assert "best epoch" in (tmp_path / "log.txt").read_text()


def test_the_kept_network_is_the_best_epoch(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    # A learning rate this high makes later epochs worse than the best.
    result = trial(dataset, split, tmp_path, {"epochs": 12, "learning_rate": 0.03, "patience": 12})
    assert result.best_epoch < result.epochs == 12
    predicted = predict(
        load_model(tmp_path / "model.keras"),
        np.ascontiguousarray(dataset.genotypes[split.validation]),
        Standardisation.of(dataset.phenotype[split.train]),
    )
    observed = dataset.phenotype[split.validation]
    assert dataset.family is not None
    judged = compute_metrics(observed, predicted, family=dataset.family[split.validation])
    check_same_network(judged, result.validation)


def test_training_ends_when_patience_does(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    result = trial(dataset, split, tmp_path, {"epochs": 200, "learning_rate": 0.03, "patience": 2})
    assert result.epochs == result.best_epoch + 2 < 200


@pytest.mark.parametrize("network", ["hybrid", "tutorial"])
def test_the_same_seed_gives_the_same_network(network: str, dataset: Dataset, split: Split, tmp_path: Path) -> None:
    # With steps large enough to leave the start, which has no seed.
    values = {"network": network, "epochs": 2, "learning_rate": 1e-3}
    values |= {"linear_start": "zero"} if network == "hybrid" else {}
    first = trial(dataset, split, tmp_path / "a", values)
    other = trial(dataset, split, tmp_path / "b", values, seed=8)
    again = trial(dataset, split, tmp_path / "c", values)
    assert first.validation == again.validation
    assert first.validation != other.validation


def test_xla_changes_speed_and_not_the_result(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    values = {"epochs": 2, "dropout_rate": 0.0}
    without = trial(dataset, split, tmp_path / "a", values)
    compiled = trial(dataset, split, tmp_path / "b", values, xla="on")
    assert (without.xla, compiled.xla) == (False, True)
    assert compiled.val_mean_absolute_error == pytest.approx(without.val_mean_absolute_error, rel=1e-3)


def test_a_batch_larger_than_the_data_is_all_of_it(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    assert trial(dataset, split, tmp_path, {"epochs": 1, "batch_size": 4096}).epochs == 1


def test_divergence_fails_the_trial_with_its_reason(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    values = {"network": "tutorial", "epochs": 3, "conv_activation": "linear", "activation": "linear"}
    values |= {f"{group}_activity_l2": 1e6 for group in ("conv_1", "conv_x", "dense_x")} | {"learning_rate": 10.0}
    with pytest.raises(TrialFailed, match=r"in epoch \d: training diverged; a learning rate below 10"):
        trial(dataset, split, tmp_path, values)
    assert not (tmp_path / "model.keras").exists()
    assert "failed:" in (tmp_path / "log.txt").read_text()


def test_the_reporter_may_prune(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    def prune(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise TrialPruned("worse than the median")

    with pytest.raises(TrialPruned):
        trial(dataset, split, tmp_path, {"epochs": 5}, report=prune)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]
    assert not (tmp_path / "model.keras").exists()


def test_missing_genotypes_and_unknown_settings_are_refused(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    holes = dataset.genotypes.copy()
    holes[3, 4] = -1
    with_holes = Dataset(
        genotypes=holes,
        phenotype=dataset.phenotype,
        line_names=dataset.line_names,
        snps=dataset.snps,
        trait=dataset.trait,
    )
    with pytest.raises(InputError, match="impute"):
        trial(with_holes, split, tmp_path, QUICK)
    with pytest.raises(SettingsError, match="xla must be one of auto, on, off"):
        trial(dataset, split, tmp_path, QUICK, xla="perhaps")


def test_calibration_chooses_the_faster_way(dataset: Dataset, split: Split) -> None:
    measured = calibrate(dataset, split, {"epochs": 3})
    assert (
        from_json_values(Calibration, json.loads(json.dumps(to_json_values(measured))), name="calibration") == measured
    )
    assert measured.with_xla.epoch_seconds > 0
    if measured.device == "cpu":
        assert measured.without_xla is not None
        faster = min(measured.with_xla.trial_seconds(3), measured.without_xla.trial_seconds(3))
        assert measured.chosen.trial_seconds(3) == faster


def test_the_test_lines_are_judged_and_every_prediction_is_kept(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    result = trial(dataset, split, tmp_path / "trial", QUICK)
    judged = finalise(dataset, split, tmp_path, tmp_path / "trial")
    check_same_network(judged["validation"], result.validation)
    assert judged["test"].lines == len(split.test)
    rows = (tmp_path / "predictions.csv").read_text().splitlines()
    assert rows[0] == "line,part,family,observed,predicted"
    assert len(rows) == 1 + len(split.validation) + len(split.test)


def test_names_of_lines_are_no_formulas_in_the_predictions_and_come_back(
    dataset: Dataset, split: Split, tmp_path: Path
) -> None:
    named = replace(dataset, line_names=tuple(f"=SUM(A{index})" for index in range(dataset.lines)))
    trial(named, split, tmp_path / "trial", QUICK)
    finalise(named, split, tmp_path, tmp_path / "trial")
    rows = (tmp_path / "predictions.csv").read_text().splitlines()[1:]
    assert all(row.startswith("'=SUM(A") for row in rows)
    assert read_predictions(tmp_path)["line"].str.startswith("=SUM(A").all()


@pytest.mark.parametrize("compiled", [True, False])
def test_repeated_by_its_record_a_trial_gives_the_same_digits(
    compiled: bool, dataset: Dataset, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``auto`` took is in the record, so that a repeat need not measure again, and perhaps find otherwise."""
    timing = Timing(start_seconds=1.0, epoch_seconds=1.0)
    slow = Timing(start_seconds=9.0, epoch_seconds=9.0)
    measured = Calibration(
        xla=compiled,
        device="cpu",
        with_xla=timing if compiled else slow,
        without_xla=slow if compiled else timing,
    )
    monkeypatch.setattr(training, "calibrate", lambda *_: measured)
    first = trial(dataset, split, tmp_path / "first", {"epochs": 2, "linear_start": "zero"}, xla="auto")
    record = json.loads((tmp_path / "first" / "hyperparameters.json").read_text())
    assert record["xla"] is first.xla is compiled
    monkeypatch.setattr(training, "calibrate", lambda *_: pytest.fail("measured again"))
    seed, xla = record.pop("seed"), record.pop("xla")
    again = trial(dataset, split, tmp_path / "again", record, seed=seed, xla="on" if xla else "off")
    assert again.validation == first.validation


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match="not a network that can be loaded safely"):
        load_model(tmp_path / "model.keras")


def test_a_start_that_no_epoch_improves_is_kept(dataset: Dataset, split: Split, tmp_path: Path) -> None:
    result = trial(dataset, split, tmp_path / "trial", {"epochs": 3, "learning_rate": 0.3, "patience": 3})
    again = trial(dataset, split, tmp_path / "again", {"epochs": 1, "learning_rate": 1e-9})
    assert (result.best_epoch, result.epochs) == (0, 3)
    start = json.loads((tmp_path / "trial" / "metrics.jsonl").read_text().splitlines()[0])
    assert start[START_ERROR] == pytest.approx(result.val_mean_absolute_error, rel=1e-4)
    assert result.val_mean_absolute_error == pytest.approx(again.val_mean_absolute_error, rel=1e-4)
    # Both found the same start, and only the first had to work it out.
    assert len(list(tmp_path.glob("start-*.npz"))) == 1


def test_what_workers_are_forked_from_has_tensorflow_and_no_threads_of_it() -> None:
    """A fork keeps one thread of its process: whatever others hold or were to do would be lost."""
    script = (
        "import os, sys; from pathlib import Path;"
        "from gwas_core.model.training import import_dependencies; import_dependencies();"
        "tasks = [Path(task, 'comm').read_text().strip() for task in Path('/proc/self/task').iterdir()];"
        # pyarrow brings jemalloc, which looks after its thread itself when a process is forked.
        "print('tensorflow' in sys.modules, [name for name in tasks if not name.startswith('jemalloc')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    brought_in, threads = done.stdout.strip().split(" ", 1)
    assert brought_in == "True"
    assert len(ast.literal_eval(threads)) == 1
