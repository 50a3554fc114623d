"""Clients that are kept for the next engine."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from gwas_core.kubeflow.client_cache import ClientCache
from gwas_core.kubeflow.cluster import NotConfigured
from gwas_core.kubeflow.kubernetes_api import KubernetesApi
from gwas_core.kubeflow.settings import ClusterSettings
from tests.concurrency import at_once


class Connections:
    """Makes something new at each call, and counts the calls."""

    def __init__(self) -> None:
        self.namespaces: list[str] = []

    def __call__(self, settings: ClusterSettings) -> KubernetesApi:
        self.namespaces.append(settings.namespace)
        return cast(KubernetesApi, object())


def of(namespace: str) -> ClusterSettings:
    return ClusterSettings(namespace=namespace)


def test_a_client_is_made_once_for_each_namespace_and_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/one")
    connections = Connections()
    cache = ClientCache(connections)
    first = cache.get(of("a"))
    assert cache.get(of("a")) is first
    assert cache.get(of("b")) is not first
    monkeypatch.setenv("KUBECONFIG", "/two")
    assert cache.get(of("a")) is not first
    monkeypatch.setenv("KUBECONFIG", "/one")
    assert cache.get(of("a")) is first
    assert connections.namespaces == ["a", "b", "a"]


def test_a_cleared_cache_connects_anew() -> None:
    cache = ClientCache(Connections())
    first = cache.get(of("a"))
    cache.clear()
    assert cache.get(of("a")) is not first


def test_only_so_many_clients_are_kept_those_used_last() -> None:
    connections = Connections()
    cache = ClientCache(connections, most=2)
    for namespace in ("a", "b", "a", "c", "a", "b"):
        cache.get(of(namespace))
    assert connections.namespaces == ["a", "b", "c", "b"]


def test_a_failure_is_not_kept() -> None:
    attempts = iter([NotConfigured("no cluster"), None])

    def connect(settings: ClusterSettings) -> KubernetesApi:
        error = next(attempts)
        if error is not None:
            raise error
        return cast(KubernetesApi, object())

    cache = ClientCache(connect)
    with pytest.raises(NotConfigured):
        cache.get(of("a"))
    assert cache.get(of("a")) is cache.get(of("a"))


def test_threads_that_connect_at_the_same_time_share_one_client() -> None:
    barrier = threading.Barrier(2)

    def connect(settings: ClusterSettings) -> KubernetesApi:
        barrier.wait()
        return cast(KubernetesApi, object())

    cache, found = ClientCache(connect), list[KubernetesApi]()
    at_once(*[lambda: found.append(cache.get(of("a")))] * 2)
    assert found[0] is found[1]
