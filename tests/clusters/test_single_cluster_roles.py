"""Sharing one cluster: each role x each action, by user, team and service account, and nothing of its neighbours."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import access
from accounts.errors import Conflict, NotAllowed
from accounts.models import RoleBinding, User
from accounts.roles import CLUSTER_ACTIONS, CLUSTER_ROLES, PROJECT_ACTIONS
from accounts.services.audit import Actor
from accounts.services.permission_check import permission_differences
from accounts.services.role_bindings import role_bindings_expire
from accounts.services.teams import team_update
from clusters.models import OperationKind, OperationState, VirtualClusterPhase
from clusters.services.sharing import virtual_cluster_share
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.accounts.machines import machine
from tests.clusters.conftest import problem, refused
from tests.clusters.making import PUBLIC_KEY, cluster_row, operation_row, ready_row


def shares(cluster) -> str:
    return f"/api/v1/virtual-clusters/{cluster.pk}/shares"


def holder_of(world, by: str, role: str, cluster) -> User:
    """A user who has the role for this cluster alone."""
    if by == "service account":
        account = machine(world.payments)
        give(account, role, cluster)
        return account.user
    user = person("holder")
    if by == "team":
        team_update(actor=MARINA, team=world.dockers, members=[user])
    give(world.dockers if by == "team" else user, role, cluster)
    return user


@pytest.mark.parametrize("by", ["user", "team", "service account"])
@pytest.mark.parametrize("role", CLUSTER_ROLES)
def test_a_role_for_one_cluster_allows_what_the_table_says_there_and_nothing_elsewhere(world, role, by):
    cluster, neighbour = cluster_row(world), cluster_row(world, "neighbour")
    user = holder_of(world, by, role, cluster)
    for action in PROJECT_ACTIONS:
        assert access.allowed(user, action, cluster) == (action in CLUSTER_ROLES[role]), action
        for scope in (neighbour, world.payments, world.acme):
            assert not access.allowed(user, action, scope), (action, scope)
    assert permission_differences(now=timezone.now()).wanted
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_every_action_of_a_cluster_is_one_that_a_role_can_give(world):
    assert set(CLUSTER_ACTIONS) == set().union(*CLUSTER_ROLES.values())


@pytest.mark.parametrize("role", CLUSTER_ROLES)
def test_who_only_has_a_share_sees_that_cluster_and_its_operations_and_no_more(world, people, host, role):
    cluster, neighbour = ready_row(world, host), ready_row(world, host, "neighbour")
    ana = person("ana")
    give(ana, role, cluster)
    client = signed_in(ana)
    listed = {noun: client.get(f"/api/v1/{noun}").json()["results"] for noun in ("virtual-clusters", "operations")}
    assert [each["name"] for each in listed["virtual-clusters"]] == ["hello"]
    assert {each["virtual_cluster"]["name"] for each in listed["operations"]} == {"hello"}
    for noun in ("projects", "organizations", "teams"):
        assert client.get(f"/api/v1/{noun}").json()["results"] == [], noun
    problem(client.get(f"/api/v1/virtual-clusters/{neighbour.pk}"), 404)
    problem(client.get(shares(neighbour)), 404)
    assert client.get(f"/api/v1/virtual-clusters/{cluster.pk}").status_code == 200
    assert client.get("/api/v1/me").json()["projects"] == []


@pytest.mark.parametrize(("role", "level"), [("viewer", "view"), ("developer", "admin"), ("admin", "admin")])
def test_a_share_gives_a_kubeconfig_of_its_level(world, people, host, role, level):
    cluster, ana = ready_row(world, host), person("ana")
    give(ana, role, cluster)
    client, where = signed_in(ana), f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs"
    assert client.post(where, {"public_key": PUBLIC_KEY}, "json").status_code == 202
    assert cluster.operations.filter(kind=OperationKind.ISSUE_KUBECONFIG).get().params["level"] == level
    wanted = client.post(where, {"public_key": PUBLIC_KEY, "level": "admin"}, "json")
    assert wanted.status_code == (202 if level == "admin" else 403)


def test_a_kubeconfig_ends_with_the_role_that_gives_it(world, people, host):
    cluster, ana, now = ready_row(world, host), person("ana"), timezone.now()
    binding = give(ana, "viewer", cluster, expires_at=now + timedelta(minutes=20))
    client, where = signed_in(ana), f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs"
    assert client.post(where, {"public_key": PUBLIC_KEY, "expires_in": 86400}, "json").status_code == 202
    assert 1000 < cluster.operations.get(kind=OperationKind.ISSUE_KUBECONFIG).params["expires_in"] <= 1200
    client = signed_in(world.olivia)
    answer = client.patch(
        f"/api/v1/role-bindings/{binding.pk}", {"expires_at": (now + timedelta(minutes=5)).isoformat()}, "json"
    )
    assert answer.status_code == 200, answer.content
    problem(signed_in(ana).post(where, {"public_key": PUBLIC_KEY}, "json"), 409, "role-ends-soon")


def test_a_share_is_made_listed_and_taken_over_http(world, people, dan):
    cluster, ana = cluster_row(world), person("ana")
    give(ana, "member", world.acme)
    answer = dan.post(shares(cluster), {"user": "ana", "role": "viewer", "expires_in": 7 * 86400}, "json")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["user"]["handle"], made["role"], made["team"]) == ("ana", "viewer", None)
    assert made["expires_at"] is not None
    assert [each["id"] for each in dan.get(shares(cluster)).json()["results"]] == [made["id"]]
    found = dan.get(f"/api/v1/role-bindings?virtual_cluster={cluster.pk}").json()["results"]
    assert [(each["virtual_cluster"]["name"], each["user"]["handle"]) for each in found] == [("hello", "ana")]
    assert dan.delete(answer["Location"]).status_code == 204
    assert not access.allowed(ana, "virtualcluster.view", cluster)
    assert dan.get(shares(cluster)).json()["results"] == []


def test_a_cluster_is_shared_with_a_team_and_with_a_service_account_by_name(world, people, dan):
    cluster, account = cluster_row(world), machine(world.payments)
    for body in ({"team": "dockers"}, {"service_account": "ci"}):
        answer = dan.post(shares(cluster), {**body, "role": "developer"}, "json")
        assert answer.status_code == 201, answer.content
    assert access.allowed(account.user, "virtualcluster.update", cluster)
    found = dan.get("/api/v1/role-bindings?service_account=ci").json()["results"]
    assert [each["service_account"]["project"]["name"] for each in found] == ["payments"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "viewer"}, "user"),
        ({"user": "mia", "team": "dockers", "role": "viewer"}, "user"),
        ({"user": "nobody", "role": "viewer"}, "user"),
        ({"user": "eve", "role": "viewer"}, "user"),
        ({"service_account": "nil", "role": "viewer"}, "service_account"),
        ({"user": "mia", "role": "auditor"}, "role"),
        ({"user": "mia", "role": "viewer", "expires_in": 0}, "expires_in"),
        ({"user": "mia", "role": "viewer", "expires_in": 60, "expires_at": "2099-01-01T00:00:00Z"}, "expires_in"),
        ({"user": "mia", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_what_cannot_be_shared_names_the_field(world, people, dan, body, field):
    refused(dan.post(shares(cluster_row(world)), body, "json"), field)


def test_who_may_not_share_cannot_probe_who_exists(world, people):
    cluster = cluster_row(world)
    for handle in ("mia", "nobody"):
        problem(signed_in(people.vera).post(shares(cluster), {"user": handle, "role": "viewer"}, "json"), 403)
        problem(signed_in(people.eve).post(shares(cluster), {"user": handle, "role": "viewer"}, "json"), 404)


def test_nobody_gives_or_takes_more_than_they_have(world, people, dan):
    cluster = cluster_row(world)
    problem(dan.post(shares(cluster), {"user": "mia", "role": "admin"}, "json"), 403)
    theirs = give(people.mia, "admin", cluster)
    problem(dan.delete(f"{shares(cluster)}/{theirs.pk}"), 403)
    assert signed_in(people.mia).delete(f"{shares(cluster)}/{theirs.pk}").status_code == 204, "one's own"


def test_a_share_ends_by_itself_and_is_cleared_away(world):
    cluster, ana, now = cluster_row(world), person("ana"), timezone.now()
    give(ana, "viewer", cluster, expires_at=now + timedelta(hours=1))
    RoleBinding.objects.filter(user=ana).update(expires_at=now - timedelta(seconds=1))
    access_rows = ana.virtualclusteruserpermission_set
    access_rows.update(expires_at=now - timedelta(seconds=1))
    assert not access.allowed(ana, "virtualcluster.view", cluster), "also before anybody cleared it away"
    assert role_bindings_expire(now=now) == 1
    assert not access_rows.exists()
    assert list(permission_differences(now=now).sentences()) == []


def test_a_deleted_cluster_is_shared_with_nobody(world, people):
    cluster = cluster_row(world, phase=VirtualClusterPhase.DELETED)
    with pytest.raises(Conflict, match="deleted"):
        virtual_cluster_share(
            virtual_cluster=cluster, subject=people.mia, role="viewer", actor=MARINA, now=timezone.now()
        )
    with pytest.raises(NotAllowed):
        virtual_cluster_share(
            virtual_cluster=cluster_row(world, "other"),
            subject=people.mia,
            role="viewer",
            actor=Actor(user=people.vera),
            now=timezone.now(),
        )


def test_the_list_of_shares_costs_the_same_with_3_and_with_40(world, people, dan):
    cluster = cluster_row(world)
    operation_row(cluster, OperationKind.PROVISION, state=OperationState.SUCCEEDED)
    dan.get("/api/v1/me")
    counts = []
    for start, end in ((0, 3), (3, 40)):
        for number in range(start, end):
            give(person(f"p-{number}"), "viewer", cluster)
            give(machine(world.payments, f"m-{number}"), "viewer", cluster)
        with CaptureQueriesContext(connection) as captured:
            assert dan.get(f"{shares(cluster)}?page_size=200").status_code == 200
        with CaptureQueriesContext(connection) as bindings:
            assert dan.get("/api/v1/role-bindings?page_size=200").status_code == 200
        counts.append((len(captured), len(bindings)))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 8
