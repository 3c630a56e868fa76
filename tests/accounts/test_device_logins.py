"""`marina login` by a code: a person who is signed in allows it, and the program gets one token, once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.api.dry_run import PLACEHOLDER
from accounts.device_codes import code_digest, user_code_new, user_code_read
from accounts.models import AccessToken, AuditEvent, DeviceLogin
from accounts.services.device_logins import DeviceLoginPending, device_login_begin, device_login_token
from accounts.services.users import user_deactivate
from tests.accounts.conftest import MARINA, WatchedClient, person
from tests.canaries import canary

BEGIN, TOKEN = "/api/v1/device-logins", "/api/v1/device-logins/token"
THERE = "198.51.100.9"


@pytest.fixture
def ana(db):
    return person("ana")


@pytest.fixture
def page(ana) -> Client:
    """ana's browser."""
    client = Client()
    client.force_login(ana)
    return client


def begin(**body):
    answer = APIClient().post(BEGIN, {"client_name": "marina on laptop", **body}, "json", REMOTE_ADDR=THERE)
    assert answer.status_code == 201, answer.json()
    canary(answer.json()["device_code"], "a device code")
    return answer.json()


def poll(begun, *, later: int = 0):
    """Asks for the token; `later` seconds after the last time."""
    DeviceLogin.objects.filter(polled_at__isnull=False).update(polled_at=timezone.now() - timedelta(seconds=later))
    return WatchedClient().post(TOKEN, {"device_code": begun["device_code"]}, "json", REMOTE_ADDR=THERE)


def answer(page, begun, what):
    return page.post("/device", {"code": begun["user_code"], "answer": what})


def test_an_allowed_login_gives_a_token_of_the_person_once(page, ana):
    begun = begin(expires_in=3600)
    assert begun["verification_uri_complete"].endswith(f"/device?code={begun['user_code']}")
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert poll(begun).json()["code"] == "authorization_pending"
    assert "is allowed" in answer(page, begun, "allow").content.decode()
    given = poll(begun, later=6)
    assert given.status_code == 201
    assert given["Cache-Control"] == "no-store"
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {given.json()['token']}")
    assert client.get("/api/v1/me").json()["handle"] == "ana"
    token = AccessToken.objects.get()
    assert token.name == "marina on laptop"
    assert timedelta(minutes=59) < token.expires_at - timezone.now() <= timedelta(hours=1)
    again = poll(begun, later=6)
    assert (again.status_code, again.json()["code"]) == (400, "expired")
    assert AccessToken.objects.count() == 1
    actions = AuditEvent.objects.exclude(action="user.create").order_by("id").values_list("action", "actor")
    assert list(actions) == [("device-login.allow", "ana"), ("token.create", "ana")]


def test_a_denied_login_gives_nothing(page):
    begun = begin()
    assert "is denied" in answer(page, begun, "deny").content.decode()
    assert poll(begun).json()["code"] == "denied"
    assert "No device waits" in answer(page, begun, "allow").content.decode(), "an answer is final"
    assert poll(begun, later=6).json()["code"] == "denied"
    assert not AccessToken.objects.exists()


def test_who_asks_too_often_is_told_to_slow_down_each_time_more(page):
    begun = begin()
    assert poll(begun).json()["code"] == "authorization_pending"
    assert poll(begun, later=4).json()["code"] == "slow_down"
    assert poll(begun, later=9).json()["code"] == "slow_down", "10 s from now on"
    assert poll(begun, later=16).json()["code"] == "authorization_pending"
    answer(page, begun, "allow")
    assert poll(begun, later=1).json()["code"] == "slow_down", "also when the token is there"
    assert poll(begun, later=61).status_code == 201


def test_a_code_ends_after_its_time_on_both_sides(page):
    begun = begin()
    DeviceLogin.objects.update(expires_at=timezone.now())
    assert poll(begun).json()["code"] == "expired"
    assert "No device waits" in page.get("/device", {"code": begun["user_code"]}).content.decode()
    allowed_late = begin()
    answer(page, allowed_late, "allow")
    DeviceLogin.objects.update(expires_at=timezone.now())
    assert poll(allowed_late).json()["code"] == "expired"


def test_an_unknown_device_code_is_like_an_expired_one(db):
    assert poll({"device_code": "nothing"}).json()["code"] == "expired"


def test_the_page_shows_who_asks_and_changes_nothing_by_a_link(page):
    begun = begin(client_name="<script>alert(1)</script> on laptop")
    shown = page.get("/device", {"code": begun["user_code"], "answer": "allow"}).content.decode()
    assert begun["user_code"] in shown
    assert THERE in shown
    assert "not the address you are at" in shown
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown
    assert DeviceLogin.objects.get().state == "pending"


