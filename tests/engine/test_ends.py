"""Every operation ends: by its last step, by an abort, by what supersedes it. What that means is written with it."""

from threading import Event

import pytest
from django.db import transaction
from django.utils import timezone
from structlog.testing import capture_logs

from clusters.models import Operation, OperationKind, VirtualCluster, VirtualClusterPhase
from clusters.services.operations import operation_abort, operation_retry, operation_start
from dev.waiting import wait_until
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Wait
from provisioning.flows import FLOWS
from tests.accounts.conftest import MARINA
from tests.clusters.making import operation_row
from tests.engine.conftest import at_once, events, fresh, somebody_waits_for_a_lock, started

DELETE = OperationKind.DELETE


def abort(operation):
    return operation_abort(operation=operation, actor=MARINA, now=timezone.now())


def retry(operation):
    return operation_retry(operation=operation, actor=MARINA, now=timezone.now())


def fails(context):
    raise PermanentError("It is broken.", code="broken")


def labels_become(text):
    def hook(operation, now):
        VirtualCluster.objects.filter(pk=operation.virtual_cluster_id).update(labels={"hook": text})

    return hook


@pytest.fixture
def told(engine):
    """What the hooks wrote to the object."""

    def read() -> str:
        engine.cluster.refresh_from_db()
        return str(engine.cluster.labels.get("hook", ""))

    return read


HOOKS = {
    "on_start": labels_become("started"),
    "on_success": labels_become("succeeded"),
    "on_failure": labels_become("failed"),
    "on_abort": labels_become("aborted"),
}


# --- hooks ------------------------------------------------------------------------------------------------------------


def test_start_and_end_are_written_to_the_object_with_the_operation(engine, told):
    seen = []
    engine.flow(engine.step("one", lambda context: seen.append(told())), **HOOKS)
    engine.run(engine.start())
    assert (seen, told()) == (["started"], "succeeded")
    engine.flow(engine.step("one", fails), **HOOKS)
    engine.run(engine.start())
    assert told() == "failed"
    engine.flow(engine.step("one", lambda context: Wait(9, "Later.")), **HOOKS)
    operation = engine.start()
    engine.run(operation)
    abort(operation)
    engine.run(operation)
    assert told() == "aborted"


def raises(hook):
    """Writes as the hook does, then fails."""

    def broken(operation, now):
        hook(operation, now)
        raise ValueError("a defect in a hook")

    return broken


def test_a_hook_that_fails_undoes_the_end_and_the_step_is_tried_again(engine, told):
    engine.flow(engine.step("one"), on_success=raises(HOOKS["on_success"]))
    operation = engine.start()
    with capture_logs() as logs:
        row = engine.run(operation)
    assert (row.state, row.error_code, row.attempt, row.finished_at) == ("Error", "unexpected", 1, None)
    assert row.steps[0]["state"] == "current"
    assert told() == ""
    assert any(isinstance(entry.get("exc_info"), ValueError) for entry in logs)
    engine.flow(engine.step("one"), **HOOKS)
    assert engine.run_now(operation).state == "Succeeded"
    assert told() == "succeeded"


def test_a_start_that_fails_undoes_the_beginning_and_is_tried_again_until_the_limit(engine, told, settings):
    settings.ATTEMPT_LIMIT = 2
    engine.flow(engine.step("one"), on_start=raises(HOOKS["on_start"]), on_failure=HOOKS["on_failure"])
    operation = engine.start()
    row = engine.run(operation)
    assert (row.state, row.attempt, told()) == ("Error", 1, "")
    row = engine.run_now(operation)
    assert (row.state, row.steps[0]["state"], told()) == ("Failed", "failed", "failed")
    assert engine.ran == []


def test_an_operation_ends_even_where_its_object_cannot_be_told(engine, told):
    engine.flow(engine.step("one", fails), on_failure=raises(HOOKS["on_failure"]))
    row = engine.run(engine.start())
    assert (row.state, row.error_code, told()) == ("Failed", "broken", "")
    assert events(row) == [("one", "error", "It is broken.")]


# --- abort ------------------------------------------------------------------------------------------------------------


