"""The Kubernetes driver on an API server."""

from datetime import UTC, datetime, timedelta

import pytest

from provisioning.drivers.errors import ConflictError, ForbiddenError, NotFound
from provisioning.drivers.kinds import (
    CONFIG_MAP,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    Json,
    kind_of,
)
from provisioning.drivers.kube import KubeClient, Permission
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import PermanentError


def config_map(namespace: str, name: str = "x", **data: str) -> Json:
    meta = {"name": name, "namespace": namespace, "labels": {"app": "test"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def test_it_says_what_it_is_and_who_we_are(kube):
    assert kube.version()["gitVersion"].startswith("v1.")
    assert kube.readyz() is True
    assert "apps/v1" in kube.api_groups()
    subject = kube.self_subject()
    assert "system:masters" in subject.groups


def test_what_is_not_there_is_none(kube, namespace):
    assert kube.get(CONFIG_MAP, "absent", namespace) is None
    assert kube.get(CONFIG_MAP, "x", "absent") is None
    assert kube.list(CONFIG_MAP, "absent") == []


def test_apply_makes_it_and_takes_back_what_others_set(kube, namespace):
    made = kube.apply(config_map(namespace, a="1"))
    kube.patch_merge(CONFIG_MAP, "x", namespace, {"data": {"a": "2", "b": "theirs"}})
    again = kube.apply(config_map(namespace, a="1"))
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    assert again["data"] == {"a": "1", "b": "theirs"}
    assert "marina" in {entry["manager"] for entry in again["metadata"]["managedFields"]}


def test_create_says_when_it_is_there_already(kube, namespace):
    kube.create(config_map(namespace))
    with pytest.raises(ConflictError) as raised:
        kube.create(config_map(namespace))
    assert raised.value.already_exists


def test_a_patch_of_an_old_revision_is_a_conflict_and_of_nothing_not_found(kube, namespace):
    old = kube.apply(config_map(namespace, a="1"))["metadata"]["resourceVersion"]
    kube.apply(config_map(namespace, a="2"))
    with pytest.raises(ConflictError) as raised:
        kube.patch_merge(CONFIG_MAP, "x", namespace, {"metadata": {"resourceVersion": old}})
    assert not raised.value.already_exists
    with pytest.raises(NotFound):
        kube.patch_merge(CONFIG_MAP, "absent", namespace, {"data": {}})


def test_an_invalid_object_is_refused_in_the_servers_words(kube, namespace):
    with pytest.raises(PermanentError) as raised:
        kube.create(config_map(namespace, name="Not_A_Name"))
    assert raised.value.code == "invalid"
    assert 'ConfigMap "Not_A_Name" is invalid: metadata.name' in raised.value.message


def test_a_list_longer_than_a_page_is_whole_and_its_items_say_what_they_are(kube, namespace):
    for number in range(7):
        kube.create(config_map(namespace, name=f"x{number}"))
    found = kube.list(CONFIG_MAP, namespace, label_selector="app=test", limit=3)
    assert [item["metadata"]["name"] for item in found] == [f"x{number}" for number in range(7)]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "ConfigMap")}
    assert [item["metadata"]["name"] for item in kube.list(CONFIG_MAP, namespace, field_selector="metadata.name=x3")] \
        == ["x3"]  # fmt: skip


def test_delete_says_whether_there_was_something(kube, namespace):
    first = kube.create(config_map(namespace))["metadata"]["uid"]
    assert kube.delete(CONFIG_MAP, "x", namespace, uid="00000000-0000-0000-0000-000000000000") is False
    assert kube.get(CONFIG_MAP, "x", namespace)
    assert kube.delete(CONFIG_MAP, "x", namespace, uid=first, grace=0) is True
    assert kube.delete(CONFIG_MAP, "x", namespace) is False


