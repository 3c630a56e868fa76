"""Revisions: up to where everything is known, what is remembered of what went, and for how long."""

from datetime import datetime, timedelta
from typing import Final

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Max

from accounts.models import RevisionHorizon, RightsChange, Tombstone
from accounts.models.revisions import Revised

KEPT_FOR: Final = timedelta(days=7)


def revision_settled() -> int:
    """Every transaction with a lower number has ended, so whoever reads after this sees all that those wrote."""
    return _number("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def revision_newest() -> int:
    """No transaction has this number yet, nor a higher one."""
    return _number("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


def _number(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


@transaction.atomic
def revisions_tidy(*, now: datetime) -> int:
    """Forgets tombstones and changes of rights that are older than a week; says how many. Run by a schedule.

    Whoever asks from before that is told to list anew. A database that was loaded from a dump counts its transactions
    from the beginning: what it has of higher numbers is put right too.
    """
    newest = revision_newest()
    _restored(newest)
    old = (
        Tombstone.objects.filter(deleted_at__lt=now - KEPT_FOR),
        RightsChange.objects.filter(changed_at__lt=now - KEPT_FOR),
    )
    forgotten = max((rows.aggregate(last=Max("revision"))["last"] or 0 for rows in old), default=0)
    known = RevisionHorizon.objects.first()
    horizon = max(forgotten, min(known.revision, newest) if known else 0)
    if horizon:
        RevisionHorizon.objects.update_or_create(pk=1, defaults={"revision": horizon})
    return sum(rows.delete()[0] for rows in old)


def _restored(newest: int) -> None:
    for model in apps.get_models():
        if issubclass(model, Revised):
            model._default_manager.filter(changed_in__gte=newest).update(changed_in=0)
    Tombstone.objects.filter(revision__gte=newest).delete()
    RightsChange.objects.filter(revision__gte=newest).delete()
