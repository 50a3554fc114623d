"""Results for people: charts, tables, sentences, the model card, the bundle and the report.

Every chart has a pure function that works out its facts (a frozen dataclass with tables) and another that draws them,
such as ``manhattan`` and ``manhattan_figure``:

- one search: ``history``, ``learning_curves``, ``slices``, ``contour``, ``distribution``, ``timeline``,
  ``parallel_coordinates``, ``importance``, ``trial_table``, ``trial_filters``; its duration: ``estimate`` and
  ``progress_bars`` (while it runs) and ``projection`` (before);
- its model: ``comparison`` with baselines, ``verdict``, ``training_gain``, ``observed_predicted``,
  ``summary``, ``card``, ``bundle_export`` with ``bundled_network`` and ``loci``, ``study_report`` with
  ``methods_picture``;
- an evaluation: ``evaluation`` and ``verdict``;
- data and association: ``quality_charts``, ``population_charts``, ``manhattan``, ``quantile_plot``, ``snp_effect``,
  ``attribution_plot``.

``figure_style``, ``labels``, ``text``, ``titles`` and ``page`` are shared by all of them. Functions with the name of
their module, such as ``manhattan`` and ``timeline``, are imported from it.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
