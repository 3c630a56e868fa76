"""Writes to a cluster that is being moved: none is acknowledged that may not be where the cluster is afterwards."""

from math import ceil
from typing import Final
from uuid import UUID

from gateway.answers import Refused
from gateway.resources import Doing
from gateway.whereabouts import Whereabouts

RETRY_AFTER, LONGEST_RETRY_AFTER, SHARE = 1, 10, 1 / 3
"""kubectl and client-go ask ten times where they are told when. Each time they are told a third of how long it has been

frozen by then, so that they neither give up before its end (27 s) nor come long after it.
"""
_POLICYS: Final = frozenset((403, 422))
"""What a ValidatingAdmissionPolicy may answer."""


def write_check(where: Whereabouts, what: Doing, name: str) -> None:
    """Refused for a write that must not be sent now."""
    target = where.target
    if target is None or not what.writes:
        return
    if target.frozen_at is not None:
        raise _frozen(target.frozen_why or _moved(name), where.frozen_for)
    if target.moving and not where.certainly_open:
        sentence = f"{name} is being moved, and Marina's database does not say whether it still takes changes here."
        raise Refused(503, f"{sentence} Try again.", why="database", retry_after=RETRY_AFTER)


def may_be_policys(where: Whereabouts, what: Doing, status: int) -> bool:
    """Whether this answer may be the freeze, of which the gateway has not heard yet."""
    return what.writes and where.moving and status in _POLICYS


def answer_check(where: Whereabouts, sent_to: UUID, what: Doing, status: int, name: str) -> None:
    """Refused in place of an answer to a write that does not hold where the cluster is, or will be, afterwards.

    An error says that nothing was done: it is to be sent again. A yes of now may be later than the last copy.
    """
    target, left = where.target, where.left(sent_to)
    if not what.writes or target is None or not (left or target.moving):
        return
    if 400 <= status < 500 and (left or target.frozen_at is not None):
        raise _frozen(target.frozen_why or _moved(name), where.frozen_for)
    if status < 400 and (left or not where.certainly_open):
        sentence = f"{name} was moved to another host while it worked on this."
        raise Refused(500, f"{sentence} Look whether it was done before you repeat it.", why="moved")


def _frozen(sentence: str, seconds: float) -> Refused:
    retry_after = min(max(RETRY_AFTER, ceil(seconds * SHARE)), LONGEST_RETRY_AFTER)
    return Refused(503, sentence, why="frozen", retry_after=retry_after)


def _moved(name: str) -> str:
    return f"{name} is being moved to another host; try again in a moment."
