"""Time of a rerun of the page of one experiment with 1,000 trials of 29 hyperparameters.

    python -m benchmarks.page_rerun [--reruns 5]

Measured in a process of its own, like a dashboard: in a process that has done other work before, garbage collection
triples the figure. Prints one JSON object; ``seconds`` is processor time, which depends little on other work of the
machine; ``ratio`` is to the same page at 10 trials.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from benchmarks.common import ROOT
from tests.pages.made_stores import thousand_trials

REFERENCE_TRIALS = 10


def rerun_seconds(*, reruns: int, trials: int = 1000) -> dict[str, list[float]]:
    """Measure processor and wall time of reruns with two trials chosen, after a first run that fills caches."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        os.environ["GWAS_WORKSPACE"] = str(workspace)
        os.environ.pop("GWAS_STORAGE", None)
        thousand_trials(workspace, trials)
        PagesManager.uses_pages_directory = False  # as after the first visit
        app = AppTest.from_file(ROOT / "app.py", default_timeout=120).run()
        app.switch_page("pages/machine_room.py")
        app.query_params["experiment"], app.query_params["trial"] = "made", "7,8"
        app.run()
        times: dict[str, list[float]] = {"seconds": [], "wall_seconds": []}
        for _ in range(reruns):
            processor, wall = time.process_time(), time.perf_counter()
            app.run()
            times["seconds"].append(round(time.process_time() - processor, 4))
            times["wall_seconds"].append(round(time.perf_counter() - wall, 4))
        if app.exception or not app.dataframe:
            raise RuntimeError(f"the page was not drawn: {app.exception}")
        return times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reruns", type=int, default=5)
    options = parser.parse_args()
    # In the same process, and first: what a page costs on this machine whatever it shows.
    reference = rerun_seconds(reruns=options.reruns, trials=REFERENCE_TRIALS)["seconds"]
    st.cache_resource.clear()
    st.cache_data.clear()
    found = rerun_seconds(reruns=options.reruns)
    print(
        json.dumps(
            {
                "trials": 1000,
                "hyperparameters": 29,
                **found,
                "reference_trials": REFERENCE_TRIALS,
                "reference_seconds": reference,
                "ratio": round(statistics.median(found["seconds"]) / statistics.median(reference), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
