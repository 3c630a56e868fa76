"""Who is let in, for how long that is remembered, and what happens while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from django.utils import timezone

from gateway.answers import Refused
from gateway.database import Database
from gateway.doorman import ANEW_SECONDS, FRESH_SECONDS, KEPT_SECONDS, STALE_SECONDS, Admission, Doorman
from tests.gateway.callers import Books, caller

TOKEN = "mar_ab12cd34_secret"


def run(books: Books, work: Callable[[Doorman], Awaitable[None]], *, patience: float = 5) -> None:
    async def all_of_it() -> None:
        database = Database(threads=2, patience=patience)
        try:
            await work(Doorman(database, books.questions))
        finally:
            books.held.set()
            database.close()

    asyncio.run(all_of_it())


def known(**changes: object) -> tuple[Books, UUID]:
    one = caller(**changes)
    return Books({TOKEN: one}), one.cluster_id


def aged(admission: Admission, seconds: float) -> None:
    """As if it had been asked about so long ago."""
    admission.checked -= seconds
    admission.asked -= seconds


async def refused(doorman: Doorman, cluster, token: str = TOKEN) -> Refused:
    with pytest.raises(Refused) as caught:
        await doorman.admit(token, cluster)
    return caught.value


def test_many_requests_at_once_are_one_question_and_later_ones_none() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        books.held.clear()
        waiting = [asyncio.create_task(doorman.admit(TOKEN, cluster)) for _ in range(50)]
        await asyncio.sleep(0)
        books.held.set()
        admissions = await asyncio.gather(*waiting)
        assert len(set(map(id, admissions))) == 1
        await doorman.admit(TOKEN, cluster)
        assert books.asked == 1

    run(books, work)


def test_one_of_many_who_goes_away_takes_the_answer_from_nobody() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        books.held.clear()
        first = asyncio.create_task(doorman.admit(TOKEN, cluster))
        second = asyncio.create_task(doorman.admit(TOKEN, cluster))
        await asyncio.sleep(0)
        first.cancel()
        books.held.set()
        assert (await second).caller.handle == "jane"

    run(books, work)


def test_a_wrong_token_again_and_again_is_one_question() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        answers = [await refused(doorman, cluster, "mar_wrong") for _ in range(20)]
        assert {answer.status for answer in answers} == {401}
        assert books.asked == 1

    run(books, work)


def test_an_answer_that_is_old_is_asked_for_anew_before_the_request_goes_on() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        aged(await doorman.admit(TOKEN, cluster), FRESH_SECONDS + 1)
        books.callers.clear()
        assert (await refused(doorman, cluster)).status == 401

    run(books, work)


def test_who_may_no_longer_is_ended_by_the_next_recheck() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        ended: list[str] = []
        admission = await doorman.admit(TOKEN, cluster)
        admission.on_end(lambda: ended.append("watch"))
        await doorman.recheck()
        assert ended == []
        books.callers.clear()
        await doorman.recheck()
        assert ended == ["watch"]
        assert (await refused(doorman, cluster)).status == 401

    run(books, work)


def test_a_recheck_is_one_question_for_everybody() -> None:
    books = Books({f"token-{number}": caller() for number in range(40)})

    async def work(doorman: Doorman) -> None:
        for token, each in books.callers.items():
            await doorman.admit(token, each.cluster_id)
        await doorman.recheck()
        assert books.rechecked == 1

    run(books, work)


def test_who_has_got_more_rights_has_them_though_they_never_stopped_asking() -> None:
    books, cluster = known(level="view")

    async def work(doorman: Doorman) -> None:
        admission = await doorman.admit(TOKEN, cluster)
        books.callers[TOKEN] = caller(cluster_id=cluster, level="admin")
        admission.asked -= ANEW_SECONDS + 1
        assert (await doorman.admit(TOKEN, cluster)).caller.level == "view", "nobody waits for it"
        async with asyncio.timeout(5):
            while (await doorman.admit(TOKEN, cluster)).caller.level != "admin":
                await asyncio.sleep(0)
        assert books.asked == 2

    run(books, work)


def test_a_database_that_is_away_stops_nobody_it_had_let_in_for_half_a_minute_and_lets_in_nobody_new() -> None:
    books, cluster = known()
    books.callers["mar_new"] = caller(cluster_id=cluster)

    async def work(doorman: Doorman) -> None:
        ended: list[str] = []
        admission = await doorman.admit(TOKEN, cluster)
        admission.on_end(lambda: ended.append("watch"))
        books.away = True
        new = await refused(doorman, cluster, "mar_new")
        assert (new.status, new.retry_after) == (503, 5)
        aged(admission, STALE_SECONDS - 1)
        assert await doorman.admit(TOKEN, cluster) is admission
        await doorman.recheck()
        assert ended == []
        aged(admission, 2)
        assert (await refused(doorman, cluster)).status == 503
        await doorman.recheck()
        assert ended == ["watch"]
        books.away = False
        assert (await doorman.admit(TOKEN, cluster)).caller == admission.caller
        assert (await doorman.admit("mar_new", cluster)).caller.handle == "jane"

    run(books, work)


def test_a_database_that_says_nothing_is_away_too_and_only_the_first_one_waits() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        admission = await doorman.admit(TOKEN, cluster)
        books.held.clear()
        aged(admission, FRESH_SECONDS + 1)
        assert await doorman.admit(TOKEN, cluster) is admission
        async with asyncio.timeout(0.05):
            assert await doorman.admit(TOKEN, cluster) is admission

    run(books, work, patience=0.2)


def test_a_short_lived_token_that_is_over_opens_nothing_more_and_ends_nothing() -> None:
    books, cluster = known(token_until=timezone.now() + timedelta(milliseconds=50))

    async def work(doorman: Doorman) -> None:
        ended: list[str] = []
        admission = await doorman.admit(TOKEN, cluster)
        admission.on_end(lambda: ended.append("watch"))
        one = books.callers.pop(TOKEN)
        await asyncio.sleep(0.06)
        assert (await refused(doorman, cluster)).status == 401
        books.callers["still here"] = one
        await doorman.recheck()
        assert ended == []
        books.callers.clear()
        await doorman.recheck()
        assert ended == ["watch"]

    run(books, work)


def test_a_token_is_remembered_for_its_cluster_alone() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        await doorman.admit(TOKEN, cluster)
        assert (await refused(doorman, caller().cluster_id)).status == 401

    run(books, work)


def test_who_has_left_is_forgotten_and_who_has_a_stream_open_is_not() -> None:
    books, cluster = known()
    other = books.callers["mar_other"] = caller()

    async def work(doorman: Doorman) -> None:
        gone, here = await doorman.admit(TOKEN, cluster), await doorman.admit("mar_other", other.cluster_id)
        here.on_end(lambda: None)
        for admission in (gone, here):
            admission.used -= KEPT_SECONDS + 1
        await doorman.recheck()
        asked = books.asked
        await doorman.admit("mar_other", other.cluster_id)
        assert books.asked == asked
        await doorman.admit(TOKEN, cluster)
        assert books.asked == asked + 1

    run(books, work)


def test_who_was_told_to_leave_before_beginning_ends_at_once() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        admission = await doorman.admit(TOKEN, cluster)
        books.callers.clear()
        await doorman.recheck()
        ended: list[bool] = []
        admission.on_end(lambda: ended.append(True))
        assert ended, "nobody would ask about it again"

    run(books, work)


def test_a_crowd_of_unknown_tokens_keeps_nobody_from_being_asked_about() -> None:
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        own = Database(threads=1, patience=2)
        doorman._rechecks = own
        admission = await doorman.admit(TOKEN, cluster)
        hold = Event()
        crowd = [asyncio.create_task(doorman._database.ask(hold.wait, 10)) for _ in range(20)]
        await asyncio.sleep(0)
        aged(admission, STALE_SECONDS + 1)
        await doorman.recheck()
        assert doorman._known, "it still may, and the database says so"
        hold.set()
        await asyncio.gather(*crowd)
        own.close()

    run(books, work)


def test_so_many_may_wait_for_the_database_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doorman._MOST_ASKING", 3)
    books, cluster = known()

    async def work(doorman: Doorman) -> None:
        books.held.clear()
        crowd = [asyncio.create_task(doorman.admit(f"mar_{number}", cluster)) for number in range(3)]
        await asyncio.sleep(0)
        assert (await refused(doorman, cluster)).status == 503
        books.held.set()
        await asyncio.gather(*crowd, return_exceptions=True)
        assert (await doorman.admit(TOKEN, cluster)).caller.cluster_id == cluster

    run(books, work)
