"""Growth of time and memory with lines and SNPs, on simulated populations.

    python -m benchmarks.growth --part start --lines 5000 --snps 4000

Measures one part of the work at one size: ``baselines`` (GBLUP and means, variances by REML), ``start`` (the mixed
model for the network's initial weights) or ``epoch`` (one pass of training). ``fit`` fits powers of the size to several
measurements, and ``draw`` shows both.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.common import BATCH
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.simulation import SimulationSettings, simulate
from gwas_core.genotypes.splits import Split, SplitSettings, make_split
from gwas_core.processes.memory import peak_bytes
from gwas_core.processes.threads import usable_cores
from gwas_core.report.figure_style import BLUE, GREEN, GREY, VERMILION, new_figure

PARTS = {
    "baselines": "GBLUP and family baselines",
    "start": "initial weights of the network",
    "epoch": "one epoch of training",
}
KEPT_SNPS, KEPT_LINES = 4_000, 1_000
"""Number of SNPs while lines grow, and of lines while SNPs grow."""
_COLOURS = {"baselines": GREEN, "start": VERMILION, "epoch": BLUE}
_FAMILIES = 25
_STEPS = 20


def _baselines(dataset: Dataset, split: Split) -> float:
    from gwas_core.model.baselines import evaluate_baselines

    started = time.perf_counter()
    evaluate_baselines(dataset, split, threads=usable_cores())
    return time.perf_counter() - started


def _start(dataset: Dataset, split: Split) -> float:
    from gwas_core.model.hyperparameters import HybridHyperparameters
    from gwas_core.model.initial_weights import TrainingLines, fit_initial_weights
    from gwas_core.model.trainer import Standardisation

    chosen = HybridHyperparameters()
    started = time.perf_counter()
    phenotype = dataset.phenotype[split.train]
    lines = TrainingLines(
        genotypes=dataset.genotypes[split.train],
        target=Standardisation.of(phenotype).standardise(phenotype),
        family=None if dataset.family is None else dataset.family[split.train],
    )
    fit_initial_weights(
        lines, block=chosen.conv_kernel_size, prototypes=chosen.conv_filters, sharpness=chosen.haplotype_sharpness
    )
    return time.perf_counter() - started


def _epoch(dataset: Dataset, split: Split) -> float:
    from gwas_core.model.networks import parse_network
    from gwas_core.model.trainer import Trainer

    network, chosen = parse_network({"batch_size": BATCH})
    trainer = Trainer(dataset, split.train, network, chosen, seed=0, xla=True)
    steps = min(_STEPS, trainer.steps)
    trainer.epoch(steps=steps)
    started = time.perf_counter()
    trainer.epoch(steps=steps)
    return (time.perf_counter() - started) / steps * trainer.steps


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Fitted growth of one part over lines or SNPs.

    Time is factor * size^power seconds; memory is b + c * size gigabytes (over lines b + c * size^2).
    """

    part: str
    over: str
    sizes: list[int]
    seconds: list[float]
    gigabytes: list[float]
    power: float
    factor: float
    memory: tuple[float, float]

    def seconds_at(self, size: float) -> float:
        return float(self.factor * size**self.power)

    def gigabytes_at(self, size: float) -> float:
        return float(self.memory[0] + self.memory[1] * size ** _memory_power(self.part, self.over))

    def size_that_fills(self, gigabytes: float) -> float:
        """Return the size that needs this much memory; infinite if memory does not grow."""
        if self.memory[1] <= 0:
            return float("inf")
        return float(
            (max(gigabytes - self.memory[0], 0.0) / self.memory[1]) ** (1 / _memory_power(self.part, self.over))
        )


def _memory_power(part: str, over: str) -> int:
    """Return 2 if memory is needed for each pair of lines (relationships), else 1."""
    return 2 if over == "lines" and part != "epoch" else 1


