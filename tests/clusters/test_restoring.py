"""Restoring over the API: into a new cluster and into one that is there, and who may."""

from pathlib import Path
from typing import Any

import pytest

from accounts.models import AuditEvent
from clusters.models import (
    Export,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.restoration import RESULT
from clusters.services.restoring import free_name
from tests.accounts.conftest import give, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.exported import deleted, export_of
from tests.clusters.making import cluster_row, operation_row, ready_row

LABELS = {"team": "blue"}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path: Path) -> None:
    """Where exports of this test are kept."""
    backend = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(tmp_path / "exports")}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host, "shop", labels=LABELS, size="medium", kubeconfig_ceiling="view")


@pytest.fixture
def export(cluster) -> Export:
    """Of a cluster that was deleted."""
    made = export_of(cluster)
    deleted(cluster)
    return made


@pytest.fixture
def target(world, host) -> VirtualCluster:
    return ready_row(world, host, "target")


def url(export: Export) -> str:
    return f"/api/v1/exports/{export.pk}/restore"


def test_a_deleted_cluster_is_made_again_as_it_was_and_restored_behind_that(dan, export):
    answer = dan.post(url(export), {}, format="json")
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert answer["Operation-Location"].endswith(body["operation"]["id"])
    made = VirtualCluster.objects.get(pk=body["virtual_cluster"]["id"])
    assert (made.name, made.size, made.labels, made.kubeconfig_ceiling) == ("shop", "medium", LABELS, "view")
    assert made.pk != export.virtual_cluster_id
    operations = Operation.objects.filter(virtual_cluster=made).order_by("id")
    assert [(each.kind, each.state) for each in operations] == [
        (OperationKind.PROVISION, OperationState.PENDING),
        (OperationKind.RESTORE, OperationState.QUEUED),
    ]
    assert operations[1].params == {"export": str(export.pk), "overwrite": True}
    (row,) = AuditEvent.objects.filter(action="virtualcluster.restore")
    assert (row.details["export"], row.details["of"]) == (str(export.pk), "acme/payments/shop")
    (read,) = AuditEvent.objects.filter(action="virtualcluster.export.read")
    assert read.object_id == export.virtual_cluster_id


def test_it_may_get_another_name_project_host_and_version(dan, people, export, world, host, settings):
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.36.9"]
    give(people.dan, "developer", world.search)
    body = {"name": "new", "project": "acme/search", "host": host.name, "kubernetes_version": "1.36"}
    made = dan.post(url(export), body, format="json").json()["virtual_cluster"]
    assert (made["name"], made["project"]["name"]) == ("new", "search")
    assert made["spec"]["kubernetes_version"] == "1.36.9"


def test_a_name_that_is_taken_is_refused_with_one_that_is_free(dan, export, world):
    cluster_row(world, "shop")
    cluster_row(world, "shop-2")
    told = refused(dan.post(url(export), {}, format="json"), "name")
    assert "shop-3" in told["accepted"]
    assert dan.post(url(export), {"name": "shop-3"}, format="json").status_code == 202


def test_a_free_name_is_never_too_long():
    long = "a" * 40
    assert free_name(long, {long}) == f"{'a' * 38}-2"
    assert free_name("a", {"a", *(f"a-{number}" for number in range(2, 10))}) == "a-10"


def test_a_dry_run_makes_nothing(dan, export):
    before = VirtualCluster.objects.count(), Operation.objects.count()
    assert dan.post(f"{url(export)}?dry_run=true", {}, format="json").status_code == 202
    assert (VirtualCluster.objects.count(), Operation.objects.count()) == before


def test_the_same_request_again_starts_nothing_more(dan, export):
    first, second = (
        dan.post(url(export), {}, format="json", headers={"Idempotency-Key": "once"}).json() for _ in range(2)
    )
    assert first["operation"]["id"] == second["operation"]["id"]


def test_into_a_cluster_that_is_there_nothing_is_overwritten_unless_asked(dan, export, target):
    for more, overwrite in (({}, False), ({"overwrite": True}, True)):
        answer = dan.post(url(export), {"into": str(target.pk), **more}, format="json")
        assert answer.status_code == 202, answer.content
        operation = Operation.objects.get(pk=answer.json()["operation"]["id"])
        assert (operation.kind, operation.virtual_cluster_id) == (OperationKind.RESTORE, target.pk)
        assert operation.params["overwrite"] is overwrite


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"into": "nonsense"}, "into"),
        ({"overwrite": True}, "overwrite"),
        ({"name": "No Name"}, "name"),
        ({"kubernetes_version": "1.1"}, "kubernetes_version"),
        ({"project": "acme/unknown"}, "project"),
    ],
)
def test_what_cannot_be_is_refused_with_the_name_of_the_field(dan, export, body, field):
    told = refused(dan.post(url(export), body, format="json"), field)
    assert told["accepted"]


