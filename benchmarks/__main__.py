"""Command ``./run benchmark``: measure, compare, and write the table of ``benchmarks/README.md``.

    ./run benchmark [--quick] [--file FILE] [--only preprocessing,epoch] [--out benchmarks/README.md]

``--quick`` ends in about three minutes: fewer steps and trials, larger projections, no growth. Every figure is measured
in a process of its own, on all available cores; figures that are compared are measured in one run. On a shared machine
other work slows both sides of a ratio, so read the ratios.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.chromium import save_picture
from benchmarks.common import BATCH, LINES, REAL_DATA, ROOT, Row, full_size_file, in_fresh_process
from benchmarks.growth import KEPT_LINES, KEPT_SNPS, Growth, draw, fit
from benchmarks.growth import PARTS as GROWING
from benchmarks.tutorial_way import refusal
from gwas_core.messages import counted, elapsed
from gwas_core.model.backend import has_accelerator
from gwas_core.processes.threads import usable_cores
from gwas_core.tuning.space import SearchSpace

_TUTORIAL_TRIALS, _TUTORIAL_PARALLEL = 35, 3
_QUICK_TRIALS = 6
_GROWTH_SNPS = (KEPT_SNPS, 10_000, 40_000)
_GROWTH_LINES = (1_000, 5_000, 20_000)
_FARTHEST = {"lines": _GROWTH_LINES[-1], "snps": _GROWTH_SNPS[-1]}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of a run.

    Attributes:
        file: table to measure on.
        quick: whether to measure with fewer steps and trials.
        found: results of earlier parts, from which later parts project.
    """

    file: Path
    quick: bool
    found: dict[str, Any] = field(default_factory=dict)


def preprocessing(options: Options) -> list[Row]:
    theirs = _tutorial_trial(options)
    ours = in_fresh_process("preprocessing", str(options.file), threads=1)
    note = "theirs in every trial; ours once an experiment: read, check, filter, impute, split, save"
    return [
        Row(
            what="preprocessing the full file",
            tutorial=elapsed(theirs["preprocessing_seconds"]),
            ours=elapsed(ours["once_seconds"]),
            ratio=_times(theirs["preprocessing_seconds"] / ours["once_seconds"]),
            target="<= 2 s",
            holds=ours["once_seconds"] <= 2,
            note=note,
            values=ours,
        ),
        Row(
            what="... and in each trial",
            tutorial=elapsed(theirs["preprocessing_seconds"]),
            ours=elapsed(ours["each_trial_seconds"]),
            ratio=_times(theirs["preprocessing_seconds"] / ours["each_trial_seconds"]),
            target="<= 0.1 s",
            holds=ours["each_trial_seconds"] <= 0.1,
            note="map the dataset, load the split, take the training lines",
            values=ours,
        ),
    ]


def epoch(options: Options) -> list[Row]:
    rows = []
    theirs = _tutorial_trial(options)
    steps = ("--steps", "5", "--rounds", "2") if options.quick else ("--steps", "40", "--rounds", "3")
    for title, network in (
        ("default network", ("--network", "hybrid")),
        ("tutorial's network", ("--network", "tutorial")),
    ):
        if options.quick and network[1] == "tutorial":
            continue
        ours = in_fresh_process("epochs", str(options.file), *network, *steps)
        options.found[network[1]] = ours
        on, off, floor = ours["with_xla"]["epoch_seconds"], ours["without_xla"]["epoch_seconds"], ours["floor_seconds"]
        rows += [
            Row(
                what=f"one epoch of {ours['lines']:,} lines, batch {BATCH}, {title}, XLA on",
                tutorial=elapsed(theirs["epoch_seconds"]),
                ours=elapsed(on),
                ratio=f"{on / floor:.1f} x the floor of {elapsed(floor)}",
                target="<= 3 x the floor",
                holds=on <= 3 * floor,
                note=f"a step: {ours['multiply_adds'] / 1e6:,.0f} M multiply-adds, {ours['bytes'] / 1e6:,.0f} MB, "
                f"at {ours['sgemm_gflops']:.0f} GFLOP/s (sgemm) and {ours['copy_gigabytes']:.0f} GB/s (copy)",
                values=ours,
            ),
            Row(
                what="... without XLA",
                ours=elapsed(off),
                ratio=f"{on / off:.2f} x with XLA",
                target="XLA not slower",
                holds=on <= off,
                values=ours,
            ),
        ]
    return rows


def trial_start(options: Options) -> list[Row]:
    theirs = _tutorial_trial(options)
    rows = []
    for title, arguments in (("XLA on", ("--xla",)), ("XLA off", ())):
        if options.quick and not arguments:
            continue
        ours = in_fresh_process("trial_start", str(options.file), *arguments)
        rows.append(
            Row(
                what=f"start of the second trial of a worker, {title}",
                tutorial=elapsed(theirs["import_seconds"] + theirs["compile_seconds"]),
                ours=elapsed(ours["start_seconds"][1]),
                ratio=f"first: {elapsed(ours['start_seconds'][0])}, third: {elapsed(ours['start_seconds'][2])}",
                target="<= 1 s",
                holds=ours["start_seconds"][1] <= 1,
                note="build, compile, save; the trials differ in learning rate and dropout rate",
                values=ours,
            )
        )
    return rows


