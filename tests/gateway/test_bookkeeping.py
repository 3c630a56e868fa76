"""The books of one gateway: written in batches, kept while the database is away, bounded, and without secrets."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, OperationalError
from structlog.testing import capture_logs

from clusters.models import GatewayRequest
from clusters.services.cluster_uses import Use
from clusters.services.gateway_access import Caller
from gateway.bookkeeping import AT_ONCE, Bookkeeper
from gateway.claimed import Claimed
from gateway.database import Database
from gateway.records import Record, client_of, request_told
from gateway.resources import doing

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
CLUSTER = uuid4()
CALLER = Caller(
    user_id=uuid4(),
    handle="dan",
    name="Dan",
    service_account=False,
    team_ids=(),
    level="admin",
    token="mar_abcd1234",
    token_prefix="abcd1234",
    access_token_id=None,
    gateway_token_id=None,
    cluster_id=CLUSTER,
    cluster_name="acme/payments/hello",
    project_id=uuid4(),
    organization_id=uuid4(),
    broken_glass=False,
    until=None,
    token_until=NOW,
)
READ = Record(
    at=NOW,
    caller=CALLER,
    doing=doing("GET", "/api/v1/namespaces/web/pods/a", ""),
    status=200,
    seconds=0.01,
    address="192.0.2.7",
    user_agent="kubectl/v1.36.3 (linux/amd64) kubernetes/abc",
)
WRITE = replace(READ, doing=doing("DELETE", "/api/v1/namespaces/web/pods/a", ""))


@dataclass
class Shelf:
    """Takes batches as the services do; `away` is how the database fails, `slow` holds it up."""

    uses: list[Use] = field(default_factory=list)
    requests: list[GatewayRequest] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    away: type[Exception] | None = None
    slow: threading.Event | None = None
    begun: threading.Event = field(default_factory=threading.Event)

    def uses_add(self, *, uses: list[Use]) -> None:
        self._take(uses)
        self.uses += uses

    def requests_add(self, *, requests: list[GatewayRequest]) -> None:
        self._take(requests)
        self.requests += requests

    def _take(self, batch: list[Any]) -> None:
        self.begun.set()
        if self.slow is not None:
            self.slow.wait(10)
        if self.away is not None:
            raise self.away("no")
        self.batches.append(len(batch))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def books(shelf) -> Bookkeeper:
    return keeper(shelf)


def keeper(shelf: Shelf, **most: Any) -> Bookkeeper:
    return Bookkeeper(Database(threads=1), uses_add=shelf.uses_add, requests_add=shelf.requests_add, **most)


def write(books: Bookkeeper) -> bool:
    return asyncio.run(books.write())


@pytest.mark.parametrize(
    ("wanted", "record", "written"),
    [
        ("none", WRITE, 0),
        ("none", READ, 0),
        ("writes", WRITE, 1),
        ("writes", READ, 0),
        ("all", READ, 1),
        ("none", replace(READ, caller=replace(CALLER, broken_glass=True)), 1),
        ("none", replace(READ, acting_as=Claimed(user="joe")), 1),
        ("none", replace(READ, acting_as=Claimed(), refused_for="impersonation", status=400), 1),
    ],
)
def test_a_request_is_written_down_and_logged_where_its_project_wants_it(books, shelf, wanted, record, written):
    with capture_logs() as lines:
        books.book(replace(record, wanted=wanted))
    assert write(books)
    assert len(shelf.requests) == written
    assert len([line for line in lines if line["event"] == "request"]) == written
    used = not record.refused_for
    assert len(shelf.uses) == int(used), "that it is used is noted whatever the project wants"


def test_a_line_has_what_the_row_has_in_words_of_json(books, shelf):
    with capture_logs() as lines:
        books.book(WRITE)
    write(books)
    (line,), (row,) = lines, shelf.requests
    assert (line["user"], line["verb"], line["resource"], line["name"]) == ("dan", "delete", "pods", "a")
    assert line["at"] == "2026-11-26T10:00:00+00:00"
    for key, value in request_told(WRITE).items():
        assert key in line
        if key != "id":
            assert getattr(row, key) == value
    assert line["id"] == str(row.id)


def test_requests_of_one_person_become_one_use_with_counts_and_the_last_times(books, shelf):
    for second in range(10):
        at = NOW + timedelta(seconds=second)
        books.book(replace(READ if second % 2 else WRITE, at=at))
    books.book(replace(READ, user_agent="Helm/3.19.0"))
    write(books)
    by_client = {use.client: use for use in shelf.uses}
    assert set(by_client) == {"kubectl", "helm"}
    mine = by_client["kubectl"]
    assert (mine.reads, mine.writes) == (5, 5)
    assert (mine.last_read_at, mine.last_write_at) == (NOW + timedelta(seconds=9), NOW + timedelta(seconds=8))


def test_what_the_gateway_refused_or_what_broke_off_is_no_use_but_is_written_down(books, shelf):
    books.book(replace(WRITE, status=503, refused_for="asleep"))
    books.book(replace(WRITE, status=0))
    write(books)
    assert shelf.uses == []
    assert [(row.status, row.refused_for) for row in shelf.requests] == [(503, "asleep"), (0, "")]


def test_asking_what_one_may_is_reading():
    assert doing("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "").reads
    assert doing("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "").reads
    assert not doing("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "").reads
    assert not doing("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", "").reads
    assert not doing("GET", "/api/v1/namespaces/a/pods/b/exec", "command=sh").reads


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        ("kubectl/v1.36.3 (linux/amd64) kubernetes/abc", "kubectl"),
        ("Helm/3.19.0", "helm"),
        ("argocd-application-controller/v3.0.0 (linux/amd64)", "argocd-application-controller"),
        ("OpenAPI-Generator/33.1.0/python", "openapi-generator"),
        ("x" * 300, "x" * 40),
        ("", ""),
        ("\x00<script>", ""),
        ("ümlaut/1", ""),
    ],
)
def test_the_kind_of_client_is_its_products_word(agent, client):
    assert client_of(agent) == client


def test_while_the_database_is_away_nothing_is_lost_and_nothing_is_told_twice(books, shelf):
    shelf.away = OperationalError
    books.book(WRITE)
    assert not write(books)
    books.book(replace(WRITE, at=NOW + timedelta(seconds=1)))
    assert not write(books)
    assert (shelf.uses, shelf.requests) == ([], [])
    shelf.away = None
    assert write(books)
    assert write(books)
    assert sum(use.writes for use in shelf.uses) == 2
    assert len({row.pk for row in shelf.requests}) == len(shelf.requests) == 2


def test_what_finds_no_room_while_the_database_is_away_is_counted_told_and_logged_all_the_same(shelf):
    shelf.away = OperationalError
    books = keeper(shelf, most_requests=3, most_uses=2)
    with capture_logs() as lines:
        for number in range(10):
            books.book(replace(WRITE, user_agent=f"c{number}"))
        write(books)
        write(books)
    gaps = {line["book"]: line["dropped"] for line in lines if line["event"].startswith("the books have gaps")}
    assert gaps == {"requests": 7, "uses": 8}
    assert len([line for line in lines if line["event"] == "request"]) == 10
    shelf.away = None
    write(books)
    assert (len(shelf.requests), len(shelf.uses)) == (3, 2)


def test_a_batch_that_the_database_will_never_take_holds_up_no_other(shelf):
    books = keeper(shelf)
    shelf.away = DataError
    books.book(WRITE)
    with capture_logs() as lines:
        assert write(books)
    assert [line["book"] for line in lines if "refuses" in line["event"]] == ["uses", "requests"]
    shelf.away = None
    books.book(WRITE)
    assert write(books)
    assert (len(shelf.requests), len(shelf.uses)) == (1, 1)


def test_batches_are_no_longer_than_a_statement_should_be(books, shelf):
    for number in range(AT_ONCE + 10):
        books.book(replace(WRITE, user_agent=f"c{number}"))
    write(books)
    assert sorted(shelf.batches) == [10, 10, AT_ONCE, AT_ONCE]


def test_at_the_end_what_is_left_is_written_and_what_is_being_written_is_waited_for(shelf):
    shelf.slow = threading.Event()
    books = keeper(shelf)

    async def run() -> None:
        books.book(WRITE)
        keeping = asyncio.create_task(books.write())
        await asyncio.to_thread(shelf.begun.wait, 10)
        books.book(replace(WRITE, at=NOW + timedelta(seconds=1)))
        closing = asyncio.create_task(books.close(seconds=10))
        assert shelf.slow is not None
        shelf.slow.set()
        await closing
        await keeping

    asyncio.run(run())
    assert sum(use.writes for use in shelf.uses) == 2
    assert len(shelf.requests) == 2


def test_at_the_end_a_database_that_is_away_is_not_waited_for_longer_than_said(shelf):
    shelf.away = OperationalError
    books = keeper(shelf)
    books.book(WRITE)
    began = time.monotonic()
    with capture_logs() as lines:
        asyncio.run(books.close(seconds=0.6))
    assert time.monotonic() - began < 5
    assert {line["book"]: line["dropped"] for line in lines if "dropped" in line} == {"uses": 1, "requests": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda record: replace(record, user_agent="\x00kubectl\nforged=1" + "x" * 300),
        lambda record: replace(record, acting_as=Claimed(user="\ud800" + "a" * 500, uid="\n" * 300)),
        lambda record: replace(record, acting_as=Claimed(groups=("\x00", "b" * 300) * 500, extras=("c\n",) * 90)),
        lambda record: replace(record, acting_as=Claimed(groups=("mar_abcd1234_hush" + "hush" * 10,))),
        lambda record: replace(record, doing=doing("DELETE", "/api/v1/namespaces/%00/pods/%0a" + "y" * 400, "")),
        lambda record: replace(record, doing=doing("BREW" * 20, "/" + "z" * 900, "token=hush")),
        lambda record: replace(record, user_agent="mar_abcd1234_hush" + "hush" * 10),
        lambda record: replace(record, doing=doing("GET", "/eyJhush.hush.hush" * 30, "")),
        lambda record: replace(record, address=""),
        lambda record: replace(record, address="fe80::1%eth0"),
    ],
)
@pytest.mark.django_db
def test_whatever_a_client_sends_its_row_fits_and_forges_no_line(change: Callable[[Record], Record]):
    told = request_told(change(WRITE))
    row = GatewayRequest(**told)
    row.save(force_insert=True)
    row.refresh_from_db()
    for value in told.values():
        for text in value if isinstance(value, list) else [value]:
            assert not isinstance(text, str) or text.isprintable()
        assert "hush" not in str(value)
        assert len(str(value)) < 20_000


def test_polls_are_counted_and_are_no_use(books, shelf):
    later = NOW + timedelta(seconds=9)
    books.book(READ)
    books.book(replace(READ, at=later, polls=True))
    books.book(replace(WRITE, caller=replace(CALLER, user_id=uuid4()), polls=True))
    write(books)
    mine, other = sorted(shelf.uses, key=lambda use: use.writes)
    assert (mine.reads, mine.last_read_at, mine.last_meant_at) == (2, later, NOW)
    assert (other.writes, other.last_meant_at) == (1, None)


def test_whoever_is_in_a_pod_uses_the_cluster_until_they_leave_it(shelf):
    clock = [NOW]
    books = Bookkeeper(
        Database(threads=1), uses_add=shelf.uses_add, requests_add=shelf.requests_add, clock=lambda: clock[0]
    )
    shell = replace(READ, doing=doing("GET", "/api/v1/namespaces/web/pods/a/exec", "command=sh"))
    with books.held(shell):
        write(books)
        assert shelf.uses == [], "its beginning is booked with its answer"
        clock[0] += timedelta(hours=2)
        write(books)
        write(books)
    (use,) = shelf.uses
    assert (use.last_meant_at, use.reads, use.writes) == (clock[0], 0, 0)
    clock[0] += timedelta(hours=2)
    write(books)
    assert len(shelf.uses) == 1


def test_until_when_the_books_are_written_is_told_now_and_then_and_not_while_they_are_not(shelf):
    clock = [NOW]
    told: list[datetime] = []
    books = Bookkeeper(
        Database(threads=1),
        uses_add=shelf.uses_add,
        requests_add=shelf.requests_add,
        written=told.append,
        clock=lambda: clock[0],
    )
    for _ in range(31):
        assert write(books)
        clock[0] += timedelta(seconds=2)
    assert told == [NOW + timedelta(seconds=20 * each) for each in range(4)]
    shelf.away = OperationalError
    books.book(WRITE)
    clock[0] += timedelta(minutes=5)
    assert not write(books)
    assert len(told) == 4