def test_a_collection_is_deleted_by_labels_and_never_without(kube, namespace):
    kube.create(config_map(namespace, name="a"))
    kube.create({**config_map(namespace), "metadata": {"name": "other", "namespace": namespace}})
    kube.delete_collection(CONFIG_MAP, namespace, "app=test")
    assert kube.get(CONFIG_MAP, "a", namespace) is None
    assert kube.get(CONFIG_MAP, "other", namespace)
    with pytest.raises(ValueError, match="needs a label selector"):
        kube.delete_collection(CONFIG_MAP, namespace, "")


def test_a_token_works_until_it_ends_and_only_for_what_it_may(kube, host, namespace):
    robot = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": namespace}}
    kube.apply(robot)
    token, expires_at = kube.token_request(namespace, "robot", 600)
    assert timedelta(seconds=580) < expires_at - datetime.now(UTC) < timedelta(seconds=620)
    with connection_open(type(host)(server=host.server, ca_pem=host.ca_pem, token=token), target="host x") as api:
        as_robot = KubeClient(api)
        assert as_robot.self_subject().username == f"system:serviceaccount:{namespace}:robot"
        assert not as_robot.access_review(Permission("list", "secrets", namespace="kube-system"))
        with pytest.raises(ForbiddenError) as raised:
            as_robot.list(SECRET, "kube-system")
    assert (raised.value.verb, raised.value.resource, raised.value.namespace) == ("list", "secrets", "kube-system")
    assert kube.access_review(Permission("list", "secrets", namespace="kube-system"))
    with pytest.raises(PermanentError) as refused:
        kube.token_request(namespace, "robot", 60)
    assert "may not specify a duration less than 10 minutes" in refused.value.message
    with pytest.raises(NotFound):
        kube.token_request(namespace, "nobody", 600)


def test_events_come_newest_first(kube, namespace):
    for minute in (1, 3, 2):
        kube.create(event(namespace, "Pod", "p", f"at {minute}", f"2026-01-01T00:0{minute}:00Z"))
    kube.create(event(namespace, "Pod", "other", "not this", "2026-01-01T00:09:00Z"))
    found = kube.events(namespace, kind="Pod", name="p")
    assert [entry["message"] for entry in found] == ["at 3", "at 2", "at 1"]


def event(namespace: str, kind: str, name: str, message: str, time: str, reason: str = "Test") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "e-", "namespace": namespace},
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": time,
        "firstTimestamp": time,
    }


def test_new_content_in_a_namespace_that_ends_is_a_conflict(kube, namespace):
    held = {"apiVersion": "v1", "kind": "ConfigMap"}
    kube.create({**held, "metadata": {"name": "held", "namespace": namespace, "finalizers": ["marina.test/hold"]}})
    kube.delete(NAMESPACE, namespace)
    try:
        with pytest.raises(ConflictError) as raised:
            kube.create(config_map(namespace))
    finally:
        kube.patch_merge(CONFIG_MAP, "held", namespace, {"metadata": {"finalizers": None}})
    assert raised.value.reason == "NamespaceTerminating"


def test_paths_need_what_they_name():
    assert POD.path(namespace="a b", name="x/y") == "/api/v1/namespaces/a%20b/pods/x%2Fy"
    assert SERVICE_ACCOUNT.path(namespace="n", name="s", subresource="token").endswith("/serviceaccounts/s/token")
    assert NODE.path() == "/api/v1/nodes"
    for wrong in ({"name": "x"}, {"name": "", "namespace": "n"}):
        with pytest.raises(ValueError, match="needs its name"):
            POD.path(**wrong)
    with pytest.raises(ValueError, match="lives in no namespace"):
        NODE.path(name="x", namespace="n")
    with pytest.raises(LookupError):
        kind_of({"apiVersion": "v1", "kind": "Teapot"})


def test_nothing_shows_a_credential(kube, api, host):
    for shown in (repr(kube), repr(api), repr(api.route), str(api.route)):
        assert host.token not in shown
        assert "BEGIN" not in shown
