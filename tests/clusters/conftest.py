"""People of two organizations, hosts and clusters as rows, and clients signed in as any of them."""

from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from clusters.models import HostCluster
from tests.accounts.conftest import World, give, person, signed_in, world_make
from tests.clusters.making import host_row


@dataclass(frozen=True)
class People:
    """Who has which role in acme/payments, besides olivia (admin of acme) and greta (admin of globex)."""

    vera: User
    """viewer"""
    dan: User
    """developer"""
    ada: User
    """admin of the project"""
    mia: User
    """member of acme, without a role in the project"""
    otto: User
    """auditor of acme"""
    eve: User
    """developer of globex/payments"""
    op: User
    """platform staff, no superuser, no role"""


@pytest.fixture
def world(db) -> World:
    return world_make()


@pytest.fixture
def people(world) -> People:
    return people_make(world)


def people_make(world: World) -> People:
    found = People(
        **{name: person(name) for name in ("vera", "dan", "ada", "mia", "otto", "eve")}, op=person("op", is_staff=True)
    )
    for user, role in ((found.vera, "viewer"), (found.dan, "developer"), (found.ada, "admin")):
        give(user, role, world.payments)
    give(found.mia, "member", world.acme)
    give(found.otto, "auditor", world.acme)
    give(found.eve, "developer", world.foreign)
    return found


@pytest.fixture
def host(world) -> HostCluster:
    return host_row()


@pytest.fixture
def dan(people) -> APIClient:
    """A developer's client."""
    return signed_in(people.dan)


@pytest.fixture
def op(people) -> APIClient:
    """The client of platform staff."""
    return signed_in(people.op)


def problem(answer, status: int, code: str = "") -> dict[str, Any]:
    """The body of a refusal, after its form was checked."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert not code or body["code"] == code
    return dict(body)


def refused(answer, field: str) -> dict[str, Any]:
    """Of a 400: the error of this field, which says what would be accepted."""
    errors = {error["field"]: error for error in problem(answer, 400, "invalid")["errors"]}
    assert field in errors, errors
    assert errors[field]["message"].endswith((".", "?")), errors[field]
    return dict(errors[field])
