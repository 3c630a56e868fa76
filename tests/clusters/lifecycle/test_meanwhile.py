"""What people do while the sweep is about to delete: whoever uses or keeps a cluster in time keeps it."""

from datetime import timedelta

import pytest

from accounts.errors import Conflict
from accounts.models import Notification, User
from accounts.services.audit import Actor
from clusters.lifecycle.signal import SignalKind
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from clusters.services.cleanup_keeping import virtual_cluster_extend
from clusters.services.cleanup_switching import cleanup_switch_set
from clusters.services.configuring import virtual_cluster_configure
from clusters.services.transferring import virtual_cluster_transfer
from clusters.services.virtual_clusters import virtual_cluster_delete, virtual_cluster_update
from tests.clusters.lifecycle.conftest import NOW
from tests.clusters.lifecycle.days import DAY, HOUR
from tests.clusters.lifecycle.runs import ran
from tests.clusters.lifecycle.test_cleanup import DUE, deletions, swept
from tests.clusters.making import operation_row

BEGUN = [{"key": "export-objects", "state": "current"}, {"key": "uninstall-release", "state": "waiting"}]
TAKING = [{"key": "export-objects", "state": "done"}, {"key": "uninstall-release", "state": "current"}]


@pytest.fixture
def doomed(made, book) -> VirtualCluster:
    """Its deletion was begun by the sweep; no worker took it up yet."""
    row: VirtualCluster = made(days=100, **DUE)
    swept()
    assert ran(now=NOW, read_signals=book).deleted == 1
    return row


def deletion() -> Operation:
    return Operation.objects.get(kind=OperationKind.DELETE)


# --- what is at work --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wake", "restore", "configure", "export"])
@pytest.mark.parametrize("state", ["Pending", "Processing", "Queued"])
def test_nothing_is_deleted_while_something_of_it_waits_or_is_at_work(made, book, kind, state):
    row = made(days=100, **DUE)
    going_on = operation_row(row, OperationKind(kind), state=OperationState(state))
    swept()
    run = ran(now=NOW, read_signals=book)
    assert (run.deleted, deletions()) == (0, 0)
    going_on.refresh_from_db()
    assert not going_on.abort_requested
    assert (going_on.state, run.items.get(action="delete").refused) == (state, f"Something of it is at work: {kind}.")
    going_on.state = OperationState.SUCCEEDED
    going_on.save(update_fields=["state"])
    if kind in ("configure", "export"):
        assert ran(now=NOW + HOUR, read_signals=book).deleted == 1


def test_what_is_being_restored_is_not_put_to_sleep_behind_it(made, book):
    row = made(days=30)
    operation_row(row, OperationKind.RESTORE, state=OperationState.PROCESSING)
    swept()
    assert ran(now=NOW, read_signals=book).put_to_sleep == 0
    assert not Operation.objects.filter(kind=OperationKind.SLEEP).exists()


@pytest.mark.parametrize("kind", ["wake", "restore"])
@pytest.mark.parametrize("state", ["Succeeded", "Failed", "Aborted"])
def test_whoever_asked_to_wake_or_to_restore_it_wants_it_whatever_came_of_that(made, book, world, kind, state):
    row = made(days=100, **DUE)
    asked = operation_row(row, OperationKind(kind), state=OperationState(state), requested_by=world.olivia)
    Operation.objects.filter(pk=asked.pk).update(created_at=NOW - DAY, finished_at=NOW - DAY)
    swept()
    run = ran(now=NOW, read_signals=book)
    assert (run.deleted, run.cleared) == (0, 1)


# --- what was begun ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [[], BEGUN])
def test_an_extension_ends_a_deletion_that_took_nothing_yet(doomed, world, steps):
    Operation.objects.update(steps=steps)
    if steps:
        VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETING)
    kept = virtual_cluster_extend(
        virtual_cluster=doomed, seconds=86400, actor=Actor(user=world.olivia), now=NOW + timedelta(minutes=1)
    )
    assert deletion().abort_requested
    assert kept.cleanup_at is None
    assert kept.kept_until is not None
    assert kept.kept_until > NOW + DAY


def test_an_extension_is_refused_from_when_something_is_taken(doomed, world):
    Operation.objects.update(steps=TAKING, state="Processing")
    VirtualCluster.objects.update(phase=VirtualClusterPhase.DELETING)
    with pytest.raises(Conflict):
        virtual_cluster_extend(virtual_cluster=doomed, seconds=86400, actor=Actor(user=world.olivia), now=NOW)
    assert not deletion().abort_requested


