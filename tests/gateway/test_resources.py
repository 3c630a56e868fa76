"""What a request does, in the words of Kubernetes' audit log (its own table: apiserver's requestinfo_test.go)."""

import time

import pytest

from gateway.resources import Doing, doing

NS = "/api/v1/namespaces"

TABLE = [
    # method, path and query -> verb, group, version, namespace, resource, subresource, name
    ("GET", f"{NS}", "list", "", "v1", "", "namespaces", "", ""),
    ("GET", f"{NS}/other", "get", "", "v1", "other", "namespaces", "", "other"),
    ("GET", f"{NS}/other/pods", "list", "", "v1", "other", "pods", "", ""),
    ("GET", f"{NS}/other/pods/foo", "get", "", "v1", "other", "pods", "", "foo"),
    ("HEAD", f"{NS}/other/pods/foo", "get", "", "v1", "other", "pods", "", "foo"),
    ("GET", "/api/v1/pods", "list", "", "v1", "", "pods", "", ""),
    ("HEAD", "/api/v1/pods", "list", "", "v1", "", "pods", "", ""),
    # watches, by query and by the old path
    ("GET", f"{NS}/other/pods?watch=1", "watch", "", "v1", "other", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=true&timeoutSeconds=5", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=yes", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=0", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?watch=False", "list", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/pods?xwatch=1", "list", "", "v1", "", "pods", "", ""),
    ("GET", f"{NS}/other/pods/foo?watch=1", "get", "", "v1", "other", "pods", "", "foo"),
    ("GET", "/api/v1/watch/pods", "watch", "", "v1", "", "pods", "", ""),
    ("GET", "/api/v1/watch/namespaces/other/pods", "watch", "", "v1", "other", "pods", "", ""),
    ("GET", "/api/v1/watch/namespaces/other/pods/foo", "watch", "", "v1", "other", "pods", "", "foo"),
    # subresources
    ("GET", f"{NS}/other/pods/foo/status", "get", "", "v1", "other", "pods", "status", "foo"),
    ("GET", f"{NS}/other/pods/foo/log?follow=true", "get", "", "v1", "other", "pods", "log", "foo"),
    ("POST", f"{NS}/other/pods/foo/exec?command=ls", "create", "", "v1", "other", "pods", "exec", "foo"),
    ("GET", f"{NS}/other/pods/foo/exec?command=ls", "get", "", "v1", "other", "pods", "exec", "foo"),
    ("PUT", f"{NS}/other/finalize", "update", "", "v1", "other", "namespaces", "finalize", "other"),
    ("PUT", f"{NS}/other/status", "update", "", "v1", "other", "namespaces", "status", "other"),
    ("GET", f"{NS}/a/services/http:web:80/proxy/x/y", "get", "", "v1", "a", "services", "proxy", "http:web:80"),
    # what changes something
    ("PATCH", f"{NS}/other/pods/foo", "patch", "", "v1", "other", "pods", "", "foo"),
    ("DELETE", f"{NS}/other/pods/foo", "delete", "", "v1", "other", "pods", "", "foo"),
    ("POST", f"{NS}/other/pods", "create", "", "v1", "other", "pods", "", ""),
    ("DELETE", f"{NS}/other/pods", "deletecollection", "", "v1", "other", "pods", "", ""),
    ("DELETE", "/api/v1/pods", "deletecollection", "", "v1", "", "pods", "", ""),
    # groups
    ("POST", "/apis/extensions/v1/namespaces/other/pods", "create", "extensions", "v1", "other", "pods", "", ""),
    ("GET", "/apis/apps/v1/deployments", "list", "apps", "v1", "", "deployments", "", ""),
    ("PATCH", "/apis/batch/v1/things/x", "patch", "batch", "v1", "", "things", "", "x"),
    ("PUT", "/apis/apps/v1/namespaces/a/deployments/b/scale", "update", "apps", "v1", "a", "deployments", "scale", "b"),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_request_is_told_as_kubernetes_tells_it(row: tuple[str, ...]) -> None:
    method, target, verb, group, version, namespace, resource, subresource, name = row
    path, _, query = target.partition("?")
    assert doing(method, path, query) == Doing(verb, path, group, version, resource, subresource, namespace, name)


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/", "/api/v1", "/api/v1/", "/apis", "/apis/apps", "/apis/apps/v1", "/version", "/healthz/x"],
)
def test_what_is_no_resource_has_only_its_path(path: str) -> None:
    assert doing("GET", path, "watch=1") == Doing("get", path)


def test_what_connects_to_a_pod_is_no_reading() -> None:
    assert doing("GET", f"{NS}/a/pods/b", "").reads
    assert doing("GET", f"{NS}/a/pods/b/log", "").reads
    for subresource in ("exec", "attach", "portforward", "proxy"):
        assert not doing("GET", f"{NS}/a/pods/b/{subresource}", "").reads
    assert not doing("POST", f"{NS}/a/pods", "").reads


@pytest.mark.parametrize(
    ("query", "verb"),
    [
        ("watch=1", "watch"),
        ("watch", "watch"),
        ("watch=", "watch"),
        ("limit=5&%77atch=true&watch=0", "watch"),
        ("%77%61%74%63%68=%31", "watch"),
        ("watch=False&watch=1", "list"),
        ("watch=%30", "list"),
        ("watches=1&xwatch=1&=watch", "list"),
    ],
)
def test_a_list_is_a_watch_where_kubernetes_reads_it_as_one(query: str, verb: str) -> None:
    assert doing("GET", "/api/v1/pods", query).verb == verb


def test_a_query_of_many_names_costs_little() -> None:
    began = time.process_time()
    for _ in range(20):
        doing("GET", "/api/v1/pods", "&".join(["%61"] * 16_000))
    assert time.process_time() - began < 1, "other requests wait meanwhile"
