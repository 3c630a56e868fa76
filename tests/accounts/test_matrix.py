"""Every endpoint x every role x own, other project's and other organization's object, over HTTP.

What is expected comes from the role table, through tests/accounts/endpoint_actions.py. The unseen answers as if it were
not there, the seen but not allowed is refused with the roles that may, and no refusal tells what is there.
"""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Project, User
from accounts.services.tokens import token_create
from clusters.models import HostScope, VirtualCluster
from tests.accounts.conftest import MARINA, World, give, person, signed_in
from tests.accounts.endpoint_actions import ENDPOINTS, LISTS, PUBLIC, TOKENLESS
from tests.accounts.endpoint_rules import EVERYBODY, PLACES, Case, Place, Who
from tests.accounts.matrix_objects import HIDDEN, ISSUER, Objects, objects_at, session_of, told
from tests.clusters.making import host_row
from tests.routes import routes

ALLOWED = (200, 201, 202, 204)
SOMETHING = "01a215d6-5a33-7c41-9f0e-6c1d2b7a9e10"


def test_every_endpoint_has_a_line_in_the_table():
    served = {route.label for route in routes()}
    known = {*ENDPOINTS, *LISTS, *PUBLIC, *TOKENLESS}
    assert served - known == set(), "add them to tests/accounts/endpoint_actions.py"
    assert known - served == set(), "these are gone"


@pytest.fixture
def objects(world: World, settings) -> dict[Place, Objects]:
    settings.API_RATE = settings.API_WRITE_RATE = "100000/min"
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = ISSUER, "marina"
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


def asker_of(world: World, who: Who) -> User:
    if who.kind in ("staff", "superuser"):
        return person("asker", is_staff=True, is_superuser=who.kind == "superuser")
    asker = person("asker")
    if who.kind == "project":
        give(asker, who.role, world.payments)
    elif who.kind == "organization":
        give(asker, who.role, world.acme)
    elif who.kind == "cluster":
        give(asker, who.role, VirtualCluster.objects.filter(project=world.payments).earliest("created_at"))
    return asker


def _of_the_asker(asker: User) -> dict[str, Any]:
    token = token_create(actor=MARINA, user=asker, name="other", expires_in=None, now=timezone.now()).token
    return {"own_token": token, "own_notification": told(asker), "own_session": session_of(asker)}


def _ask(client: APIClient, label: str, case: Case, objects: Objects) -> Any:
    """The answer; what it changed is undone."""
    method, _, path = label.partition(" ")
    address = case.address(path, objects)
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
    mine = _of_the_asker(asker)
    wrong = []
    for place in PLACES:
        here = replace(objects[place], **mine)
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
    mine = _of_the_asker(asker)
    for label, expected in LISTS.items():
        answer = client.get(f"/api/v1/{label.split()[1]}?page_size=200")
        # who may read no list of that kind at all is told which roles may
        assert answer.status_code == 200 or (answer.status_code == 403 and answer.json()["hint"]), label
        listed = {row["id"] for row in answer.json().get("results", ())}
        for place in PLACES:
            here = replace(objects[place], **mine)
            for of, sees in expected:
                found = str(getattr(here, of).pk) in listed
                assert found == sees(who, place), f"{label} shows {who} the {of} of {place}: {found}"


def test_who_did_not_sign_in_learns_nothing(db):
    for route in routes():
        address = re.sub(r"{\w+}", SOMETHING, route.path)
        answer = getattr(APIClient(), route.method.lower())(f"/api/v1/{address}")
        expected = 200 if route.label in PUBLIC else 400 if route.label in TOKENLESS else 401
        assert answer.status_code == expected, route.label