def search(options: Options) -> list[Row]:
    """Compare the tutorial's search: theirs projected from one measured trial, ours run with median stopping."""
    theirs = _tutorial_trial(options)
    trials = _QUICK_TRIALS if options.quick else _TUTORIAL_TRIALS
    preset = "focused" if options.quick else "tutorial"
    ours = in_fresh_process(
        "search", str(options.file), "--preset", preset, "--trials", str(trials), "--parallel", str(_TUTORIAL_PARALLEL)
    )
    projected = _project_tutorial(theirs, trials=trials)
    best = ours["answer"].get("best") or {}
    note = (
        "theirs: preprocessing, import, compiling and the mean number of epochs of its space, as one trial took "
        f"them, {counted(trials, 'trial')} sharing the cores; ours run with median stopping, {preset} space, baselines "
        f"and bundle included, best validation MAE {best.get('val_mean_absolute_error', math.nan):.4f}"
    )
    return [
        Row(
            what=f"{counted(trials, 'trial')}, {_TUTORIAL_PARALLEL} in parallel, {preset} space",
            tutorial=f"{elapsed(projected)} (projected)",
            ours=elapsed(ours["seconds"]),
            ratio=_times(projected / ours["seconds"]),
            target=">= 20 x faster",
            holds=projected / ours["seconds"] >= 20,
            note=note,
            values=ours,
        ),
        Row(
            what="peak memory of all processes together",
            ours=f"{ours['peak_gigabytes']:.2f} GB in {counted(ours['peak_processes'], 'process', 'processes')}",
            target="<= 2 GB",
            holds=ours["peak_gigabytes"] <= 2,
            note="proportional set size: what is shared counts once",
            values=ours,
        ),
    ]


def suggestion(_: Options) -> list[Row]:
    ours = in_fresh_process("suggestion")
    return [
        Row(
            what=f"one suggestion (GP, 35 trials, {ours['parameters']} parameters)",
            ours=f"{elapsed(ours['median_seconds'])} median, {elapsed(ours['most_seconds'])} at most",
            ratio=f"{ours['repeated']} repeated points",
            target="<= 1 s, none repeated",
            holds=ours["most_seconds"] <= 1 and ours["repeated"] == 0,
            values=ours,
        )
    ]


def page(_: Options) -> list[Row]:
    ours = in_fresh_process("page_rerun")
    median = float(np.median(ours["seconds"]))
    return [
        Row(
            what=f"rerun of an experiment's page, {ours['trials']:,} trials of {ours['hyperparameters']} parameters",
            ours=elapsed(median),
            ratio=f"{ours['ratio']:.1f} x the page at {ours['reference_trials']} trials",
            target="<= 1 s",
            holds=median <= 1,
            note="processor time",
            values=ours,
        )
    ]


def growth(options: Options) -> list[Row]:
    """Measure time and memory over the size of the data, fit powers of the size, and draw them."""
    if options.quick:
        return []
    growths = [fit(part, "lines", [_size(part, lines, KEPT_SNPS) for lines in _GROWTH_LINES]) for part in GROWING]
    growths += [fit(part, "snps", [_size(part, KEPT_LINES, snps) for snps in _GROWTH_SNPS]) for part in GROWING]
    memory = psutil.virtual_memory().total / 1e9
    options.found["picture"] = draw(growths, memory_gigabytes=memory)
    first = min(growths, key=lambda growth: growth.size_that_fills(memory) / _FARTHEST[growth.over])
    rows = [_growth_row(growth) for growth in growths]
    rows.append(
        Row(
            what="first to break",
            ours=GROWING[first.part],
            note=f"fitted: it fills this machine's {memory:.0f} GB at {_rounded(first.size_that_fills(memory))} "
            f"{_UNITS[first.over]}, where it would take {elapsed(first.seconds_at(first.size_that_fills(memory)))}",
            values={"part": first.part, "over": first.over, "size": first.size_that_fills(memory)},
        )
    )
    return rows


PARTS: dict[str, Callable[[Options], list[Row]]] = {
    "preprocessing": preprocessing,
    "epoch": epoch,
    "start": trial_start,
    "search": search,
    "suggestion": suggestion,
    "page": page,
    "growth": growth,
}


def _tutorial_trial(options: Options) -> dict[str, Any]:
    """Return the figures of one trial of the tutorial's procedure, which is measured once."""
    if "tutorial_trial" not in options.found:
        steps = "3" if options.quick else "10"
        options.found["tutorial_trial"] = in_fresh_process("tutorial_way", str(options.file), "--steps", steps)
    measured: dict[str, Any] = options.found["tutorial_trial"]
    return measured


