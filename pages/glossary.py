"""Explain the terms of the dashboard, each in a sentence."""

from __future__ import annotations

import streamlit as st

from gwas_core.report.glossary import GLOSSARY
from ui.router import through_app

through_app()

st.title("Glossary")
wanted = st.text_input(
    "Find", key="glossary-find", placeholder="A term", icon=":material/search:", width=320
).casefold()
found = {term: text for term, text in GLOSSARY.items() if wanted in f"{term} {text}".casefold()}
if found:
    st.markdown("\n".join(f"- **{term}**: {text}" for term, text in found.items()))
else:
    st.info("No term fits.", icon=":material/search_off:")
