"""Two organizations with projects, teams and people, made by the services; and clients signed in as any of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import caches
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.access import Scope
from accounts.models import Organization, Project, Team, User
from accounts.services.audit import Actor
from accounts.services.organizations import organization_create, organization_update
from accounts.services.permissions import Subject
from accounts.services.projects import project_create
from accounts.services.role_bindings import role_binding_create
from accounts.services.teams import team_create
from accounts.services.tokens import token_create
from accounts.services.users import user_create
from tests.canaries import canary, made_canaries, nowhere_in

MARINA = Actor(user=None, name="tests")
PASSWORD = "correct-horse-battery"


def person(handle: str, **fields) -> User:
    """A user without a password (hashing one takes long)."""
    return user_create(actor=MARINA, handle=handle, **fields)


def give(subject: Subject, role: str, scope: Scope, **fields):
    """A role binding."""
    return role_binding_create(actor=MARINA, subject=subject, role=role, scope=scope, now=timezone.now(), **fields)


@dataclass(frozen=True)
class World:
    """acme has the projects payments and search and the team dockers; globex has its own."""

    acme: Organization
    globex: Organization
    payments: Project
    search: Project
    foreign: Project
    dockers: Team
    globex_team: Team
    olivia: User
    """admin of acme"""
    greta: User
    """admin of globex"""
    staff: User
    """platform staff and superuser, with no role"""


@pytest.fixture
def world(db) -> World:
    return world_make()


def world_make() -> World:
    """In the database as it is."""
    now = timezone.now()
    olivia, greta = person("olivia"), person("greta")
    acme = organization_create(actor=MARINA, name="acme", admin=olivia, now=now)
    globex = organization_create(actor=MARINA, name="globex", admin=greta, now=now)
    for organization in (acme, globex):  # tests begin with the projects that they name
        organization_update(actor=MARINA, organization=organization, personal_projects=False, member_projects=0)
    return World(
        acme=acme,
        globex=globex,
        payments=_project(acme, "payments"),
        search=_project(acme, "search"),
        foreign=_project(globex, "payments"),
        dockers=team_create(actor=MARINA, organization=acme, name="dockers"),
        globex_team=team_create(actor=MARINA, organization=globex, name="dockers"),
        olivia=olivia,
        greta=greta,
        staff=person("staff", is_staff=True, is_superuser=True),
    )


def _project(organization: Organization, name: str) -> Project:
    """It gives out direct kubeconfigs too, as no gateway runs in most tests."""
    made = project_create(actor=MARINA, organization=organization, name=name)
    made.direct_kubeconfigs = True
    made.save(update_fields=["direct_kubeconfigs"])
    return made


class WatchedClient(APIClient):
    """No refusal and no error page tells a secret; those that answers give are looked for at the end of the run."""

    token = ""
    """What it sends."""

    def with_headers(self, **headers: str) -> None:
        """Sends these as well from now on."""
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {self.token}", **headers)

    def request(self, **kwargs: Any) -> Any:
        answer = super().request(**kwargs)
        if answer.status_code >= 400:
            nowhere_in([answer.content], f"{kwargs.get('PATH_INFO')}: {answer.status_code}")
        view = (getattr(answer, "renderer_context", None) or {}).get("view")
        if isinstance(getattr(answer, "data", None), dict):
            made_canaries(answer.data, getattr(view, "secret_fields", ()), str(kwargs.get("PATH_INFO")))
        return answer


def signed_in(user: User) -> WatchedClient:
    """A client that sends a token of this user, and gets a 500 as an answer instead of the exception."""
    made = token_create(actor=MARINA, user=user, name="tests", expires_in=None, now=timezone.now())
    client = WatchedClient(raise_request_exception=False)
    client.token = canary(made.text, f"a token of {user.handle}")
    client.with_headers()
    return client


@pytest.fixture
def as_user() -> Callable[[User], APIClient]:
    return signed_in


@pytest.fixture
def quick_passwords(settings) -> None:
    """Passwords are hashed by what is quick: for tests that sign in often and are not about the hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_tries_yet(settings):
    """Tries to sign in are counted anew in each test."""
    caches["default"].clear()
    settings.CACHES = {
        **settings.CACHES,
        "sign_in": {**settings.CACHES["sign_in"], "KEY_PREFIX": f"test:{uuid4()}"},
    }
