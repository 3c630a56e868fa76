"""Every endpoint x every role x own, other project's and other organization's object, over HTTP.

What is expected comes from the role table, through tests/accounts/endpoint_actions.py. The unseen answers as if it were
not there, the seen but not allowed is refused with the roles that may, and no refusal tells what is there.
"""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessToken, Organization, Project, RoleBinding, Team, User
from accounts.services.teams import team_create
from accounts.services.tokens import token_create
from clusters.models import (
    DiscoveredCluster,
    HostCluster,
    HostScope,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
)
from tests.accounts.conftest import MARINA, World, give, person, signed_in
from tests.accounts.endpoint_actions import ENDPOINTS, EVERYBODY, LISTS, PLACES, PUBLIC, Case, Place, Who
from tests.clusters.making import host_row, operation_row, ready_row
from tests.routes import routes

HIDDEN = "hush-hush"
"""In the name of everything: no refusal of the unseen may hold it."""
ALLOWED = (200, 201, 202, 204)
SOMETHING = "01a215d6-5a33-7c41-9f0e-6c1d2b7a9e10"


@dataclass(frozen=True)
class Objects:
    """What there is at one place."""

    organization: Organization
    project: Project
    team: Team
    person: User
    token: AccessToken
    binding_in_project: RoleBinding
    binding_in_organization: RoleBinding
    cluster: VirtualCluster
    operation: Operation
    host: HostCluster
    host_operation: Operation
    discovered: DiscoveredCluster
    platform_host: HostCluster
    own_token: AccessToken | None = None


def test_every_endpoint_has_a_line_in_the_table():
    served = {route.label for route in routes()}
    known = {*ENDPOINTS, *LISTS, *PUBLIC}
    assert served - known == set(), "add them to tests/accounts/endpoint_actions.py"
    assert known - served == set(), "these are gone"


@pytest.fixture
def objects(world: World, settings) -> dict[Place, Objects]:
    settings.API_RATE = settings.API_WRITE_RATE = "100000/min"
    platform_host = host_row("platform")
    projects: dict[Place, Project] = {
        "own": world.payments,
        "other-project": world.search,
        "other-organization": world.foreign,
    }
    hosts = {
        organization.pk: host_row(
            f"{HIDDEN}-{organization.name}", scope=HostScope.ORGANIZATION, organization=organization
        )
        for organization in (world.acme, world.globex)
    }
    return {
        place: objects_at(world, project, hosts[project.organization_id], platform_host, place)
        for place, project in projects.items()
    }


def objects_at(world: World, project: Project, host: HostCluster, platform: HostCluster, place: str) -> Objects:
    organization = project.organization
    Project.objects.filter(pk=project.pk).update(display_name=HIDDEN)
    Organization.objects.filter(pk=organization.pk).update(display_name=HIDDEN)
    somebody = person(f"{HIDDEN}-{place}")
    give(somebody, "viewer", project)
    give(somebody, "member", organization)
    cluster = ready_row(world, host, f"{HIDDEN}-{place}"[:40], project=project, owner_user=somebody, creator=somebody)
    found = DiscoveredCluster.objects.create(
        host=host, namespace=f"{HIDDEN}-{place}", release="found-here", workload="StatefulSet", seen_at=timezone.now()
    )
    made = token_create(actor=MARINA, user=somebody, name=HIDDEN, expires_in=None, now=timezone.now())
    return Objects(
        organization=organization,
        project=project,
        team=team_create(actor=MARINA, organization=organization, name=f"{HIDDEN}-{place}"),
        person=somebody,
        token=made.token,
        binding_in_project=RoleBinding.objects.get(user=somebody, project=project),
        binding_in_organization=RoleBinding.objects.get(user=somebody, organization=organization),
        cluster=cluster,
        operation=operation_row(cluster, OperationKind.CONFIGURE, state=OperationState.FAILED, message=HIDDEN),
        host=host,
        host_operation=operation_row(host, OperationKind.RENEW_CREDENTIAL, state=OperationState.FAILED),
        discovered=found,
        platform_host=platform,
    )


def asker_of(world: World, who: Who) -> User:
    if who.kind in ("staff", "superuser"):
        return person("asker", is_staff=True, is_superuser=who.kind == "superuser")
    asker = person("asker")
    if who.kind == "project":
        give(asker, who.role, world.payments)
    elif who.kind == "organization":
        give(asker, who.role, world.acme)
    return asker


def _ask(client: APIClient, label: str, case: Case, objects: Objects) -> Any:
    """The answer; what it changed is undone."""
    method, _, path = label.partition(" ")
    address = path.replace("{pk}", str(getattr(objects, case.of).pk)) if case.of else path
    body = case.body(objects) if case.body else None
    with transaction.atomic():
        answer = getattr(client, method.lower())(
            f"/api/v1/{address}", body, **({} if body is None else {"format": "json"})
        )
        transaction.set_rollback(True)
    return answer


@pytest.mark.parametrize("who", EVERYBODY, ids=str)
def test_every_endpoint_answers_each_role_as_the_role_table_says(world, objects, who):
    asker = asker_of(world, who)
    client = signed_in(asker)
    mine = token_create(actor=MARINA, user=asker, name="other", expires_in=None, now=timezone.now()).token
    wrong = []
    for place in PLACES:
        here = replace(objects[place], own_token=mine)
        for label, cases in ENDPOINTS.items():
            for number, case in enumerate(cases):
                answer = _ask(client, label, case, here)
                fault = _fault(answer, case, who, place)
                if fault:
                    wrong.append(
                        f"{label} #{number} of {place}: {fault}: {answer.status_code} {answer.content[:300]!r}"
                    )
    assert wrong == [], "\n".join(wrong)


def _fault(answer: Any, case: Case, who: Who, place: Place) -> str:
    if case.may(who, place):
        return "" if answer.status_code in (*ALLOWED, *case.further) else "refused what is allowed"
    if not case.sees(who, place):
        if answer.status_code != case.unseen:
            return "not answered as if it were not there"
        return "its answer tells what is there" if HIDDEN.encode() in answer.content else ""
    if answer.status_code != 403:
        return "not refused as forbidden"
    return "" if answer.json()["hint"] else "the refusal does not say who may"


@pytest.mark.parametrize("who", EVERYBODY, ids=str)
def test_every_list_shows_each_role_what_it_sees_and_no_more(world, objects, who):
    asker = asker_of(world, who)
    client = signed_in(asker)
    mine = token_create(actor=MARINA, user=asker, name="other", expires_in=None, now=timezone.now()).token
    for label, expected in LISTS.items():
        rows = client.get(f"/api/v1/{label.split()[1]}?page_size=200").json()["results"]
        listed = {row["id"] for row in rows}
        for place in PLACES:
            here = replace(objects[place], own_token=mine)
            for of, sees in expected:
                found = str(getattr(here, of).pk) in listed
                assert found == sees(who, place), f"{label} shows {who} the {of} of {place}: {found}"


def test_who_did_not_sign_in_learns_nothing(db):
    for route in routes():
        answer = getattr(APIClient(), route.method.lower())(f"/api/v1/{route.path.replace('{pk}', SOMETHING)}")
        expected = 200 if route.label in PUBLIC else 401
        assert answer.status_code == expected, route.label