def fit(part: str, over: str, measured: Sequence[dict[str, Any]]) -> Growth:
    """Fit growth by least squares: of logarithms for time, of gigabytes for memory (which has a constant part)."""
    sizes = np.array([entry[over] for entry in measured], dtype=float)
    seconds = np.array([entry["seconds"] for entry in measured])
    gigabytes = np.array([entry["gigabytes"] for entry in measured])
    power, logarithm = np.polyfit(np.log(sizes), np.log(seconds), 1)
    slope, base = np.polyfit(sizes ** _memory_power(part, over), gigabytes, 1)
    return Growth(
        part=part,
        over=over,
        sizes=[int(size) for size in sizes],
        seconds=seconds.tolist(),
        gigabytes=gigabytes.tolist(),
        power=float(power),
        factor=float(np.exp(logarithm)),
        memory=(float(base), float(slope)),
    )


def draw(growths: Sequence[Growth], *, memory_gigabytes: float) -> go.Figure:
    """Draw measured points and fits: time above, memory below; over lines left, over SNPs right."""
    titles = (f"lines ({KEPT_SNPS:,} SNPs)", f"SNPs ({KEPT_LINES:,} lines)")
    figure = make_subplots(
        rows=2, cols=2, shared_yaxes=True, shared_xaxes=True, horizontal_spacing=0.06, vertical_spacing=0.08,
        figure=new_figure(height=620),
    )  # fmt: skip
    farthest = {over: max(max(growth.sizes) for growth in growths if growth.over == over) for over in ("lines", "snps")}
    for growth in growths:
        column = 1 if growth.over == "lines" else 2
        line = np.geomspace(min(growth.sizes), 1.5 * farthest[growth.over], 40)
        style = {"name": PARTS[growth.part], "legendgroup": growth.part}
        for row, values, fitted in (
            (1, growth.seconds, [growth.seconds_at(size) for size in line]),
            (2, growth.gigabytes, [growth.gigabytes_at(size) for size in line]),
        ):
            colour = _COLOURS[growth.part]
            dashed = go.Scatter(x=line, y=fitted, mode="lines", line={"color": colour, "dash": "dot"}, showlegend=False)
            points = go.Scatter(
                x=growth.sizes, y=values, mode="markers", marker={"color": colour, "size": 9}, **style,
                showlegend=row == column == 1,
            )  # fmt: skip
            figure.add_trace(dashed, row=row, col=column)
            figure.add_trace(points, row=row, col=column)
    ticks = [1_000, 2_000, 5_000, 10_000, 20_000, 40_000]
    for column, title in enumerate(titles, start=1):
        figure.add_hline(y=memory_gigabytes, row=2, col=column, line={"color": GREY, "dash": "dash"})
        figure.update_xaxes(title_text=title, row=2, col=column)
    figure.add_annotation(
        text=f"memory of this machine, {memory_gigabytes:.0f} GB", xref="x3 domain", yref="y3", x=0.02,
        y=np.log10(memory_gigabytes), xanchor="left", yanchor="bottom", showarrow=False, font={"color": GREY},
    )  # fmt: skip
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks])
    figure.update_yaxes(type="log", dtick=1)
    figure.update_yaxes(title_text="seconds", row=1, col=1)
    figure.update_yaxes(title_text="GB at most", row=2, col=1)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=tuple(PARTS), required=True)
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--snps", type=int, required=True)
    options = parser.parse_args()
    dataset = simulate(
        SimulationSettings(families=_FAMILIES, lines_per_family=options.lines // _FAMILIES, snps=options.snps, seed=1)
    ).dataset
    split = make_split(dataset, SplitSettings())
    seconds = {"baselines": _baselines, "start": _start, "epoch": _epoch}[options.part](dataset, split)
    print(
        json.dumps(
            {
                "part": options.part,
                "lines": dataset.lines,
                "snps": options.snps,
                "seconds": seconds,
                "gigabytes": peak_bytes() / 1e9,
            }
        )
    )


if __name__ == "__main__":
    main()
