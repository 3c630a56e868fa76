"""Looking at, changing and deleting virtual clusters: who may, and what stands in the way."""

import pytest

from accounts.models import AuditEvent
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from tests.accounts.conftest import give, person, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row, host_row, operation_row, ready_row

URL = "/api/v1/virtual-clusters"


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


def of(cluster) -> str:
    return f"{URL}/{cluster.pk}"


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return sorted(each["name"] for each in answer.json()["results"])


# --- looking ----------------------------------------------------------------------------------------------------------


def test_one_is_shown_with_its_placement_and_its_newest_operation(world, dan, cluster, host):
    operation_row(cluster, OperationKind.ISSUE_KUBECONFIG)
    answer = dan.get(of(cluster))
    body = answer.json()
    assert answer["ETag"] == '"1"'
    placement = body["placement"]
    assert (placement["host"], placement["namespace"]) == ({"id": str(host.pk), "name": "east"}, "marina-hello")
    assert body["operation"]["kind"] == "provision", "handing out a kubeconfig does not hide what made it"
    assert body["not_synced"] == []


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("vera", True),
        ("dan", True),
        ("ada", True),
        ("otto", True),
        ("mia", False),
        ("eve", False),
        ("op", False),
    ],
)
def test_it_is_seen_by_the_roles_that_show_it_and_by_nobody_else(people, cluster, who, seen):
    client = signed_in(getattr(people, who))
    assert names(client.get(URL)) == (["hello"] if seen else [])
    if seen:
        assert client.get(of(cluster)).status_code == 200
        return
    assert problem(client.get(of(cluster)), 404, "not-found")["detail"] == (
        "There is no such object, or you have no role that shows it."
    )
    problem(client.delete(of(cluster)), 404)
    problem(client.patch(of(cluster), {"labels": {}}, "json"), 404)
    problem(client.post(of(cluster) + "/kubeconfigs", {"public_key": "x"}, "json"), 404)


def test_platform_staff_see_no_tenant_object_not_even_as_superusers(world, cluster):
    client = signed_in(world.staff)
    assert names(client.get(URL)) == []
    assert client.get("/api/v1/operations").json()["results"] == []
    problem(client.get(of(cluster)), 404)


def test_lists_are_filtered_by_people_s_words_and_by_ids(world, people, host, cluster):
    give(people.dan, "developer", world.search)
    dan = signed_in(people.dan)
    cluster_row(world, "other", project=world.search)
    cluster_row(world, "gone", phase=VirtualClusterPhase.DELETED)
    everything = ["hello", "other"]
    for query, expected in (
        ("", everything),
        ("project=acme/payments", ["hello"]),
        (f"project={world.search.pk}", ["other"]),
        ("project=payments", ["hello"]),
        ("organization=acme", everything),
        (f"organization={world.acme.pk}", everything),
        ("organization=globex", []),
        ("host=east", ["hello"]),
        (f"host={host.pk}", ["hello"]),
        ("host=west", []),
        ("name=other", ["other"]),
        ("phase=Ready", ["hello"]),
        ("phase=Ready&phase=Pending", everything),
        ("phase=Deleted", ["gone"]),
        ("search=oth", ["other"]),
        ("search=search", ["other"]),
    ):
        assert names(dan.get(f"{URL}?{query}")) == expected, query
    refused(dan.get(f"{URL}?phase=Sleepy"), "phase")
    refused(dan.get(f"{URL}?projekt=x"), "projekt")
    assert dan.get(f"{URL}?ordering=-name").json()["results"][0]["name"] == "other"


# --- changing ---------------------------------------------------------------------------------------------------------


def test_labels_and_protection_are_changed_and_recorded(dan, cluster):
    answer = dan.patch(of(cluster), {"labels": {"team": "web"}, "deletion_protection": True}, "json")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["labels"], body["deletion_protection"], body["generation"]) == ({"team": "web"}, True, 2)
    assert answer["ETag"] == '"2"'
    row = AuditEvent.objects.get(action="virtualcluster.update")
    assert row.before == {"labels": {}, "deletion_protection": False}
    assert row.after == {"labels": {"team": "web"}, "deletion_protection": True}
    assert dan.patch(of(cluster), {"deletion_protection": False}, "json").json()["labels"] == {"team": "web"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "other"}, "name"),
        ({"phase": "Ready"}, "phase"),
        ({"labels": {"k8s.io/x": "y"}}, "labels.k8s.io/x"),
        ({"labels": None}, "labels"),
        ({"deletion_protection": None}, "deletion_protection"),
    ],
)
def test_other_changes_are_refused_by_field(dan, cluster, body, field):
    refused(dan.patch(of(cluster), body, "json"), field)
    assert VirtualCluster.objects.get().generation == 1


