"""What a gateway knows of where a cluster is: never older than what it knew, and never taken for newer than it is."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from django.utils import timezone

from clusters.freezing import GATEWAYS_KNOW_SECONDS
from gateway.database import Database
from gateway.doorman import Doorman, Questions
from gateway.targets import Origin, Target
from gateway.whereabouts import Look, Whereabouts
from tests.gateway.callers import Books, caller, target

CLUSTER = uuid4()


def seen(told: Target | None, began: float, ended: float) -> Look:
    return Look({CLUSTER: told} if told else {}, began, ended)


def elsewhere(before: Target) -> Target:
    return replace(before, key=(uuid4(), 1), origin=Origin(timezone.now(), 1, 2))


def test_an_answer_that_may_be_older_than_what_is_known_is_not_taken() -> None:
    where, before = Whereabouts(CLUSTER), target(CLUSTER)
    after = elsewhere(before)
    assert not where.told(seen(before, 1.0, 1.1))
    assert where.told(seen(after, 2.0, 2.1)), "it has moved"
    assert not where.told(seen(before, 1.9, 2.5)), "the database may have looked at 1.95"
    assert where.target == after
    assert where.told(seen(before, 3.0, 3.1)), "and back"


def test_what_goes_on_where_it_was_is_ended_once_and_what_begins_too_late_at_once() -> None:
    where, before = Whereabouts(CLUSTER), target(CLUSTER)
    where.told(seen(before, 1.0, 1.0))
    ended: list[str] = []
    with where.leaving(before.placement, lambda: ended.append("open")):
        with where.leaving(before.placement, lambda: ended.append("over")):
            pass
        where.told(seen(replace(before, key=(before.placement, 2)), 2.0, 2.0))
        assert ended == [], "another credential of the host is no other place"
        where.told(seen(None, 3.0, 3.0))
        assert ended == []
        after = elsewhere(before)
        assert where.told(seen(after, 4.0, 4.0))
        assert ended == ["open"]
        with where.leaving(before.placement, lambda: ended.append("late")):
            assert ended == ["open", "late"]
        with where.leaving(after.placement, lambda: ended.append("new")):
            pass
    assert ended == ["open", "late"]


def test_it_is_certainly_open_only_as_long_as_no_last_copy_can_have_begun() -> None:
    where, before = Whereabouts(CLUSTER), target(CLUSTER, phase="Migrating")
    assert not where.certainly_open
    now = time.monotonic()
    where.told(seen(before, now - GATEWAYS_KNOW_SECONDS - 0.1, now - 0.05))
    assert not where.certainly_open, "an answer counts from when it was asked for"
    where.told(seen(before, now, now))
    assert where.certainly_open
    where.told(seen(replace(before, frozen_at=timezone.now()), now + 0.01, now + 0.01))
    assert where.certainly_open, "what was sent before may still be answered"
    assert where.moving
    assert not Whereabouts(CLUSTER).moving


@pytest.mark.parametrize("phase", ["Ready", "Migrating"])
def test_only_clusters_that_are_being_moved_are_asked_about_all_the_time(phase: str) -> None:
    jane = caller()
    asked: list[Sequence[UUID]] = []
    there = target(jane.cluster_id, phase=phase)
    moved: list[Target] = []

    def targets_of(ids: Sequence[UUID]) -> dict[UUID, Target]:
        asked.append(ids)
        return dict.fromkeys(ids, there)

    async def play() -> None:
        nonlocal there
        books, database = Books({"token": jane}), Database(threads=1)
        questions = Questions(books.questions.caller_of, books.questions.callers_still, targets_of)
        doorman = Doorman(database, questions, moved=moved.append)
        admission = await doorman.admit("token", jane.cluster_id)
        following = asyncio.create_task(doorman.follow())
        if phase == "Ready":
            await asyncio.sleep(0.5)
            assert len(asked) == 1
        else:
            there = replace(elsewhere(there), phase="Ready")
            began = time.monotonic()
            while admission.target != there:
                await asyncio.sleep(0.005)
            assert time.monotonic() - began < 0.3
            assert moved == [there]
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        database.close()

    asyncio.run(play())


def test_while_the_database_is_away_what_is_known_gets_older() -> None:
    jane = caller()
    away = False

    def targets_of(ids: Sequence[UUID]) -> dict[UUID, Target]:
        if away:
            raise OperationalError("gone")
        return {each: target(each, phase="Migrating") for each in ids}

    async def play() -> None:
        nonlocal away
        books, database = Books({"token": jane}), Database(threads=1)
        questions = Questions(books.questions.caller_of, books.questions.callers_still, targets_of)
        doorman = Doorman(database, questions)
        where = (await doorman.admit("token", jane.cluster_id)).where
        away = True
        while where.certainly_open:
            await doorman.look_after([where])
        away = False
        await doorman.look_after([where])
        assert where.certainly_open
        database.close()

    asyncio.run(play())
