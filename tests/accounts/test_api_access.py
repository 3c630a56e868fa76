"""Over HTTP: the unseen is not there, the seen but not allowed names the roles that may, and the role table decides."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from accounts import access
from accounts.models import Organization, Project, RoleBinding, Team
from accounts.roles import ORGANIZATION_ROLES, PROJECT_ROLES
from tests.accounts.conftest import give, person, signed_in

PLACES = ("own", "other_project", "other_organization")


@dataclass(frozen=True)
class Request:
    """A change, the action it takes, and the object that the action is asked of."""

    method: str
    path: str
    action: str
    scope: Organization | Project
    seen: bool
    body: dict[str, Any] | None = None
    unseen: int = 404


def _requests(world, user, place: str) -> list[Request]:
    organization = world.globex if place == "other_organization" else world.acme
    project = {"own": world.payments, "other_project": world.search, "other_organization": world.foreign}[place]
    team = world.globex_team if place == "other_organization" else world.dockers
    on_project = RoleBinding.objects.get(project=project, user__handle="bystander")
    on_organization = RoleBinding.objects.get(organization=organization, user__handle="bystander")
    sees_organization = access.allowed(user, "organization.view", organization)
    sees_project = access.allowed(user, "project.view", project)
    api, o, p = "/api/v1", (organization, sees_organization), (project, sees_project)
    new_team = {"organization": organization.name, "name": "new"}
    new_on_project = {"project": str(project), "user": "bystander", "role": "admin"}
    new_on_organization = {"organization": organization.name, "user": "bystander", "role": "auditor"}
    return [
        Request("patch", f"{api}/organizations/{organization.pk}", "organization.update", *o, {"display_name": "x"}),
        Request("post", f"{api}/teams", "team.manage", *o, new_team, unseen=400),
        Request("patch", f"{api}/teams/{team.pk}", "team.manage", *o, {"name": "renamed"}),
        Request("delete", f"{api}/teams/{team.pk}", "team.manage", *o),
        Request("post", f"{api}/projects", "project.create", *o, new_team, unseen=400),
        Request("post", f"{api}/role-bindings", "organization.members", *o, new_on_organization, unseen=400),
        Request("patch", f"{api}/role-bindings/{on_organization.pk}", "organization.members", *o, {"expires_at": None}),
        Request("delete", f"{api}/role-bindings/{on_organization.pk}", "organization.members", *o),
        Request("patch", f"{api}/projects/{project.pk}", "project.update", *p, {"display_name": "x"}),
        Request("delete", f"{api}/projects/{project.pk}", "project.delete", *p),
        Request("post", f"{api}/role-bindings", "project.members", *p, new_on_project, unseen=400),
        Request("patch", f"{api}/role-bindings/{on_project.pk}", "project.members", *p, {"expires_at": None}),
        Request("delete", f"{api}/role-bindings/{on_project.pk}", "project.members", *p),
    ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("kind", "role"),
    [*(("project", role) for role in PROJECT_ROLES), *(("organization", r) for r in ORGANIZATION_ROLES)],
)
def test_every_change_is_allowed_exactly_as_the_role_table_says(world, kind, role, place):
    user, bystander = person("holder"), person("bystander")
    for project in (world.payments, world.search, world.foreign):
        give(bystander, "viewer", project)
    for organization in (world.acme, world.globex):
        give(bystander, "member", organization)
    give(user, role, world.payments if kind == "project" else world.acme)
    client = signed_in(user)
    table = PROJECT_ROLES if kind == "project" else ORGANIZATION_ROLES
    for request in _requests(world, user, place):
        in_reach = place == "own" or (kind == "organization" and place == "other_project")
        is_below = kind == "organization" or isinstance(request.scope, Project)
        may = in_reach and is_below and request.action in table[role]
        with transaction.atomic():
            answer = getattr(client, request.method)(request.path, request.body, format="json")
            transaction.set_rollback(True)
        if may:
            assert answer.status_code in (200, 201, 204), (request, answer.content)
        elif request.seen:
            assert answer.status_code == 403, (request, answer.content)
            assert (
                f"{'organization' if isinstance(request.scope, Organization) else 'project'} admin"
                in answer.json()["hint"]
            )
        else:
            assert answer.status_code == request.unseen, (request, answer.content)


def test_the_unseen_and_the_nonexistent_get_the_same_answer(world):
    from uuid import uuid4

    client = signed_in(world.greta)
    for noun, row in (
        ("organizations", world.acme),
        ("projects", world.payments),
        ("teams", world.dockers),
        ("role-bindings", RoleBinding.objects.get(user=world.olivia)),
        ("users", world.olivia),
    ):
        for method in ("get", "patch", "delete") if noun != "users" else ("get",):
            answers = [getattr(client, method)(f"/api/v1/{noun}/{key}") for key in (row.pk, uuid4())]
            assert [each.status_code for each in answers] == [404, 404], (noun, method)
            assert len({each.json()["detail"] for each in answers}) == 1
    named = [
        client.post("/api/v1/projects", {"name": "x", "organization": name}, format="json") for name in ("acme", "nil")
    ]
    assert named[0].json()["errors"] == named[1].json()["errors"]
    assert named[0].json()["errors"][0]["field"] == "organization"


def test_lists_show_only_what_is_seen(world):
    viewer = person("viewer")
    give(viewer, "viewer", world.payments)
    client = signed_in(viewer)
    lists = {noun: client.get(f"/api/v1/{noun}").json()["results"] for noun in ("organizations", "projects", "teams")}
    assert lists["organizations"] == []
    assert [each["id"] for each in lists["projects"]] == [str(world.payments.pk)]
    assert lists["teams"] == []
    assert {each["handle"] for each in client.get("/api/v1/users").json()["results"]} == {"viewer"}
    give(viewer, "member", world.acme)
    assert {each["handle"] for each in client.get("/api/v1/users").json()["results"]} == {"viewer", "olivia"}
    assert [each["name"] for each in client.get("/api/v1/teams").json()["results"]] == ["dockers"]


def test_platform_staff_see_no_tenant_object_and_make_organizations(world):
    client = signed_in(world.staff)
    for noun in ("organizations", "projects", "teams", "role-bindings"):
        assert client.get(f"/api/v1/{noun}").json()["results"] == [], noun
    assert client.get(f"/api/v1/projects/{world.payments.pk}").status_code == 404
    answer = client.post("/api/v1/organizations", {"name": "initech", "admin": "olivia"}, format="json")
    assert answer.status_code == 201, answer.content
    assert access.allowed(world.olivia, "organization.update", Organization.objects.get(name="initech"))
    assert client.get(f"/api/v1/organizations/{answer.json()['id']}").status_code == 404
    refused = signed_in(world.olivia).post("/api/v1/organizations", {"name": "mine"}, format="json")
    assert refused.status_code == 403


def test_me_says_where_one_has_which_role(world):
    user = person("dev", name="Dev", email="dev@example.org")
    Team.objects.get(pk=world.dockers.pk).members.add(user)
    world.dockers.group.user_set.add(user)
    give(world.dockers, "developer", world.payments)
    give(user, "viewer", world.payments)
    give(user, "member", world.acme)
    me = signed_in(user).get("/api/v1/me").json()
    assert (me["handle"], me["name"], me["email"], me["is_staff"]) == ("dev", "Dev", "dev@example.org", False)
    acme = {"id": str(world.acme.pk), "name": "acme"}
    assert me["organizations"] == [{**acme, "role": "member"}]
    assert me["projects"] == [
        {"id": str(world.payments.pk), "name": "payments", "organization": acme, "role": "developer"}
    ]
    assert [each["role"] for each in signed_in(world.olivia).get("/api/v1/me").json()["projects"]] == ["admin", "admin"]