def test_if_match_lets_nobody_overwrite_or_delete_what_they_did_not_see(dan, cluster):
    etag = dan.get(of(cluster))["ETag"]
    assert dan.patch(of(cluster), {"labels": {}}, "json", headers={"If-Match": etag}).status_code == 200
    for answer in (
        dan.patch(of(cluster), {"labels": {"a": "b"}}, "json", headers={"If-Match": etag}),
        dan.delete(of(cluster), headers={"If-Match": etag}),
    ):
        assert "generation 2" in problem(answer, 412, "precondition-failed")["detail"]
    assert Operation.objects.filter(kind="delete").count() == 0
    assert dan.delete(of(cluster), headers={"If-Match": '"2"'}).status_code == 202


@pytest.mark.parametrize("who", ["vera", "otto"])
def test_who_sees_it_without_the_role_is_told_which_role_it_takes(people, cluster, who):
    client = signed_in(getattr(people, who))
    for answer in (client.patch(of(cluster), {"labels": {}}, "json"), client.delete(of(cluster))):
        hint = problem(answer, 403, "forbidden")["hint"]
        assert "project developer, project admin, organization admin" in hint
        assert "viewer" not in hint


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_deleting_starts_once_and_says_so_when_asked_again(dan, cluster):
    first = dan.delete(of(cluster))
    assert first.status_code == 202, first.content
    operation = first.json()["operation"]
    assert (operation["kind"], operation["state"]) == ("delete", "Pending")
    assert first["Operation-Location"] == f"/api/v1/operations/{operation['id']}"
    again = dan.delete(of(cluster))
    assert again.status_code == 200
    assert again.json()["operation"]["id"] == operation["id"]
    assert AuditEvent.objects.filter(action="virtualcluster.delete").count() == 1


def test_deleting_while_it_is_made_supersedes_that_and_can_be_repeated(dan, cluster):
    provision = operation_row(cluster, OperationKind.PROVISION, state=OperationState.PROCESSING)
    first = dan.delete(of(cluster))
    assert (first.status_code, first.json()["operation"]["state"]) == (202, "Queued")
    provision.refresh_from_db()
    assert (provision.abort_requested, provision.message) == (True, "Superseded by delete.")
    again = dan.delete(of(cluster))
    assert again.status_code == 200
    assert again.json()["operation"]["id"] == first.json()["operation"]["id"]
    assert again.json()["operation"]["state"] == "Queued"


def test_what_is_protected_is_not_deleted_and_says_how_to_go_on(dan, cluster):
    dan.patch(of(cluster), {"deletion_protection": True}, "json")
    body = problem(dan.delete(of(cluster)), 409, "protected")
    assert "protected" in body["detail"]
    assert body["hint"] == "Take the protection away first: marina unprotect hello."
    dan.patch(of(cluster), {"deletion_protection": False}, "json")
    assert dan.delete(of(cluster)).status_code == 202


def test_what_is_deleted_stays_as_a_record_that_nothing_changes(dan, cluster):
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    assert dan.get(of(cluster)).json()["phase"] == "Deleted"
    problem(dan.delete(of(cluster)), 409, "conflict")
    problem(dan.patch(of(cluster), {"labels": {}}, "json"), 409, "conflict")


def test_a_project_whose_clusters_are_only_records_can_be_deleted(world, people, cluster):
    ada = signed_in(people.ada)
    problem(ada.delete(f"/api/v1/projects/{world.payments.pk}"), 409)
    cluster.placements.all().delete()
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETED)
    assert ada.delete(f"/api/v1/projects/{world.payments.pk}").status_code == 204


def test_a_team_s_cluster_is_shown_with_its_team(world, dan, host):
    cluster = cluster_row(world, "shared", owner_user=None, owner_team=world.dockers)
    owner = dan.get(of(cluster)).json()["owner"]
    assert (owner["kind"], owner["id"], owner["name"]) == ("team", str(world.dockers.pk), "acme/dockers")


def test_another_organization_s_cluster_of_the_same_name_is_another_one(world, people, host):
    cluster_row(world, "hello")
    cluster_row(world, "hello", project=world.foreign, owner_user=people.eve, creator=people.eve)
    assert names(signed_in(people.eve).get(URL)) == ["hello"]
    both = person("both")
    give(both, "viewer", world.payments)
    give(both, "viewer", world.foreign)
    assert names(signed_in(both).get(f"{URL}?name=hello&organization=globex")) == ["hello"]
    host_row("x")
