"""Benchmarks of the product beside the tutorial; ``./run benchmark`` runs them and writes ``benchmarks/README.md``."""
