"""Trials at a time that this machine has cores and memory for, at most as many as were asked for.

Also here: the memory that a worker takes; the sentence that says why there are fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

from gwas_core.messages import counted
from gwas_core.processes.memory import available_bytes
from gwas_core.processes.threads import usable_cores

TRIALS_PER_CORE = 2
"""Most trials on one core: with more, each takes longer and none is finished earlier."""

FEWEST_FOR_CORES = 3
"""Trials at a time that are begun however few cores there are: the default of a search."""

WORKER_BYTES = 600_000_000
"""Memory of one worker besides what all share, without the data: three hold 2.9 GB over the tutorial's space, half a
gigabyte to a whole one of it shared (``benchmarks/README.md``)."""

GENOTYPE_BYTES = 12
"""Memory of one worker for each genotype: as training and the network's start hold it, in three copies of 32 bits."""


@dataclass(frozen=True, kw_only=True)
class ParallelTrials:
    """Trials at a time.

    Attributes:
        asked: how many were asked for.
        used: how many there are.
        reason: why there are fewer than were asked for; empty if there are not.
    """

    asked: int
    used: int
    reason: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.used <= self.asked:
            raise ValueError(f"at least one trial at a time and at most the {self.asked} asked for, not {self.used}")


def parallel_trials_here(asked: int, *, genotypes: int) -> ParallelTrials:
    """Return how many trials this machine works on at a time, as it is now.

    Args:
        asked: how many are wanted.
        genotypes: lines times SNPs of the prepared dataset.
    """
    return fitting_trials(asked, genotypes=genotypes, cores=usable_cores(), memory=available_bytes())


def fitting_trials(asked: int, *, genotypes: int, cores: int, memory: int | None) -> ParallelTrials:
    """Return how many trials fit into so many cores and so much memory.

    Args:
        asked: how many are wanted.
        genotypes: lines times SNPs of the prepared dataset.
        cores: that the trials share.
        memory: bytes that are free; None if that is not known.

    Returns:
        At least one trial: whether that one fits, only trying tells.
    """
    for_cores = max(FEWEST_FOR_CORES, TRIALS_PER_CORE * cores)
    each = WORKER_BYTES + GENOTYPE_BYTES * genotypes
    for_memory = asked if memory is None else max(1, memory // each)
    used = min(asked, for_cores, for_memory)
    if used == asked:
        reason = ""
    elif for_memory < for_cores:
        reason = f"each takes about {each / 1e9:.1f} GB of memory, and {(memory or 0) / 1e9:.1f} GB are free"
    else:
        reason = f"this machine gives {counted(cores, 'core')}, and more trials would only wait for each other"
    return ParallelTrials(asked=asked, used=used, reason=reason and f"{used} instead of {asked} at a time: {reason}")
