"""People are made, changed, locked out and given passwords by platform staff, who take nobody over above them."""

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessToken, AuditEvent, Notification, User
from accounts.services.organizations import organization_create
from tests.accounts.conftest import MARINA, PASSWORD, person, signed_in
from tests.accounts.totp import code_of, second_factor_given

NEW_PASSWORD = "a-Battery-of-77-horses"


@pytest.fixture
def keeper(db, quick_passwords) -> User:
    return person("keeper", is_staff=True, password=PASSWORD)


@pytest.fixture
def root(db) -> User:
    return person("root", is_staff=True, is_superuser=True)


def patch(client, user, status=200, **body):
    answer = client.patch(f"/api/v1/users/{user.pk}", body, "json")
    assert answer.status_code == status, answer.content
    return answer.json()


def password(client, user, status=204, **body):
    body = {"new_password": NEW_PASSWORD, "password": PASSWORD, **body}
    answer = client.post(f"/api/v1/users/{user.pk}/password", body, "json")
    assert answer.status_code == status, answer.content


def test_staff_make_a_person_without_a_password_and_give_one_later(keeper):
    client = signed_in(keeper)
    tried = client.post("/api/v1/users?dry_run=true", {"handle": "ana"}, "json")
    assert tried.status_code == 201
    assert not User.objects.filter(handle="ana").exists()
    made = client.post("/api/v1/users", {"handle": "ana", "email": "ana@example.org"}, "json")
    assert made.status_code == 201, made.content
    assert (made.json()["email"], made.json()["is_active"], made.json()["is_staff"]) == ("ana@example.org", True, False)
    ana = User.objects.get(handle="ana")
    assert not ana.has_usable_password()
    password(client, ana)
    ana.refresh_from_db()
    assert ana.check_password(NEW_PASSWORD)
    assert AuditEvent.objects.filter(action="user.password", actor="keeper").count() == 1
    assert not any(NEW_PASSWORD in str(vars(event)) for event in AuditEvent.objects.all())
    told = Notification.objects.get(recipient=ana, kind="password")
    assert "keeper of the platform's staff set a new password" in told.text
    assert client.post("/api/v1/users", {"handle": "ana"}, "json").status_code == 409


def test_a_token_alone_and_a_weak_password_set_nothing(keeper):
    client, ana = signed_in(keeper), person("ana")
    password(client, ana, 400, password="guessed")
    weak = client.post(f"/api/v1/users/{ana.pk}/password", {"new_password": "123", "password": PASSWORD}, "json")
    assert {each["field"] for each in weak.json()["errors"]} == {"new_password"}
    assert client.post(f"/api/v1/users/{ana.pk}/password", {"new_password": NEW_PASSWORD}, "json").status_code == 400
    ana.refresh_from_db()
    assert not ana.has_usable_password()


def test_staff_without_a_password_prove_themselves_by_a_code_or_in_the_browser(db):
    op, ana = person("op", is_staff=True), person("ana")
    client, body = signed_in(op), {"new_password": NEW_PASSWORD}
    refused = client.post(f"/api/v1/users/{ana.pk}/password", body, "json")
    assert refused.status_code == 403
    assert "/account/second-factor" in refused.json()["hint"]
    browser = APIClient()
    browser.force_login(op)
    assert browser.post(f"/api/v1/users/{ana.pk}/password", body, "json").status_code == 204
    second_factor_given(op)
    assert client.post(f"/api/v1/users/{ana.pk}/password", body, "json").status_code == 400
    answer = client.post(f"/api/v1/users/{ana.pk}/password", {**body, "code": code_of(op)}, "json")
    assert answer.status_code == 204, answer.content
    assert Notification.objects.filter(recipient=ana, kind="password").count() == 2


def test_who_deactivates_the_last_admin_hears_of_which_organization(keeper):
    olivia = person("olivia")
    organization_create(actor=MARINA, name="acme", admin=olivia, now=timezone.now())
    client = signed_in(keeper)
    tried = client.patch(f"/api/v1/users/{olivia.pk}?dry_run=true", {"is_active": False}, "json").json()
    assert (tried["is_active"], tried["organizations_without_admin"]) == (False, ["acme"])
    assert User.objects.get(pk=olivia.pk).is_active
    assert patch(client, olivia, is_active=False)["organizations_without_admin"] == ["acme"]


def test_staff_see_everybody_and_what_colleagues_do_not(keeper):
    ana = person("ana", email="ana@example.org")
    ana.is_active = False
    ana.save()
    found = signed_in(keeper).get("/api/v1/users?handle=ana").json()["results"]
    assert [(each["email"], each["is_active"]) for each in found] == [("ana@example.org", False)]
    assert signed_in(person("ben")).get("/api/v1/users?handle=ana").json()["results"] == []


def test_who_is_deactivated_is_out_at_once_and_can_be_let_in_again(keeper):
    client, ana = signed_in(keeper), person("ana")
    theirs = signed_in(ana)
    assert patch(client, ana, is_active=False)["is_active"] is False
    assert theirs.get("/api/v1/me").status_code == 401
    assert not AccessToken.objects.filter(user=ana, revoked_at=None).exists()
    assert patch(client, ana, is_active=True, name="Ana")["name"] == "Ana"
    assert theirs.get("/api/v1/me").status_code == 401


def test_staff_change_no_superuser_nor_who_is_staff(keeper, root):
    client, ana = signed_in(keeper), person("ana")
    for body in ({"email": "mine@example.org"}, {"is_active": False}, {"is_staff": False}):
        patch(client, root, 403, **body)
    password(client, root, 403)
    patch(client, ana, 403, is_staff=True)
    patch(client, ana, 400, is_superuser=True)
    assert client.post("/api/v1/users", {"handle": "eve", "is_staff": True}, "json").status_code == 403
    root.refresh_from_db()
    assert (root.email, root.is_active, root.has_usable_password()) == ("", True, False)
    assert patch(signed_in(root), ana, is_staff=True)["is_staff"] is True


def test_nobody_changes_themselves(keeper, root):
    for who in (keeper, root):
        patch(signed_in(who), who, 409, is_active=False)
        patch(signed_in(who), who, 409, is_staff=False)
    password(signed_in(keeper), keeper, 409)


def test_others_neither_see_nor_change_anybody(keeper):
    ana, ben = person("ana"), person("ben")
    patch(signed_in(ana), ben, 404, name="x")
    patch(signed_in(ana), ana, 403, name="x")
    password(signed_in(ana), ben, 404)
    assert signed_in(ana).post("/api/v1/users", {"handle": "eve"}, "json").status_code == 403
    assert "email" not in signed_in(ana).get(f"/api/v1/users/{ana.pk}").json()
