"""Kubernetes clients that were made before, kept for the next engine of this process, so that each logs in once."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable

from gwas_core.kubeflow.cluster import connect
from gwas_core.kubeflow.kubernetes_api import KubernetesApi
from gwas_core.kubeflow.settings import ClusterSettings

_Key = tuple[str, str]


class ClientCache:
    """Clients by kubeconfig and namespace; safe to share between threads.

    Every page makes its own engine at each rerun, and credentials can be slow to come by.

    Args:
        connect: makes a client; replaced in tests.
        most: number of clients that are kept, those used last.
    """

    def __init__(self, connect: Callable[[ClusterSettings], KubernetesApi] = connect, *, most: int = 8) -> None:
        self._connect = connect
        self._most = most
        self._clients: OrderedDict[_Key, KubernetesApi] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, settings: ClusterSettings) -> KubernetesApi:
        """Return the client of a namespace, made now if there is none.

        Args:
            settings: whose namespace counts; the cluster is that of ``KUBECONFIG`` as it is now.

        Raises:
            NotConfigured: no cluster is configured, or its configuration cannot be read.
        """
        key = (os.environ.get("KUBECONFIG", ""), settings.namespace)
        with self._lock:
            client = self._clients.get(key)
            if client is not None:
                self._clients.move_to_end(key)
                return client
        # Outside of the lock: a slow login must not keep those waiting who have their client already.
        client = self._connect(settings)
        with self._lock:
            client = self._clients.setdefault(key, client)
            while len(self._clients) > self._most:
                self._clients.popitem(last=False)
        return client

    def clear(self) -> None:
        """Forget all clients, because the address of a cluster may have changed."""
        with self._lock:
            self._clients.clear()


CLIENTS = ClientCache()
"""Clients of this process."""
