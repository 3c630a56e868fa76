"""Access tokens over HTTP, from the password to the revocation."""

from base64 import b64encode
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessToken, AuditEvent
from accounts.tokens import TokenText
from tests.accounts.conftest import MARINA, PASSWORD, WatchedClient, person, signed_in

URL = "/api/v1/access-tokens"


@pytest.fixture
def ana(db):
    return person("ana", password=PASSWORD)


def basic(handle: str, password: str) -> str:
    return "Basic " + b64encode(f"{handle}:{password}".encode()).decode()


def make(handle="ana", password=PASSWORD, **body):
    body = {"name": "laptop", **body}
    return WatchedClient().post(URL, body, format="json", HTTP_AUTHORIZATION=basic(handle, password))


def bearer(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def test_a_password_makes_a_token_that_is_shown_once_and_works(ana):
    answer = make(expires_in=3600)
    assert answer.status_code == 201, answer.data
    text = answer.data["token"]
    assert text.startswith(f"mar_{answer.data['prefix']}_")
    assert answer["Cache-Control"] == "no-store"
    assert bearer(text).get("/api/v1/me").data["handle"] == "ana"
    listed = bearer(text).get(URL).json()["results"]
    assert [each["name"] for each in listed] == ["laptop"]
    assert "token" not in listed[0]
    assert "digest" not in listed[0]


def test_the_database_does_not_have_the_token(ana):
    text = make().data["token"]
    row = AccessToken.objects.get()
    secret = text.split("_", 2)[2]
    assert secret not in "".join(str(value) for value in vars(row).values())
    assert secret not in repr(TokenText.parse(text))


def test_a_password_opens_nothing_but_the_making_of_a_token(ana):
    for path in ("/api/v1/me", URL):
        answer = APIClient().get(path, HTTP_AUTHORIZATION=basic("ana", PASSWORD))
        assert answer.status_code == 401
    assert APIClient().post("/api/v1/projects", {}, HTTP_AUTHORIZATION=basic("ana", PASSWORD)).status_code == 401


@pytest.mark.parametrize(
    ("handle", "password"),
    [("ana", "wrong"), ("nobody", PASSWORD), ("", ""), ("ana", "\0"), ("\0", "x"), ("ana" * 40, PASSWORD)],
)
def test_a_wrong_password_and_an_unknown_handle_get_the_same_answer(ana, handle, password):
    answer = make(handle, password)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Handle and password do not fit, or the user was deactivated."
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_too_many_tries_are_refused_before_the_password_is_looked_at(ana):
    statuses = [make(password="wrong").status_code for _ in range(20)]
    assert set(statuses) == {401}
    answer = make()
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1
    assert answer.json()["code"] == "throttled"


def test_each_refused_token_is_told_why(ana, world):
    now = timezone.now()
    text = make().data["token"]
    row = AccessToken.objects.get(user=ana)
    assert _refusal(text[:-1] + ("A" if text[-1] != "A" else "B")) == _refusal("mar_aaaaaaaa_" + "x" * 43)
    assert "not known" in _refusal("mar_aaaaaaaa_" + "x" * 43)
    assert "not an access token" in _refusal("hello")
    AccessToken.objects.filter(pk=row.pk).update(expires_at=now - timedelta(minutes=1))
    assert "expired at" in _refusal(text)
    AccessToken.objects.filter(pk=row.pk).update(expires_at=now + timedelta(days=1))
    signed_in(world.olivia).delete(f"{URL}/{row.pk}")
    assert bearer(text).get("/api/v1/me").status_code == 200, "nobody revokes somebody else's token"
    assert signed_in(ana).delete(f"{URL}/{row.pk}").status_code == 204
    assert "was revoked at" in _refusal(text)
    assert row.pk not in [each["id"] for each in signed_in(ana).get(URL).json()["results"]]


def _refusal(text: str) -> str:
    answer = bearer(text).get("/api/v1/me")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == 'Bearer realm="marina"'
    return str(answer.json()["detail"])


def test_deactivating_a_user_ends_tokens_at_once(ana):
    from accounts.services.users import user_deactivate

    client = signed_in(ana)
    assert client.get("/api/v1/me").status_code == 200
    user_deactivate(actor=MARINA, user=ana, now=timezone.now())
    assert client.get("/api/v1/me").status_code == 401
    assert make().status_code == 401


def test_last_use_is_written_at_most_once_a_minute(ana):
    client = signed_in(ana)
    client.get("/api/v1/access-tokens")
    first = AccessToken.objects.get().last_used_at
    assert first is not None
    client.get("/api/v1/access-tokens")
    assert AccessToken.objects.get().last_used_at == first
    long_ago = first - timedelta(seconds=61)
    AccessToken.objects.update(last_used_at=long_ago)
    client.get("/api/v1/access-tokens")
    assert AccessToken.objects.get().last_used_at != long_ago


def test_an_expiry_out_of_range_says_what_is_in_range(ana):
    answer = signed_in(ana).post(URL, {"name": "x", "expires_in": 366 * 86400}, format="json")
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert error["field"] == "expires_in"
    assert error["accepted"] == "60 to 31536000 seconds (1 minute to 365 days)"


def test_a_token_survives_a_new_secret_key_while_the_old_one_is_a_fallback(ana, settings):
    text = make().data["token"]
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-long-secret-key-for-this-test"
    assert bearer(text).get("/api/v1/me").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert bearer(text).get("/api/v1/me").status_code == 401


def test_making_and_revoking_are_recorded_with_address_and_request_without_the_secret(ana):
    text = make().data["token"]
    bearer(text).delete(f"{URL}/{AccessToken.objects.get().pk}", HTTP_X_REQUEST_ID="req-1")
    made, revoked = AuditEvent.objects.filter(object_kind="access-token").order_by("id")
    assert (made.action, revoked.action) == ("token.create", "token.revoke")
    assert made.address == "127.0.0.1"
    assert (revoked.request_id, revoked.token_prefix, revoked.actor) == ("req-1", text[4:12], "ana")
    assert text.split("_", 2)[2] not in str([vars(made), vars(revoked)])
