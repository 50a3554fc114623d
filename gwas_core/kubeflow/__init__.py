"""Experiments on a Kubeflow cluster: Katib searches, and each trial is a pipeline run or a job.

On the side of the dashboard, ``engine`` composes the parts: ``submission`` creates Katib experiments from the manifests
of ``katib`` and ``parameters``; ``sync`` follows them, reading Katib's objects with ``katib_objects`` and
``katib_status`` and writing trials with ``trial_sync``, and has ``stalls`` explain why nothing happens; ``conclusion``
and ``final_evaluation`` end them; ``continuation`` resumes and extends them; ``external_experiments`` shows those made
elsewhere. ``cluster_binding`` keeps with an experiment where it runs. ``kubernetes_api`` and ``pipelines_api`` speak to
the cluster, ``cluster`` and ``client_cache`` connect to it, ``settings`` and ``preflight`` describe and check it, and
``file_transfer`` reaches the files of a volume claim that is not mounted here, by a ``transfer_pod``.

In the cluster run ``driver`` (a trial, as Katib sees it), the ``pipeline`` of ``components``, each of which calls a
function of ``steps``, and ``claim_transfer``. ``trial_inputs`` and ``trial_files`` are what both sides read and write.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