def test_a_new_cluster_and_one_that_is_there_are_not_named_together(dan, export, target):
    told = refused(dan.post(url(export), {"into": str(target.pk), "name": "x"}, format="json"), "name")
    assert "leave" in told["accepted"]


def test_an_older_kubernetes_is_told_beforehand_and_taken_when_that_is_wanted(dan, export, target, settings):
    Placement.objects.filter(virtual_cluster=target).update(kubernetes_version="1.35.2")
    told = refused(dan.post(url(export), {"into": str(target.pk)}, format="json"), "older_kubernetes")
    assert "1.35.2" in told["message"]
    assert "1.36.3" in told["message"]
    body = {"into": str(target.pk), "older_kubernetes": True}
    assert dan.post(url(export), body, format="json").status_code == 202
    settings.KUBERNETES_VERSIONS = ["1.36.3", "1.35.2"]
    refused(dan.post(url(export), {"kubernetes_version": "1.35"}, format="json"), "older_kubernetes")


def test_a_patch_less_is_no_older_kubernetes(dan, export, target):
    Placement.objects.filter(virtual_cluster=target).update(kubernetes_version="1.36.1")
    assert dan.post(url(export), {"into": str(target.pk)}, format="json").status_code == 202


def test_a_cluster_that_sleeps_is_to_be_woken_first(dan, export, target):
    VirtualCluster.objects.filter(pk=target.pk).update(phase=VirtualClusterPhase.ASLEEP, sleeping=True)
    body = problem(dan.post(url(export), {"into": str(target.pk)}, format="json"), 409, "asleep")
    assert "marina wake target" in body["hint"]


def test_an_export_without_a_file_restores_nothing(dan, export):
    Export.objects.filter(pk=export.pk).update(state="Removed")
    problem(dan.post(url(export), {}, format="json"), 409)


def test_who_may_read_no_export_restores_none_and_who_sees_no_cluster_finds_none(people, export):
    problem(signed_in(people.vera).post(url(export), {}, format="json"), 403)
    problem(signed_in(people.otto).post(url(export), {}, format="json"), 403)
    problem(signed_in(people.eve).post(url(export), {}, format="json"), 404)
    problem(signed_in(people.mia).post(url(export), {}, format="json"), 404)


def test_it_takes_the_right_to_create_where_it_goes(people, export, world):
    give(people.dan, "viewer", world.search)
    problem(signed_in(people.dan).post(url(export), {"project": "acme/search"}, format="json"), 403)


def test_nobody_restores_into_a_cluster_in_which_a_ceiling_lets_nobody_write(dan, export, target):
    VirtualCluster.objects.filter(pk=target.pk).update(kubeconfig_ceiling="view")
    problem(dan.post(url(export), {"into": str(target.pk)}, format="json"), 403, "kubeconfig-ceiling")


def test_values_that_only_staff_may_set_stay_in_its_own_project_and_go_to_no_other(people, cluster, world):
    values: dict[str, Any] = {"controlPlane": {"advanced": {}}}
    export = export_of(cluster, values=values)
    deleted(cluster)
    give(people.dan, "developer", world.search)
    client = signed_in(people.dan)
    answer = client.post(url(export), {"project": "acme/search"}, format="json")
    assert "Only platform staff" in problem(answer, 400)["detail"]
    made = client.post(url(export), {}, format="json").json()["virtual_cluster"]
    assert made["spec"]["values"] == values


def test_another_project_whose_ceiling_is_lower_is_no_way_around_it(people, export, world):
    give(people.dan, "developer", world.search)
    type(world.search).objects.filter(pk=world.search.pk).update(kubeconfig_ceiling="view")
    client = signed_in(people.dan)
    problem(client.post(url(export), {"project": "acme/search"}, format="json"), 403, "kubeconfig-ceiling")


def test_what_came_of_it_is_shown_with_the_operation(dan, target):
    entry = {"object": "ConfigMap a/b", "what": "differing", "why": "", "paths": ["data.c"]}
    result = {"counts": {"objects": 2, "equal": 1, "differing": 1}, "listed": [entry]}
    done = operation_row(target, OperationKind.RESTORE, state=OperationState.SUCCEEDED, params={RESULT: result})
    assert dan.get(f"/api/v1/operations/{done.pk}").json()["restored"] == result
    other = operation_row(target, OperationKind.CONFIGURE, state=OperationState.SUCCEEDED)
    assert dan.get(f"/api/v1/operations/{other.pk}").json()["restored"] is None
