"""People hear of what failed, of hosts that do not answer, and of credentials that end: each once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Notification
from clusters.models import Breaker, HostCluster, HostCredential, HostScope, OperationKind, OperationState
from clusters.services.announcing import operations_announce
from clusters.services.credentials import credentials_renew
from clusters.services.host_notices import TOLD_AFTER, hosts_tell
from tests.accounts.machines import machine
from tests.accounts.webhook_making import webhook_for
from tests.clusters.making import cluster_row, host_row, operation_row

NOW = timezone.now()


def told(kind: str) -> dict[str, list[str]]:
    """Texts by who was told."""
    found: dict[str, list[str]] = {}
    for row in Notification.objects.filter(kind=kind).select_related("recipient").order_by("pk"):
        found.setdefault(row.recipient.handle, []).append(row.text)
    return found


def failed(world, user, state=OperationState.FAILED, **fields):
    fields = {"finished_at": NOW, "error_message": "The quota is too small.", "error_hint": "Ask for more.", **fields}
    cluster = cluster_row(world, f"of-{user.handle[:10] if user else 'marina'}")
    return operation_row(cluster, OperationKind.PROVISION, state=state, requested_by=user, **fields)


@pytest.mark.parametrize("webhook", [False, True])
def test_whoever_asked_for_it_hears_once_that_an_operation_failed(world, people, webhook):
    if webhook:
        webhook_for(world.acme, "https://hooks.example.org/")
    operation = failed(world, people.dan)
    for _ in range(2):
        operations_announce(now=NOW)
    assert told("operation-failed") == {
        "dan": ["provision of acme/payments/of-dan failed. The quota is too small. Ask for more."]
    }
    operation.finished_at = NOW + timedelta(minutes=1)  # it was tried again
    operation.save()
    operations_announce(now=NOW + timedelta(minutes=1))
    assert len(told("operation-failed")["dan"]) == 2


def test_what_a_program_asked_for_is_told_the_projects_admins(world, people):
    failed(world, machine(world.payments).user)
    operations_announce(now=NOW)
    assert set(told("operation-failed")) == {"ada"}


def test_nobody_hears_of_what_ended_well_long_ago_or_was_begun_by_marina(world, people):
    failed(world, people.dan, OperationState.SUCCEEDED)
    failed(world, people.ada, OperationState.ABORTED)
    failed(world, people.vera, finished_at=NOW - timedelta(days=2))
    failed(world, None)
    assert operations_announce(now=NOW) == 4
    assert told("operation-failed") == {}


def silent(host, minutes: int) -> None:
    since = NOW - timedelta(minutes=minutes)
    HostCluster.objects.filter(pk=host.pk).update(breaker=Breaker.OPEN, breaker_since=since)


def test_a_host_that_does_not_answer_is_told_once_after_a_while_and_once_when_it_is_back(world, people, host):
    silent(host, 4)
    assert hosts_tell(now=NOW) == 0
    silent(host, 5)
    assert [hosts_tell(now=NOW), hosts_tell(now=NOW + TOLD_AFTER)] == [1, 0]
    assert set(told("host-unreachable")) == {"op", "staff"}
    HostCluster.objects.update(breaker=Breaker.HALF_OPEN, breaker_since=NOW)
    assert hosts_tell(now=NOW) == 0, "it only tries"
    HostCluster.objects.update(breaker=Breaker.CLOSED, breaker_since=NOW)
    assert [hosts_tell(now=NOW), hosts_tell(now=NOW)] == [1, 0]
    first, second = told("host-unreachable")["op"]
    assert "has not answered since" in first
    assert "answers again" in second


def test_of_an_organizations_own_host_its_admins_hear(world, people):
    silent(host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme), 6)
    assert hosts_tell(now=NOW) == 1
    assert set(told("host-unreachable")) == {"olivia"}


def test_a_credential_that_marina_cannot_renew_is_told_once_in_time_and_once_when_it_ended(world, people, host):
    credentials = HostCredential.objects.filter(host=host)
    credentials.update(issued_at=NOW - timedelta(days=60), expires_at=NOW + timedelta(days=20), renewable=False)
    credentials_renew(now=NOW)
    assert told("credential-expiring") == {}
    for days in (10, 11, 12):
        credentials_renew(now=NOW + timedelta(days=days))
    assert {who: len(texts) for who, texts in told("credential-expiring").items()} == {"op": 1, "staff": 1}
    for days in (21, 22):
        credentials_renew(now=NOW + timedelta(days=days))
    assert {who: len(texts) for who, texts in told("credential-expiring").items()} == {"op": 2, "staff": 2}
