"""The parts of the page Data: from a file to a dataset of the library, and a report on its quality.

- ``sources``: choose a file: the demo data, an upload, or a path on the server.
- ``reading``: read the file and preview it, with the roles of its columns, and add it to the library.
- ``roles``: the form that says which column is the trait, the line name, the family, the folds.
- ``datasets``: the list of datasets, each with what can be done with it.
- ``quality``: figures, warnings and charts of one dataset.
"""
