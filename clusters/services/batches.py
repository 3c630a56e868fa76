"""Several virtual clusters at once: each on its own, or all of them or none. What became of each is told."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.errors import FieldError, InvalidInput, MarinaError
from accounts.models import Project
from clusters.models import VirtualCluster
from clusters.services.virtual_clusters import ClusterWork

BATCH_MAXIMUM: Final = 50
"""So many in one request: it is one transaction, which holds what it locked until its end."""

Outcome = ClusterWork | MarinaError
"""What became of one: the work, or why there is none."""

Item = Callable[[], ClusterWork]


@transaction.atomic
def batch_run(items: Iterable[Item]) -> tuple[Outcome, ...]:
    """Does each in turn and goes on after one that is refused. An item calls one service, which is atomic by itself.

    What an item counts (limits, names) it finds with what those before it made. An error that nobody is to be told
    ends it all, and nothing of it stays.
    """
    return tuple(_outcome(item) for item in items)


def _outcome(item: Item) -> Outcome:
    try:
        return item()
    except MarinaError as error:
        return error


def batch_whole(outcomes: Sequence[Outcome]) -> None:
    """Raises InvalidInput, naming each that was refused, where not all were done: for the caller to undo the rest."""
    refused = [(index, each) for index, each in enumerate(outcomes) if isinstance(each, MarinaError)]
    if not refused:
        return
    errors = [each for index, error in refused for each in _errors(f"items[{index}]", error)]
    raise InvalidInput(
        f"{len(refused)} of {len(outcomes)} {'was' if len(refused) == 1 else 'were'} refused, so nothing was done.",
        field=errors[0].field,
        errors=errors,
        hint=" ".join(dict.fromkeys(error.hint for _, error in refused if error.hint)),
        code="batch-refused",
    )


def _errors(path: str, error: MarinaError) -> list[FieldError]:
    if isinstance(error, InvalidInput):
        return [
            FieldError(field=f"{path}.{each.field}", message=each.message, accepted=each.accepted)
            for each in error.errors
        ]
    return [FieldError(field=path, message=error.message)]


def projects_lock(keys: Collection[UUID]) -> None:
    """Locks projects until the transaction ends, in one order: of two batches that share some, one waits."""
    if keys:
        list(Project.objects.filter(pk__in=keys).order_by("pk").select_for_update().values_list("pk"))


def clusters_lock(keys: Collection[UUID]) -> dict[UUID, int]:
    """As `projects_lock`, of virtual clusters; tells the generation that each is at."""
    rows = VirtualCluster.objects.filter(pk__in=keys).order_by("pk").select_for_update()
    return dict(rows.values_list("pk", "generation"))
