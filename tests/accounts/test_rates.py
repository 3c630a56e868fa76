"""Requests are counted by token, told in headers, and refused beyond a limit; never because the broker is away."""

import pytest
from rest_framework.test import APIClient

from accounts.api import rates
from tests.accounts.conftest import signed_in

LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@pytest.fixture(autouse=True)
def _counted(monkeypatch):
    monkeypatch.setattr(rates, "_away_until", 0.0)
    monkeypatch.setattr("accounts.api.rates.time.time", lambda: 1_800_000_000.0)  # in the midst of no window


def test_each_answer_tells_what_is_left(world, settings):
    settings.API_RATE, settings.API_WRITE_RATE = "10/min", "3/min"
    client = signed_in(world.olivia)
    first = client.get("/api/v1/me")
    assert [first[name] for name in LIMITS] == ["10", "9", "60"]
    wrote = client.patch(f"/api/v1/projects/{world.payments.pk}", {"display_name": "x"}, format="json")
    assert [wrote[name] for name in LIMITS] == ["3", "2", "60"]
    refused = client.get("/api/v1/projects/01a20000-0000-7000-8000-000000000000")
    assert refused.status_code == 404
    assert refused["RateLimit-Remaining"] == "7"


def test_beyond_the_limit_of_a_token_only_that_token_is_refused(world, settings):
    settings.API_RATE = "2/min"
    one, other = signed_in(world.olivia), signed_in(world.olivia)
    assert [one.get("/api/v1/me").status_code for _ in range(3)] == [200, 200, 429]
    refused = one.get("/api/v1/me")
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "throttled"
    assert refused["Retry-After"] == refused["RateLimit-Reset"] == "60"
    assert refused["RateLimit-Remaining"] == "0"
    assert other.get("/api/v1/me").status_code == 200


def test_changes_have_a_limit_of_their_own(world, settings):
    settings.API_WRITE_RATE = "1/min"
    client = signed_in(world.olivia)
    path = f"/api/v1/projects/{world.payments.pk}"
    answers = [client.patch(path, {"display_name": "x"}, format="json").status_code for _ in range(2)]
    assert answers == [200, 429]
    assert client.get(path).status_code == 200


def test_a_session_is_counted_by_its_person(world, settings):
    settings.API_RATE = "1/min"
    for expected in (200, 429):
        client = APIClient()
        client.force_login(world.olivia)
        assert client.get("/api/v1/me").status_code == expected


def test_who_tries_tokens_is_counted_by_address(world, settings):
    settings.API_RATE = "2/min"
    stranger = APIClient(HTTP_AUTHORIZATION="Bearer mar_abcdefgh_" + "x" * 43)
    answers = [stranger.get("/api/v1/me").status_code for _ in range(2)]
    answers += [APIClient().get("/api/v1/me").status_code]
    assert answers == [401, 401, 429]
    assert APIClient(REMOTE_ADDR="192.0.2.1").get("/api/v1/me").status_code == 401
    assert signed_in(world.olivia).get("/api/v1/me").status_code == 200


def test_without_the_broker_nobody_is_refused(world, settings, caplog):
    settings.API_RATE = "1/min"
    away = {**settings.CACHES["sign_in"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {**settings.CACHES, "sign_in": away}
    client = signed_in(world.olivia)
    answers = [client.get("/api/v1/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not answers[0].has_header("RateLimit-Limit")
