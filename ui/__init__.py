"""The dashboard's user interface: everything that the pages in ``pages/`` are made of.

``app.py`` is the router. It starts the demo experiment the first time (``first_start``) and names the pages. A file in
``pages/`` is a short script, read from top to bottom as the page is: it calls ``router.through_app``, loads a record,
and calls functions of this package, each of which draws one part of the page. Nothing is computed here: facts, figures
and sentences come from ``gwas_core``, which does not know Streamlit.

Parts of one page:

- ``data``, ``search``: packages for the pages of these names.
- ``experiments``, ``first_start``, ``cluster``: the list of experiments.
- ``experiment``, ``brush``, ``trials``: one experiment, its parallel coordinates, its trials.
- ``association``: the association page. ``model``, ``evaluation``, ``prediction``: the page of the best model.

Shared by pages:

- ``actions``: stop, resume, extend, delete. ``chooser``: which experiment a page shows.
- ``charts``: a chart with its table. ``live_plot``: the component behind it, which updates a chart in place.
- ``store``: engines, datasets and errors. ``refusals``: the reason of a refusal beside its field.
- ``states``, ``text``: states, times and text from files in words. ``url``: what a page keeps in its address.
"""
