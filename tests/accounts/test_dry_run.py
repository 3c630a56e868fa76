"""`?dry_run=true`: answered like the change itself, and nothing of it stays."""

import inspect
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.api.dry_run import PLACEHOLDER, DryRun
from accounts.models import (
    AccessToken,
    AuditEvent,
    DeviceLogin,
    IdempotentRequest,
    Invitation,
    Project,
    RoleBinding,
    Webhook,
)
from accounts.services.audit import Actor
from accounts.services.invitations import invitation_create
from tests.accounts.conftest import give, person, signed_in
from tests.accounts.machines import machine
from tests.accounts.test_idempotency import HOLDS_SECRET, NOT_KEPT
from tests.accounts.webhook_making import webhook_for
from tests.routes import routes

NO_CHANGE: dict[str, str] = {}
"""Routes with a method that changes something elsewhere, and why they have no dry run."""


def test_every_change_has_a_dry_run():
    missing = [
        route.label
        for route in routes()
        if route.changes
        and route.label not in NO_CHANGE
        and not (inspect.isclass(route.view) and issubclass(route.view, DryRun))
    ]
    assert missing == [], "let the view inherit accounts.api.dry_run.DryRun (as every Resource does)"


@pytest.fixture
def client(world):
    return signed_in(world.olivia)


def test_a_creation_is_answered_with_the_object_and_nothing_stays(world, client):
    body = {"organization": "acme", "name": "fresh"}
    answer = client.post("/api/v1/projects?dry_run=true", body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer["Marina-Dry-Run"] == "true"
    assert not answer.has_header("Location")
    assert answer.json()["name"] == "fresh"
    assert not Project.objects.filter(name="fresh").exists()
    assert not AuditEvent.objects.filter(action="project.create", object_name="acme/fresh").exists()
    real = client.post("/api/v1/projects", body, format="json")
    assert not real.has_header("Marina-Dry-Run")
    assert real.status_code == 201


def test_a_change_and_a_deletion_leave_the_object_as_it_was(world, client):
    path = f"/api/v1/projects/{world.search.pk}"
    answer = client.patch(f"{path}?dry_run=true", {"name": "renamed"}, format="json")
    assert answer.json()["name"] == "renamed"
    assert client.delete(f"{path}?dry_run=1").status_code == 204
    world.search.refresh_from_db()
    assert world.search.name == "search"


def test_what_would_be_refused_is_refused_the_same(world, client):
    vera = person("vera")
    give(vera, "viewer", world.payments)
    answers = [
        client.post("/api/v1/projects?dry_run=true", {"organization": "acme", "name": "search"}, format="json"),
        client.post("/api/v1/projects?dry_run=true", {"organization": "acme", "name": "No"}, format="json"),
        signed_in(vera).delete(f"/api/v1/projects/{world.payments.pk}?dry_run=true"),
        signed_in(vera).delete(f"/api/v1/projects/{world.search.pk}?dry_run=true"),
    ]
    assert [answer.status_code for answer in answers] == [409, 400, 403, 404]
    assert {answer["Content-Type"] for answer in answers} == {"application/problem+json"}


def test_no_token_is_given_out(world, client):
    answer = client.post("/api/v1/access-tokens?dry_run=true", {"name": "laptop"}, format="json")
    assert answer.status_code == 201
    assert answer.json()["token"] == PLACEHOLDER
    assert not AccessToken.objects.filter(name="laptop").exists()


HANDED_OUT: dict[str, tuple[str, dict[str, Any], Any]] = {
    "service-accounts/{machine}/tokens": ("token", {"name": "ci"}, AccessToken),
    "invitations": ("link", {"project": "acme/payments", "role": "viewer"}, Invitation),
    "invitations/{invited}/resend": ("link", {}, None),
    "webhooks": ("secret", {"project": "acme/payments", "url": "https://hooks.example.com", "events": ["*"]}, Webhook),
    "webhooks/{webhook}/rotate-secret": ("secret", {}, None),
    "device-logins": ("device_code", {"client_name": "marina"}, DeviceLogin),
}
"""Where a secret is given out: the answer's field, a body, and of what nothing may stay."""


@pytest.mark.parametrize("path", HANDED_OUT)
def test_no_secret_is_given_out(world, client, path):
    field, body, model = HANDED_OUT[path]
    webhook = webhook_for(world.acme, "https://hooks.example.com").webhook
    before = bytes(webhook.secret)
    olivia = Actor(user=world.olivia)
    invited = invitation_create(actor=olivia, scope=world.payments, role="viewer", now=timezone.now()).invitation
    address = path.format(machine=machine(world.payments).pk, webhook=webhook.pk, invited=invited.pk)
    rows = model.objects.count() if model else 0
    answer = client.post(f"/api/v1/{address}?dry_run=true", body, format="json")
    assert answer.status_code in (200, 201), answer.content
    assert answer.json()[field] == PLACEHOLDER
    webhook.refresh_from_db()
    assert bytes(webhook.secret) == before
    assert model is None or model.objects.count() == rows


def test_whatever_hands_out_a_secret_says_in_which_field():
    views = {route.label: route.view for route in routes()}
    handing = [label for label, why in NOT_KEPT.items() if why == HOLDS_SECRET]
    assert [label for label in handing if not views[label].secret_fields] == []


def test_a_key_stays_free_for_the_request_in_earnest(world, client):
    bindings = RoleBinding.objects.count()
    person("vera")
    body = {"user": "vera", "role": "viewer", "project": "acme/payments"}
    for _ in range(2):
        answer = client.post("/api/v1/role-bindings?dry_run=true", body, format="json", HTTP_IDEMPOTENCY_KEY="k")
        assert answer.status_code == 201, answer.content
    assert not IdempotentRequest.objects.exists()
    assert RoleBinding.objects.count() == bindings


@pytest.mark.parametrize("query", ["dry_run=maybe", "dry_run=", "dryrun=true", "dry_run=true&x=1"])
def test_a_dry_run_asked_for_wrongly_is_not_done_in_earnest(world, client, query):
    answer = client.delete(f"/api/v1/projects/{world.search.pk}?{query}")
    assert answer.status_code == 400, answer.content
    assert Project.objects.filter(pk=world.search.pk).exists()


def test_false_is_in_earnest(world, client):
    assert client.delete(f"/api/v1/projects/{world.search.pk}?dry_run=false").status_code == 204
    assert not Project.objects.filter(pk=world.search.pk).exists()
    assert connection.in_atomic_block
