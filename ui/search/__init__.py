"""The parts of the page Search: what is searched, how, how long that takes, and the launch.

- ``dataset``: choose the dataset; what is chosen on the page is kept for each dataset.
- ``lines``: filters, imputation, and the division into training, validation and test lines.
- ``space_editor``: the search space as a table to edit; ``space_rows`` turns its rows into a space and back.
- ``settings``: algorithm, number of trials and the like, and the experiment that all choices describe.
- ``outlook``: how long the search will probably take, and what it costs.
- ``measurement``: measure how fast this machine is, in a process of its own.
- ``launch``: name the experiment, say what is missing, and start it.
"""
