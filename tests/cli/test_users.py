"""People kept by platform staff: the command against the real API."""

from __future__ import annotations

import json

import pytest
import yaml
from django.core.cache import caches
from django.utils import timezone

from accounts.models import AccessToken, AuditEvent, User
from accounts.services.organizations import organization_create
from tests.accounts.conftest import MARINA, PASSWORD, person, quick_passwords
from tests.accounts.totp import code_of, second_factor_given
from tests.canaries import canary
from tests.cli.conftest import Run
from tests.cli.test_tokens import done, login

__all__ = ("login", "quick_passwords")

pytestmark = pytest.mark.django_db(transaction=True)

NEW_PASSWORD = "a-Battery-of-77-horses"


@pytest.fixture
def keeper(transactional_db, quick_passwords) -> User:
    caches["default"].clear()
    canary(NEW_PASSWORD, "a password that platform staff set")
    return person("keeper", is_staff=True, password=PASSWORD)


@pytest.fixture
def run(keeper, login) -> Run:
    run: Run = login(keeper)
    return run


def test_a_person_is_made_listed_shown_and_changed(run):
    assert "would be made" in done(run("user", "create", "ana", "--dry-run"))
    assert not User.objects.filter(handle="ana").exists()
    shown = done(run("user", "create", "ana", "--name", "Ana", "--email", "ana@example.org"))
    assert "ana@example.org" in shown
    listed = done(run("user", "list")).splitlines()
    assert listed[0].split()[:5] == ["HANDLE", "NAME", "EMAIL", "STATE", "STAFF"]
    assert ["ana", "Ana", "ana@example.org", "active", "no"] in [line.split()[:5] for line in listed]
    assert [each["handle"] for each in json.loads(done(run("user", "list", "--search", "ana", "-o", "json")))] == [
        "ana"
    ]
    assert yaml.safe_load(done(run("user", "get", "ana", "-o", "yaml")))["name"] == "Ana"
    key = done(run("user", "list", "--search", "ana", "-o", "wide")).split()[-1]
    assert "would be changed" in done(run("user", "update", key, "--name", "Anna", "--dry-run"))
    assert "Anna" in done(run("user", "update", key, "--name", "Anna"))
    assert run("user", "update", "ana").exit_code == 2
    assert run("user", "get", "nobody").exit_code == 4
    assert run("user", "create", "ana").exit_code == 5
    assert "superusers" in run("user", "update", "ana", "--staff").stderr


def test_somebody_is_locked_out_and_let_in_again(run, login):
    ana = person("ana")
    organization_create(actor=MARINA, name="acme", admin=ana, now=timezone.now())
    tried = run("user", "deactivate", "ana", "--dry-run")
    assert tried.stdout == "ana would be deactivated.\n"
    assert "acme would have no admin" in tried.stderr
    result = run("user", "deactivate", "ana", "--yes")
    assert result.stdout == "ana was deactivated.\n"
    assert "acme has no admin" in result.stderr
    assert "deactivated" in done(run("user", "get", "ana"))
    assert run("user", "activate", "ana", "--dry-run").exit_code == 0
    assert User.objects.get(handle="ana").is_active is False
    assert "tokens stay revoked" in done(run("user", "activate", "ana"))
    assert User.objects.get(handle="ana").is_active
    assert run("user", "deactivate", "keeper", "--yes").exit_code == 5


def test_a_password_comes_from_standard_input_and_is_proved_by_ones_own(keeper, run):
    ana = person("ana")
    both = f"{NEW_PASSWORD}\n{PASSWORD}\n"
    assert run("user", "password", "ana", "--password-stdin", stdin=f"{NEW_PASSWORD}\nwrong\n").exit_code == 1
    assert run("user", "password", "ana", "--password-stdin", "--dry-run", stdin=both).exit_code == 0
    ana.refresh_from_db()
    assert not ana.has_usable_password()
    result = run("user", "password", "ana", "--password-stdin", stdin=both)
    assert result.exit_code == 0, result.output
    assert NEW_PASSWORD not in result.output + result.stderr
    ana.refresh_from_db()
    assert ana.check_password(NEW_PASSWORD)
    assert AuditEvent.objects.filter(action="user.password").count() == 1
    assert run("user", "password", "ana", "--password-stdin", stdin="").exit_code == 1


def test_passwords_and_a_code_are_asked_for_and_not_shown(keeper, run):
    ana = person("ana")
    second_factor_given(keeper)
    result = run("user", "password", "ana", stdin=f"{NEW_PASSWORD}\n{NEW_PASSWORD}\n{PASSWORD}\n{code_of(keeper)}\n")
    assert result.exit_code == 0, result.output
    assert NEW_PASSWORD not in result.output
    ana.refresh_from_db()
    assert ana.check_password(NEW_PASSWORD)


def test_a_person_is_made_with_a_password(run):
    assert run("user", "create", "ana", "--password-stdin", stdin=f"{NEW_PASSWORD}\n").exit_code == 0
    result = run("user", "create", "ben", "--password", stdin=f"{NEW_PASSWORD}\n{NEW_PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert all(each.check_password(NEW_PASSWORD) for each in User.objects.filter(handle__in=("ana", "ben")))


def test_others_see_colleagues_and_change_nobody(keeper, login):
    run = login(person("ana"))
    assert "keeper" not in done(run("user", "list"))
    refused = run("user", "create", "eve")
    assert refused.exit_code == 1
    assert "platform staff" in refused.stderr
    assert not AccessToken.objects.filter(user__handle="eve").exists()
