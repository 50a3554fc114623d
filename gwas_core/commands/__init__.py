"""What the command line does, by subject; ``gwas_core.cli`` reads the arguments and handles the errors.

Modules are imported when a command runs: ``--help`` must not wait for the libraries.
"""