def test_an_abort_takes_effect_between_two_steps_and_keeps_who_asked_for_it(engine):
    engine.flow(engine.step("one", lambda context: abort(context.operation) and None), engine.step("two"))
    row = engine.run(engine.start())
    assert (row.state, row.message) == ("Aborted", "Aborted by tests.")
    assert engine.ran == ["one"]
    assert [each["state"] for each in row.steps] == ["done", "current"]
    assert ("", "warning", "Aborted by tests.") in events(row)


@pytest.mark.parametrize("answer", [Wait(60, "Later."), TemporaryError("Away.", code="unreachable")])
def test_an_abort_that_meets_a_step_which_waits_takes_effect_at_once(engine, answer):
    def does(context):
        abort(context.operation)
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine.flow(engine.step("one", does))
    row = engine.run(engine.start())
    assert (row.run_after, row.published_at, row.message) == (None, None, "Aborted by tests."), (
        "the waker brings it back"
    )
    row = engine.run(row)
    assert (row.state, row.message, engine.ran) == ("Aborted", "Aborted by tests.", ["one"])


def test_a_waiting_operation_is_aborted_without_waiting(engine):
    engine.flow(engine.step("one", lambda context: Wait(3600, "Later.")))
    operation = engine.start()
    engine.run(operation)
    assert not abort(operation).finished
    assert engine.run(operation).state == "Aborted"
    assert engine.ran == ["one"]


def test_an_operation_that_nobody_began_is_aborted_before_its_first_step(engine):
    engine.flow(engine.step("one"))
    operation = engine.start()
    abort(operation)
    assert engine.run(operation).state == "Aborted"
    assert engine.ran == []


def test_a_queued_operation_is_aborted_at_once(engine):
    provision = engine.start()
    delete = engine.start(DELETE)
    assert delete.state == "Queued"
    aborted = abort(delete)
    assert (aborted.state, aborted.finished_at is not None) == ("Aborted", True)
    engine.flow(engine.step("one"))
    assert engine.run(provision).state == "Aborted"
    assert fresh(delete).state == "Aborted", "it is not promoted any more"


def test_an_abort_during_the_last_step_comes_too_late(engine):
    engine.flow(engine.step("one", lambda context: abort(context.operation) and None))
    row = engine.run(engine.start())
    assert (row.state, row.message) == ("Succeeded", "")


# --- what follows -----------------------------------------------------------------------------------------------------


def test_a_delete_supersedes_a_provision_and_runs_when_that_has_ended(engine):
    engine.flow(engine.step("make", lambda context: Wait(600, "It starts.")))
    engine.flow(engine.step("remove"), kind=DELETE)
    provision = engine.start()
    engine.run(provision)
    delete = engine.start(DELETE)
    assert delete.state == "Queued"
    assert engine.run(delete).state == "Queued", "one at a time"
    row = engine.run(provision)
    assert (row.state, row.message) == ("Aborted", "Superseded by delete.")
    promoted = fresh(delete)
    assert (promoted.state, promoted.run_after) == ("Pending", None)
    assert engine.run(delete).state == "Succeeded"
    assert engine.ran == ["make", "remove"]


def test_a_second_delete_is_the_first_one_also_while_that_is_queued(engine):
    engine.start()
    first = engine.start(DELETE)
    again = started(engine.cluster, DELETE)
    assert (again.operation.pk, again.created) == (first.pk, False)
    assert fresh(first).state == "Queued"


def test_queued_operations_are_promoted_in_the_order_in_which_they_were_asked_for(engine):
    engine.flow(engine.step("one"))
    active = engine.start()
    queued = [operation_row(engine.cluster, OperationKind.PROVISION, state="Queued") for _ in range(3)]
    order = []
    following = active
    while following:
        engine.run(following)
        following = Operation.objects.filter(state="Pending").first()
        if following:
            order.append(following.pk)
    assert order == [each.pk for each in queued]
    assert set(Operation.objects.values_list("state", flat=True)) == {"Succeeded"}


@pytest.mark.parametrize("ends", ["success", "failure", "abort"])
def test_every_end_promotes(engine, ends):
    engine.flow(engine.step("one", fails if ends == "failure" else lambda context: None))
    active = engine.start()
    queued = operation_row(engine.cluster, OperationKind.PROVISION, state="Queued")
    if ends == "abort":
        abort(active)
    engine.run(active)
    assert fresh(queued).state == "Pending"


