"""Trial folder: names of the files in it, wherever the trial ran, which never change."""

HYPERPARAMETERS_FILE = "hyperparameters.json"
"""All hyperparameters, defaults included, the seed and whether XLA was used."""

METRICS_FILE = "metrics.jsonl"
"""Figures of each epoch, a line each."""

START_ERROR = "start_val_mean_absolute_error"
"""In the line of epoch 0 of ``METRICS_FILE``: the objective of closed-form start weights, before any training."""

LOG_FILE = "log.txt"
"""What happened, with times, for people."""

MODEL_FILE = "model.keras"
"""The network of the best epoch, once training is over."""

RESULT_FILE = "result.json"
"""The ``TrialResult`` and ``seed`` of a trial that succeeded; written on a cluster, where no store can be reached."""

REFIT_FOLDER = "refit"
"""Folder in that of the best trial: its network after training on all lines, in files of the same names."""

FAILURE_FILE = "failure.json"
"""``reason`` and ``kind`` of a trial that failed; written on a cluster."""
