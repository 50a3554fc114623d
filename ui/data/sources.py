"""Choose the file that genotypes are read from: demo data, an upload, or a path on the server.

Also here: what a path may be (no pipe, no device); the size limit shown at an upload.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from gwas_core.errors import GwasError, InputError
from gwas_core.messages import quoted
from gwas_core.tuning.demo import DEMO_FILE, read_demo
from ui.data.datasets import open_report
from ui.folders import readable_path
from ui.refusals import Refusals
from ui.store import dataset_library, show_error
from ui.text import markdown_text


@dataclass(frozen=True)
class Source:
    """File that somebody chose.

    Attributes:
        path: where it is on this computer.
        name: what the person who chose it calls it; messages and lists use this name.
    """

    path: Path
    name: str


def add_demo_dataset() -> str:
    """Add the demo data to the library and return the hash of the dataset."""
    dataset, notes = read_demo()
    return dataset_library().add(dataset, source=DEMO_FILE.name, notes=notes)


def source_on_server(text: str) -> Source:
    """Return the file at a path that somebody typed.

    Args:
        text: path; ``~`` is the home folder of whoever runs the server.

    Raises:
        InputError: if the path cannot be that of an ordinary file, or is in no folder that may be read.
    """
    typed = text.strip()
    if not typed.isprintable():
        raise InputError(f"{quoted(typed)} is not a path: it contains control characters")
    path = readable_path(typed)
    try:
        # Opening a pipe would wait for ever, and a device never ends.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"{quoted(path.name)} is not an ordinary file: give the file with the genotypes")
    except OSError as error:
        raise InputError(f"{quoted(typed)} cannot be opened: check the path") from error
    return Source(path, Path(typed).name)


def choose_source(refusals: Refusals, *, is_first: bool) -> Source | None:
    """Show the three ways to bring genotypes in and return the chosen file, or None if there is none yet.

    Loading the demo data opens their quality report at once.

    Args:
        refusals: gets the reasons why a file is refused.
        is_first: whether there is no dataset yet; loading the demo data is then the main button of the page.
    """
    way = st.segmented_control(
        "Where the genotypes come from",
        ["Demo data", "Upload", "Path on the server"],
        default="Demo data",
        required=True,
        key="data-way",
        label_visibility="collapsed",
    )
    if way == "Demo data":
        st.markdown(
            "Simulated soybean lines in families that share a parent, with plant height and known causal SNPs: "
            "enough to try everything here in minutes."
        )
        kind: Literal["primary", "secondary"] = "primary" if is_first else "secondary"
        if st.button("Load the demo data", icon=":material/potted_plant:", type=kind, key="data-demo"):
            try:
                open_report(add_demo_dataset())
            except GwasError as error:
                show_error(error)
        return None
    st.caption(
        "A table with one row per line. Its columns are traits, line names and SNPs (0, 1 or 2 copies of an allele), "
        "separated by tabs, commas, semicolons or spaces. Plain text or gzip."
    )
    return _uploaded(refusals) if way == "Upload" else _typed_path(refusals)


def _uploaded(refusals: Refusals) -> Source | None:
    count = st.session_state.setdefault("data-uploads", 0)
    limit = st.get_option("server.maxUploadSize")
    file = st.file_uploader("Genotype table", key=f"data-upload-{count}")
    # Stated by us: the browser refuses a larger file itself, so Python never hears of it.
    st.caption(
        f"At most {limit:,} MB. For a larger file, copy it to the computer that runs this dashboard and choose **Path "
        "on the server** above."
    )
    refusals.beside("file")
    if file is not None:
        st.session_state.update({"data-uploaded": None, "data-upload-refused": None})
        try:
            # Written to disk at once, so that the file does not stay in the memory of the browser session.
            with st.spinner(f"Storing {file.size / 1e6:,.1f} MB"):
                path = dataset_library().store_upload(file, file.name)
            st.session_state["data-uploaded"] = (str(path), file.name)
        except GwasError as error:
            st.session_state["data-upload-refused"] = str(error)
        # A new key makes a new, empty uploader; the file in memory goes with the old one.
        st.session_state["data-uploads"] = count + 1
        st.rerun()
    if refused := st.session_state.get("data-upload-refused"):
        refusals.show_at("file", GwasError(refused))
    stored = st.session_state.get("data-uploaded")
    if stored is None:
        return None
    source = Source(Path(stored[0]), stored[1])
    if not source.path.is_file():
        st.session_state.pop("data-uploaded")
        return None
    st.caption(f"{markdown_text(source.name)}, {source.path.stat().st_size / 1e6:,.1f} MB")
    return source


def _typed_path(refusals: Refusals) -> Source | None:
    text = st.text_input(
        "Path of the genotype table",
        key="data-path",
        placeholder="/data/genotypes.txt.gz",
        help="A file of any size in a folder of the computer running this dashboard that it may read: the workspace, "
        "its data folder, and those that its owner allows.",
    )
    refusals.beside("file")
    if not text.strip():
        return None
    try:
        return source_on_server(text)
    except GwasError as error:
        refusals.show_at("file", error)
        return None