@pytest.mark.django_db(transaction=True)
def test_of_20_starts_at_once_one_becomes_active(engine):
    found = at_once(20, lambda number: started(engine.cluster))
    assert len({each.operation.pk for each in found}) == 1
    assert sum(each.created for each in found) == 1
    assert Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_asked_for_while_another_ends_is_never_left_queued(engine):
    """The request has seen the provision at work, and commits only when the worker already wants to end it."""
    engine.flow(engine.step("make"))
    engine.flow(engine.step("remove"), kind=DELETE)
    provision, asked = engine.start(), Event()

    def ask():
        with transaction.atomic():
            delete = operation_start(kind=DELETE, subject=engine.cluster, actor=MARINA, now=timezone.now())
            asked.set()
            wait_until(somebody_waits_for_a_lock, seconds=20, what="the worker did not wait for the request")
            return delete.operation

    def end():
        assert asked.wait(20)
        engine.run(provision)

    acts = (ask, end)
    delete, _ = at_once(2, lambda who: acts[who]())
    assert delete is not None
    assert (fresh(provision).state, fresh(delete).state) == ("Aborted", "Pending")
    assert engine.run(delete).state == "Succeeded"


@pytest.mark.django_db(transaction=True)
def test_a_request_and_a_worker_that_ends_never_lock_each_other_out(engine):
    ending = Event()

    def hook(operation, now):
        ending.set()
        wait_until(somebody_waits_for_a_lock, seconds=20, what="the request did not wait for the worker")
        HOOKS["on_success"](operation, now)

    engine.flow(engine.step("make"), on_success=hook)
    engine.flow(engine.step("remove"), kind=DELETE)
    provision = engine.start()

    def ask():
        assert ending.wait(20)
        return started(engine.cluster, DELETE).operation

    acts = (lambda: engine.run(provision), ask)
    ended, delete = at_once(2, lambda who: acts[who]())
    assert (ended.state, fresh(delete).state) == ("Succeeded", "Pending")


# --- retry ------------------------------------------------------------------------------------------------------------


def test_a_retry_goes_on_from_the_failed_step_with_all_attempts(engine, settings):
    settings.ATTEMPT_LIMIT = 2
    answers = [PermanentError("Not yet.", code="x"), TemporaryError("Hm.", code="y"), None]

    def does(context):
        answer = answers.pop(0)
        if answer:
            raise answer

    engine.flow(engine.step("one"), engine.step("two", does), **HOOKS)
    operation = engine.start()
    assert engine.run(operation).state == "Failed"
    tried = retry(operation)
    assert (tried.state, tried.error_code, tried.attempt, tried.finished_at) == ("Pending", "", 0, None)
    assert engine.run(operation).state == "Error"
    row = engine.run_now(operation)
    assert (row.state, row.error_message) == ("Succeeded", "")
    assert engine.ran == ["one", "two", "two", "two"]
    assert [each["state"] for each in row.steps] == ["done", "done"]
    assert ("", "info", "Tried again by tests.") in events(row)


# --- the real flows ---------------------------------------------------------------------------------------------------


def test_every_kind_has_a_flow_whose_steps_have_sentences_and_keys_of_their_own():
    assert set(FLOWS) == set(OperationKind)
    for kind, flow in FLOWS.items():
        assert flow.kind == kind
        keys = [step.key for step in flow.steps]
        assert len(set(keys)) == len(keys) > 0
        assert all(" " in step.name and step.name[0].isupper() for step in flow.steps)


def test_an_aborted_provision_leaves_its_cluster_failed_with_the_reason(engine):
    engine.flows = {**FLOWS}
    operation = engine.start()
    abort(operation)
    engine.run(operation)
    engine.cluster.refresh_from_db()
    assert engine.cluster.phase == VirtualClusterPhase.FAILED
    ready = engine.cluster.conditions[0]
    assert (ready["type"], ready["status"], ready["reason"], ready["message"]) == (
        "Ready",
        "False",
        "Aborted",
        "Aborted by tests.",
    )
