"""Where one is signed in, by the API: one's own sessions only, ended at once, and nothing of their keys told."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, User
from accounts.services.own_account import ended_sessions_forget
from tests.accounts.conftest import PASSWORD, person, signed_in
from tests.accounts.machines import machine
from tests.accounts.test_token_limits import client_of

URL = "/api/v1/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ana(db, quick_passwords) -> User:
    return person("ana", password=PASSWORD)


def browser(handle: str = "ana", **more: Any) -> Client:
    client = Client(HTTP_USER_AGENT=FIREFOX, **more)
    client.post("/sign-in", {"login": handle, "password": PASSWORD})
    return client


def works(client: Client) -> bool:
    return client.get("/account/sessions").status_code == 200


def test_sessions_are_listed_with_when_from_where_and_by_which_browser(ana):
    here, there = browser(), browser(REMOTE_ADDR="192.0.2.7")
    rows = here.get(URL).json()["results"]
    assert [(row["address"], row["browser"], row["current"]) for row in rows] == [
        ("192.0.2.7", "Firefox on Linux", False),
        ("127.0.0.1", "Firefox on Linux", True),
    ]
    answer = signed_in(ana).get(URL)
    assert [row["current"] for row in answer.json()["results"]] == [False, False], "a token is no session"
    for client in (here, there):
        assert client.session.session_key not in answer.content.decode()
    one = signed_in(ana).get(f"{URL}/{rows[0]['id']}").json()
    assert one["created_at"] == rows[0]["created_at"]


def test_a_session_that_is_ended_can_do_nothing_from_that_moment(ana):
    here, there = browser(), browser()
    (row,) = [each for each in here.get(URL).json()["results"] if not each["current"]]
    assert signed_in(ana).delete(f"{URL}/{row['id']}").status_code == 204
    assert works(here)
    assert not works(there)
    assert AuditEvent.objects.get(action="user.session.revoke").token_prefix
    assert signed_in(ana).delete(f"{URL}/{row['id']}").status_code == 404


def test_all_others_are_ended_and_by_a_token_all(ana):
    here, there = browser(), browser()
    assert here.post(f"{URL}/revoke-others", {}, "application/json").json() == {"revoked": 1}
    assert works(here)
    assert not works(there)
    assert signed_in(ana).post(f"{URL}/revoke-others").json() == {"revoked": 1}
    assert not works(here)


def test_a_dry_run_ends_nothing(ana):
    here = browser()
    assert signed_in(ana).post(f"{URL}/revoke-others?dry_run=true").json() == {"revoked": 1}
    assert works(here)


def test_nobody_sees_or_ends_the_sessions_of_others(ana, quick_passwords):
    browser()
    key = UserSession.objects.get().pk
    eve = signed_in(person("eve", password=PASSWORD))
    assert eve.get(URL).json()["results"] == []
    assert eve.get(f"{URL}/{key}").status_code == 404
    assert eve.delete(f"{URL}/{key}").status_code == 404
    assert eve.get(f"{URL}/x").status_code == 404
    assert UserSession.objects.count() == 1


def test_sessions_that_ended_by_their_time_are_not_listed(ana):
    browser()
    now = timezone.now()
    assert ended_sessions_forget(now=now + timedelta(hours=1)) == 0
    Session.objects.update(expire_date=now)
    assert signed_in(ana).get(URL).json()["results"] == []
    assert ended_sessions_forget(now=now) == 0, "it may only just begin"
    assert ended_sessions_forget(now=now + timedelta(hours=1)) == 1


def test_limited_tokens_see_and_end_no_session_and_a_service_account_has_none(world, ana):
    browser()
    limited = client_of(ana, actions=["project.view"])
    for answer in (limited.get(URL), limited.post(f"{URL}/revoke-others")):
        assert answer.status_code == 403
        assert "limited token" in answer.json()["detail"]
    assert signed_in(machine(world.payments).user).get(URL).json()["results"] == []
    assert UserSession.objects.count() == 1