def _project_tutorial(theirs: dict[str, Any], *, trials: int) -> float:
    """Return the seconds of the tutorial's search, with the mean number of epochs of the published space.

    The time of a step is assumed to be proportional to its batch size, which underestimates small batches.
    """
    epochs = next(entry for entry in SearchSpace.preset("tutorial").parameters if entry.name == "epochs")
    fixed = theirs["preprocessing_seconds"] + theirs["import_seconds"] + theirs["compile_seconds"]
    return float(trials * (fixed + (epochs.minimum + epochs.maximum) / 2 * theirs["epoch_seconds"]))


_UNITS = {"lines": f"lines of {KEPT_SNPS:,} SNPs", "snps": f"SNPs of {KEPT_LINES:,} lines"}


def _size(part: str, lines: int, snps: int) -> dict[str, Any]:
    print(f"growth: {part}, {lines:,} lines, {snps:,} SNPs ...", file=sys.stderr, flush=True)
    return in_fresh_process("growth", "--part", part, "--lines", str(lines), "--snps", str(snps))


def _growth_row(growth: Growth) -> Row:
    over = "lines" if growth.over == "lines" else "SNPs"
    points = ", ".join(
        f"{size:,}: {elapsed(time)}, {memory:.1f} GB"
        for size, time, memory in zip(growth.sizes, growth.seconds, growth.gigabytes, strict=True)
    )
    farthest = _FARTHEST[growth.over]
    fitted = f"{elapsed(growth.seconds_at(farthest))} and {growth.gigabytes_at(farthest):.1f} GB"
    return Row(
        what=f"{GROWING[growth.part]}, over {over}",
        ours=points,
        ratio=f"time ~ {over}^{growth.power:.2f}",
        note=f"fitted: {fitted} at {farthest:,}",
        values=asdict(growth),
    )


def _rounded(size: float) -> str:
    """Return a size with two digits; the fit is not more precise."""
    return f"{float(f'{size:.2g}'):,.0f}" if math.isfinite(size) else "no number of"


def _draw(figure: Any, folder: Path) -> str:
    """Draw the figure into ``folder`` and return the line of Markdown that shows it."""
    try:
        save_picture(figure, folder / "growth.png", width=900)
    except FileNotFoundError as error:
        return f"\nThe growth was not drawn: {error}\n"
    return "\n![Time and memory over lines and SNPs: points measured, dotted lines fitted](growth.png)\n"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.1f} x"


def _table(rows: Sequence[Row]) -> str:
    lines = ["| what | tutorial's way | ours | ratio | target | holds |", "|---|---|---|---|---|---|"]
    for row in rows:
        holds = {True: "yes", False: "**no**", None: ""}[row.holds]
        lines.append(f"| {row.what} | {row.tutorial} | {row.ours} | {row.ratio} | {row.target} | {holds} |")
    notes = [f"- {row.what}: {row.note}." for row in rows if row.note]
    return "\n".join([*lines, "", *notes])


_BEGIN, _END = "<!-- speed: written by ./run benchmark -->", "<!-- end of speed -->"


def write_section(path: Path, text: str) -> None:
    """Write ``text`` between the markers of a file and keep the rest."""
    old = path.read_text(encoding="utf-8") if path.is_file() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = old.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    path.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


def _machine() -> str:
    import importlib.metadata

    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "numpy", "scikit-optimize")
    )
    device = "a GPU, which networks ran on" if has_accelerator() else "no GPU found, all on the CPU"
    return f"{usable_cores()} cores, {device}, {platform.machine()}, Python {platform.python_version()}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run benchmark", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about three minutes: fewer steps, larger projections")
    parser.add_argument(
        "--file", type=Path, help="a full-size table in the tutorial's layout (default: the real one if here)"
    )
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "README.md")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON on stdout, and write no file")
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(",")]
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if options.file and (reason := refusal(options.file)):
        parser.error(reason)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = options.file or full_size_file(Path(folder))
        chosen = Options(file=file, quick=options.quick)
        rows, failed = [], []
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                rows += PARTS[name](chosen)
            except RuntimeError as error:
                # The results of the other parts took long, so they are written all the same.
                print(error, file=sys.stderr)
                failed.append(name)
    if options.json:
        print(json.dumps([row.to_dict() for row in rows]))
    elif rows:
        _write(chosen, rows, options.out, took=time.perf_counter() - started)
    if failed:
        sys.exit(f"failed, and not among the results: {', '.join(failed)}")


def _write(options: Options, rows: Sequence[Row], out: Path, *, took: float) -> None:
    """Write the table, and the drawing if growth was measured, into the section of ``out``, and print them."""
    file = options.file
    source = "the real height data" if REAL_DATA in file.parents else f"`{file.name}`"
    manner = "quick" if options.quick else "full"
    text = (
        f"{time.strftime('%Y-%m-%d')}, {manner} run of {elapsed(took)}, {source}; "
        f"{_machine()}. An epoch is {LINES:,} training lines.\n\n{_table(rows)}\n"
    )
    if "picture" in options.found:
        text += _draw(options.found["picture"], out.parent)
    write_section(out, text)
    print(text)


if __name__ == "__main__":
    main()
