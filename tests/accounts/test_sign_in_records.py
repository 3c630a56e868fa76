"""Each sign-in, sign-out and refusal is in the audit log once, and none of its rows holds a link's secret."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from accounts.services.audit_refusals import sign_in_refused
from accounts.services.device_logins import (
    DeviceLoginPending,
    device_login_begin,
    device_login_decide,
    device_login_token,
)
from accounts.services.invitations import invitation_create
from accounts.services.users import user_activate, user_deactivate
from tests.accounts.conftest import MARINA, PASSWORD, person, signed_in
from tests.canaries import canary

pytestmark = pytest.mark.usefixtures("quick_passwords")


def recorded(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def test_signing_in_and_out_by_the_pages_leaves_one_row_each_with_where_it_came_from(db):
    person("ana", password=PASSWORD)
    browser = Client(headers={"user-agent": "Firefox"})
    browser.post("/sign-in", {"login": "ana", "password": PASSWORD})
    assert [(row.result, row.source, row.user_agent) for row in recorded("sign-in")] == [("ok", "web", "Firefox")]
    browser.get("/sign-out")
    assert recorded("sign-out") == []
    browser.post("/sign-out")
    browser.post("/sign-out")
    assert [(row.actor, row.object_name, row.source) for row in recorded("sign-out")] == [("ana", "ana", "web")]


def test_an_answer_to_a_device_is_recorded_once(db):
    ana = person("ana")
    browser = Client()
    browser.force_login(ana)
    begun = device_login_begin(client_name="laptop", address=None, expires_in=None, now=timezone.now())
    canary(begun.device_code, "a device code")
    for _ in range(2):
        browser.post("/device", {"code": begun.user_code, "answer": "allow"})
    assert [row.object_name for row in recorded("device-login.allow")] == ["laptop"]


def test_no_row_holds_the_secret_of_an_invitation_or_where_somebody_wanted_to_go(world):
    made = invitation_create(actor=Actor(user=world.olivia), scope=world.acme, role="member", now=timezone.now())
    secret = canary(made.secret, "the secret of an invitation")
    Client().post(
        f"/sign-in?next=/invitations/{secret}", {"login": "olivia", "password": "wrong", "next": f"/{secret}"}
    )
    user = person("zoe")
    browser = Client()
    browser.force_login(user)
    browser.post(f"/invitations/{secret}x")
    signed_in(user).post("/api/v1/invitations/accept", {"token": secret + "x"}, "json")
    sign_in_refused(sender=Actor(user=None, name="unknown"), handle="olivia", why="No.")
    for row in AuditEvent.objects.values():
        assert secret not in str(row)
        assert "next=" not in str(row)


def test_the_sessions_of_who_was_deactivated_have_ended_also_when_they_are_activated_again(db):
    ana, browser = person("ana", password=PASSWORD), Client()
    browser.post("/sign-in", {"login": "ana", "password": PASSWORD})
    assert browser.get("/account").status_code == 200
    user_deactivate(actor=MARINA, user=ana, now=timezone.now())
    user_activate(actor=MARINA, user=ana)
    assert browser.get("/account").status_code == 302, "whoever stole it would be back as well"


def test_a_device_that_was_allowed_gets_no_token_of_who_was_deactivated_meanwhile(db):
    ana, now = person("ana"), timezone.now()
    begun = device_login_begin(client_name="laptop", address=None, expires_in=None, now=now)
    device_login_decide(actor=Actor(user=ana), user=ana, user_code=begun.user_code, allow=True, now=now)
    user_deactivate(actor=MARINA, user=ana, now=now)
    user_activate(actor=MARINA, user=ana)
    with pytest.raises(DeviceLoginPending, match="denied"):
        device_login_token(device_code=begun.device_code, address=None, now=now)
