"""What the engine asks of the database: about two statements and two commits a step, however many operations wait."""

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.models import Breaker, HostCluster, Operation, OperationKind
from provisioning.engine.slots import slots_tidy
from tests.clusters.making import host_row, operation_row
from tests.engine.conftest import fresh
from tests.engine.test_fairness import claimed, many, of_globex
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
    assert statements == 6, "the claim, the beginning, two steps, its object's lock, the end"
    assert commits == 5


def test_three_steps_on_a_host_with_its_slot(engine, world):
    host = host_row()
    engine.flow(*(engine.step(key) for key in ("one", "two", "three")))
    first, second = on(host, world, "first"), on(host, world, "second")
    Operation.objects.filter(pk=second.pk).update(run_after=timezone.now() + timedelta(hours=1))
    engine.runner().run(first.pk)  # makes the host's slots
    Operation.objects.filter(pk=second.pk).update(run_after=None)
    statements, commits = cost(engine.runner().run_next)
    assert fresh(second).state == "Succeeded"
    assert statements == 6 + 6, (
        "its cluster, where it is placed, the host's breaker, its slot taken, freed, and who waits for it"
    )
    assert commits == 5 + 1


def rows_read(plan: dict[str, Any]) -> int:
    """Of tables and indexes, by this part of a plan and those below it."""
    below = sum(rows_read(part) for part in plan.get("Plans", ()))
    if "Relation Name" not in plan or "Scan" not in plan["Node Type"]:
        return below
    return below + int(plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)))


def claim_reads() -> int:
    """How many rows a claim looks at; it is made."""
    with CaptureQueriesContext(connection) as captured:
        claimed(1)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {captured[0]['sql']}")
        found = cursor.fetchone()[0]
    return rows_read((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])


def test_a_claim_costs_the_same_however_many_operations_of_an_organization_wait(engine, world):
    first = many(world, 20)[0]
    of_globex(world)
    now = timezone.now()
    more = [
        Operation(kind=first.kind, organization=first.organization, lock_key=f"more:{number}", published_at=now)
        for number in range(3000)
    ]
    Operation.objects.bulk_create(more)
    with connection.cursor() as cursor:
        # as autovacuum does it; statistics that another test left would have the planner take the table for empty
        cursor.execute(f"ANALYZE {Operation._meta.db_table}")
    assert claim_reads() < 40


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
