"""Genotypes and traits: reading, checking, preparing, splitting and simulating them.

From a file to data a model can take: ``readers`` (on ``text_stream`` and ``cell_decoding``) makes a ``GenotypeTable``;
``column_roles`` (with ``families`` and ``snp_names``) guesses the role of each column and makes the ``Dataset``, the
form in which data travel through the whole project; ``library`` keeps datasets, and ``quality`` describes them.
``relatedness`` (principal components, kinship) and ``linkage_disequilibrium`` show which population they are.
``preprocessing`` (with ``imputation``) filters and completes a dataset, ``preparation`` records how, and ``splits``
divides its lines. ``simulation`` (on ``genetic_map`` and ``founders``) makes populations whose causal SNPs are known.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
