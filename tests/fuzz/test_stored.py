"""Everything that is stored or sent as JSON or arrays: read, or refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import strategies as st

from gwas_core.errors import InputError
from gwas_core.evaluation.plan import EvaluationPlan
from gwas_core.evaluation.result import EvaluationResult
from gwas_core.genotypes.column_roles import ColumnRoles, guess_roles, make_dataset
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.library import DatasetLibrary, LibraryEntry
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import PreprocessingSettings, preprocess
from gwas_core.genotypes.quality import QualityReport, quality_report
from gwas_core.genotypes.readers import SnpChoice, read_table
from gwas_core.genotypes.splits import Split, SplitSettings, load_split, make_split, save_split
from gwas_core.kubeflow.claim_transfer import answer, pack, unpack
from gwas_core.kubeflow.trial_files import RecordedResult, read_history
from gwas_core.model.calibration import Calibration
from gwas_core.model.population_report import PopulationReport, kept_population, make_population, population_report
from gwas_core.processes.command_messages import read_messages
from gwas_core.report.learning_curves import read_training_errors
from gwas_core.report.observed_predicted import read_predictions
from gwas_core.serialization import from_json_values, to_json_values
from gwas_core.tuning.experiment import Experiment
from gwas_core.tuning.space import SearchSpace
from gwas_core.workspace import Workspace
from tests.fuzz.fuzzing import JSON, changed_json, fuzz, mutated, refusals_allowed
from tests.genotypes.bad_input import GOOD

# Said of a header that ends otherwise than numpy's own; the array is read and checked all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional:UserWarning")

KEEPSAKES = Path(__file__).resolve().parents[1] / "keepsakes" / "v0.1.0"


@cache
def dataset() -> Dataset:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "good.txt"
        path.write_text(GOOD)
        table = read_table(path)
    return make_dataset(table, guess_roles(table))[0]


EXPERIMENT = Experiment(name="x", dataset="0" * 64, source="x.txt", space=SearchSpace.preset("focused")).to_dict()
ORIGINALS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "experiment": (Experiment.from_dict, EXPERIMENT),
    "split": (Split.from_dict, make_split(dataset(), SplitSettings()).to_dict()),
    "evaluation": (EvaluationResult.from_dict, json.loads((KEEPSAKES / "evaluation.json").read_text())),
    "plan": (EvaluationPlan.from_dict, json.loads((KEEPSAKES / "evaluation.json").read_text()).get("plan")),
    "result": (RecordedResult.from_dict, {}),
    **{
        kind.__name__: (
            lambda values, kind=kind: from_json_values(kind, values, name="record", error=InputError),
            values,
        )
        for kind, values in (
            (QualityReport, to_json_values(quality_report(dataset()))),
            (PopulationReport, to_json_values(population_report(dataset()))),
            (ColumnRoles, to_json_values(ColumnRoles(phenotype="a", line_name="b"))),
            (SnpChoice, {"prefix": "Gm"}),
            (PreprocessingSettings, to_json_values(PreprocessingSettings())),
            (SplitSettings, to_json_values(SplitSettings())),
            (Calibration, {}),
            (
                LibraryEntry,
                {
                    "hash": "a",
                    "source": "b",
                    "added": "2026-01-01T00:00:00+00:00",
                    "trait": "c",
                    "lines": 1,
                    "snps": 1,
                    "families": 0,
                    "notes": [],
                },
            ),
        )
    },
}


@fuzz(
    st.sampled_from(sorted(ORIGINALS)).flatmap(
        lambda name: st.tuples(st.just(name), changed_json(ORIGINALS[name][1]) | JSON)
    ),
    examples=500,
)
def test_records(case: tuple[str, Any]) -> None:
    name, values = case
    with refusals_allowed():
        ORIGINALS[name][0](values)


# Removed when the process ends.
_FOLDERS: list[TemporaryDirectory[str]] = []


@cache
def stored() -> Path:
    """A workspace's folders, each file as it is written."""
    _FOLDERS.append(TemporaryDirectory())
    folder = Path(_FOLDERS[0].name)
    dataset().save(folder / "dataset")
    library = DatasetLibrary(Workspace(folder / "workspace"))
    content_hash = library.add(dataset(), source="good.txt")
    library.quality(content_hash)
    make_population(workspace=str(folder / "workspace"), content_hash=content_hash)
    prepared = preprocess(dataset(), PreprocessingSettings())
    (folder / "experiment").mkdir()
    record = Preparation(imputation=prepared.imputation, report=prepared.report, sentences=("As it was told.",))
    record.save(folder / "experiment")
    save_split(make_split(dataset(), SplitSettings()), folder / "experiment")
    (folder / "experiment" / "metrics.jsonl").write_text('{"epoch": 1, "mean_absolute_error": 0.5, "mae": 1}\n' * 3)
    (folder / "experiment" / "predictions.csv").write_text(
        "line,part,family,observed,predicted\n" + "a,test,f,1.5,2.5\nb,validation,,1,2\n" * 5
    )
    return folder


