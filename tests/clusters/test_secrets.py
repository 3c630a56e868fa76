"""A host's credential is in the database as ciphertext and nowhere else: no answer, page, audit row or log has it."""

import json
import logging
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, IdempotentRequest
from clusters.connection import HostConnection
from clusters.encryption import connection_decrypt, connection_encrypt
from clusters.models import HostCluster, HostCredential, HostPhase, Operation, OperationKind, OperationState
from clusters.services.credentials import credentials_renew
from tests.accounts.conftest import signed_in
from tests.clusters.making import host_row, operation_row
from tests.clusters.rules.kubeconfigs import CLIENT_KEY_PEM, base64_of, kubeconfig_with

TOKEN = "canary-token-7f3a9c"


# --- where it is not --------------------------------------------------------------------------------------------------


def opened(ciphertext) -> HostConnection:
    return connection_decrypt(bytes(ciphertext))


def everything_stored() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


def test_a_kubeconfig_that_was_sent_is_stored_only_as_ciphertext_and_logged_nowhere(op, caplog):
    caplog.set_level(logging.DEBUG)
    good = kubeconfig_with(user={"token": TOKEN})
    headers = {"Idempotency-Key": "k"}
    answers = [
        op.post("/api/v1/host-clusters", {"name": "east", "kubeconfig": good}, "json", headers=headers),
        op.post("/api/v1/host-clusters", {"name": "east", "kubeconfig": good}, "json", headers=headers),
        op.post("/api/v1/host-clusters", {"name": "Bad!", "kubeconfig": good}, "json"),
        op.post(
            "/api/v1/host-clusters",
            {"name": "west", "kubeconfig": kubeconfig_with(user={"token": TOKEN, "exec": {"args": [TOKEN]}})},
            "json",
        ),
        op.post("/api/v1/host-clusters", {"name": "west", "kubeconfig": f"{{{TOKEN}"}, "json"),
        op.get("/api/v1/host-clusters"),
        op.get("/api/v1/operations"),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 400, 400, 400, 200, 200]
    said = "".join(answer.content.decode() for answer in answers)
    for place in (said, caplog.text, everything_stored()):
        assert TOKEN not in place
        assert base64_of(TOKEN) not in place
        assert CLIENT_KEY_PEM.splitlines()[1] not in place
    assert opened(HostCredential.objects.get().candidate).token == TOKEN
    assert IdempotentRequest.objects.exists()
    assert TOKEN not in json.dumps(list(AuditEvent.objects.values()), default=str)
    assert TOKEN not in repr(HostConnection(server="https://x", token=TOKEN))


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_every_credential_is_written_anew_with_the_first_key(db, settings, capsys):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.MARINA_ENCRYPTION_KEYS = [old]
    host = host_row()
    HostCredential.objects.update(candidate=connection_encrypt(HostConnection(server="https://x", token=TOKEN)))
    host_row("west")
    erased = host_row("failed")
    HostCredential.objects.filter(host=erased).update(ciphertext=None)
    settings.MARINA_ENCRYPTION_KEYS = [new, old]
    call_command("rotate_encryption_keys")
    assert "3 credentials" in capsys.readouterr().out
    settings.MARINA_ENCRYPTION_KEYS = [new]
    row = HostCredential.objects.get(host=host)
    assert opened(row.ciphertext).server == "https://east.example:6443"
    assert opened(row.candidate).token == TOKEN
    settings.MARINA_ENCRYPTION_KEYS = [old]
    with pytest.raises(ImproperlyConfigured, match="None of MARINA_ENCRYPTION_KEYS opens"):
        opened(row.ciphertext)


def test_a_rotation_that_cannot_read_a_credential_changes_none_and_says_so(db, settings):
    host_row("east")
    settings.MARINA_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    host_row("west")
    before = [bytes(row.ciphertext or b"") for row in HostCredential.objects.order_by("id")]
    with pytest.raises(CommandError, match="east"):
        call_command("rotate_encryption_keys")
    assert [bytes(row.ciphertext or b"") for row in HostCredential.objects.order_by("id")] == before


def test_without_any_key_nothing_is_encrypted_and_the_reason_names_the_setting(db, settings):
    settings.MARINA_ENCRYPTION_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="MARINA_ENCRYPTION_KEYS is not set"):
        host_row()


# --- renewal ----------------------------------------------------------------------------------------------------------

NOW = timezone.now()


def with_life(host: HostCluster, *, age: timedelta, left: timedelta, renewable: bool = True) -> HostCluster:
    HostCredential.objects.filter(host=host).update(issued_at=NOW - age, expires_at=NOW + left, renewable=renewable)
    return host


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def test_a_token_is_renewed_from_half_of_its_life_on_and_once(db):
    with_life(host_row("young"), age=hours(4), left=hours(4.1))
    due = with_life(host_row("due"), age=hours(4.1), left=hours(4))
    endless = host_row("endless")
    HostCredential.objects.filter(host=endless).update(renewable=True)
    assert credentials_renew(now=NOW) == 1
    operation = Operation.objects.get()
    assert (operation.kind, operation.host, operation.requested_by) == (OperationKind.RENEW_CREDENTIAL, due, None)
    assert credentials_renew(now=NOW) == 0, "it is at work"


