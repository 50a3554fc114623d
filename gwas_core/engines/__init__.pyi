from .launch import launch_experiment as launch_experiment
from .selection import Engines as Engines

__all__ = [
    "Engines",
    "launch_experiment",
]
