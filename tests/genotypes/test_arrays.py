"""Arrays of text whose numbers are no characters."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.arrays import open_array, read_arrays

TEXTS = np.array(["a", "Weiß", "\U0001f33e"])


@pytest.mark.parametrize("order", ["<", ">"])
def test_text_in_any_alphabet_is_read(order: str, tmp_path: Path) -> None:
    np.save(tmp_path / "text.npy", TEXTS.astype(f"{order}U4"))
    np.savez(
        tmp_path / "text.npz", names=TEXTS, one=np.array("x"), none=np.array([], dtype="<U1"), numbers=np.arange(3)
    )
    assert open_array(tmp_path / "text.npy").tolist() == TEXTS.tolist()
    assert read_arrays(tmp_path / "text.npz")["names"].tolist() == TEXTS.tolist()


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_no_character_is_damage(code: int, order: str, tmp_path: Path) -> None:
    array = np.array([ord("a"), code], dtype=f"{order}u4").view(f"{order}U1")
    np.save(tmp_path / "text.npy", array)
    np.savez(tmp_path / "text.npz", names=array)
    with pytest.raises(InputError, match="damaged"):
        open_array(tmp_path / "text.npy")
    with pytest.raises(InputError, match="damaged"):
        read_arrays(tmp_path / "text.npz")


def test_a_pipe_in_place_of_an_array_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "text.npy")
    with pytest.raises(InputError):
        open_array(tmp_path / "text.npy")
