"""What becomes of an operation that meets another one stands in one table, which is complete and kept."""

import io
from itertools import product

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from accounts.errors import Conflict
from clusters.kinds import HOST_KINDS, MEETINGS, UNLOCKED_KINDS, VIRTUAL_CLUSTER_KINDS, Meeting
from clusters.models import Operation, OperationKind, OperationState
from clusters.services.operations import operation_start
from tests.accounts.conftest import MARINA
from tests.clusters.making import cluster_row, host_row, operation_row

PAIRS = [*product(HOST_KINDS, HOST_KINDS), *product(VIRTUAL_CLUSTER_KINDS, VIRTUAL_CLUSTER_KINDS)]


def test_every_kind_has_its_place():
    placed = [*HOST_KINDS, *VIRTUAL_CLUSTER_KINDS, *UNLOCKED_KINDS]
    assert sorted(placed) == sorted(OperationKind)


def test_every_pair_of_kinds_of_one_object_has_its_meeting_and_no_other():
    assert set(MEETINGS) == set(PAIRS)


def test_delete_is_never_made_to_wait_for_its_turn_behind_what_it_undoes():
    for kind in VIRTUAL_CLUSTER_KINDS:
        expected = Meeting.NO_OP if kind == OperationKind.DELETE else Meeting.SUPERSEDE
        assert MEETINGS[OperationKind.DELETE, kind] is expected


def start(kind, subject):
    with transaction.atomic():
        return operation_start(kind=kind, subject=subject, actor=MARINA, now=timezone.now())


@pytest.fixture
def subject(world):
    """A host or a virtual cluster, by the kind."""
    host, cluster = host_row(), cluster_row(world)
    return lambda kind: host if kind in HOST_KINDS else cluster


@pytest.mark.parametrize(("new", "active"), PAIRS)
@pytest.mark.parametrize("state", [OperationState.PENDING, OperationState.PROCESSING, OperationState.ERROR])
def test_the_table_is_kept(subject, new, active, state):
    before = operation_row(subject(new), active, state=state)
    meeting = MEETINGS[new, active]
    if meeting is Meeting.REFUSE:
        with pytest.raises(Conflict) as refused:
            start(new, subject(new))
        assert refused.value.operation_id == before.pk
        assert str(before.pk) in refused.value.hint
        assert Operation.objects.count() == 1
        return
    found = start(new, subject(new))
    before.refresh_from_db()
    assert found.created == (meeting is not Meeting.NO_OP)
    assert (found.operation.pk == before.pk) == (meeting is Meeting.NO_OP)
    assert before.abort_requested == (meeting is Meeting.SUPERSEDE)
    assert before.state == state, "its worker ends it"
    if found.created:
        assert found.operation.state == OperationState.QUEUED


@pytest.mark.parametrize("new", [*HOST_KINDS, *VIRTUAL_CLUSTER_KINDS])
def test_what_is_being_aborted_decides_nothing_but_is_waited_for(subject, new):
    operation_row(subject(new), new, state=OperationState.PROCESSING, abort_requested=True)
    found = start(new, subject(new))
    assert (found.created, found.operation.state) == (True, OperationState.QUEUED)


def test_a_newer_connect_supersedes_those_before_it_and_leaves_a_renewal_at_work(subject):
    host = subject(OperationKind.CONNECT)
    renewal = operation_row(host, OperationKind.RENEW_CREDENTIAL, state=OperationState.PROCESSING)
    first = start(OperationKind.CONNECT, host).operation
    second = start(OperationKind.CONNECT, host).operation
    for row in (renewal, first):
        row.refresh_from_db()
    assert (renewal.abort_requested, first.state, second.state) == (False, "Aborted", "Queued")
    assert first.finished_at is not None


@pytest.mark.parametrize("state", [OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED])
def test_what_has_ended_is_met_no_more(subject, state):
    cluster = subject(OperationKind.DELETE)
    operation_row(cluster, OperationKind.DELETE, state=state)
    found = start(OperationKind.PROVISION, cluster)
    assert (found.created, found.operation.state) == (True, OperationState.PENDING)


def test_an_unlocked_kind_meets_nobody(subject):
    cluster = subject(OperationKind.DELETE)
    operation_row(cluster, OperationKind.DELETE, state=OperationState.PROCESSING)
    found = [start(OperationKind.ISSUE_KUBECONFIG, cluster) for _ in range(2)]
    assert [(each.created, each.operation.state) for each in found] == [(True, "Pending")] * 2


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_of_the_table_is_up_to_date():
    call_command("render_kinds", "--check")


def test_an_outdated_page_fails_the_check(tmp_path, settings):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    with pytest.raises(CommandError, match="out of date"):
        call_command("render_kinds", "--check")
    call_command("render_kinds", stdout=io.StringIO())
    call_command("render_kinds", "--check")
    page = (tmp_path / "docs" / "operation-kinds.md").read_text()
    assert f"| `delete` | {'supersede | ' * 10}no-op |" in page
