"""Sessions and second factors: the command against the real API."""

from __future__ import annotations

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.cache import caches
from django.test import Client

from accounts.models import User
from tests.accounts.conftest import PASSWORD, person, quick_passwords
from tests.accounts.totp import code_now, code_of, second_factor_given
from tests.canaries import canary
from tests.cli.conftest import Run
from tests.cli.test_tokens import done, login

__all__ = ("login", "quick_passwords")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ana(transactional_db, quick_passwords) -> User:
    caches["default"].clear()
    return person("ana", password=PASSWORD)


@pytest.fixture
def run(ana, login) -> Run:
    run: Run = login(ana)
    return run


def browser() -> Client:
    client = Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    client.post("/sign-in", {"login": "ana", "password": PASSWORD})
    return client


def codes_in(printed: str) -> list[str]:
    codes = re.findall(r"^\d{8}$", printed, re.MULTILINE)
    canary(codes[0], "a recovery code")
    return codes


def test_sessions_are_listed_and_ended(run):
    assert "signed in nowhere" in run("session", "list").stderr
    browser()
    browser()
    listed = done(run("session", "list"))
    assert listed.count("Firefox on Linux") == 2
    key = json.loads(done(run("session", "list", "-o", "json")))[0]["id"]
    assert "ended" in run("session", "revoke", key).stderr
    assert UserSession.objects.count() == 1
    assert run("session", "revoke", key).exit_code == 4
    assert run("session", "revoke").exit_code == 2
    assert run("session", "revoke", "--all").exit_code == 0
    assert not UserSession.objects.exists()


def test_a_second_factor_is_set_up_seen_and_turned_off_at_the_terminal(ana, run, monkeypatch):
    assert "off" in done(run("second-factor", "status"))
    begin = json.loads(done(run("second-factor", "begin", "-o", "json")))
    canary(begin["secret"], "the seed of a second factor")
    given = ("--code", code_now(begin["secret"]), "--password-stdin")
    result = run("second-factor", "confirm", begin["enrolment"], *given, stdin=f"{PASSWORD}\n")
    codes = codes_in(done(result))
    assert len(codes) == 10
    state = done(run("second-factor", "status"))
    assert "on since" in state
    assert "10" in state
    wrong = run("second-factor", "turn-off", "--code", codes[0], "--password-stdin", stdin="wrong\n")
    assert wrong.exit_code == 1
    assert "not your present password" in wrong.stderr
    result = run("second-factor", "recovery-codes", "--code", codes[0], "--password-stdin", stdin=f"{PASSWORD}\n")
    fresh = codes_in(done(result))
    result = run("second-factor", "turn-off", "--code", fresh[0], "--password-stdin", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    assert not Authenticator.objects.exists()


def test_what_is_not_given_is_asked_for(ana, run):
    second_factor_given(ana)
    result = run("second-factor", "turn-off", stdin=f"{code_of(ana)}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert not Authenticator.objects.exists()


def test_set_up_shows_the_seed_and_asks_for_a_code_of_it(run):
    result = run("second-factor", "set-up", stdin=f"000000\n{PASSWORD}\n")
    (secret,) = re.findall(r"secret=([A-Z2-7]+)", result.output)
    canary(secret, "the seed of a second factor")
    assert result.exit_code == 1
    assert "does not fit" in result.output + result.stderr


def test_staff_reset_that_of_who_lost_it(ana, login, quick_passwords):
    second_factor_given(ana)
    run = login(person("op", password=PASSWORD, is_staff=True))
    result = run("second-factor", "reset", "ana", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    assert not Authenticator.objects.exists()
