"""Lists cost the same number of queries with 5 rows and with 100."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.models import OperationEvent, OperationKind, OperationState
from tests.accounts.conftest import person, signed_in
from tests.clusters.making import host_row, operation_row, ready_row

LISTS = ("host-clusters", "virtual-clusters", "operations")


def grow(world, start: int, end: int) -> None:
    for number in range(start, end):
        host = host_row(f"h-{number}")
        host.offered_to_organizations.add(world.acme)
        owner = person(f"owner-{number}")
        fields: dict[str, Any] = {"owner_user": owner, "creator": owner}
        if number % 2:
            fields = {"owner_user": None, "owner_team": world.dockers, "creator": owner}
        cluster = ready_row(world, host, f"c-{number}", **fields)
        operation = operation_row(cluster, OperationKind.DELETE, requested_by=owner, state=OperationState.FAILED)
        operation_row(host, OperationKind.CONNECT)
        OperationEvent.objects.create(operation=operation, time=timezone.now(), text="x")


def queries(client, path: str) -> tuple[int, int]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return len(captured), len(answer.json()["results"])


@pytest.mark.parametrize("who", ["dan", "op", "olivia"])
def test_lists_cost_the_same_number_of_queries_with_5_and_with_100_rows(world, people, who):
    client = signed_in(getattr(people, who, None) or world.olivia)
    client.get("/api/v1/me")  # the token's last use is written once
    paths = [f"/api/v1/{noun}?page_size=200" for noun in LISTS]
    grow(world, 0, 5)
    few = [queries(client, path) for path in paths]
    grow(world, 5, 100)
    many = [queries(client, path) for path in paths]
    assert [count for count, _ in few] == [count for count, _ in many]
    assert max(count for count, _ in many) <= 7, many
    assert many[0][1] == 100


def test_creating_and_looking_at_one_cost_the_same_too(world, people, dan):
    dan.get("/api/v1/me")
    counts = []
    for start, end in ((0, 5), (5, 60)):
        grow(world, start, end)
        with CaptureQueriesContext(connection) as captured:
            answer = dan.post("/api/v1/virtual-clusters", {"project": "acme/payments", "name": f"new-{start}"}, "json")
        assert answer.status_code == 202, answer.content
        with CaptureQueriesContext(connection) as shown:
            dan.get(f"/api/v1/virtual-clusters/{answer.json()['virtual_cluster']['id']}")
        counts.append((len(captured), len(shown)))
    assert counts[0] == counts[1]


def test_no_list_reads_a_secret(world, people, dan):
    grow(world, 0, 2)
    with CaptureQueriesContext(connection) as captured:
        for noun in LISTS:
            dan.get(f"/api/v1/{noun}")
    sql = " ".join(query["sql"] for query in captured)
    for column in ("ciphertext", '"candidate"', "sealed_result", '"params"'):
        assert column not in sql
