"""Learning curves from records and from the files of trials."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gwas_core.model.training import TrialResult
from gwas_core.model.trial_folder import METRICS_FILE, START_ERROR
from gwas_core.report.learning_curves import MOST_HIGHLIGHTED, curves_figure, learning_curves, read_training_errors
from gwas_core.tuning.experiment import TrialState
from tests.report.example_records import baselines, trial


def write_metrics(directory: Path, errors: list[float], *, rest: bytes = b"") -> Path:
    directory.mkdir()
    lines = [
        json.dumps({"epoch": epoch, "loss": 1.5, "mean_absolute_error": error, "val_mean_absolute_error": 9.0})
        for epoch, error in enumerate(errors, start=1)
    ]
    (directory / METRICS_FILE).write_bytes("".join(f"{line}\n" for line in lines).encode() + rest)
    return directory


def test_validation_comes_from_the_record_and_training_from_the_file(tmp_path: Path) -> None:
    trials = (
        trial(3, directory=write_metrics(tmp_path / "a", [0.7, 0.5, 0.4])),
        trial(5, TrialState.PRUNED, history=((1, 0.9),), directory=write_metrics(tmp_path / "b", [0.8])),
        trial(7, TrialState.WAITING),
    )
    facts = learning_curves(trials, highlighted=[3, 7], baselines=baselines())
    assert facts.curves.columns.tolist() == ["trial", "epoch", "validation", "training"]
    np.testing.assert_array_equal(
        facts.curves, [[3, 1, 0.8, 0.7], [3, 2, 0.6, 0.5], [3, 3, 0.7, 0.4], [5, 1, 0.9, math.nan]]
    )
    # The trial without an epoch has no curve, chosen or not.
    assert facts.trials.values.tolist() == [[3, "succeeded", 2, True], [5, "pruned", 1, False]]
    figure = curves_figure(facts)
    assert [trace.name for trace in figure.data] == [
        "1 other trial",
        "trial 3, succeeded, best epoch 2 ★",
        "trial 3, training",
    ]
    validation, training = figure.data[1:]
    assert list(validation.marker.symbol) == ["circle", "star", "circle"]
    assert training.line.dash == "dot"
    assert training.y.tolist() == [0.7, 0.5, 0.4]
    assert len(figure.layout.shapes) == 4


def test_a_chosen_curve_stays_in_the_picture(tmp_path: Path) -> None:
    good = [trial(number, history=((1, 0.6), (2, 0.5)), directory=tmp_path) for number in range(8)]
    bad = trial(9, history=((1, 9.0), (2, 6.0), (3, 5.0), (4, 4.5)), directory=tmp_path)
    levels = baselines()
    assert curves_figure(learning_curves(good)).data[0].name == "8 trials"
    assert learning_curves([*good, bad], highlighted=[0], baselines=levels).limits[1] < 4.5
    low, high = learning_curves([*good, bad], highlighted=[0, 9], baselines=levels).limits
    assert low < 0.5
    assert high > 9.0
    exploded = trial(9, history=((1, 1e9), (2, 0.7), (3, 0.6), (4, 0.6), (5, 0.6)), directory=tmp_path)
    assert learning_curves([*good, exploded], highlighted=[9], baselines=levels).limits[1] < 4.5


def test_a_damaged_file_gives_what_it_has(tmp_path: Path) -> None:
    rest = b"\n".join(
        [
            b'{"epoch": 2, "mean_absolute_error": "low"}',
            b'{"epoch": true, "mean_absolute_error": 0.1}',
            b'{"epoch": 3, "mean_absolute_error": NaN}',
            b"[1, 2]",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"epoch": 4, "mean_absolute_error": 0.4}',
            b'{"epoch": 5, "mean_abs',
        ]
    )
    directory = write_metrics(tmp_path / "a", [0.7], rest=rest)
    assert read_training_errors(directory) == {1: 0.7, 4: 0.4}
    assert read_training_errors(tmp_path / "gone") == {}
    (tmp_path / "folder" / METRICS_FILE).mkdir(parents=True)
    assert read_training_errors(tmp_path / "folder") == {}


def test_only_so_many_curves_are_coloured_as_can_be_told_apart(tmp_path: Path) -> None:
    trials = [trial(number, directory=tmp_path) for number in range(20)]
    facts = learning_curves(trials, highlighted=range(10, 20))
    highlighted = facts.trials[facts.trials["highlighted"]]
    assert highlighted["trial"].tolist() == list(range(10, 10 + MOST_HIGHLIGHTED))
    figure = curves_figure(facts)
    others, *coloured = figure.data
    assert others.name == "14 other trials"
    # One trace with a gap after each curve.
    assert [value is None for value in others.y[:4]] == [False, False, False, True]
    assert len({trace.line.color for trace in coloured}) == MOST_HIGHLIGHTED


def test_the_start_before_training_is_epoch_0(tmp_path: Path) -> None:
    started = write_metrics(tmp_path / "a", [0.7, 0.5])
    path = started / METRICS_FILE
    path.write_text(json.dumps({"epoch": 0, START_ERROR: 0.55}) + "\n" + path.read_text())
    result = TrialResult(val_mean_absolute_error=0.52, best_epoch=0, epochs=2)
    running = trial(1, TrialState.RUNNING, history=((1, 0.6), (2, 0.58)), directory=started)
    old = trial(2, value=0.52, history=((1, 0.6), (2, 0.7)), result=result, directory=tmp_path / "gone")
    drawn = trial(3, history=((1, 0.6),), directory=write_metrics(tmp_path / "b", [0.7]))
    facts = learning_curves([running, old, drawn], highlighted=[1])
    starts = facts.curves[facts.curves["epoch"] == 0]
    assert starts[["trial", "validation"]].values.tolist() == [[1, 0.55], [2, 0.52]]
    assert starts["training"].isna().all()
    assert facts.trials["best_epoch"].tolist() == [0, 0, 1]
    figure = curves_figure(facts)
    assert "0: the start" in figure.layout.xaxis.title.text
    validation = next(trace for trace in figure.data if "best epoch 0" in trace.name)
    assert list(validation.x) == [0, 1, 2]
    assert validation.marker.symbol[0] == "star"


def test_very_many_curves_are_a_band(tmp_path: Path) -> None:
    others = [trial(number, history=((1, number / 100), (2, 0.5))) for number in range(100)]
    others.append(trial(100, history=((1, 0.5),)))
    facts = learning_curves([trial(200, directory=tmp_path)], others=[*others, trial(300, history=())])
    assert (facts.other_trials, facts.others["trials"].tolist()) == (101, [101, 100])
    first = facts.others.iloc[0]
    assert [first[share] for share in ("0.1", "0.25", "0.75", "0.9")] == pytest.approx([0.1, 0.25, 0.74, 0.89])
    names = [trace.name for trace in curves_figure(facts).data]
    assert names == ["80 % of 101 more", "half of them", "1 trial"]


@pytest.mark.parametrize("history", [(), ((1, 0.5),)])
def test_there_is_a_figure_of_little(history: tuple) -> None:
    for highlighted in ((), (0,)):
        facts = learning_curves([trial(0, TrialState.RUNNING, history=history)], highlighted=highlighted)
        assert len(curves_figure(facts).data) == len(history)
    assert curves_figure(learning_curves([])).to_json()
