"""Sealing: each committed row once, in the chain of its organization; and what was tampered with is named."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import AuditChain, AuditEvent, AuditPolicy, AuditSeal, AuditSealedRow, AuditWaiting
from accounts.services import audit_sealing
from accounts.services.audit_sealing import audit_retain, audit_seal, audit_segment_seal
from accounts.services.audit_verifying import audit_verify
from tests.accounts.audit_tampering import policy_stored, sealed_at, tamper, written
from tests.accounts.test_commands import run


@pytest.fixture(autouse=True)
def _policy(db) -> None:
    policy_stored()


@pytest.fixture
def acme(world):
    """acme's log, in three segments of two rows; the platform's and globex' are sealed, too."""
    audit_seal()
    for _ in range(3):
        written(world.acme, 2)
        audit_seal()
    return world.acme


def damages() -> list[str]:
    return audit_verify().damages


def last_seal(organization) -> AuditSeal:
    return AuditSeal.objects.filter(organization_id=organization.pk).order_by("-number")[0]


def test_every_row_is_sealed_once_in_the_chain_of_its_organization(world):
    count = AuditEvent.objects.count()
    assert audit_seal() == count
    assert audit_seal() == 0
    assert AuditSealedRow.objects.count() == count
    assert not AuditWaiting.objects.exists()
    written(world.acme)
    assert audit_seal() == 1
    first, second = AuditSeal.objects.filter(organization_id=world.acme.pk).order_by("number")
    assert (first.number, second.number, second.previous) == (1, 2, first.digest)
    assert {seal.organization_id for seal in AuditSeal.objects.all()} == {None, world.acme.pk, world.globex.pk}
    state = audit_verify()
    assert (state.damages, state.rows, state.tails) == ([], count + 1, [])


def test_segments_and_runs_are_bounded_and_the_next_run_goes_on(world, monkeypatch):
    audit_seal()
    monkeypatch.setattr(audit_sealing, "SEGMENT_ROWS", 3)
    monkeypatch.setattr(audit_sealing, "SEGMENTS_A_RUN", 2)
    written(world.acme, 8)
    assert [audit_seal(), audit_seal(), audit_seal()] == [6, 2, 0]
    assert damages() == []


def test_a_row_that_was_changed_is_named(acme):
    row = AuditEvent.objects.filter(organization_id=acme.pk).latest("id")
    tamper("UPDATE accounts_auditevent SET actor = 'nobody' WHERE id = %s", row.pk)
    (told,) = damages()
    assert told.startswith(f"acme: row {row.pk} (nobody project.update payments) was changed after it was sealed in")


@pytest.mark.parametrize(
    "change",
    [
        "result = 'denied'",
        "before = '{\"a\": 1}'",
        "created_at = created_at + interval '1 microsecond'",
        "organization_id = NULL",
        "address = '192.0.2.9'",
        "user_agent = 'x'",
    ],
)
def test_no_column_can_be_changed_unseen(acme, change):
    row = AuditEvent.objects.filter(organization_id=acme.pk).latest("id")
    tamper(f"UPDATE accounts_auditevent SET {change} WHERE id = %s", row.pk)
    assert any(str(row.pk) in told and "was changed" in told for told in damages())


def test_a_row_that_was_removed_is_named(acme):
    row = AuditEvent.objects.filter(organization_id=acme.pk).latest("id")
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", row.pk)
    number = last_seal(acme).number
    assert damages() == [f"acme: row {row.pk} is missing; it was number 2 of segment {number}."]


def test_a_row_that_was_removed_with_its_trace_leaves_a_segment_that_is_short(acme):
    row = AuditEvent.objects.filter(organization_id=acme.pk).latest("id")
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", row.pk)
    tamper("DELETE FROM accounts_auditsealedrow WHERE event_id = %s", row.pk)
    number = last_seal(acme).number
    assert damages() == [
        f"acme: segment {number} was sealed with 2 rows, and 1 of them are known.",
        f"acme: the digest of segment {number} is not that of its rows.",
    ]


def test_a_row_that_was_changed_with_its_digest_breaks_its_segments_seal(acme):
    seal = last_seal(acme)
    tamper("UPDATE accounts_auditsealedrow SET digest = repeat('0', 64) WHERE seal_id = %s AND place = 1", seal.pk)
    assert f"acme: the digest of segment {seal.number} is not that of its rows." in damages()


def segment_remove(seal: AuditSeal) -> None:
    keys = [row.event_id for row in seal.rows.all()]
    tamper("DELETE FROM accounts_auditevent WHERE id = ANY(%s)", keys)
    tamper("DELETE FROM accounts_auditsealedrow WHERE seal_id = %s", seal.pk)
    tamper("DELETE FROM accounts_auditseal WHERE id = %s", seal.pk)


def test_a_segment_that_was_removed_from_the_midst_is_a_gap(acme):
    last = last_seal(acme)
    segment_remove(AuditSeal.objects.get(organization_id=acme.pk, number=last.number - 1))
    assert damages() == [f"acme: the seal of segment {last.number - 1} is missing."]


def test_a_last_segment_that_was_removed_whole_is_missed(acme):
    last = last_seal(acme)
    segment_remove(last)
    assert damages() == [f"acme: the chain ends with segment {last.number - 1}, but {last.number} were sealed."]