def test_what_a_person_deletes_is_not_kept_by_an_extension(made, world):
    row, actor = made(days=100), Actor(user=world.olivia)
    virtual_cluster_delete(virtual_cluster=row, actor=actor, now=NOW)
    with pytest.raises(Conflict, match="is being deleted"):
        virtual_cluster_extend(virtual_cluster=row, seconds=86400, actor=actor, now=NOW)
    assert not deletion().abort_requested


def test_protection_ends_a_deletion_that_took_nothing_yet(doomed, world):
    virtual_cluster_update(virtual_cluster=doomed, actor=Actor(user=world.olivia), deletion_protection=True)
    assert deletion().abort_requested


def test_protection_that_comes_with_a_change_ends_it_too(doomed, world):
    virtual_cluster_configure(virtual_cluster=doomed, actor=Actor(user=world.olivia), now=NOW, deletion_protection=True)
    assert deletion().abort_requested


def test_the_switch_ends_the_deletions_that_took_nothing_yet(made, book, people, world):
    for name in ("one", "two"):
        made(name, days=100, **DUE)
    own = made("own", days=1)
    virtual_cluster_delete(virtual_cluster=own, actor=Actor(user=world.olivia), now=NOW)
    swept()
    assert ran(now=NOW, read_signals=book).deleted == 2
    taking = Operation.objects.get(virtual_cluster__name="two")
    Operation.objects.filter(pk=taking.pk).update(steps=TAKING)
    cleanup_switch_set(stopped=True, reason="The policy was wrong.", actor=Actor(user=people.op), now=NOW)
    ended = dict(Operation.objects.values_list("virtual_cluster__name", "abort_requested"))
    assert ended == {"one": True, "two": False, "own": False}


def test_use_that_is_seen_before_a_worker_took_it_up_ends_its_deletion(doomed, book):
    book.known[doomed.pk].uses.append((NOW + timedelta(minutes=5), SignalKind.GATEWAY_PERSON, "somebody"))
    ran(now=NOW + HOUR, read_signals=book)
    assert deletion().abort_requested
    assert VirtualCluster.objects.get().cleanup_at is None


# --- dates and owners -------------------------------------------------------------------------------------------------


def test_a_short_extension_never_shortens_a_longer_one(made, world):
    row, actor = made(days=10), Actor(user=world.olivia)
    long = virtual_cluster_extend(virtual_cluster=row, seconds=20 * 86400, actor=actor, now=NOW)
    short = virtual_cluster_extend(virtual_cluster=row, seconds=3600, actor=actor, now=NOW + HOUR)
    assert (short.kept_until, long.kept_until) == (NOW + 20 * DAY, NOW + 20 * DAY)


def test_a_new_owner_is_warned_as_often_as_any_other(made, book, world, people):
    row = made(days=100, **DUE)
    swept()
    virtual_cluster_transfer(virtual_cluster=row, owner=people.dan, actor=Actor(user=world.olivia), now=NOW)
    run = ran(now=NOW, read_signals=book)
    assert (run.deleted, run.warned) == (0, 1)
    assert VirtualCluster.objects.get().cleanup_at == NOW + 7 * DAY


def test_nothing_is_deleted_of_which_nobody_could_be_warned(made, book):
    row = made(days=1000, serving=False)
    User.objects.filter(is_service_account=False).update(is_active=False)
    swept()
    for hour in range(0, 30 * 24, 6):
        ran(now=NOW + hour * HOUR, read_signals=book)
    assert not Notification.objects.filter(subject_id=str(row.pk)).exists()
    assert deletions() == 0


def test_whoever_used_it_shortly_before_its_date_is_seen_before_it_is_deleted(made, book):
    used, idle = made("used", days=100, **DUE), made("idle", days=100, **DUE)
    for each in (used, idle):  # nobody has looked inside for two hours, and looks again three hours later
        book.known[each.pk].stuck = (NOW - 2 * HOUR, NOW + 3 * HOUR)
    swept()
    assert [ran(now=NOW + hour * HOUR, read_signals=book).deleted for hour in range(3)] == [0, 0, 0]
    book.known[used.pk].uses.append((NOW - HOUR, SignalKind.CHANGE, "kubectl"))
    run = ran(now=NOW + 3 * HOUR, read_signals=book)
    assert (run.deleted, run.cleared, deletion().virtual_cluster) == (1, 1, idle)
