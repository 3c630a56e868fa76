"""Steps run in their order; what came of each is written, and told in sentences."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from clusters.models import Operation, OperationState
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Skip, Wait, step
from tests.clusters.making import cluster_row
from tests.engine.conftest import events, fresh


def test_steps_run_in_their_order_each_with_its_sentence_state_and_times(engine):
    seen = []
    first = engine.step("first", lambda context: seen.append(fresh(context.operation).steps))
    engine.flow(first, engine.step("second"), engine.step("third"))
    begun = timezone.now()
    done = engine.run(engine.start())
    assert engine.ran == ["first", "second", "third"]
    assert done.state == OperationState.SUCCEEDED
    assert [(each["key"], each["name"], each["state"]) for each in done.steps] == [
        ("first", "Do first", "done"),
        ("second", "Do second", "done"),
        ("third", "Do third", "done"),
    ]
    times = [text for each in done.steps for text in (each["started_at"], each["finished_at"])]
    assert times == sorted(times)
    assert begun <= done.started_at <= done.finished_at <= timezone.now()
    # while the first ran, the others were there to be seen
    assert [each["state"] for each in seen[0]] == ["current", "waiting", "waiting"]
    assert (done.lease_expires_at, done.lease_owner, done.message) == (None, "", "")


def test_a_steps_key_is_its_functions_name_and_its_name_the_sentence_for_people():
    @step("Make the bed")
    def make_the_bed(context):
        return None

    assert (make_the_bed.key, make_the_bed.name) == ("make-the-bed", "Make the bed")


def test_a_step_that_had_nothing_to_do_says_why(engine):
    engine.flow(engine.step("only", lambda context: Skip("It was there already.")))
    done = engine.run(engine.start())
    assert (done.state, done.steps[0]["state"], done.steps[0]["note"]) == ("Succeeded", "done", "It was there already.")


def test_a_step_that_waits_hands_its_operation_back_and_is_asked_again(engine):
    answers = [Wait(30, "The API server starts."), Wait(0.5, "Nearly."), None]
    engine.flow(engine.step("wait", lambda context: answers.pop(0)), engine.step("after"))
    operation = engine.start()
    waiting = engine.run(operation)
    assert (waiting.state, waiting.message, waiting.attempt) == ("Processing", "The API server starts.", 0)
    assert (waiting.lease_expires_at, waiting.lease_owner, waiting.published_at) == (None, "", None)
    assert timedelta(seconds=28) < waiting.run_after - timezone.now() <= timedelta(seconds=30)
    assert len(engine.notified) == 1
    assert abs(engine.notified[0] - waiting.run_after) < timedelta(seconds=1)
    engine.run(operation)
    assert engine.ran == ["wait"], "not before its time"
    assert engine.run_now(operation).message == "Nearly."
    assert engine.run_now(operation).state == "Succeeded"
    assert engine.ran == ["wait", "wait", "wait", "after"]
    assert fresh(operation).message == ""


def _fails_with(error):
    def does(context):
        raise error

    return does


def test_a_temporary_error_is_tried_again_with_growing_delays_until_the_limit(engine, settings):
    settings.ATTEMPT_LIMIT, settings.RETRY_BASE_SECONDS, settings.RETRY_CAP_SECONDS = 6, 4.0, 50.0
    trouble = TemporaryError("The host does not answer.", code="unreachable", hint="Wait a little.")
    engine.flow(engine.step("first"), engine.step("call", _fails_with(trouble)))
    operation = engine.start()
    delays = []
    for attempt in range(1, 6):
        row = engine.run_now(operation)
        assert (row.state, row.attempt, row.error_code) == ("Error", attempt, "unreachable")
        assert (row.error_message, row.error_hint) == ("The host does not answer.", "Wait a little.")
        assert row.message.startswith("The host does not answer. Next attempt in ")
        assert row.steps[1]["state"] == "current"
        delays.append((row.run_after - timezone.now()).total_seconds())
    for whole, delay in zip((4, 8, 16, 32, 50), delays, strict=True):
        assert whole * 0.5 - 1 < delay <= whole
    assert len({round(delay / whole, 2) for whole, delay in zip((4, 8, 16, 32, 50), delays, strict=True)}) > 1, "jitter"
    failed = engine.run_now(operation)
    assert (failed.state, failed.error_code) == ("Failed", "unreachable")
    assert failed.message == "“Do call” failed: The host does not answer. (given up after 6 attempts)"
    assert failed.steps[1]["state"] == "failed"
    warnings = [("call", "warning", f"Attempt {number}: The host does not answer.") for number in range(1, 6)]
    assert events(operation)[:-1] == warnings
    assert events(operation)[-1][1] == "error"
    assert engine.ran == ["first"] + ["call"] * 6, "a step that is done is not repeated"


def test_the_other_sides_retry_after_is_kept(engine):
    engine.flow(engine.step("call", _fails_with(TemporaryError("Too many.", code="busy", retry_after=120))))
    row = engine.run(engine.start())
    assert timedelta(seconds=118) < row.run_after - timezone.now() <= timedelta(seconds=120)


def test_the_other_side_cannot_ask_for_more_than_the_longest_pause(engine, settings):
    settings.RETRY_CAP_SECONDS = 50.0
    engine.flow(engine.step("call", _fails_with(TemporaryError("Too many.", code="busy", retry_after=86400))))
    row = engine.run(engine.start())
    assert row.run_after - timezone.now() <= timedelta(seconds=50)
    assert row.message == "Too many. Next attempt in 50 s."


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_worker_whose_clock_is_off_hands_back_for_the_time_it_means(engine, hours):
    engine.flow(engine.step("wait", lambda context: Wait(30, "Later.")))
    engine.clock = lambda: timezone.now() + timedelta(hours=hours)
    row = engine.run(engine.start())
    assert timedelta(seconds=28) < row.run_after - timezone.now() <= timedelta(seconds=30)


def _worker_dies(engine, operation):
    """Its lease stays, and runs out."""
    with pytest.raises(KeyboardInterrupt):
        engine.run(operation)
    type(operation).objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


ENDED = "The worker ended in the middle of this step."


def test_a_step_that_kills_each_worker_ends_failed_after_the_attempts_there_are(engine, settings):
    settings.ATTEMPT_LIMIT = 3
    engine.flow(engine.step("one"), engine.step("deadly", _fails_with(KeyboardInterrupt())))
    operation = engine.start()
    for _ in range(3):
        _worker_dies(engine, operation)
    row = engine.run(operation)
    assert (row.state, row.error_code) == ("Failed", "worker-ended")
    assert row.error_message == f"{ENDED} (given up after 3 attempts)"
    assert engine.ran == ["one"] + ["deadly"] * 3
    assert events(row)[:2] == [("deadly", "warning", ENDED)] * 2
    assert row.steps[1]["state"] == "failed"


def test_a_steps_deadline_may_depend_on_its_operation(engine):
    def seconds(operation):
        return float(operation.params["patience"])

    engine.flow(engine.step("wait", lambda context: Wait(0.0, "Not yet."), deadline=seconds))
    operation = engine.start()
    for patience, state in ((100, "Processing"), (100, "Processing"), (10, "Failed")):
        Operation.objects.filter(pk=operation.pk).update(params={"patience": patience})
        row = engine.run_now(operation)
        assert row.state == state
        engine.clock = lambda: timezone.now() + timedelta(seconds=50)
    assert row.error_message == "“Do wait” took longer than 10 s. Last seen: Not yet."


def test_a_step_that_killed_two_workers_is_not_begun_again_after_its_deadline(engine):
    engine.flow(engine.step("deadly", _fails_with(KeyboardInterrupt()), deadline=90))
    operation = engine.start()
    _worker_dies(engine, operation)
    engine.clock = lambda: timezone.now() + timedelta(seconds=91)
    _worker_dies(engine, operation)
    assert engine.ran == ["deadly"] * 2, "all workers may have been away for long: the first time counts as no fault"
    row = engine.run(operation)
    assert (row.state, row.error_code, len(engine.ran)) == ("Failed", "worker-ended", 2)
    assert row.error_message == f"“Do deadly” took longer than 90 s. Last seen: {ENDED}"


def test_a_step_that_is_done_after_its_worker_ended_leaves_no_attempt_behind(engine):
    ends = [KeyboardInterrupt(), None]

    def does(context):
        if end := ends.pop(0):
            raise end

    engine.flow(engine.step("one", does), engine.step("two", lambda context: Wait(1, "Later.")))
    operation = engine.start()
    _worker_dies(engine, operation)
    row = engine.run(operation)
    assert (row.message, row.attempt, events(row)) == ("Later.", 0, [("one", "warning", ENDED)])


def test_what_is_to_be_aborted_is_aborted_also_where_its_worker_ended(engine, settings):
    settings.ATTEMPT_LIMIT = 1
    engine.flow(engine.step("deadly", _fails_with(KeyboardInterrupt())))
    operation = engine.start()
    _worker_dies(engine, operation)
    type(operation).objects.update(abort_requested=True)
    assert engine.run(operation).state == "Aborted"


def test_attempts_are_counted_anew_for_each_step_and_errors_are_forgotten_when_it_goes_on(engine):
    answers = [TemporaryError("Once.", code="x"), None, TemporaryError("Twice.", code="y"), Wait(1, "Soon."), None]

    def does(context):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine.flow(engine.step("one", does), engine.step("two", does))
    operation = engine.start()
    assert engine.run(operation).attempt == 1
    row = engine.run_now(operation)
    assert (row.state, row.step, row.attempt, row.error_message) == ("Error", 1, 1, "Twice.")
    row = engine.run_now(operation)
    assert (row.state, row.message, row.attempt, row.error_code, row.error_message) == (
        "Processing",
        "Soon.",
        0,
        "",
        "",
    )
    assert engine.run_now(operation).state == "Succeeded"


def test_a_permanent_error_fails_the_operation_at_once_with_code_and_hint(engine):
    trouble = PermanentError("The credential is refused.", code="unauthorized", hint="Connect the host anew.")
    engine.flow(engine.step("call", _fails_with(trouble)), engine.step("never"))
    row = engine.run(engine.start())
    assert (row.state, row.error_code, row.error_hint) == ("Failed", "unauthorized", "Connect the host anew.")
    assert row.message == "“Do call” failed: The credential is refused."
    assert [each["state"] for each in row.steps] == ["failed", "waiting"]
    assert row.finished_at is not None
    assert events(row) == [("call", "error", "The credential is refused.")]
    assert engine.ran == ["call"]


def test_an_unexpected_exception_counts_as_temporary_is_logged_and_shows_nothing_of_the_inside(engine):
    engine.flow(engine.step("call", _fails_with(ZeroDivisionError("password=hunter2"))))
    with capture_logs() as logs:
        row = engine.run(engine.start())
    assert (row.state, row.error_code, row.attempt) == ("Error", "unexpected", 1)
    assert row.error_message == "Something unexpected went wrong (ZeroDivisionError)."
    assert "hunter2" not in str(events(row)) + row.message + row.error_hint
    told = next(entry for entry in logs if entry["log_level"] == "error")
    assert isinstance(told["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize("trouble", [Wait(1, "The pod is Pending."), TemporaryError("Still away.", code="unreachable")])
def test_a_step_that_takes_longer_than_its_deadline_fails_with_what_was_seen_last(engine, trouble):
    does = _fails_with(trouble) if isinstance(trouble, Exception) else lambda context: trouble
    engine.flow(engine.step("wait", does, deadline=90))
    operation = engine.start()
    assert not engine.run(operation).finished
    engine.clock = lambda: timezone.now() + timedelta(seconds=91)
    row = engine.run_now(operation)
    assert (row.state, row.error_code) == ("Failed", "deadline" if isinstance(trouble, Wait) else "unreachable")
    last = trouble.why if isinstance(trouble, Wait) else trouble.message
    assert row.error_message == f"“Do wait” took longer than 90 s. Last seen: {last}"


def test_a_deadline_is_each_steps_own_and_the_settings_where_it_names_none(engine, settings):
    settings.STEP_DEADLINE_SECONDS = 5
    clock = [timezone.now()]
    engine.clock = lambda: clock[0]

    def slow(context):
        clock[0] += timedelta(seconds=4)

    waits = [Wait(1, "Not yet."), None]
    engine.flow(engine.step("one", slow), engine.step("two", slow), engine.step("three", lambda context: waits.pop(0)))
    operation = engine.start()
    assert engine.run(operation).message == "Not yet.", "eight seconds in all, but none of three's"
    clock[0] += timedelta(seconds=4)
    assert engine.run_now(operation).state == "Succeeded"


def test_a_worker_that_stops_hands_back_after_its_step(engine):
    def stop(context):
        engine.stopping = True

    engine.flow(engine.step("one", stop), engine.step("two"))
    operation = engine.start()
    row = engine.run(operation)
    assert (row.state, row.message) == ("Processing", "The worker is stopping; another one goes on.")
    assert (row.lease_expires_at, row.run_after, row.published_at) == (None, None, None)
    assert [each["state"] for each in row.steps] == ["done", "current"]
    engine.stopping = False
    assert engine.run(operation).state == "Succeeded"
    assert engine.ran == ["one", "two"]


def test_what_a_worker_of_another_time_left_begun_is_done_again_from_its_step(engine):
    engine.flow(engine.step("one"), engine.step("two", _fails_with(KeyboardInterrupt())), engine.step("three"))
    operation = engine.start()
    with pytest.raises(KeyboardInterrupt):  # as near to a dead worker as a thread gets: nothing more is written
        engine.run(operation)
    type(operation).objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    engine.flow(engine.step("one"), engine.step("two"), engine.step("three"))
    assert engine.run(operation).state == "Succeeded"
    assert engine.ran == ["one", "two", "two", "three"]


def test_a_step_costs_at_most_4_statements_and_one_transaction(engine, world):
    def statements(steps: int) -> tuple[int, int]:
        engine.cluster = cluster_row(world, f"steps-{steps}")
        engine.flow(*[engine.step(f"s-{number}") for number in range(steps)])
        operation = engine.start()
        with CaptureQueriesContext(connection) as captured:
            assert engine.run(operation).state == "Succeeded"
        sql = [query["sql"] for query in captured]
        # within the test's own transaction each of the engine's is a savepoint
        return sum("SAVEPOINT" not in each for each in sql), sum(each.startswith("SAVEPOINT") for each in sql)

    (few, few_commits), (many, many_commits) = statements(1), statements(11)
    assert (many - few) / 10 <= 4
    assert (many_commits - few_commits) / 10 <= 1
