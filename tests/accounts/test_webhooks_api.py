"""Webhooks over HTTP: for who may change the organization or project; the secret is shown once and is nowhere else."""

import base64
import json
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEvent, Webhook, WebhookDelivery
from accounts.webhook_event_types import EVENT_GROUPS, EVENT_TYPES, event_wanted, pattern_known
from accounts.webhook_secrets import secret_decrypt
from tests.accounts.conftest import give, person, signed_in
from tests.accounts.receiver import Receiver
from tests.accounts.webhook_making import deliver, happened, webhook_for

WEBHOOKS = "/api/v1/webhooks"
URL = "https://hooks.example.org/marina?token=part-of-the-address"


def body(**fields):
    return {"organization": "acme", "url": URL, "events": ["*"], **fields}


@pytest.fixture
def olivia(world):
    return signed_in(world.olivia)


def test_one_is_made_with_a_secret_that_is_shown_once(world, olivia):
    answer = olivia.post(WEBHOOKS, body(description="Chat"), "json", HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    made = answer.json()
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"][6:])) == 32
    assert answer["Location"] == f"{WEBHOOKS}/{made['id']}"
    shown = olivia.get(answer["Location"]).json()
    assert "secret" not in shown
    assert (shown["url"], shown["enabled"], shown["project"]) == (URL, True, None)
    assert olivia.get(WEBHOOKS).json()["results"] == [shown]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://example.org/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["operation.faild"]}, "events[0]"),
        ({"events": ["webhook.ping"]}, "events[0]"),
        ({"project": "acme/payments"}, "organization"),
        ({"organization": "nowhere"}, "organization"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_what_cannot_be_is_refused_by_name(olivia, fields, field):
    answer = olivia.post(WEBHOOKS, body(**fields), "json")
    assert answer.status_code == 400, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Webhook.objects.exists()


def test_a_misspelt_event_is_answered_with_the_one_that_may_be_meant(olivia):
    answer = olivia.post(WEBHOOKS, body(events=["operation.faild"]), "json").json()
    assert answer["errors"][0]["accepted"] == "perhaps operation.failed"


def test_it_is_changed_switched_off_and_on_and_deleted(olivia):
    address = f"{WEBHOOKS}/{olivia.post(WEBHOOKS, body(), 'json').json()['id']}"
    changed = olivia.patch(address, {"events": ["role.*", "operation.failed"], "description": "x"}, "json").json()
    assert changed["events"] == ["operation.failed", "role.*"]
    off = olivia.patch(address, {"enabled": False}, "json").json()
    assert off["disabled_reason"] == "Switched off by olivia."
    assert olivia.post(f"{address}/ping").status_code == 409
    assert olivia.patch(address, {"enabled": True}, "json").json()["disabled_reason"] == ""
    assert olivia.patch(address, {"url": "https://localhost/"}, "json").status_code == 400
    assert olivia.delete(address).status_code == 204
    assert olivia.get(address).status_code == 404


def test_only_who_may_change_the_scope_sees_and_changes_its_webhooks(world, olivia):
    of_organization = webhook_for(world.acme, URL).webhook
    of_project = webhook_for(world.acme, URL, project=world.payments).webhook
    member, auditor, developer, admin = (person(name) for name in ("mia", "otto", "dan", "ada"))
    give(member, "member", world.acme)
    give(auditor, "auditor", world.acme)
    give(developer, "developer", world.payments)
    give(admin, "admin", world.payments)
    seen = {
        world.olivia: {of_organization.pk, of_project.pk},
        admin: {of_project.pk},
        **{user: set() for user in (member, auditor, developer, world.greta, world.staff)},
    }
    for user, expected in seen.items():
        client = signed_in(user)
        assert {row["id"] for row in client.get(WEBHOOKS).json()["results"]} == {str(key) for key in expected}
        for webhook in (of_organization, of_project):
            address, status = f"{WEBHOOKS}/{webhook.pk}", 200 if webhook.pk in expected else 404
            assert client.get(address).status_code == status
            assert client.patch(address, {"description": "x"}, "json").status_code == status
            assert client.get(f"{address}/deliveries").status_code == status
            assert client.post(f"{address}/rotate-secret").status_code == status
            assert client.post(f"{address}/ping").status_code == (201 if status == 200 else 404)
            if status == 404:
                assert client.delete(address).status_code == 404


def test_making_one_takes_the_role_and_says_which(world):
    member, developer = person("mia"), person("dan")
    give(member, "member", world.acme)
    give(developer, "developer", world.payments)
    refused = signed_in(member).post(WEBHOOKS, body(), "json")
    assert refused.status_code == 403
    assert "organization admin" in refused.json()["hint"]
    project = {"project": "acme/payments", "url": URL, "events": ["*"]}
    refused = signed_in(developer).post(WEBHOOKS, project, "json")
    assert refused.status_code == 403
    assert "project admin" in refused.json()["hint"]
    assert signed_in(world.greta).post(WEBHOOKS, body(), "json").status_code == 400


def test_a_ping_comes_and_its_delivery_says_so_and_can_be_sent_once_more(world, olivia, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with Receiver() as receiver:
        made = olivia.post(WEBHOOKS, body(url=receiver.url, events=["role.given"]), "json").json()
        ping = olivia.post(f"{WEBHOOKS}/{made['id']}/ping")
        assert (ping.status_code, ping.json()["state"]) == (201, "Pending")
        deliver()
        delivery = olivia.get(ping["Location"]).json()
        assert (delivery["type"], delivery["state"], delivery["status"]) == ("webhook.ping", "Delivered", 204)
        assert delivery["payload"]["data"]["asked_by"] == "olivia"
        again = olivia.post(f"{ping['Location']}/redeliver").json()
        assert (again["state"], again["event_id"]) == ("Pending", delivery["event_id"])
        deliver()
    assert [got.id for got in receiver.received] == [delivery["event_id"]] * 2
    assert receiver.received[1].verified(made["secret"])
    listed = olivia.get(f"{WEBHOOKS}/{made['id']}/deliveries?state=Delivered").json()["results"]
    assert [row["id"] for row in listed] == [delivery["id"]]


def test_a_delivery_of_another_webhook_is_not_there(world, olivia):
    one, other = webhook_for(world.acme, URL).webhook, webhook_for(world.globex, URL).webhook
    happened(world.globex)
    row = WebhookDelivery.objects.get(webhook=other)
    for webhook in (one, other):
        assert olivia.get(f"{WEBHOOKS}/{webhook.pk}/deliveries/{row.pk}").status_code == 404
        assert olivia.post(f"{WEBHOOKS}/{webhook.pk}/deliveries/{row.pk}/redeliver").status_code == 404


def test_lists_cost_the_same_number_of_queries_however_long(world, olivia, django_assert_max_num_queries):
    webhooks = [webhook_for(world.acme, URL, project=world.payments).webhook for _ in range(30)]
    for _ in range(10):
        happened(world.acme, project_id=world.payments.pk)
    olivia.get("/api/v1/me")
    for address in (WEBHOOKS, f"{WEBHOOKS}/{webhooks[0].pk}/deliveries"):
        with django_assert_max_num_queries(6):
            assert olivia.get(address).json()["results"]


def test_an_organization_has_no_more_than_fifty(world, olivia):
    for _ in range(50):
        webhook_for(world.acme, URL)
    assert olivia.post(WEBHOOKS, body(), "json").status_code == 409


def test_groups_are_made_of_the_types_there_are():
    assert "virtual-cluster.*" in EVENT_GROUPS
    assert all(pattern_known(name) for name in (*EVENT_TYPES, *EVENT_GROUPS, "*") if name != "webhook.ping")
    assert event_wanted(["operation.*"], "operation.failed")
    assert not event_wanted(["operation.*", "role.given"], "role.taken")


# --- the secret -------------------------------------------------------------------------------------------------------


def everything_stored() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


def test_the_secret_is_in_no_log_message_audit_row_error_or_row(world, olivia, settings, caplog):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    caplog.set_level(logging.DEBUG)
    with Receiver() as receiver:
        made = olivia.post(WEBHOOKS, body(url=receiver.url), "json", HTTP_IDEMPOTENCY_KEY="k").json()
        address = f"{WEBHOOKS}/{made['id']}"
        rotated = olivia.post(f"{address}/rotate-secret", HTTP_IDEMPOTENCY_KEY="l").json()
        # a receiver that says it back, in an answer that fails and in one that is gone for good
        receiver.says(500, f"{made['secret']} {rotated['secret']}".encode())
        happened(world.acme)
        deliver()
        receiver.says(410, rotated["secret"].encode())
        happened(world.acme)
        deliver()
    said = "".join(
        olivia.get(path).content.decode()
        for path in (WEBHOOKS, address, f"{address}/deliveries", "/api/v1/notifications")
    )
    refused = olivia.post(f"{address}/ping").content.decode()
    assert "gone" in said
    for secret in (made["secret"], rotated["secret"]):
        for place in (
            said,
            refused,
            caplog.text,
            everything_stored(),
            json.dumps(list(AuditEvent.objects.values("details"))),
        ):
            assert secret not in place
            assert secret[6:] not in place
    row = Webhook.objects.get()
    assert secret_decrypt(row.secret) == rotated["secret"]
    assert row.previous_secret is not None
    assert secret_decrypt(row.previous_secret) == made["secret"]


def test_the_address_of_a_receiver_is_in_no_audit_row_log_or_notification(world, olivia, caplog):
    caplog.set_level(logging.DEBUG)
    address = f"{WEBHOOKS}/{olivia.post(WEBHOOKS, body(), 'json').json()['id']}"
    olivia.patch(address, {"url": URL + "&b=c"}, "json")
    olivia.delete(address)
    rows = list(AuditEvent.objects.filter(object_kind="webhook"))
    assert [row.action for row in rows] == ["webhook.delete", "webhook.update", "webhook.create"]
    assert "hooks.example.org" in str([row.details for row in rows])
    for place in (caplog.text, str([row.details for row in rows])):
        assert "part-of-the-address" not in place


def test_every_secret_is_written_anew_with_the_first_key(world, settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.MARINA_ENCRYPTION_KEYS = [old]
    made = webhook_for(world.acme, URL)
    settings.MARINA_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_encryption_keys")
    settings.MARINA_ENCRYPTION_KEYS = [new]
    assert secret_decrypt(Webhook.objects.get().secret) == made.secret
    settings.MARINA_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match=f"webhook {made.webhook.pk}"):
        call_command("rotate_encryption_keys")
    happened(world.acme)
    deliver()
    assert "MARINA_ENCRYPTION_KEYS" in WebhookDelivery.objects.get().error
