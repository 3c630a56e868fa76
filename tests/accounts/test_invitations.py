"""Invitations by link: for one person, for a while, whose secret is nowhere but in the link."""

import io
import logging
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import access
from accounts.errors import NotAllowed
from accounts.models import AuditEvent, Invitation, Notification, RoleBinding
from accounts.services.audit import Actor
from accounts.services.invitations import invitation_accept, invitation_create
from accounts.services.permission_check import permission_differences
from accounts.services.role_bindings import role_binding_delete
from accounts.services.users import user_deactivate
from controlplane.log_links import redact_links
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.accounts.machines import machine
from tests.canaries import canary

URL = "/api/v1/invitations"


@pytest.fixture
def olivia(world):
    """The client of acme's admin."""
    return signed_in(world.olivia)


def invite(client, **body):
    return client.post(URL, {"project": "acme/payments", "role": "developer", **body}, format="json")


def token_of(answer) -> str:
    assert answer.status_code == 201, answer.content
    secret = str(urlsplit(answer.json()["link"]).path.rpartition("/")[2])
    return canary(secret, "the secret of an invitation")


def accept(user, token: str):
    return signed_in(user).post(f"{URL}/accept", {"token": token}, format="json")


def test_the_link_gives_the_first_person_who_opens_it_the_role(world, olivia, settings):
    answer = invite(olivia)
    link = answer.json()["link"]
    assert link.startswith(f"{settings.PUBLIC_URL.rstrip('/')}/invitations/")
    assert answer["Cache-Control"] == "no-store"
    new = person("new")
    accepted = accept(new, token_of(answer))
    assert accepted.status_code == 200, accepted.content
    assert (accepted.json()["state"], accepted.json()["used_by"]["handle"]) == ("used", "new")
    assert access.allowed(new, "virtualcluster.create", world.payments)
    assert "new accepted" in Notification.objects.get(recipient=world.olivia, kind="invitation-accepted").text
    second = accept(person("second"), token_of(answer))
    assert (second.status_code, second.json()["detail"]) == (410, "This invitation is used.")
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_the_link_is_shown_once_and_its_secret_is_stored_nowhere(world, olivia):
    answer = invite(olivia)
    token = token_of(answer)
    where = answer["Location"]
    for shown in (olivia.get(where), olivia.get(URL)):
        assert shown.status_code == 200
        assert token not in shown.content.decode()
        assert "link" not in shown.content.decode()
        assert Invitation.objects.get().digest not in shown.content.decode()
    row = Invitation.objects.values().get()
    assert token not in str(row)
    accept(person("new"), token)
    events = AuditEvent.objects.filter(object_kind="invitation").order_by("created_at")
    assert [each.action for each in events] == ["invitation.create", "invitation.accept"]
    assert token not in str(list(AuditEvent.objects.values()))
    assert token not in str(list(Notification.objects.values()))


def test_an_invitation_is_open_for_seven_days_unless_said_otherwise_and_thirty_at_most(world, olivia):
    invite(olivia)
    left = Invitation.objects.get().expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert invite(olivia, expires_in=30 * 86400).status_code == 201
    for seconds in (0, 59, 30 * 86400 + 1):
        answer = invite(olivia, expires_in=seconds)
        assert [each["field"] for each in answer.json()["errors"]] == ["expires_in"], seconds


def test_one_that_expired_or_was_revoked_gives_nothing(world, olivia):
    expired, revoked, new = invite(olivia), invite(olivia), person("new")
    Invitation.objects.filter(pk=expired.json()["id"]).update(expires_at=timezone.now())
    assert olivia.delete(revoked["Location"]).status_code == 204
    assert olivia.delete(revoked["Location"]).status_code == 204, "again changes nothing"
    for answer, state in ((expired, "expired"), (revoked, "revoked")):
        refused = accept(new, token_of(answer))
        assert (refused.status_code, refused.json()["detail"]) == (410, f"This invitation is {state}.")
        assert "olivia" in refused.json()["hint"]
        assert olivia.get(answer["Location"]).json()["state"] == state
    assert not access.allowed(new, "project.view", world.payments)


@pytest.mark.parametrize("token", ["", "x", "accept", "A" * 43, "\0", "é" * 43])
def test_a_link_that_never_was_is_not_found(world, token):
    assert accept(person("new"), token).status_code in (400, 404)


def test_one_that_was_accepted_is_not_revoked(world, olivia):
    answer = invite(olivia)
    accept(person("new"), token_of(answer))
    assert olivia.delete(answer["Location"]).status_code == 409


def test_one_for_an_address_is_for_nobody_else(world, olivia):
    answer = invite(olivia, email="Ana@Example.org")
    for handle, email in (("none", ""), ("eve", "eve@example.org")):
        refused = accept(person(handle, email=email), token_of(answer))
        assert refused.status_code == 403, refused.content
    ana = person("ana", email="ana@example.org")
    assert accept(ana, token_of(answer)).status_code == 200
    assert access.allowed(ana, "project.view", world.payments)


def test_who_may_not_give_the_role_invites_nobody(world):
    vera = person("vera")
    give(vera, "developer", world.payments)
    assert invite(signed_in(vera)).status_code == 403
    assert invite(signed_in(world.greta)).status_code == 400, "there is no such project for her"
    ada = person("ada")
    give(ada, "admin", world.payments)
    assert invite(signed_in(ada)).status_code == 201
    assert invite(signed_in(ada), role="member").status_code == 400
    assert invite(signed_in(ada), organization="acme").status_code == 400
    with pytest.raises(NotAllowed):
        invitation_create(actor=MARINA, scope=world.acme, role="member", now=timezone.now())


