"""One real evaluation, killed in the middle, and what its command says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest

from gwas_core.cli import main
from gwas_core.evaluation.store import EvaluationStore, evaluations_of
from gwas_core.genotypes.dataset import Dataset
from gwas_core.serialization import to_json_values
from gwas_core.tuning.parallel_trials import parallel_trials_here
from gwas_core.tuning.store import Store
from gwas_core.workspace import Workspace
from tests.commands.conftest import REPOSITORY, Answer, Command, command, command_here
from tests.waiting import LIMIT, wait_until

SPACE = """
fixed: {network: hybrid, epochs: 2, conv_filters: 2, num_dense_units: 2, batch_size: 64}
parameters:
  - {name: learning_rate, kind: double, minimum: 1.0e-3, maximum: 1.0e-2, scale: log, default: 3.0e-3}
"""
MODELS = {"network", "mean", "family_mean", "gblup", "gblup_family", "missing_pattern"}
FIGURES = {"pearson", "within_family_pearson", "mean_absolute_error"}


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that was killed after its first model and then run again."""

    run: Command
    workspace: Workspace
    arguments: tuple[str, ...]
    answer: Answer
    first_model: Path
    first_written: int


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Three families of 90 lines, a fifth of the genotypes missing; folds 6 and 7 are predicted."""
    root = tmp_path_factory.mktemp("evaluated")
    run = command(root)
    (root / "space.yaml").write_text(SPACE)
    simulated = ("--families", "3", "--lines-per-family", "90", "--snps", "60", "--missing", "0.2", "--seed", "4")
    assert main(["simulate", str(root / "pop.txt.gz"), *simulated]) == 0
    arguments = (
        "evaluate", "pop.txt.gz", "--space", "space.yaml", "--trials", "1", "--xla", "off", "--parallel", "1",
        "--test-folds", "6-7", "--seeds", "1", "--json",
    )  # fmt: skip
    first_model = root / "_evaluations" / "pop" / "fold-6" / "baselines.json"
    kill_when(root, arguments, first_model.is_file)
    written = first_model.stat().st_mtime_ns
    assert not (root / "_evaluations" / "pop" / "result.json").exists()
    answer = run(*arguments)
    assert answer.code == 0, answer.err
    return Evaluated(run, Workspace(root), arguments, answer, first_model, written)


def begun(root: Path, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    """A command that was begun; only its messages are kept."""
    return subprocess.Popen(
        [sys.executable, "-m", "gwas_core", *arguments],
        env={**os.environ, "GWAS_WORKSPACE": str(root), "PYTHONPATH": str(REPOSITORY)},
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_when(root: Path, arguments: tuple[str, ...], condition: Callable[[], bool]) -> None:
    """Begin a command, kill it without warning, and see that the processes it began end too."""
    with begun(root, arguments) as process:
        wait_until(lambda: condition() or process.poll() is not None)
        assert process.poll() is None, process.stderr and process.stderr.read()
        # Those of the search, which is over, end by themselves.
        workers = [one for one in psutil.Process(process.pid).children(recursive=True) if is_worker(one)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len(workers) == 2, "the worker, and the process that it is a fork of"
    gone, alive = psutil.wait_procs(workers, timeout=LIMIT)
    assert not alive, gone


def is_worker(process: psutil.Process) -> bool:
    return "gwas_core.evaluation.worker" in process.cmdline()


Here = Callable[..., tuple[str, str]]


@pytest.fixture
def here(evaluated: Evaluated) -> Here:
    """Run a command in this process and get what it printed, if it ends with this code."""

    def run(code: int, *arguments: str) -> tuple[str, str]:
        answer = command_here(evaluated.workspace.root)(*arguments)
        assert answer.code == code, answer.err
        return answer.out, answer.err

    return run


Refuse = Callable[..., str]


@pytest.fixture
def refuse(evaluated: Evaluated, here: Here) -> Refuse:
    """The sentence with which the evaluation, with more options, is refused with this exit code."""

    def refused(code: int, *more: str) -> str:
        out, err = here(code, *evaluated.arguments, *more)
        assert out == ""
        return err.splitlines()[-1]

    return refused


def test_what_was_finished_before_the_kill_is_not_done_again(evaluated: Evaluated, here: Here) -> None:
    assert evaluated.first_model.stat().st_mtime_ns == evaluated.first_written
    assert "4 of 4 trained and predicted" in evaluated.answer.err
    assert "1 of 4" not in evaluated.answer.err
    folder = EvaluationStore.of(evaluated.workspace, "pop")
    assert folder.finished_count() == 4
    # A third run has nothing to train, and finds the same.
    assert json.loads(here(0, *evaluated.arguments)[0]) == evaluated.answer.json


def test_the_json_holds_every_model_with_intervals(evaluated: Evaluated) -> None:
    result = evaluated.answer.json
    assert result.keys() >= MODELS
    for name in MODELS:
        assert FIGURES | {"intervals"} == result[name].keys()
        for figure in FIGURES:
            value, interval = result[name][figure], result[name]["intervals"][figure]
            assert (value is None) == (interval is None)
            if value is not None:
                assert interval[0] <= value <= interval[1]
    assert result["mean"]["pearson"] is None
    assert result["family_mean"]["within_family_pearson"] is None
    assert result["gblup"]["within_family_pearson"] is not None
    assert result["missing_pattern"]["within_family_pearson"] is not None
    assert result["differences"].keys() == MODELS - {"network"}
    difference = result["differences"]["gblup"]["mean_absolute_error"]
    assert difference == pytest.approx(
        result["network"]["mean_absolute_error"] - result["gblup"]["mean_absolute_error"]
    )
    assert [part["title"] for part in result["parts"]] == ["fold 6", "fold 7"]
    assert any("Imputed" in note for note in result["notes"])
    stored = EvaluationStore.of(evaluated.workspace, "pop").result()
    assert stored is not None
    assert result == stored.to_dict()


def test_hyperparameters_were_tuned_on_lines_of_the_tune_folds_alone(evaluated: Evaluated) -> None:
    record = Store(evaluated.workspace).load("pop-tuning")
    tuned_on = Dataset.load(evaluated.workspace.dataset_directory(record.experiment.dataset))
    predictions = pd.read_csv(evaluated.workspace.root / "_evaluations" / "pop" / "predictions.csv")
    assert set(tuned_on.folds.tolist()) == {1, 2, 3, 4, 5}
    assert not set(tuned_on.line_names) & set(predictions["line"])
    assert len(predictions) == 54
    assert to_json_values(record.experiment.split) | {"validation_folds": [5], "test_folds": [1]} == (
        to_json_values(record.experiment.split)
    )
    assert [folder.directory.name for folder in evaluations_of(evaluated.workspace, "pop-tuning")] == ["pop"]
    assert evaluations_of(evaluated.workspace, "another") == ()


def test_a_changed_plan_is_refused(refuse: Refuse) -> None:
    assert "was begun with seeds '1', not '3': use the same settings" in refuse(1, "--seeds", "3")
    assert "max trials '1', not '2'" in refuse(1, "--trials", "2")
    assert "test folds '[6, 7]', not '[6]'" in refuse(1, "--test-folds", "6")


def test_lines_that_were_tuned_on_cannot_be_tested(refuse: Refuse) -> None:
    assert "fold 5 cannot be both tuned on and tested" in refuse(2, "--test-folds", "5-6")
    reused = ("--reuse", "pop-tuning", "--name", "other")
    sentence = refuse(2, *reused, "--tune-folds", "1-4", "--test-folds", "5-6")
    assert "pop-tuning was tuned on lines that are to be tested (27 of 54" in sentence
    assert "there is no experiment named gone" in refuse(1, "--reuse", "gone", "--name", "another")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--test-folds", "11"), "there is no fold 11"),
        (("--tune-folds", "0"), "there is no fold 0"),
        (("--families", "01"), "only with --leave-family-out"),
        (("--leave-family-out", "--families", "99"), "there is no family '99'"),
        (("--seeds", "0"), "seeds must be a whole number from 1"),
        (("--name", "Not A Name"), "lower-case"),
    ],
)
def test_settings_that_do_not_fit(refuse: Refuse, options: tuple[str, ...], said: str) -> None:
    assert said in refuse(2, *options)


def test_a_family_is_predicted_by_models_of_the_others(evaluated: Evaluated, here: Here) -> None:
    out, err = here(
        0,
        "evaluate", "pop.txt.gz", "--reuse", "pop-tuning", "--leave-family-out", "--families", "02", "--seeds", "2",
        "--parallel", "1", "--test-folds", "6-7",
    )  # fmt: skip
    assert "3 of 3 trained and predicted" in err
    header, network = (next(line for line in out.splitlines() if line.startswith(start))
                       for start in ("figures", "Network"))  # fmt: skip
    assert header.split() == ["figures", "Pearson", "within", "families", "MAE"]
    assert network.count("[") == 3
    assert "Predictions of 2 networks with different seeds were averaged." in out
    folder = EvaluationStore.of(evaluated.workspace, "pop-families")
    result = folder.result()
    assert result is not None
    (family,) = result.held_out
    assert (family.title, family.lines, family.training_lines) == ("family 02", 90, 180)
    # No line of the family was trained on, so its mean is that of all others.
    assert family.metrics["family_mean"] == family.metrics["mean"]
    assert json.loads((folder.directory / "chosen.json").read_text())["experiment"] == "pop-tuning"


def test_a_folder_that_is_deleted_meanwhile_ends_it_with_a_sentence(evaluated: Evaluated) -> None:
    folder = EvaluationStore.of(evaluated.workspace, "gone").directory
    arguments = ("evaluate", "pop.txt.gz", "--name", "gone", "--reuse", "pop-tuning", "--test-folds", "6-7")
    with begun(evaluated.workspace.root, arguments) as process:
        wait_until((folder / "chosen.json").is_file)
        process.send_signal(signal.SIGSTOP)
        shutil.rmtree(folder)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err.splitlines()[-1].endswith(
        f"the folder {folder} was deleted or replaced while the evaluation was running: begin it again"
    )
    assert not (folder / "result.json").exists()


def test_fewer_networks_at_a_time_than_asked_for_are_said(evaluated: Evaluated) -> None:
    asked = 64
    if parallel_trials_here(asked, genotypes=1).used == asked:
        pytest.skip(f"this machine has cores and memory for {asked} networks at a time")
    at = evaluated.arguments.index("--parallel") + 1
    answer = evaluated.run(*evaluated.arguments[:at], str(asked), *evaluated.arguments[at + 1 :])
    assert answer.code == 0, answer.err
    assert f"instead of {asked} at a time: " in answer.err
    assert "instead of" not in evaluated.answer.err
