from __future__ import annotations

import csv
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gwas_core.errors import ExperimentError
from gwas_core.tuning.demo import first_start, first_start_is_over
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.commands.conftest import Command, Searched


def test_a_search_ends_with_one_object(searched: Searched) -> None:
    summary = searched.answer.json
    assert summary["state"] == "succeeded"
    trials = summary["trials"]
    assert (trials["succeeded"], trials["pruned"], trials["failed"], trials["max"]) == (3, 0, 0, 3)
    assert summary["best"]["val_mean_absolute_error"] > 0
    assert summary["best"]["test_mean_absolute_error"] > 0
    assert summary["best"]["test_evaluations"] == 1
    for baseline in ("mean", "family_mean", "gblup"):
        assert summary["baselines"][baseline]["test_mean_absolute_error"] > 0
    assert Path(summary["bundle"]).is_file()
    assert "trial   0 succeeded" in searched.answer.err
    assert "baselines, validation MAE: " in searched.answer.err


def test_status_lists_and_shows(searched: Searched) -> None:
    listed = searched.run("status", "--json").json
    assert [(entry["name"], entry["state"], entry["finished_trials"]) for entry in listed] == [
        ("searched", "succeeded", 3)
    ]
    assert "searched    succeeded     3/3" in searched.here("status").out
    one = searched.here("status", "searched", "--json").json
    assert {key: value for key, value in searched.answer.json.items() if key != "bundle"} == one
    shown = searched.here("status", "searched").out
    assert "* This network" in shown
    assert "GBLUP (REML)" in shown


def test_trials_come_as_table_json_and_csv(searched: Searched) -> None:
    trials = searched.run("trials", "searched", "--json").json
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    for trial in trials:
        assert trial["state"] == "succeeded"
        assert {"learning_rate", "start_l2", "network"} <= set(trial["parameters"])
        assert trial["metrics"]["val_mean_absolute_error"] > 0
        assert trial["reason"] == ""
    # The first trial tries the defaults.
    assert trials[0]["parameters"]["learning_rate"] == 3e-3
    rows = list(csv.DictReader(io.StringIO(searched.here("trials", "searched", "--csv").out)))
    assert [float(row["parameter:learning_rate"]) for row in rows] == [
        trial["parameters"]["learning_rate"] for trial in trials
    ]
    table = searched.here("trials", "searched").out.splitlines()
    assert len(table) == 4
    best = min(trials, key=lambda trial: trial["metrics"]["val_mean_absolute_error"])
    assert table[1].split()[0] == str(best["number"])


def test_the_bundle_holds_everything(searched: Searched) -> None:
    with zipfile.ZipFile(searched.answer.json["bundle"]) as archive:
        names = set(archive.namelist())
        card = archive.read("MODEL_CARD.md").decode()
        manifest = json.loads(archive.read("manifest.json"))
        split = json.loads(archive.read("split.json"))
    assert names == {
        "MODEL_CARD.md", "experiment.json", "hyperparameters.json", "imputation.npz", "loci.csv", "log.txt",
        "manifest.json", "metrics.json", "model.keras", "predictions.csv", "preprocessing.json", "reload.py",
        "snps.csv", "space.yaml", "split.json", "trials.csv",
    }  # fmt: skip
    assert card.startswith("# Model card: norm\\_phe, experiment searched")
    assert searched.answer.json["verdict"] in card
    assert manifest["dataset_sha256"] == searched.answer.json["dataset"]
    assert manifest["versions"]["keras"].startswith("3.")
    assert set(manifest["seeds"]) == {"experiment", "split", "trial", "refit"}
    assert manifest["learned_lines"] == {"judged": len(split["train"]), "packed": 160}
    assert sorted(split["train"] + split["validation"] + split["test"]) == list(range(160))
    assert len(split["line_names"]) == 160


def test_stopping_what_does_not_run_and_asking_for_what_is_not_there(searched: Searched) -> None:
    stopped = searched.here("stop", "searched")
    assert (stopped.code, stopped.out) == (1, "")
    assert stopped.err == "error: searched is not running: it is succeeded\n"
    assert searched.here("resume", "searched").err.startswith("error: searched has done all its 3 trials: extend it")
    missing = searched.here("trials", "nothing")
    assert (missing.code, missing.err) == (1, "error: there is no experiment named nothing\n")
    assert searched.here("status", "../etc").code == 2


def test_a_taken_name_is_refused(searched: Searched) -> None:
    again = searched.here("tune", searched.file, "--name", "searched", "--detach")
    assert again.code == 1
    assert "already an experiment named searched" in again.err


def test_xla_is_measured_once_and_all_trials_run_alike(searched: Searched) -> None:
    options = ("--space", "space.yaml", "--max-trials", "2", "--parallel-trials", "2", "--json")
    tuned = searched.run("tune", searched.file, "--name", "measured", *options)
    assert tuned.code == 0, tuned.err
    workspace = Workspace(Path(tuned.json["directory"]).parent)
    record = Store(workspace).load("measured")
    assert record.calibration is not None
    measured = record.calibration
    assert measured.with_xla.start_seconds > 0
    for trial in record.trials:
        assert trial.result is not None
        assert trial.result.xla is measured.xla
        kept = json.loads((trial.directory / "hyperparameters.json").read_text(encoding="utf-8"))
        assert kept["xla"] is measured.xla
    told = searched.here("trials", "measured", "--json").json
    assert {trial["xla"] for trial in told} == {measured.xla}
    with zipfile.ZipFile(tuned.json["bundle"]) as bundle:
        assert json.loads(bundle.read("manifest.json"))["xla"] is measured.xla
    assert searched.run("delete", "measured", "--yes").code == 0


