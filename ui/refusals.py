"""Show the reason why a value is refused, beside the field it was typed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from gwas_core.errors import GwasError, SettingsError
from ui.store import sentence
from ui.text import markdown_text

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


class Refusals:
    """Places on a page where a reason can appear, by the names of the settings whose fields are there.

    Attributes:
        shown: number of reasons shown so far.
    """

    def __init__(self) -> None:
        self._places: dict[str, DeltaGenerator] = {}
        self.shown = 0

    def beside(self, *fields: str) -> None:
        """Reserve a place here, just after the widget, for reasons that concern ``fields``."""
        place = st.empty()
        self._places.update(dict.fromkeys(fields, place))

    def show(self, error: GwasError) -> None:
        """Show the reason beside the field that the error names, or right here if no such field is shown."""
        self.show_at(error.field if isinstance(error, SettingsError) else "", error)

    def show_at(self, field: str, error: GwasError) -> None:
        """Show the reason beside ``field``, whatever the error names.

        Args:
            field: name of the field, with or without what comes after a dot.
            error: whose sentence is shown.
        """
        self.shown += 1
        place = self._places.get(field) or self._places.get(field.partition(".")[0]) or st
        place.error(markdown_text(sentence(str(error))), icon=":material/error:")
