"""Side-by-side measurements: ``./run benchmark`` runs them and writes ``benchmarks/README.md``."""
