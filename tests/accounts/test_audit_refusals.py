"""What was tried and did not happen leaves a row, though everything else of the request was undone."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AccessToken, AuditEvent, Project, RoleBinding
from accounts.services import audit_refusals
from accounts.services.audit_refusals import Attempt, audit_refused
from accounts.services.users import user_deactivate
from tests.accounts.conftest import MARINA, PASSWORD, give, person, signed_in

SECRET = "mar_abcd1234_" + "s" * 43


@pytest.fixture
def vera(world) -> APIClient:
    """A viewer of acme/payments."""
    user = person("vera")
    give(user, "viewer", world.payments)
    return signed_in(user)


def refusals(**fields: Any) -> list[AuditEvent]:
    return list(AuditEvent.objects.exclude(result="ok").filter(**fields).order_by("id"))


def test_a_denied_change_leaves_its_row(world, vera):
    answer = vera.patch(f"/api/v1/projects/{world.payments.pk}", {"display_name": "x"}, "json", HTTP_X_REQUEST_ID="r-1")
    assert answer.status_code == 403
    (row,) = refusals()
    assert (row.actor, row.action, row.result) == ("vera", "project.update", "denied")
    assert (row.object_kind, row.object_id, row.object_name) == ("project", str(world.payments.pk), "acme/payments")
    assert (row.organization_id, row.request_id, row.source) == (world.acme.pk, "r-1", "api")
    assert (row.token_prefix, row.address) == (AccessToken.objects.get(user__handle="vera").prefix, "127.0.0.1")
    assert row.details == {"code": "forbidden", "sentence": "You may not do project.update here."}


@pytest.mark.parametrize(("query", "headers"), [("", {"HTTP_IF_MATCH": "*"}), ("?dry_run=true", {})])
def test_it_stays_where_the_request_itself_is_undone(world, vera, query, headers):
    assert vera.delete(f"/api/v1/projects/{world.payments.pk}{query}", **headers).status_code == 403
    (row,) = refusals()
    assert (row.action, row.result, row.object_id) == ("project.delete", "denied", str(world.payments.pk))


def test_a_dry_run_that_fails_was_no_try(world):
    body = {"organization": "acme", "name": "search"}
    assert signed_in(world.olivia).post("/api/v1/projects?dry_run=true", body, "json").status_code == 409
    assert refusals() == []


@pytest.mark.django_db(transaction=True)
def test_it_stays_though_the_request_was_rolled_back():
    from tests.accounts.conftest import world_make

    world = world_make()
    vera = person("vera")
    give(vera, "viewer", world.payments)
    body = {"user": "vera", "role": "admin", "project": "acme/payments"}
    answer = signed_in(vera).post("/api/v1/role-bindings", body, "json", HTTP_IDEMPOTENCY_KEY="once")
    assert answer.status_code == 403
    assert [row.action for row in refusals(result="denied")] == ["project.members"]
    last = RoleBinding.objects.get(user=world.olivia)
    assert signed_in(world.olivia).delete(f"/api/v1/role-bindings/{last.pk}").status_code == 409
    (row,) = refusals(result="failed")
    assert (row.action, row.object_kind, row.object_id) == ("rolebinding.delete", "role-binding", str(last.pk))
    assert "no admin left" in row.details["sentence"]
    assert not AuditEvent.objects.filter(action="role.take").exists(), "that was undone"


def test_what_is_not_seen_leaves_none_and_neither_does_bad_input(world, vera):
    assert vera.patch(f"/api/v1/projects/{world.foreign.pk}", {"display_name": "x"}, "json").status_code == 404
    assert vera.patch(f"/api/v1/projects/{world.payments.pk}", {"colour": "x"}, "json").status_code == 400
    assert vera.get("/api/v1/nothing").status_code == 404
    assert refusals() == []


def test_what_is_for_the_platform_is_denied_to_others_in_a_row_without_an_organization(vera):
    assert vera.post("/api/v1/organizations", {"name": "mine"}, "json").status_code == 403
    (row,) = refusals()
    assert (row.action, row.object_kind, row.organization_id) == ("organization.create", "organization", None)


def test_a_conflict_over_what_no_organization_is_known_of_tells_no_sentence_to_the_platform(world):
    client = signed_in(world.olivia)
    taken = client.post("/api/v1/projects", {"organization": "acme", "name": "payments"}, "json")
    assert taken.status_code == 409
    (row,) = refusals()
    assert (row.action, row.result, row.organization_id) == ("project.create", "failed", None)
    assert row.details == {"code": "conflict"}


def test_a_change_that_ends_in_an_error_nobody_thought_of_leaves_a_row(world, monkeypatch):
    from accounts.api import projects

    def broken(**_: Any) -> Project:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(projects, "project_update", broken)
    path = f"/api/v1/projects/{world.payments.pk}"
    assert signed_in(world.olivia).patch(path, {"display_name": "x"}, "json").status_code == 500
    (row,) = refusals()
    assert (row.action, row.result, row.details) == ("project.update", "failed", {"code": "internal"})


def test_what_the_admin_site_refuses_leaves_a_row(world):
    site = Client()
    site.force_login(world.staff)
    site.post(f"/admin/accounts/organization/{world.acme.pk}/delete/", {"post": "yes"}, HTTP_USER_AGENT="Browser/1")
    (row,) = refusals()
    assert (row.actor, row.action, row.result) == ("staff", "organization.delete", "failed")
    assert (row.organization_id, row.object_name, row.source) == (world.acme.pk, "acme", "admin")
    assert (row.user_agent, row.details["for_the_platform"]) == ("Browser/1", True)


def test_the_answer_is_the_same_where_the_refusal_cannot_be_recorded(world, vera, monkeypatch):
    def away(**_: Any) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr(audit_refusals, "audit_record", away)
    path = f"/api/v1/projects/{world.payments.pk}"
    assert vera.patch(path, {"display_name": "x"}, "json").status_code == 403


def test_what_is_longer_than_its_column_is_cut(world):
    attempt = Attempt(action="a" * 99, kind="k" * 99, object_id="i" * 99, name="n" * 999)
    audit_refused(actor=MARINA, attempt=attempt, result="denied", details={})
    (row,) = refusals()
    assert [len(text) for text in (row.action, row.object_kind, row.object_id, row.object_name)] == [60, 40, 64, 120]


# --- signing in -------------------------------------------------------------------------------------------------------


def basic(handle: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{handle}:{password}".encode()).decode()


def sign_in(handle: str, password: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=basic(handle, password), HTTP_USER_AGENT="marina-cli/1.0")
    return client.post("/api/v1/access-tokens", {"name": "x"}, "json").status_code


def test_a_failed_sign_in_is_recorded_without_what_was_typed(world):
    assert sign_in("olivia", "my-secret-password") == 401
    assert sign_in("hunter2", PASSWORD) == 401
    known, unknown = refusals(action="sign-in")
    assert (known.actor, known.object_name, known.object_id) == ("unknown", "olivia", str(world.olivia.pk))
    assert (known.result, known.address, known.source) == ("failed", "127.0.0.1", "cli")
    # it may be a password in the wrong field
    assert (unknown.object_name, unknown.object_id) == ("", "")


def test_a_failed_sign_in_on_the_page_is_recorded_too(world):
    browser = Client()
    browser.get("/sign-in")  # its form comes with a cookie
    browser.post("/sign-in", {"login": "staff", "password": "wrong"})
    (row,) = refusals(action="sign-in")
    assert (row.object_name, row.source) == ("staff", "web")


def test_tries_beyond_the_limit_are_recorded_no_more(world, settings):
    settings.SIGN_IN_RATE = "3/min"
    assert [sign_in("olivia", "wrong") for _ in range(6)] == [401] * 3 + [429] * 3
    assert len(refusals(action="sign-in")) == 3


def with_token(text: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client.get("/api/v1/me").status_code


def test_a_token_that_opens_nothing_is_recorded_with_why_once_a_minute(world):
    made = {}
    for name in ("revoked", "expired", "user deactivated", "wrong secret"):
        user = person(name.replace(" ", "-"))
        made[name] = signed_in(user).token
    of = AccessToken.objects.filter
    of(user__handle="revoked").update(revoked_at=timezone.now())
    of(user__handle="expired").update(expires_at=timezone.now() - timedelta(days=1))
    user_deactivate(actor=MARINA, user=of(user__handle="user-deactivated").get().user, now=timezone.now())
    of(user__handle="user-deactivated").update(revoked_at=None)
    made["wrong secret"] = made["wrong secret"][:13] + "x" * 43
    for text in (*made.values(), *made.values(), SECRET):
        assert with_token(text) == 401
    rows = refusals(action="token.use")
    assert [row.details["why"] for row in rows] == [*made, "unknown"]
    assert rows[0].token_prefix == of(user__handle="revoked").get().prefix
    assert rows[-1].token_prefix == "", "of an unknown token nothing is kept"


def test_nobody_fills_the_log_with_tokens_that_open_nothing(world):
    for number in range(30):
        text = signed_in(person(f"p-{number}")).token
        AccessToken.objects.update(revoked_at=timezone.now())
        assert with_token(text) == 401
    assert len(refusals(action="token.use")) == 20