def original(name: str) -> Path:
    """The file that ends in this name."""
    return next(path for path in sorted(stored().rglob(Path(name).name)) if str(path).endswith(name))


def all_of_library(folder: Path) -> None:
    library = DatasetLibrary(Workspace(folder / "workspace"))
    for entry in library.entries():
        library.load(entry.hash)
        library.quality(entry.hash)
        kept_population(Workspace(folder / "workspace"), entry.hash)


READERS: list[tuple[str, Callable[[Path], Any]]] = [
    ("dataset/dataset.json", lambda folder: Dataset.load(folder / "dataset")),
    ("dataset/genotypes.npy", lambda folder: Dataset.load(folder / "dataset")),
    ("dataset/phenotype.npy", lambda folder: Dataset.load(folder / "dataset")),
    ("experiment/preparation.json", lambda folder: Preparation.load(folder / "experiment")),
    ("experiment/imputation.npz", lambda folder: Preparation.load(folder / "experiment")),
    ("experiment/split.json", lambda folder: load_split(folder / "experiment")),
    ("experiment/metrics.jsonl", lambda folder: read_training_errors(folder / "experiment")),
    ("experiment/metrics.jsonl", lambda folder: read_history(folder / "experiment", "mae")),
    ("experiment/predictions.csv", lambda folder: read_predictions(folder / "experiment")),
    ("about.json", all_of_library),
    ("quality.json", all_of_library),
    ("population.json", all_of_library),
]


@fuzz(
    st.sampled_from(READERS).flatmap(
        lambda reader: st.tuples(st.just(reader), mutated(st.just(original(reader[0]).read_bytes())))
    ),
    examples=400,
)
def test_files(case: tuple[tuple[str, Callable[[Path], Any]], bytes]) -> None:
    (name, read), content = case
    with TemporaryDirectory() as place, refusals_allowed():
        folder = Path(place) / "stored"
        shutil.copytree(stored(), folder)
        (folder / original(name).relative_to(stored())).write_bytes(content)
        read(folder)


@fuzz(st.binary(max_size=200) | mutated(st.just(b'{"kind": "note", "text": "a"}\nx\n')), examples=100)
def test_messages_of_a_command(written: bytes) -> None:
    for message in read_messages(written):
        assert all(c.isprintable() or c == "\n" for c in message.text)


ARCHIVES = st.deferred(lambda: st.just(pack(stored(), ["experiment/split.json", "dataset/dataset.json"])))


@fuzz(mutated(ARCHIVES), examples=150)
def test_archives_of_a_claim(content: bytes) -> None:
    with TemporaryDirectory() as place:
        root = Path(place) / "root"
        root.mkdir()
        with refusals_allowed():
            unpack(root, content)
        assert [path.name for path in Path(place).iterdir()] == ["root"]


@fuzz(
    st.sampled_from(("digests", "pack", "remove", "unpack")),
    changed_json({"folders": ["experiment"], "known": {"experiment/split.json": [1, 2]}, "most_bytes": 5}).map(
        lambda values: json.dumps(values).encode()
    )
    | st.binary(max_size=50),
    examples=150,
)
def test_questions_to_a_claim(verb: str, question: bytes) -> None:
    with TemporaryDirectory() as place:
        root = Path(place) / "root"
        shutil.copytree(stored() / "experiment", root / "experiment")
        (Path(place) / "outside").write_text("kept")
        with refusals_allowed():
            answer(verb, root, question)
        assert sorted(path.name for path in Path(place).iterdir()) == ["outside", "root"]
