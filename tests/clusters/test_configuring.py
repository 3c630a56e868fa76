"""Changing what is wanted of a virtual cluster, and asking that it is brought back to it."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row, host_row, operation_row, ready_row

URL = "/api/v1/virtual-clusters"
PERSISTENCE = {"controlPlane": {"statefulSet": {"persistence": {"volumeClaim": {"size": "20Gi"}}}}}


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host, observed_generation=1)


def of(cluster) -> str:
    return f"{URL}/{cluster.pk}"


def spec(client, cluster, **given):
    return client.patch(of(cluster), {"spec": given}, "json")


def configuring() -> list[str]:
    return [operation.state for operation in Operation.objects.filter(kind="configure").order_by("id")]


# --- changing what is wanted ------------------------------------------------------------------------------------------


def test_a_change_of_the_spec_is_a_new_generation_and_starts_a_configure_operation(dan, cluster):
    answer = spec(dan, cluster, size="medium", exposure="None", values={"controlPlane": {"coredns": {}}})
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["operation"]["kind"], body["operation"]["state"]) == ("configure", "Pending")
    assert answer["Operation-Location"] == f"/api/v1/operations/{body['operation']['id']}"
    assert answer["ETag"] == '"2"'
    shown = body["virtual_cluster"]
    assert (shown["generation"], shown["observed_generation"]) == (2, 1)
    assert (shown["spec"]["size"], shown["spec"]["exposure"]) == ("medium", "None")
    assert shown["spec"]["values"] == {"controlPlane": {"coredns": {}}}
    row = AuditEvent.objects.get(action="virtualcluster.configure")
    assert row.before == {"size": "small", "exposure": ""}
    assert row.after == {
        "size": "medium",
        "exposure": "None",
        "values": "changed",
    }


def test_what_is_not_sent_stays_and_labels_may_come_along(dan, cluster):
    VirtualCluster.objects.update(values={"controlPlane": {"coredns": {}}})
    answer = dan.patch(of(cluster), {"spec": {"size": "large"}, "labels": {"team": "web"}}, "json")
    assert answer.status_code == 202, answer.content
    cluster.refresh_from_db()
    assert (cluster.size, cluster.labels, cluster.generation) == ("large", {"team": "web"}, 2)
    assert cluster.values == {"controlPlane": {"coredns": {}}}


def test_what_names_the_versions_and_replicas_that_it_has_changes_nothing_and_is_no_error(dan, cluster):
    same = {"kubernetes_version": "1.36", "chart_version": "0.36.1", "control_plane": {"replicas": 1}}
    answer = dan.patch(of(cluster), {"spec": same}, "json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["virtual_cluster"]["generation"] == 1
    assert configuring() == ["Pending"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"size": "tiny"}, "spec.size"),
        ({"size": ""}, "spec.size"),
        ({"exposure": "Ingress"}, "spec.exposure"),
        ({"exposure": "LoadBalancer"}, "spec.exposure"),
        ({"values": {"telemetry": {"enabled": True}}}, "spec.values.telemetry.enabled"),
        ({"values": {"controlPlane": {"backingStore": {}}}}, "spec.values.controlPlane.backingStore"),
        ({"values": PERSISTENCE}, "spec.values.controlPlane.statefulSet.persistence"),
        ({"kubernetes_version": "1.35.4"}, "spec.kubernetes_version"),
        ({"kubernetes_version": "nine"}, "spec.kubernetes_version"),
        ({"chart_version": "0.37.0"}, "spec.chart_version"),
        ({"control_plane": {"replicas": 3}}, "spec.control_plane.replicas"),
        ({"flavour": "mint"}, "spec.flavour"),
    ],
)
def test_what_cannot_be_changed_is_refused_by_field_and_nothing_is_written(dan, cluster, given, field):
    error = refused(spec(dan, cluster, **given), field)
    assert error["accepted"]
    cluster.refresh_from_db()
    assert cluster.generation == 1
    assert configuring() == []


def test_another_version_is_said_to_be_an_upgrade(dan, cluster):
    assert "upgrade" in refused(spec(dan, cluster, kubernetes_version="1.35.4"), "spec.kubernetes_version")["message"]
    assert "upgrade" in refused(spec(dan, cluster, chart_version="0.37.0"), "spec.chart_version")["message"]


def test_the_volume_that_it_was_made_with_may_be_named_again(dan, cluster):
    VirtualCluster.objects.update(values=PERSISTENCE)
    together = {"controlPlane": {**PERSISTENCE["controlPlane"], "coredns": {}}}
    assert spec(dan, cluster, values=together).status_code == 202
    refused(spec(dan, cluster, values={}), "spec.values.controlPlane.statefulSet.persistence")


def test_if_match_guards_the_spec_too(dan, cluster):
    answer = dan.patch(of(cluster), {"spec": {"size": "large"}}, "json", headers={"If-Match": '"7"'})
    problem(answer, 412, "precondition-failed")
    assert configuring() == []


def test_labels_alone_start_nothing_and_move_on_what_a_worker_is_seeing_through(dan, cluster):
    at_work = operation_row(cluster, OperationKind.CONFIGURE, params={"generation": 1})
    assert dan.patch(of(cluster), {"labels": {"a": "b"}}, "json").status_code == 200
    at_work.refresh_from_db()
    assert at_work.params == {"generation": 2}
    assert len(configuring()) == 1


# --- bringing it back -------------------------------------------------------------------------------------------------


def test_asking_for_it_as_it_is_wanted_leaves_the_generation(dan, cluster):
    answer = dan.post(of(cluster) + "/configure")
    assert answer.status_code == 202, answer.content
    assert answer.json()["operation"]["kind"] == "configure"
    assert answer.json()["virtual_cluster"]["generation"] == 1
    assert AuditEvent.objects.get(action="virtualcluster.configure").after == {}
    refused(dan.post(of(cluster) + "/configure", {"size": "large"}, "json"), "size")


def test_a_repeated_request_with_its_key_starts_one_operation(dan, cluster):
    for method, path, body in (
        (dan.post, of(cluster) + "/configure", None),
        (dan.patch, of(cluster), {"spec": {"size": "large"}}),
    ):
        key = {"Idempotency-Key": f"key-{method.__name__}"}
        first, again = (method(path, body, "json", headers=key) for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json()["operation"]["id"] == again.json()["operation"]["id"]
    assert configuring() == ["Pending", "Queued"]


def test_one_that_waits_its_turn_answers_for_all_that_is_asked_meanwhile(dan, cluster):
    spec(dan, cluster, size="medium")
    waiting = spec(dan, cluster, size="large")
    assert (waiting.status_code, waiting.json()["operation"]["state"]) == (202, "Queued")
    again = dan.post(of(cluster) + "/configure")
    assert (again.status_code, again.json()["operation"]["id"]) == (200, waiting.json()["operation"]["id"])
    changed = spec(dan, cluster, size="small")
    assert (changed.status_code, changed.json()["operation"]["id"]) == (202, waiting.json()["operation"]["id"])
    assert changed.json()["virtual_cluster"]["generation"] == 4
    assert configuring() == ["Pending", "Queued"]


def test_what_is_being_deleted_is_not_configured_and_the_deletion_is_named(dan, cluster):
    deletion = dan.delete(of(cluster)).json()["operation"]
    body = problem(dan.post(of(cluster) + "/configure"), 409, "conflict")
    assert body["operation_id"] == deletion["id"]


def test_nobody_is_told_that_what_a_deletion_took_comes_back(dan, cluster):
    ended = {"state": OperationState.FAILED, "started_at": timezone.now(), "finished_at": timezone.now()}
    steps = [{"key": "export-objects", "state": "done"}, {"key": "uninstall-release", "state": "failed"}]
    operation_row(cluster, OperationKind.DELETE, steps=steps, **ended)
    assert "deletion" in problem(dan.post(of(cluster) + "/configure"), 409, "conflict")["detail"]
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    problem(spec(dan, cluster, size="large"), 409, "conflict")
    assert VirtualCluster.objects.get().size == "small"


def test_a_deletion_that_could_export_nothing_took_nothing_and_stands_in_nobodys_way(dan, cluster):
    ended = {"state": OperationState.FAILED, "started_at": timezone.now(), "finished_at": timezone.now()}
    steps = [{"key": "export-objects", "state": "failed"}, {"key": "uninstall-release", "state": "waiting"}]
    operation_row(cluster, OperationKind.DELETE, steps=steps, **ended)
    assert dan.post(of(cluster) + "/configure").status_code == 202


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("dan", 202), ("ada", 202), ("vera", 403), ("otto", 403), ("mia", 404), ("eve", 404), ("op", 404)],
)
def test_it_takes_the_role_that_may_update_the_cluster(people, cluster, who, status):
    client = signed_in(getattr(people, who))
    assert client.post(of(cluster) + "/configure").status_code == status
    assert spec(client, cluster, size="large").status_code == status


def test_an_exposure_is_weighed_by_the_host_it_runs_on(world, dan):
    cluster = ready_row(world, host_row("west", exposure="LoadBalancer"), "other")
    assert spec(dan, cluster, exposure="LoadBalancer").status_code == 202
    assert "west" in refused(spec(dan, cluster, exposure="Local"), "spec.exposure")["message"]
    unplaced = cluster_row(world, "fresh")
    assert spec(dan, unplaced, exposure="Local").status_code == 202
