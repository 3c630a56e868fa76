"""`?since=REVISION`: what changed in a list since then, answered at once.

A revision is a transaction's number. What is given next time begins at the oldest transaction that was still open, so
what it commits later is not passed by; a row may therefore come twice, and none is missed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import DateTimeField, F, Q, QuerySet, Value
from django.db.models.functions import Cast
from rest_framework.response import Response

from accounts.errors import Gone, InvalidInput
from accounts.models import RevisionHorizon, RightsChange, Tombstone, User
from accounts.selectors import uuid_of
from accounts.services.revisions import revision_newest, revision_settled

HEADER: Final = "X-Marina-Revision"
RETRY_AFTER_SECONDS: Final = 1
_LARGEST: Final = 2**63 - 1
_ACCEPTED: Final = f"what `revision` of an answer or the header {HEADER} of a list said"


class Relist(Gone):
    """What changed since then cannot be told; list anew."""

    code = "relist"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How the changes of a noun are told."""

    kind: str
    """As its tombstones call it."""

    told: Callable[[User], Q]
    """Of its tombstones: those whose objects the user may have seen."""

    also: tuple[str, ...] = ()
    """Paths to rows (with a `changed_in`) of which the noun shows something."""

    ended: Callable[[Any], datetime | None] = lambda row: None
    """When a row that is still there came to count as deleted."""

    filters: tuple[str, ...] = ()
    """Filters by what never changes of a row: only these can be asked together with `since`."""


@dataclass(frozen=True)
class Position:
    """Where to go on: at a revision, or behind an object of that revision."""

    revision: int
    behind: UUID | None = None

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Raises InvalidInput for what no answer ever said."""
        number, dot, key = text.partition(".")
        behind = uuid_of(key) if dot else None
        readable = number.isascii() and number.isdigit() and len(number) <= 19 and int(number) <= _LARGEST
        if not readable or (dot and behind is None):
            raise InvalidInput("This revision could not be read.", field="since", accepted=_ACCEPTED)
        return cls(int(number), behind)

    def __str__(self) -> str:
        return f"{self.revision}.{self.behind}" if self.behind else str(self.revision)


@dataclass(frozen=True)
class Change:
    """One row or tombstone that is to be told."""

    revision: int
    key: UUID
    gone_at: datetime | None


def changes_answer(
    *,
    changes: Changes,
    user: User,
    since: str,
    visible: QuerySet[Any],
    size: int,
    show: Callable[[list[Any]], list[dict[str, Any]]],
) -> Response:
    """What changed of `visible`, a page of it, and from where to ask next. Raises Relist and InvalidInput."""
    position = Position.parse(since)
    settled = revision_settled()  # before anything is read
    _relist_check(user, position.revision)
    found = _changes(changes, user, position, visible, size + 1)
    page, more = found[:size], len(found) > size
    rows: Mapping[UUID, Any] = {row.pk: row for row in visible.filter(pk__in={each.key for each in page})}
    gone = {each.key: each.gone_at for each in page if each.gone_at and each.key not in rows}
    gone |= {key: ended for key, row in rows.items() if (ended := changes.ended(row))}
    alive = [rows[key] for key in dict.fromkeys(each.key for each in page) if key in rows and key not in gone]
    body = {
        "results": show(alive),
        "deleted": [{"id": str(key), "deleted_at": when} for key, when in gone.items()],
        "revision": str(_next(page, settled) if more else Position(settled)),
        "more": more,
    }
    return Response(body, headers={"Retry-After": str(0 if more else RETRY_AFTER_SECONDS)})


def _next(page: list[Change], settled: int) -> Position:
    """Behind the last one told; but nothing of transactions that may still commit is passed by."""
    last = page[-1]
    return Position(last.revision, last.key) if last.revision < settled else Position(settled)


def _relist_check(user: User, revision: int) -> None:
    horizon = RevisionHorizon.objects.filter(revision__gte=revision)
    if RightsChange.objects.filter(user_id=user.pk, revision__gte=revision).exists():
        why = "What you may see changed since then."
    elif horizon.exists() or revision > revision_newest():
        why = "What was deleted since then is not remembered any more."
    else:
        return
    raise Relist(why, hint="List anew, and go on from the revision that this says.", field="since")


def _changes(changes: Changes, user: User, position: Position, visible: QuerySet[Any], size: int) -> list[Change]:
    """In the order of revisions; at most `size`."""
    rows = visible.select_related(None).prefetch_related(None).order_by()
    parts = [_part(rows, position, "changed_in", "pk")]
    parts += [_part(rows, position, f"{path}__changed_in", "pk") for path in changes.also]
    tombstones = Tombstone.objects.filter(changes.told(user), kind=changes.kind)
    parts.append(_part(tombstones, position, "revision", "object_id", "deleted_at"))
    # each part is bounded by itself: an index gives its first rows without a look at the rest
    first, *others = (part.order_by("at", "key")[:size] for part in parts)
    found = (Change(*each) for each in first.union(*others, all=True))
    return sorted(found, key=lambda each: (each.revision, each.key))[:size]


def _part(rows: QuerySet[Any], position: Position, revision: str, key: str, gone_at: str = "") -> QuerySet[Any, Any]:
    after = Q(**{f"{revision}__gte": position.revision})
    if position.behind:
        after &= Q(**{f"{revision}__gt": position.revision}) | Q(**{f"{key}__gt": position.behind})
    gone = F(gone_at) if gone_at else Cast(Value(None), DateTimeField())
    found = rows.filter(after).annotate(at=F(revision), key=F(key), gone=gone)
    part: QuerySet[Any, Any] = found.values_list("at", "key", "gone")
    return part