def tries(host: HostCluster, *, every: timedelta) -> list[timedelta]:
    """When renewals are started where each one fails within a minute, measured to the end of the token."""
    found = []
    ends = HostCredential.objects.get(host=host).expires_at
    now = NOW
    while ends and now < ends:
        if credentials_renew(now=now):
            found.append(ends - now)
            Operation.objects.exclude(state=OperationState.FAILED).update(
                state=OperationState.FAILED, finished_at=now + timedelta(minutes=1)
            )
        now += every
    return found


def test_a_renewal_that_fails_is_tried_once_an_hour_until_the_token_ends(db):
    host = with_life(host_row(), age=timedelta(days=15), left=timedelta(days=15))
    HostCredential.objects.filter(host=host).update(expires_at=NOW + hours(24))
    found = tries(host, every=timedelta(minutes=2))
    assert 20 <= len(found) <= 24
    assert found[-1] < hours(2)


@pytest.mark.parametrize("life", [hours(1), hours(8)])
def test_a_short_lived_token_gets_at_least_10_tries(db, life):
    host = with_life(host_row(), age=life / 2, left=life / 2)
    assert 10 <= len(tries(host, every=timedelta(seconds=60))) <= 15


def test_a_host_that_is_not_connected_is_left_alone(db):
    with_life(host_row("failed", phase=HostPhase.FAILED), age=hours(9), left=hours(1))
    assert credentials_renew(now=NOW) == 0


def test_a_renewal_does_not_disturb_a_new_credential_that_is_being_proved(db):
    host = with_life(host_row(), age=hours(9), left=hours(1))
    operation_row(host, OperationKind.CONNECT, state=OperationState.PROCESSING)
    assert credentials_renew(now=NOW) == 0
    assert Operation.objects.count() == 1


@pytest.mark.parametrize(
    ("left", "reason"),
    [(timedelta(days=15), "NotSoon"), (timedelta(days=13), "CannotRenew"), (timedelta(seconds=-1), "Expired")],
)
def test_where_it_cannot_be_renewed_a_condition_tells_the_date_and_warns_in_time(db, op, left, reason):
    host = with_life(host_row(), age=timedelta(days=60), left=left, renewable=False)
    assert credentials_renew(now=NOW) == 0
    conditions = op.get(f"/api/v1/host-clusters/{host.pk}").json()["conditions"]
    (condition,) = conditions
    warns = reason != "NotSoon"
    told = ("CredentialExpiring", "True" if warns else "False", reason)
    assert (condition["type"], condition["status"], condition["reason"]) == told
    assert f"{NOW + left:%Y-%m-%d %H:%M} UTC" in condition["message"]
    assert ("marina host connect" in condition["message"]) == warns


@pytest.mark.parametrize(("age", "status"), [(hours(3), "False"), (hours(5), "True")])
def test_a_short_lived_credential_is_warned_of_at_half_of_its_life(db, age, status):
    host = with_life(host_row(), age=age, left=hours(8) - age, renewable=False)
    credentials_renew(now=NOW)
    assert expiring(host)["status"] == status


def expiring(host: HostCluster) -> dict[str, str]:
    found: dict[str, str] = HostCluster.objects.get(pk=host.pk).conditions[0]
    return found


def test_a_warning_ends_with_the_credential_it_was_about(db):
    host = with_life(host_row(), age=timedelta(days=60), left=hours(1), renewable=False)
    credentials_renew(now=NOW)
    assert expiring(host)["status"] == "True"
    HostCredential.objects.filter(host=host).update(expires_at=None)
    credentials_renew(now=NOW)
    assert (expiring(host)["status"], expiring(host)["reason"]) == ("False", "NoEnd")


def test_what_a_renewal_told_stays_until_the_next_one_tells_more(db):
    told = {"type": "CredentialExpiring", "status": "True", "reason": "RenewalFailed", "message": "no"}
    told["last_transition_time"] = NOW.isoformat()
    host = with_life(host_row(conditions=[told]), age=hours(1), left=hours(7))
    credentials_renew(now=NOW)
    assert expiring(host) == told


def test_credentials_are_shown_by_their_end_only(op, people):
    host = with_life(host_row(), age=hours(1), left=hours(1))
    shown = signed_in(people.op).get(f"/api/v1/host-clusters/{host.pk}").json()
    assert shown["credential_expires_at"] is not None
    assert {key for key in shown if "credential" in key} == {"credential_expires_at"}
