"""Virtual clusters that were found on hosts: who sees them, adopts them and ignores them, and what that writes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Project
from clusters.adoption import Adoption
from clusters.models import (
    DiscoveredCluster,
    HostCluster,
    HostPhase,
    HostScope,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import host_row, operation_row, ready_row

URL = "/api/v1/discovered-clusters"


def found_row(host: HostCluster, release: str = "tills", **fields) -> DiscoveredCluster:
    given = {
        "namespace": f"team-{release}",
        "workload": "StatefulSet",
        "uid": "u-1",
        "chart_version": "0.35.0",
        "kubernetes_version": "1.35.4",
        "image": "ghcr.io/loft-sh/vcluster-pro:0.35.0",
        "seen_at": timezone.now(),
    }
    return DiscoveredCluster.objects.create(host=host, release=release, **{**given, **fields})


@pytest.fixture
def own_host(world):
    """Of acme itself, whose admin is olivia."""
    return host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)


def adopt(client, row, **body):
    return client.post(f"{URL}/{row.pk}/adopt", {"project": "acme/payments", **body}, "json")


def releases(client, query: str = "") -> list[str]:
    answer = client.get(f"{URL}?{query}")
    assert answer.status_code == 200, answer.content
    return sorted(each["release"] for each in answer.json()["results"])


# --- looking ----------------------------------------------------------------------------------------------------------


def test_they_are_seen_by_platform_staff_and_by_who_looks_after_the_host(world, people, host, own_host):
    found_row(host, "platforms")
    found_row(own_host, "acmes")
    assert releases(signed_in(people.op)) == ["acmes", "platforms"]
    assert releases(signed_in(world.olivia)) == ["acmes"]
    for nobody in (people.vera, people.dan, people.ada, people.otto, people.mia, people.eve, world.greta):
        assert releases(signed_in(nobody)) == []


def test_who_does_not_see_one_gets_404_for_all_that_can_be_done_to_it(world, people, host):
    row = found_row(host)
    for nobody in (people.ada, world.olivia):
        client = signed_in(nobody)
        problem(client.get(f"{URL}/{row.pk}"), 404, "not-found")
        problem(adopt(client, row), 404, "not-found")
        problem(client.post(f"{URL}/{row.pk}/ignore"), 404, "not-found")
    assert not VirtualCluster.objects.exists()


def test_they_are_filtered_by_host_and_by_being_ignored(op, host, own_host):
    found_row(host, "one")
    found_row(own_host, "two", ignored=True)
    assert releases(op, "host=east") == ["one"]
    assert releases(op, f"host={own_host.pk}") == ["two"]
    assert releases(op, "ignored=true") == ["two"]
    assert releases(op, "ignored=false") == ["one"]
    refused(op.get(f"{URL}?hosts=x"), "hosts")


def test_one_is_shown_with_what_was_found(op, host):
    body = op.get(f"{URL}/{found_row(host).pk}").json()
    assert body["host"] == {"id": str(host.pk), "name": "east"}
    assert (body["namespace"], body["release"], body["workload"]) == ("team-tills", "tills", "StatefulSet")
    assert (body["chart_version"], body["kubernetes_version"]) == ("0.35.0", "1.35.4")
    assert (body["paused"], body["ignored"]) == (False, False)


# --- adopting ---------------------------------------------------------------------------------------------------------


def test_adopting_makes_cluster_placement_and_operation_and_the_row_goes(op, people, host):
    row = found_row(host)
    answer = adopt(op, row, owner="dan")
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["operation"]["kind"], body["operation"]["state"]) == ("adopt", "Pending")
    assert answer["Operation-Location"] == f"/api/v1/operations/{body['operation']['id']}"
    cluster = VirtualCluster.objects.get(pk=body["virtual_cluster"]["id"])
    assert (cluster.name, cluster.owner_user, cluster.creator) == ("tills", people.dan, people.op)
    assert (cluster.kubernetes_version, cluster.chart_version) == ("1.35.4", "0.35.0")
    placement = Placement.objects.get(virtual_cluster=cluster)
    assert (placement.host, placement.namespace, placement.release) == (host, "team-tills", "tills")
    assert (placement.role, placement.namespace_created) == (PlacementRole.ACTIVE, False)
    adoption = Adoption.of_json(placement.adopted)
    assert adoption is not None
    assert (adoption.complete, adoption.image) == (False, row.image)
    assert not DiscoveredCluster.objects.exists()
    event = AuditEvent.objects.get(action="virtualcluster.adopt")
    assert (event.organization_id, event.details) == (
        cluster.project.organization_id,
        {"host": "east", "virtual_cluster": "acme/payments/tills"},
    )
    problem(adopt(op, row), 404)


def test_staff_see_the_operation_by_which_they_hand_one_over_and_no_other_of_the_tenant(op, host):
    operation = adopt(op, found_row(host), owner="dan").json()["operation"]
    operation_row(VirtualCluster.objects.get(), OperationKind.CONFIGURE, state=OperationState.QUEUED)
    listed = op.get("/api/v1/operations").json()["results"]
    assert [each["id"] for each in listed] == [operation["id"]]
    problem(op.get(f"/api/v1/virtual-clusters/{VirtualCluster.objects.get().pk}"), 404)


def test_an_organization_s_admin_adopts_from_its_own_host_for_its_own_projects(world, own_host):
    olivia = signed_in(world.olivia)
    answer = adopt(olivia, found_row(own_host), name="registers")
    assert answer.status_code == 202, answer.content
    cluster = VirtualCluster.objects.get()
    assert (cluster.name, cluster.owner_user) == ("registers", world.olivia)
    refused(adopt(olivia, found_row(own_host, "other"), project="globex/payments"), "project")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"owner": "nobody"}, "owner"),
        ({"owner": "eve"}, "owner"),
        ({}, "owner"),
        ({"owner": "dan", "name": "No Name"}, "name"),
        ({"owner": "dan", "name": "taken"}, "name"),
        ({"owner": "dan", "project": "acme/none"}, "project"),
        ({"owner": "dan", "size": "small"}, "size"),
    ],
)
def test_what_is_not_possible_is_refused_by_field_and_nothing_is_written(world, people, op, host, body, field):
    ready_row(world, host, "taken")
    row = found_row(host)
    assert refused(adopt(op, row, **body), field)["message"]
    assert DiscoveredCluster.objects.filter(pk=row.pk).exists()
    assert VirtualCluster.objects.count() == 1
    assert not Operation.objects.filter(kind="adopt").exists()


def test_a_project_gets_no_cluster_on_a_host_that_is_not_offered_to_it(world, people, op):
    hidden = host_row("hidden", offered_to_all=False)
    assert "not offered" in refused(adopt(op, found_row(hidden), owner="dan"), "project")["message"]


def test_a_host_that_is_not_connected_and_a_namespace_in_use_are_in_the_way(world, people, op, host):
    cluster = ready_row(world, host)
    Placement.objects.filter(virtual_cluster=cluster).update(namespace="team-tills")
    row = found_row(host)
    assert "hello" in problem(adopt(op, row, owner="dan"), 409, "conflict")["detail"]
    HostCluster.objects.update(phase=HostPhase.FAILED)
    problem(adopt(op, found_row(host, "other"), owner="dan"), 409, "conflict")


def test_a_project_takes_no_more_in_than_its_limits_say_nor_for_longer(world, people, op, host):
    Project.objects.filter(pk=world.payments.pk).update(cluster_limit=1, cluster_lifetime_days=7)
    assert adopt(op, found_row(host), owner="dan").status_code == 202
    ends = VirtualCluster.objects.get(name="tills").expires_at
    assert ends is not None
    assert ends - timezone.now() < timedelta(days=7)
    problem(adopt(op, found_row(host, "second"), owner="dan"), 409, "cluster-limit")


def test_who_may_not_see_the_neighbour_does_not_hear_its_name(world, own_host):
    cluster = ready_row(world, own_host, project=world.foreign)
    Placement.objects.filter(virtual_cluster=cluster).update(namespace="team-tills")
    told = problem(adopt(signed_in(world.olivia), found_row(own_host), owner="olivia"), 409, "conflict")["detail"]
    assert "globex" not in told
    assert "a virtual cluster that you may not see" in told


def test_a_repeated_request_adopts_once(people, op, host):
    row, key = found_row(host), {"Idempotency-Key": "adopt-1"}
    body = {"project": "acme/payments", "owner": "dan"}
    first, again = (op.post(f"{URL}/{row.pk}/adopt", body, "json", headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["operation"]["id"] == again.json()["operation"]["id"]


def test_one_whose_adoption_did_not_succeed_is_not_configured_but_can_be_deleted(people, dan, op, host):
    work = adopt(op, found_row(host), owner="dan").json()
    cluster = f"/api/v1/virtual-clusters/{work['virtual_cluster']['id']}"
    assert dan.post(f"{cluster}/configure").json()["operation"]["state"] == "Queued"
    Operation.objects.all().update(state=OperationState.FAILED, finished_at=timezone.now())
    body = problem(dan.post(f"{cluster}/configure"), 409, "conflict")
    assert body["operation_id"] == work["operation"]["id"]
    assert "marina delete tills" in body["hint"]
    assert dan.delete(cluster).status_code == 202


def test_what_an_adopted_one_brought_along_may_stay_also_where_only_staff_may_set_it(world, dan, host):
    brought = {"controlPlane": {"statefulSet": {"image": {"repository": "loft-sh/vcluster-pro"}}}}
    cluster = ready_row(world, host, values=brought)
    url = f"/api/v1/virtual-clusters/{cluster.pk}"
    kept = {"controlPlane": {**brought["controlPlane"], "coredns": {}}}
    assert dan.patch(url, {"spec": {"values": kept}}, "json").status_code == 202
    other = {"controlPlane": {"statefulSet": {"image": {"repository": "loft-sh/vcluster-oss"}}}}
    refused(
        dan.patch(url, {"spec": {"values": other}}, "json"), "spec.values.controlPlane.statefulSet.image.repository"
    )


# --- ignoring ---------------------------------------------------------------------------------------------------------


def test_ignoring_is_said_recorded_and_taken_back(op, host):
    row = found_row(host)
    answer = op.post(f"{URL}/{row.pk}/ignore")
    assert (answer.status_code, answer.json()["ignored"]) == (200, True)
    assert op.post(f"{URL}/{row.pk}/ignore").json()["ignored"] is True
    assert op.post(f"{URL}/{row.pk}/unignore").json()["ignored"] is False
    actions = list(AuditEvent.objects.filter(object_kind="discovered-cluster").values_list("action", flat=True))
    assert sorted(actions) == ["discoveredcluster.ignore", "discoveredcluster.unignore"]


def test_a_deleted_namesake_is_not_in_the_way(world, people, op, host):
    ready_row(world, host, "tills")
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    Placement.objects.all().delete()
    assert adopt(op, found_row(host), owner="dan").status_code == 202
