"""Each sign-in, sign-out and refusal is in the audit log once, and none of its rows holds a link's secret."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from accounts.services.audit_refusals import sign_in_refused
from accounts.services.device_logins import device_login_begin
from accounts.services.invitations import invitation_create
from tests.accounts.conftest import PASSWORD, person, signed_in
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
