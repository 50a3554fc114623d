"""Deep-learning GWAS: the core that the dashboard, the command line and Kubeflow share."""

__version__ = "0.1.0"
