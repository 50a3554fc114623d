"""The parts of the page Search: what is searched, how, how long that takes, and the launch.

- ``dataset``: choose the dataset; what is chosen on the page is kept for each dataset.
- ``lines``: filters, imputation, and the division into training, validation and test lines.
- ``settings``: algorithm, number of trials and the like, and the experiment that all choices describe.
- ``outlook``: how long the search will probably take, and what it costs.
- ``measurement``: measure how fast this machine is, in a process of its own.
- ``launch``: name the experiment, say what is missing, and start it.

The search space is a table of its own, in ``ui.space_editor``.
"""
