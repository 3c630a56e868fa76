"""Events out of the audit log: none is lost to a transaction that takes long, and none is made twice."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import AuditEvent, EventPosition, WebhookDelivery
from accounts.services.audit import audit_record
from accounts.services.audit_events import audit_events_publish
from accounts.services.projects import project_create
from accounts.services.role_bindings import role_binding_delete
from dev.waiting import wait_until
from tests.accounts.audit_tampering import as_owner
from tests.accounts.conftest import MARINA, give, person, world_make
from tests.accounts.webhook_making import webhook_for

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://hooks.example.org/marina"


ELSEWHERE = """
SELECT count(*) FROM pg_stat_activity
WHERE datname <> current_database() AND backend_xid IS NOT NULL
  AND backend_xid::text::bigint <= (SELECT coalesce(max(written_in), 0) FROM accounts_auditevent)
"""
"""Transactions in other databases of the server, such as that of the whole Marina of other tests: they count too."""


def publish() -> None:
    """Until nothing is left."""
    wait_until(_nothing_elsewhere, seconds=30, what="Transactions of other databases did not end")
    while audit_events_publish(now=timezone.now()):
        pass


def _nothing_elsewhere() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ELSEWHERE)
        return bool(cursor.fetchone()[0] == 0)


@pytest.fixture
def world():
    found = world_make()
    publish()
    return found


def invited(name: str) -> AuditEvent:
    """As if somebody had been invited to acme: any audited action that is an event does."""
    from accounts.models import Organization

    acme = Organization.objects.get(name="acme")
    return audit_record(
        actor=MARINA, action="invitation.create", kind="invitation", object_id=name, name=name, organization_id=acme.pk
    )


def told() -> list[str]:
    rows = WebhookDelivery.objects.filter(type="invitation.created").order_by("id")
    return [row.payload["data"]["object"]["name"] for row in rows]


def test_what_was_there_before_is_no_news_and_what_comes_then_is(world):
    webhook_for(world.acme, URL)
    publish()
    assert WebhookDelivery.objects.count() == 0
    invited("one")
    publish()
    assert told() == ["one"]
    publish()
    assert told() == ["one"]


def test_a_role_is_told_with_who_has_it_where_to_the_organization_and_its_project(world):
    for project in (None, world.payments, world.search):
        webhook_for(world.acme, URL, project=project, events=["role.*"])
    publish()
    binding = give(person("dan"), "developer", world.payments)
    publish()
    role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
    publish()
    rows = list(WebhookDelivery.objects.order_by("id"))
    assert [row.type for row in rows] == ["role.given"] * 2 + ["role.taken"] * 2
    assert {row.webhook.project for row in rows} == {None, world.payments}
    data = rows[0].payload["data"]
    assert data["details"]["subject"]["name"] == "dan"
    assert data["project"] == {
        "id": str(world.payments.pk),
        "name": "payments",
        "organization": {"id": str(world.acme.pk), "name": "acme"},
    }
    assert data["actor"] == {"id": None, "handle": "tests"}
    assert rows[0].event_id == rows[1].event_id, "one event has one id, whoever is told of it"


def test_a_row_that_is_committed_after_younger_ones_were_told_is_told_as_well(world):
    webhook_for(world.acme, URL)
    publish()
    written, commit = threading.Event(), threading.Event()

    def slowly() -> None:
        with transaction.atomic():
            invited("slow")
            written.set()
            commit.wait(20)
        connection.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    assert written.wait(10)
    invited("quick")
    publish()
    assert told() == [], "it waits for what may still be committed before it"
    commit.set()
    thread.join()
    invited("last")
    publish()
    assert sorted(told()) == ["last", "quick", "slow"]


def test_two_jobs_at_once_make_each_event_once(world):
    webhook_for(world.acme, URL)
    publish()
    for number in range(40):
        invited(f"n-{number}")
    barrier = threading.Barrier(3)

    def job() -> None:
        barrier.wait()
        for _ in range(5):
            audit_events_publish(now=timezone.now())
        connection.close()

    threads = [threading.Thread(target=job) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publish()
    assert len(told()) == 40
    assert len(set(told())) == 40


def test_what_was_refused_or_undone_and_what_is_no_event_is_not_told(world):
    webhook_for(world.acme, URL)
    publish()
    AuditEvent.objects.create(
        actor="x",
        action="invitation.create",
        object_kind="invitation",
        object_id="1",
        organization_id=world.acme.pk,
        result="denied",
    )
    with transaction.atomic():
        invited("undone")
        transaction.set_rollback(True)
    project_create(actor=MARINA, organization=world.acme, name="more")
    publish()
    assert WebhookDelivery.objects.count() == 0


def test_in_a_database_loaded_from_a_dump_what_is_old_is_not_told_again(world):
    webhook_for(world.acme, URL)
    publish()
    old = invited("old")
    with transaction.atomic(), as_owner() as cursor:
        cursor.execute("UPDATE accounts_auditevent SET created_at = now() - interval '3 days' WHERE id = %s", [old.pk])
    # numbers of transactions begin anew there, so the position is far ahead of them
    EventPosition.objects.update(transaction=2**50)
    publish()
    assert EventPosition.objects.get().transaction < 2**50
    EventPosition.objects.update(transaction=old.written_in - 1)
    invited("new")
    publish()
    assert told() == ["new"]


def test_without_any_webhook_nothing_is_read_and_nothing_of_it_is_told_later(world):
    invited("unheard")
    assert audit_events_publish(now=timezone.now()) == 0
    webhook_for(world.acme, URL)
    publish()
    assert told() == []
