"""The same experiment on a Kubeflow cluster: Katib searches, each trial is a pipeline run or a job."""
