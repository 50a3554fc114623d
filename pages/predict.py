"""Predict the trait of new lines with the network of a study.

Also here: which search's network it is.
"""

from __future__ import annotations

from gwas_core.errors import GwasError
from ui.chooser import choose_search
from ui.model import not_judged, not_judged_box, show_prediction
from ui.router import through_app
from ui.store import engines, show_error
from ui.studies.current import all_studies, current_study
from ui.studies.frame import PREDICT, show_frame

through_app()

try:
    study = current_study(all_studies())
    show_frame(study, PREDICT)
    name = choose_search(study, key="predict")
    if name is not None:
        engine = engines()
        record = engine.sync(name)
        text = not_judged(record)
        if text:
            not_judged_box(record, text)
        else:
            show_prediction(engine.workspace, record)
except GwasError as error:
    show_error(error)