def test_stop_resume_extend_and_delete(searched: Searched) -> None:
    run = searched.run
    options = ("--space", "space.yaml", "--parallel-trials", "1", "--xla", "off", "--max-trials", "40")
    started = run("tune", searched.file, "--name", "long", "--detach", "--json", *options)
    assert started.code == 0, started.err
    assert started.json["state"] == "running"
    stopped = run("stop", "long", "--json")
    assert stopped.json["state"] == "stopped", stopped.err
    done = stopped.json["trials"]["succeeded"]
    assert done < 40
    assert run("resume", "long", "--detach").code == 0
    assert run("stop", "long", "--json").json["trials"]["succeeded"] >= done
    # Deleting asks first; here nobody can answer.
    assert run("delete", "long").code == 2
    assert run("delete", "long", "--yes").code == 0
    assert run("status", "long").code == 1

    extended = run("extend", "searched", "--trials", "1", "--json").json
    assert extended["trials"]["succeeded"] == extended["trials"]["max"] == 4
    shorter = run("extend", "searched", "--trials", "0")
    assert (shorter.code, "whole number of trials" in shorter.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-trials", "0"], "max_trials must be a whole number from 1"),
        (["--parallel-trials", "100"], "parallel_trials must be a whole number from 1 to 64"),
        (["--algorithm", "psychic"], "there is no algorithm 'psychic'"),
        (["--algorithm", "grid"], "step"),
        (["--name", "Not A Name"], "starts with a lower-case letter"),
        (["--name", "a" * 41], "at most 40 characters"),
        (["--test-fraction", "0.9"], "fraction"),
        (["--split", "folds", "--test-folds", "77"], "77"),
        (["--split", "folds", "--test-folds", "one"], "whole numbers such as 1,2 or 6-10"),
        (["--phenotype", "weight"], "'weight'"),
        (["--minimum-allele-frequency", "2"], "fraction from 0 to 0.5"),
        (["--family-characters", "7-6"], "such as 6-7"),
    ],
)
def test_settings_that_do_not_fit_are_usage_errors(options: list[str], said: str, searched: Searched) -> None:
    refused = searched.here("tune", searched.file, "--detach", *options)
    assert refused.code == 2
    assert refused.out == ""
    last = refused.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last


def test_a_space_the_network_cannot_use_is_refused_before_the_search(searched: Searched, tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(
        "parameters:\n  - {name: dropout_rate, kind: double, minimum: 0.1, maximum: 1.5}\nfixed: {network: hybrid}\n"
    )
    refused = searched.here("tune", searched.file, "--space", space, "--detach")
    assert refused.code == 2
    assert "dropout_rate must be between 0 and 0.99, not 1.5" in refused.err
    space.write_text("parameters:\n  - {name: learning_rate, kind: double, minimum: 0, maximum: 1, scale: log}\n")
    refused = searched.here("tune", searched.file, "--space", space, "--detach")
    assert refused.code == 2
    assert "learning_rate.minimum" in refused.err


def test_space_prints_presets_that_load(here: Command, tmp_path: Path) -> None:
    assert here("space", "tutorial", "--out", tmp_path / "own.json").code == 0
    assert len(json.loads((tmp_path / "own.json").read_text())["parameters"]) == 29
    assert "start_l2" in here("space", "focused").out


def test_nothing_there_yet(here: Command) -> None:
    empty = here("status")
    assert (empty.code, empty.out) == (0, "")
    assert "There are no experiments yet" in empty.err
    assert here("status", "--json").json == []


def test_the_first_start_is_one_demo_however_many_ask(run: Command, tmp_path: Path) -> None:
    first_start = ("demo", "--first-start", "--detach", "--json")
    with ThreadPoolExecutor(3) as threads:
        answers = [answer.result() for answer in [threads.submit(run, *first_start) for _ in range(3)]]
    assert [answer.code for answer in answers] == [0, 0, 0], answers
    assert sorted(bool(answer.out) for answer in answers) == [False, False, True]
    assert [entry["name"] for entry in run("status", "--json").json] == ["demo"]
    run("stop", "demo")
    assert run("delete", "demo", "--yes").code == 0
    assert "not the first start" in run(*first_start).err
    assert run("status", "--json").json == []


def test_where_somebody_has_worked_there_is_no_first_start(searched: Searched) -> None:
    assert "not the first start" in searched.run("demo", "--first-start", "--detach").err
    assert [entry["name"] for entry in searched.here("status", "--json").json] == ["searched"]


def test_a_first_start_that_fails_may_be_tried_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = Store(workspace)

    def fail() -> None:
        with first_start(store) as is_first:
            assert is_first
            raise ExperimentError("disk full")

    with pytest.raises(ExperimentError, match="disk full"):
        fail()
    assert not first_start_is_over(workspace)
    with first_start(store) as is_first:
        assert is_first
    assert first_start_is_over(workspace)