def test_a_seal_that_was_made_anew_does_not_fit_the_next_one(acme):
    first = AuditSeal.objects.filter(organization_id=acme.pk).earliest("number")
    tamper("UPDATE accounts_auditseal SET digest = repeat('a', 64) WHERE id = %s", first.pk)
    assert damages() == [
        "acme: segment 2 does not hold the digest of the one before.",
        "acme: the digest of segment 1 is not that of its rows.",
    ]


def test_a_row_that_was_kept_from_being_sealed_is_named(acme):
    (row,) = written(acme)
    AuditWaiting.objects.filter(event_id=row.pk).delete()
    assert damages() == [f"acme: row {row.pk} ({row}) is in no segment and does not wait for one."]


def test_the_unsealed_tail_is_told_with_its_count_and_since_when(acme):
    first, _ = written(acme, 2)
    state = audit_verify()
    assert state.damages == []
    (tail,) = state.tails
    assert str(tail) == f"acme: 2 rows are not sealed yet, since {first.created_at:%Y-%m-%d %H:%M:%S} UTC."


def test_the_command_ends_with_1_where_something_is_amiss_and_looks_at_one_organization_if_asked(acme, world):
    assert run("audit_verify")[0].startswith("The audit log is as it was sealed: ")
    row = AuditEvent.objects.filter(organization_id=acme.pk).latest("id")
    tamper("DELETE FROM accounts_auditevent WHERE id = %s", row.pk)
    with pytest.raises(CommandError, match="is not as it was written") as failed:
        run("audit_verify", "--organization", "acme")
    assert failed.value.returncode == 1
    for other in ("globex", str(world.globex.pk), "platform"):
        assert "as it was sealed" in run("audit_verify", "--organization", other)[0]
    with pytest.raises(CommandError, match="no organization"):
        run("audit_verify", "--organization", "hooli")


# --- retention --------------------------------------------------------------------------------------------------------


def old(acme, *numbers: int, days: int = 401):
    for number in numbers:
        key = AuditSeal.objects.get(organization_id=acme.pk, number=number).pk
        tamper("UPDATE accounts_auditseal SET sealed_at = now() - make_interval(days => %s) WHERE id = %s", days, key)


def test_whole_segments_that_are_old_enough_are_dropped_and_their_seals_stay(acme):
    old(acme, 1, 2)
    kept = AuditEvent.objects.count()
    gone = sum(AuditSeal.objects.filter(organization_id=acme.pk, number__in=(1, 2)).values_list("count", flat=True))
    assert audit_retain(now=timezone.now()) == gone
    assert AuditEvent.objects.count() == kept - gone
    first, second, third, *_ = AuditSeal.objects.filter(organization_id=acme.pk).order_by("number")
    assert first.dropped_at is not None
    assert second.dropped_at is not None
    assert third.dropped_at is None
    state = audit_verify()
    assert (state.damages, state.dropped) == ([], 2)
    assert audit_retain(now=timezone.now()) == 0


def test_nothing_is_dropped_where_the_log_is_kept_for_ever(acme, settings):
    old(acme, 1)
    settings.AUDIT_RETENTION_DAYS = 0
    assert audit_retain(now=timezone.now()) == 0


def test_a_shorter_setting_alone_drops_nothing_before_the_owner_stored_it(acme, settings):
    old(acme, 1, days=10)
    settings.AUDIT_RETENTION_DAYS = 5
    assert AuditPolicy.objects.get().retention_days == 400
    assert audit_retain(now=timezone.now()) == 0
    call_command("migrate", verbosity=0)
    assert audit_retain(now=timezone.now()) > 0


# --- rows that are committed late -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_writers_that_commit_in_reverse_order_each_row_is_sealed_once():
    begun, commit = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                written(object_id="slow")
                begun.set()
                assert commit.wait(30)
        finally:
            connection.close()

    writer = threading.Thread(target=slow)
    writer.start()
    assert begun.wait(30)
    written(object_id="fast")
    assert audit_seal() == 1
    commit.set()
    writer.join(30)
    assert audit_seal() == 1
    rows = AuditSealedRow.objects.order_by("seal__number").values_list("event_id", flat=True)
    assert [AuditEvent.objects.get(pk=key).object_id for key in rows] == ["fast", "slow"]
    assert audit_verify().damages == []


@pytest.mark.django_db(transaction=True)
def test_of_sealers_at_once_none_seals_a_row_twice():
    written(count=20)
    start = threading.Barrier(4)
    found: list[int] = []

    def seal() -> None:
        try:
            start.wait(30)
            found.append(audit_segment_seal(organization_id=None))
        finally:
            connection.close()

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [0, 0, 0, 20]
    assert AuditChain.objects.get().number == 1
    assert audit_verify().damages == []


def test_a_seal_is_dated_by_the_database(world):
    audit_seal()
    seal = AuditSeal.objects.latest("id")
    forged = AuditSeal(
        number=99, count=1, first_event_id=seal.pk, last_event_id=seal.pk, form=1, digest="0" * 64,
        sealed_at=timezone.now() - timedelta(days=999),
    )  # fmt: skip
    forged.save(force_insert=True)
    forged.refresh_from_db()
    assert timezone.now() - forged.sealed_at < timedelta(minutes=5)
    sealed_at(timezone.now(), 99)
