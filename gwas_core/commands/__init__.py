"""Commands of the command line, one module for each subject: data, search, model, evaluate, kubeflow.

``gwas_core.cli`` reads the arguments, imports the module of the command only when it runs (so that ``--help`` does not
wait for libraries), calls the function with the options, and turns errors into exit codes. Functions here print their
result on stdout, and notes and progress on stderr.
"""
