"""What fails or is aborted half way is put back, and comes to the end that it would have come to."""

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.errors import Conflict
from clusters.models import HostSlot, Operation, OperationKind, Placement
from clusters.services.operations import operation_abort, operation_retry, operation_start
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Wait
from tests.accounts.conftest import MARINA
from tests.clusters.making import host_row
from tests.engine.conftest import events


def abort(operation):
    return operation_abort(operation=operation, actor=MARINA, now=timezone.now())


def retry(operation):
    return operation_retry(operation=operation, actor=MARINA, now=timezone.now())


def fails(context):
    raise PermanentError("It is broken.", code="broken", hint="Mend it.")


def keys(row):
    return [(each["key"], each["state"]) for each in row.steps]


@pytest.fixture
def flow(engine):
    """A flow of three steps, of which the second does what it is told."""

    def make(does, *, undo=None, final=""):
        undone = engine.step("undo", undo) if undo else engine.step("undo")
        engine.flow(
            engine.step("one"),
            engine.step("two", does),
            engine.step("three"),
            undo=(undone, engine.step("tidy")),
            final=final,
        )

    return make


def test_what_failed_is_put_back_and_keeps_its_reason(engine, flow):
    flow(fails)
    row = engine.run(engine.start())
    assert engine.ran == ["one", "two", "undo", "tidy"]
    assert (row.state, row.error_code, row.error_hint) == ("Failed", "broken", "Mend it.")
    assert row.message == "“Do two” failed: It is broken."
    assert keys(row) == [("one", "done"), ("two", "failed"), ("undo", "done"), ("tidy", "done")]
    assert ("two", "error", "It is broken.") in events(row)


def test_what_succeeds_puts_nothing_back(engine, flow):
    flow(lambda context: None)
    row = engine.run(engine.start())
    assert (row.state, engine.ran) == ("Succeeded", ["one", "two", "three"])


def test_an_abort_is_put_back_too_and_says_who_asked_for_it(engine, flow):
    flow(lambda context: abort(context.operation) and None)
    row = engine.run(engine.start())
    assert engine.ran == ["one", "two", "undo", "tidy"]
    assert (row.state, row.message) == ("Aborted", "Aborted by tests.")
    assert keys(row) == [("one", "done"), ("two", "done"), ("three", "waiting"), ("undo", "done"), ("tidy", "done")]


def test_after_the_final_step_nothing_is_put_back(engine, flow):
    flow(fails, final="one")
    row = engine.run(engine.start())
    assert (row.state, engine.ran) == ("Failed", ["one", "two"])


def test_past_its_final_step_it_goes_on_to_its_end_whoever_asked_for_an_abort(engine, flow):
    def asked(context):
        Operation.objects.filter(pk=context.operation.pk).update(abort_requested=True, message="Aborted by tests.")

    flow(asked, final="two")
    row = engine.run(engine.start())
    assert (row.state, row.message, row.abort_requested) == ("Succeeded", "", False)
    assert engine.ran == ["one", "two", "three"]


def test_what_takes_its_place_ends_it_past_its_final_step_too(engine, flow):
    def superseded(context):
        with transaction.atomic():
            operation_start(kind=OperationKind.DELETE, subject=engine.cluster, actor=MARINA, now=timezone.now())

    flow(superseded, final="two")
    row = engine.run(engine.start())
    assert (row.state, row.message, engine.ran) == ("Aborted", "Superseded by delete.", ["one", "two"])


def test_putting_back_waits_and_goes_on_in_another_worker(engine, flow):
    answers = [Wait(60, "Not yet."), None]
    flow(fails, undo=lambda context: answers.pop(0))
    operation = engine.start()
    row = engine.run(operation)
    assert (row.state, row.message, row.undoing["state"]) == ("Processing", "Not yet.", "Failed")
    row = engine.run_now(operation)
    assert (row.state, row.error_code) == ("Failed", "broken")
    assert engine.ran == ["one", "two", "undo", "undo", "tidy"]


def test_nobody_aborts_what_is_being_put_back(engine, flow):
    flow(fails, undo=lambda context: Wait(60, "Not yet."))
    operation = engine.start()
    engine.run(operation)
    with pytest.raises(Conflict, match="being put back"):
        abort(operation)


def test_what_supersedes_it_waits_until_it_was_put_back(engine, flow):
    answers = [Wait(60, "Not yet."), Wait(60, "Not yet."), None]
    flow(fails, undo=lambda context: answers.pop(0))
    operation = engine.start()
    engine.run(operation)
    with transaction.atomic():
        following = operation_start(
            kind=OperationKind.DELETE, subject=engine.cluster, actor=MARINA, now=timezone.now()
        ).operation
    row = engine.run_now(operation)
    assert (row.state, row.abort_requested, row.run_after is not None) == ("Processing", False, True)
    assert engine.run_now(operation).state == "Failed"
    assert Operation.objects.get(pk=following.pk).state == "Pending"


def test_putting_back_is_tried_again_and_its_own_failure_is_told_after_the_first(engine, flow, settings):
    settings.ATTEMPT_LIMIT = 2

    def away(context):
        raise TemporaryError("The host is away.", code="unreachable")

    flow(fails, undo=away)
    operation = engine.start()
    assert engine.run(operation).state == "Error"
    row = engine.run_now(operation)
    assert (row.state, row.error_code) == ("Failed", "unreachable")
    assert row.message.startswith("“Do two” failed: It is broken. “Do undo” failed: The host is away.")


def test_a_retry_goes_on_putting_back_where_that_failed_and_begins_anew_where_all_was_put_back(engine, flow):
    broken = [True]

    def undo(context):
        if broken.pop():
            raise PermanentError("No.", code="no")

    flow(fails, undo=undo)
    operation = engine.start()
    assert engine.run(operation).error_code == "no"
    broken.append(False)
    row = engine.run(retry(operation))
    assert (row.state, row.error_code) == ("Failed", "broken"), "now it is put back, and its first reason stands"
    engine.ran.clear()
    flow(lambda context: None)
    row = engine.run(retry(operation))
    assert (row.state, engine.ran) == ("Succeeded", ["one", "two", "three"])
    assert row.undoing is None


def test_a_slot_that_a_dead_worker_held_on_the_other_host_is_given_back(engine):
    """Of what has to do with two hosts an operation holds a slot of one at a time."""
    here, there = host_row("here"), host_row("there")
    for host, role in ((here, "active"), (there, "target")):
        Placement.objects.create(
            virtual_cluster=engine.cluster, host=host, role=role, namespace="marina-x", release="x"
        )
    engine.flow(engine.step("one", on_target=True), engine.step("two"), kind=OperationKind.MIGRATE)
    operation = engine.start(OperationKind.MIGRATE)
    HostSlot.objects.create(host=here, number=0, operation=operation)
    row = engine.run(operation)
    assert (row.state, engine.ran) == ("Succeeded", ["one", "two"])
    assert not HostSlot.objects.filter(operation__isnull=False).exists()
