"""What the engine asks of the database: at most four statements and two commits a step."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.models import Breaker, HostCluster, Operation, OperationKind
from provisioning.engine.slots import slots_tidy
from tests.clusters.making import host_row, operation_row
from tests.engine.conftest import fresh
from tests.engine.test_slots import on

CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")
CHANGES = ("UPDATE", "INSERT", "DELETE", "WITH")


def cost(run) -> tuple[int, int]:
    """Statements (BEGIN and COMMIT not counted) and commits. The test's own transaction makes savepoints of them."""
    with CaptureQueriesContext(connection) as captured:
        run()
    statements = [query["sql"] for query in captured]
    asked = [sql for sql in statements if not sql.startswith(CONTROL)]
    depth = commits = 0
    for sql in statements:
        if sql.startswith(("SAVEPOINT", "BEGIN")):
            depth += 1
        elif sql.startswith(("RELEASE", "COMMIT")):
            depth -= 1
            commits += depth == 0
        elif depth == 0 and sql.lstrip().startswith(CHANGES):
            commits += 1  # one statement that is a transaction of its own
    return len(asked), commits


def test_three_steps_that_touch_no_host(engine):
    engine.flow(*(engine.step(key, on_host=False) for key in ("one", "two", "three")))
    operation = engine.start()
    statements, commits = cost(engine.runner().run_next)
    assert fresh(operation).state == "Succeeded"
    assert statements <= 3 * 4
    assert commits <= 3 * 2


def test_three_steps_on_a_host_with_its_slot(engine, world):
    host = host_row()
    engine.flow(*(engine.step(key) for key in ("one", "two", "three")))
    first, second = on(host, world, "first"), on(host, world, "second")
    Operation.objects.filter(pk=second.pk).update(run_after=timezone.now() + timedelta(hours=1))
    engine.runner().run(first.pk)  # makes the host's slots
    Operation.objects.filter(pk=second.pk).update(run_after=None)
    statements, commits = cost(engine.runner().run_next)
    assert fresh(second).state == "Succeeded"
    assert statements <= 3 * 4 + 5, (
        "where it is placed, the host's breaker, its slot taken, freed, and who waits for it"
    )
    assert commits <= 3 * 2 + 1


def test_what_is_not_due_costs_one_statement(engine, world):
    operation_row(host_row(), OperationKind.CONNECT, state="Succeeded")
    statements, _ = cost(engine.runner().run_next)
    assert statements == 1


def test_the_safety_net_does_not_look_at_hosts_that_do_not_answer(engine, world):
    engine.flow(engine.step("one"))
    hosts = [host_row(f"dead-{number}") for number in range(5)]
    HostCluster.objects.update(breaker=Breaker.OPEN)
    for number, host in enumerate(hosts):
        engine.run(on(host, world, f"c-{number}"))
    assert Operation.objects.filter(waiting_host__isnull=False).count() == len(hosts)
    statements, _ = cost(slots_tidy)
    assert statements == 2
