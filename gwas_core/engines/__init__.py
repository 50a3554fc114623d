"""Choosing the engine that runs an experiment: this machine or a cluster."""
