"""Platform staff see no tenant's cluster, except by breaking the glass: with a reason, for an hour, for all to see."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts import access
from accounts.models import AuditEvent, Notification, RoleBinding
from accounts.roles import CLUSTER_ACTIONS, CLUSTER_ROLES, PASSING_ON
from accounts.services.role_bindings import role_bindings_expire
from accounts.services.users import user_update
from clusters.models import OperationKind
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import PUBLIC_KEY, cluster_row, ready_row

REASON = "OPS-17: the owner asked us to look at a stuck webhook"


def where(cluster) -> str:
    return f"/api/v1/virtual-clusters/{cluster.pk}"


def broken(client, cluster, **body):
    return client.post(f"{where(cluster)}/break-glass", {"reason": REASON, **body}, "json")


def uses(cluster) -> list[tuple[str, int]]:
    rows = AuditEvent.objects.filter(action="break-glass.use", object_id=str(cluster.pk)).order_by("created_at")
    return [(each.details["request"], each.details["status"]) for each in rows]


@pytest.mark.parametrize("who", ["op", "staff"])
def test_platform_staff_see_no_tenant_object_and_get_no_kubeconfig(world, people, host, who):
    client, cluster = signed_in(people.op if who == "op" else world.staff), ready_row(world, host)
    assert client.get("/api/v1/virtual-clusters").json()["results"] == []
    problem(client.get(where(cluster)), 404)
    problem(client.post(f"{where(cluster)}/kubeconfigs", {"public_key": PUBLIC_KEY}, "json"), 404)


def test_the_glass_gives_a_role_for_that_cluster_alone_for_a_while(world, people, op, host):
    cluster, neighbour = ready_row(world, host), ready_row(world, host, "neighbour")
    answer = broken(op, cluster, minutes=60)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["who"]["handle"], body["role"], body["reason"]) == ("op", "viewer", REASON)
    end = RoleBinding.objects.get(pk=body["id"]).expires_at
    assert end is not None
    left = end - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert op.get(where(cluster)).status_code == 200
    problem(op.get(where(neighbour)), 404)
    assert op.get("/api/v1/projects").json()["results"] == []


@pytest.mark.parametrize("role", ["viewer", "developer"])
def test_who_broke_the_glass_passes_nothing_on(world, people, op, host, role):
    cluster = ready_row(world, host)
    assert broken(op, cluster, role=role).status_code == 201
    for action in CLUSTER_ACTIONS:
        expected = action in CLUSTER_ROLES[role] - PASSING_ON
        assert access.allowed(people.op, action, cluster) == expected, action
    problem(op.post(f"{where(cluster)}/shares", {"user": "op", "role": "viewer"}, "json"), 403)
    problem(op.post(f"{where(cluster)}/transfer", {"owner": "op"}, "json"), 403)


@pytest.mark.parametrize("who", ["dan", "ada", "otto", "eve"])
def test_for_everybody_else_there_is_nothing_at_that_address(world, people, host, who):
    cluster = ready_row(world, host)
    client = signed_in(getattr(people, who))
    answers = [client.post(f"/api/v1/virtual-clusters/{key}/break-glass", {}, "json") for key in (cluster.pk, uuid4())]
    assert [each.status_code for each in answers] != [201, 201]
    problem(broken(client, cluster), 404)
    problem(client.post(f"/api/v1/virtual-clusters/{uuid4()}/break-glass", {"reason": REASON}, "json"), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "because"}, "reason"),
        ({"reason": " " * 20}, "reason"),
        ({"minutes": 61}, "minutes"),
        ({"minutes": 0}, "minutes"),
        ({"role": "admin"}, "role"),
    ],
)
def test_a_reason_and_an_end_within_the_hour_are_needed(world, people, op, host, body, field):
    refused(broken(op, ready_row(world, host), **body), field)
    assert not Notification.objects.exists()


def test_the_owner_and_the_projects_admins_are_told_at_once(world, people, op, host):
    cluster = ready_row(world, host, owner_user=people.dan)
    broken(op, cluster)
    rows = Notification.objects.filter(kind="break-glass")
    assert {each.recipient for each in rows} == {people.dan, people.ada}
    assert all(REASON in each.text and "op of the platform staff" in each.text for each in rows)


def test_the_cluster_shows_who_is_in_it_until_when_and_why(world, people, dan, op, host):
    cluster = ready_row(world, host)
    assert dan.get(where(cluster)).json()["break_glass"] == []
    broken(op, cluster)
    (shown,) = dan.get(where(cluster)).json()["break_glass"]
    assert (shown["who"]["handle"], shown["reason"]) == ("op", REASON)
    assert shown["until"]
    assert dan.get(f"{where(cluster)}/shares").json()["results"] == [], "it is no share"


def test_beginning_each_use_and_ending_stand_in_the_audit_log(world, people, op, host):
    cluster = ready_row(world, host)
    grant = broken(op, cluster, role="developer").json()["id"]
    began = AuditEvent.objects.get(action="break-glass.begin")
    assert (began.actor, began.organization_id, began.details["reason"]) == ("op", world.acme.pk, REASON)
    op.get(where(cluster))
    op.get("/api/v1/virtual-clusters")
    op.post(f"{where(cluster)}/kubeconfigs", {"public_key": PUBLIC_KEY}, "json")
    problem(op.post(f"{where(cluster)}/transfer", {"owner": "op"}, "json"), 403)
    path = where(cluster)
    assert uses(cluster) == [
        (f"GET {path}", 200),
        ("GET /api/v1/virtual-clusters", 200),
        (f"POST {path}/kubeconfigs", 202),
        (f"POST {path}/transfer", 403),
    ]
    assert AuditEvent.objects.filter(action="virtualcluster.kubeconfig.admin", actor="op").count() == 1
    assert op.delete(f"{path}/break-glass/{grant}").status_code == 204
    assert AuditEvent.objects.filter(action="break-glass.end", actor="op").count() == 1
    problem(op.get(path), 404)
    assert len(uses(cluster)) == 4


@pytest.mark.parametrize(("query", "headers"), [("?dry_run=true", {}), ("", {"HTTP_IF_MATCH": '"0"'})])
def test_a_use_that_is_undone_stands_there_too(world, people, op, host, query, headers):
    cluster = ready_row(world, host)
    broken(op, cluster, role="developer")
    answer = op.patch(f"{where(cluster)}{query}", {"labels": {"a": "b"}}, "json", **headers)
    assert uses(cluster) == [(f"PATCH {where(cluster)}", answer.status_code)]


def test_requests_of_everybody_else_leave_no_such_line(world, people, dan, op, host):
    cluster = ready_row(world, host)
    broken(op, cluster)
    dan.get(where(cluster))
    op.get("/api/v1/me")
    assert uses(cluster) == []


def test_a_kubeconfig_ends_with_the_broken_glass(world, people, op, host):
    cluster = ready_row(world, host)
    broken(op, cluster, minutes=20)
    answer = op.post(f"{where(cluster)}/kubeconfigs", {"public_key": PUBLIC_KEY, "expires_in": 86400}, "json")
    assert answer.status_code == 202
    assert cluster.operations.get(kind=OperationKind.ISSUE_KUBECONFIG).params["expires_in"] <= 1200


@pytest.mark.parametrize("who", ["owner", "admin", "holder", "staff"])
def test_it_is_ended_early_by_owner_project_admin_and_staff(world, people, op, host, who):
    cluster = ready_row(world, host, owner_user=people.vera)
    grant = broken(op, cluster).json()["id"]
    ender = {"owner": people.vera, "admin": people.ada, "holder": people.op, "staff": world.staff}[who]
    assert signed_in(ender).delete(f"{where(cluster)}/break-glass/{grant}").status_code == 204
    assert not access.allowed(people.op, "virtualcluster.view", cluster)


def test_who_sees_the_cluster_and_all_platform_staff_see_who_is_in_it(world, people, dan, op, host):
    cluster = ready_row(world, host)
    broken(op, cluster)
    for client in (dan, signed_in(world.staff)):
        (shown,) = client.get(f"{where(cluster)}/break-glass").json()["results"]
        assert (shown["who"]["handle"], shown["reason"]) == ("op", REASON)
    problem(signed_in(people.eve).get(f"{where(cluster)}/break-glass"), 404)


def test_others_do_not_end_it_nor_change_it_as_an_ordinary_role(world, people, dan, op, host):
    cluster = ready_row(world, host)
    grant = broken(op, cluster).json()["id"]
    problem(dan.delete(f"{where(cluster)}/break-glass/{grant}"), 403)
    problem(signed_in(people.eve).delete(f"{where(cluster)}/break-glass/{grant}"), 404)
    ada, binding = signed_in(people.ada), f"/api/v1/role-bindings/{grant}"
    problem(ada.patch(binding, {"expires_at": None}, "json"), 409)
    problem(ada.delete(binding), 409)
    assert access.allowed(people.op, "virtualcluster.view", cluster)


def test_no_ordinary_role_is_made_as_one_by_broken_glass(world, people, host):
    cluster = ready_row(world, host)
    body = {"user": "op", "role": "viewer", "reason": REASON}
    refused(signed_in(people.ada).post(f"{where(cluster)}/shares", body, "json"), "reason")
    body = {"project": "acme/payments", "user": "op", "role": "viewer", "reason": REASON}
    refused(signed_in(people.ada).post("/api/v1/role-bindings", body, "json"), "reason")


def test_it_ends_by_itself_and_with_being_staff(world, people, op, host):
    cluster, now = ready_row(world, host), timezone.now()
    broken(op, cluster, minutes=1)
    assert role_bindings_expire(now=now + timedelta(minutes=2)) == 1
    problem(op.get(where(cluster)), 404)
    broken(op, cluster)
    user_update(actor=MARINA, user=people.op, name="", email="", is_staff=False, is_superuser=False)
    problem(op.get(where(cluster)), 404)


def test_the_glass_is_not_broken_twice_at_a_time_nor_for_what_is_gone(world, people, op, host):
    cluster = ready_row(world, host)
    assert broken(op, cluster).status_code == 201
    problem(broken(op, cluster), 409)
    problem(broken(op, cluster_row(world, "gone", phase="Deleted")), 409)
    give(person("other"), "viewer", cluster)
    assert broken(op, cluster, role="developer").status_code == 201