def test_it_gives_nothing_once_who_invited_may_no_longer_give_it(world):
    ada, now = person("ada"), timezone.now()
    binding = give(ada, "admin", world.payments)
    made = invitation_create(actor=Actor(user=ada), scope=world.payments, role="viewer", now=now)
    role_binding_delete(actor=MARINA, binding=binding, now=now)
    member = person("member")
    give(member, "member", world.acme)
    assert accept(member, made.secret).status_code == 410
    user_deactivate(actor=MARINA, user=ada, now=now)
    assert accept(member, made.secret).status_code == 410


def test_a_project_admin_takes_in_only_people_of_the_organization_by_link_too(world):
    ada, outsider, now = person("ada"), person("outsider"), timezone.now()
    give(ada, "admin", world.payments)
    made = invitation_create(actor=Actor(user=ada), scope=world.payments, role="viewer", now=now)
    refused = accept(outsider, made.secret)
    assert refused.status_code == 400
    assert "does not belong to acme" in refused.json()["detail"]
    give(outsider, "member", world.acme)
    assert accept(outsider, made.secret).status_code == 200


def test_an_invitation_into_an_organization_makes_a_member_with_a_project_of_their_own(world, olivia):
    olivia.patch(f"/api/v1/organizations/{world.acme.pk}", {"personal_projects": True}, format="json")
    answer = olivia.post(URL, {"organization": "acme", "role": "member"}, format="json")
    new = person("new")
    assert accept(new, token_of(answer)).status_code == 200
    me = signed_in(new).get("/api/v1/me").json()
    assert [each["name"] for each in me["organizations"]] == ["acme"]
    assert [(each["name"], each["role"]) for each in me["projects"]] == [("new", "admin")]


def test_a_role_that_was_to_end_is_lasting_after_it(world, olivia):
    new = person("new")
    give(new, "developer", world.payments, expires_at=timezone.now() + timedelta(hours=1))
    assert accept(new, token_of(invite(olivia))).status_code == 200
    assert RoleBinding.objects.get(user=new).expires_at is None


def test_a_service_account_accepts_none(world, olivia):
    answer = invite(olivia)
    with pytest.raises(NotAllowed):
        invitation_accept(actor=Actor(user=machine(world.payments).user), secret=token_of(answer), now=timezone.now())


def test_only_who_may_invite_sees_invitations(world, olivia):
    invite(olivia)
    olivia.post(URL, {"organization": "acme", "role": "member"}, format="json")
    ada, vera = person("ada"), person("vera")
    give(ada, "admin", world.payments)
    give(vera, "developer", world.payments)
    for user, count in ((world.olivia, 2), (ada, 1), (vera, 0), (world.greta, 0), (world.staff, 0)):
        assert len(signed_in(user).get(URL).json()["results"]) == count, user


def test_the_list_costs_the_same_with_3_and_with_40_rows(world, olivia):
    counts = []
    for start, end in ((0, 3), (3, 40)):
        for _ in range(start, end):
            invite(olivia)
        with CaptureQueriesContext(connection) as captured:
            assert olivia.get(f"{URL}?page_size=200").status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 4


# --- the page ---------------------------------------------------------------------------------------------------------


def page(token: str) -> str:
    return f"/invitations/{token}"


def test_who_is_not_signed_in_does_that_first_and_comes_back(world, olivia):
    token = token_of(invite(olivia))
    answer = Client().get(page(token))
    assert answer.status_code == 302
    assert answer["Location"] == f"/sign-in?next={page(token)}"


def test_the_page_says_who_invites_to_what_and_its_button_accepts(world, olivia):
    token, new = token_of(invite(olivia)), person("new")
    browser = Client()
    browser.force_login(new)
    shown = browser.get(page(token))
    text = shown.content.decode()
    assert shown.status_code == 200
    assert "olivia" in text
    assert "<strong>acme/payments</strong>" in text
    assert "<strong>developer</strong>" in text
    assert "Accept</button>" in text
    assert shown["Cache-Control"] == "no-store"
    assert not access.allowed(new, "project.view", world.payments), "looking gives nothing"
    done = browser.post(page(token))
    assert "You are developer of acme/payments now" in done.content.decode()
    assert access.allowed(new, "project.view", world.payments)
    again = browser.get(page(token))
    assert (again.status_code, "This invitation is used." in again.content.decode()) == (410, True)
    assert browser.get(page("x")).status_code == 404


def test_another_sites_form_accepts_nothing(world, olivia):
    token, new = token_of(invite(olivia)), person("new")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(new)
    assert browser.post(page(token)).status_code == 403
    assert not access.allowed(new, "project.view", world.payments)


def test_the_links_secret_reaches_no_log(world, olivia):
    token = token_of(invite(olivia))
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        browser = Client()
        browser.force_login(person("new"))
        browser.post(page(token))
        browser.get(page(token))
        logger.warning("Redirected: /admin/login/?next=%%2Finvitations%%2F%s", token)
    finally:
        logger.removeHandler(handler)
    assert token not in said.getvalue()
    gone, redirected = said.getvalue().splitlines()
    assert "Gone: /invitations/[not logged]" in gone
    assert "next=%2Finvitations%2F[not logged]" in redirected


def test_other_texts_stay_as_they_are_in_logs():
    event = {"event": "GET /api/v1/invitations/0190c5a2-0000-7000-8000-000000000000", "count": 3}
    assert redact_links(None, "info", dict(event)) == event