def test_the_form_needs_its_csrf_token(ana):
    begun = begin()
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert answer(client, begun, "allow").status_code == 403
    assert DeviceLogin.objects.get().state == "pending"


def test_only_who_is_signed_in_sees_the_page_and_comes_back_to_the_code(db):
    begun = begin()
    sent = Client().get(f"/device?code={begun['user_code']}")
    assert sent["Location"] == f"/sign-in?next=/device%3Fcode%3D{begun['user_code']}"


def test_codes_are_typed_as_people_type_and_guessed_only_so_often(page, settings):
    settings.SIGN_IN_RATE = "3/min"
    begun = begin()
    typed = begun["user_code"].lower().replace("-", " ")
    assert "Allow this device?" in page.get("/device", {"code": typed}).content.decode()
    for _ in range(2):
        assert "No device waits" in page.post("/device", {"code": "BCDF-GHJK"}).content.decode()
    refused = page.post("/device", {"code": begun["user_code"], "answer": "allow"})
    assert refused.status_code == 429
    assert "Too many tries" in refused.content.decode()
    assert page.get("/device", {"code": typed}, REMOTE_ADDR="203.0.113.4").status_code == 429, "from everywhere"


def test_beginning_is_counted_by_address(db, settings):
    settings.SIGN_IN_ADDRESS_RATE = "2/min"
    begin()
    begin()
    refused = APIClient().post(BEGIN, {"client_name": "x"}, "json", REMOTE_ADDR=THERE)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert APIClient().post(BEGIN, {"client_name": "x"}, "json", REMOTE_ADDR="203.0.113.4").status_code == 201


def test_only_digests_of_codes_are_stored(db):
    begun = begin()
    row = DeviceLogin.objects.values().get()
    for secret in (begun["device_code"], begun["user_code"]):
        assert secret not in str(row)
    assert row["device_digest"] == code_digest(begun["device_code"])


def test_a_token_is_not_given_for_somebody_who_was_deactivated_meanwhile(page, ana):
    begun = begin()
    answer(page, begun, "allow")
    user_deactivate(actor=MARINA, user=ana, now=timezone.now())
    assert poll(begun).json()["code"] == "denied"
    assert not AccessToken.objects.exists()


def test_a_token_longer_than_allowed_is_refused_at_the_beginning(db, settings):
    refused = APIClient().post(
        BEGIN, {"client_name": "x", "expires_in": settings.ACCESS_TOKEN_MAXIMUM_SECONDS + 1}, "json"
    )
    assert refused.json()["errors"][0]["field"] == "expires_in"


def test_old_requests_are_cleared_away(db):
    begin()
    DeviceLogin.objects.update(expires_at=timezone.now() - timedelta(days=2))
    begin()
    assert DeviceLogin.objects.count() == 1


def test_user_codes_are_read_as_they_are_written_and_nothing_else_is_one():
    for _ in range(100):
        code = user_code_new()
        assert user_code_read(f" {code.replace('-', ' ').lower()} ") == code
    for wrong in ("", "AEIO-UAEI", "BCDF", "BCDF-GHJK-L", "BCDF-GHJ0"):
        assert user_code_read(wrong) == ""


def test_of_two_polls_at_once_one_gets_the_token(ana):
    now = timezone.now()
    begun = device_login_begin(client_name="x", address=None, expires_in=None, now=now)
    DeviceLogin.objects.update(state="allowed", user=ana)
    device_login_token(device_code=begun.device_code, address=None, now=now)
    with pytest.raises(DeviceLoginPending):
        device_login_token(device_code=begun.device_code, address=None, now=now + timedelta(seconds=10))


def test_a_dry_run_hands_out_no_token_and_leaves_the_login_for_the_poll_in_earnest(page, ana):
    begun = begin()
    answer(page, begun, "allow")
    tried = APIClient().post(f"{TOKEN}?dry_run=true", {"device_code": begun["device_code"]}, "json")
    assert (tried.status_code, tried.json()["token"]) == (201, PLACEHOLDER)
    assert not AccessToken.objects.exists()
    assert poll(begun).json()["token"].startswith("mar_")


def test_a_login_that_is_only_tried_gives_no_code_and_an_address_all_the_same(db):
    tried = APIClient().post(f"{BEGIN}?dry_run=true", {"client_name": "marina on laptop"}, "json").json()
    assert (tried["device_code"], tried["user_code"]) == (PLACEHOLDER, PLACEHOLDER)
    assert tried["verification_uri_complete"] == f"{tried['verification_uri']}?code={PLACEHOLDER}"
    assert not DeviceLogin.objects.exists()
