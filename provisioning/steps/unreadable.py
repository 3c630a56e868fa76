"""Exporting what nobody can read: a control plane that is asleep, was stopped on its host, or is gone from there.

What is in it is then in its last export, as far as nothing can have changed since.
"""

from datetime import datetime, timedelta
from typing import Final

from clusters.models import Export, ExportCause, Operation, OperationKind, OperationState, Placement
from clusters.services.export_writing import export_keep_for_deleted, newest_export
from provisioning.drivers.kinds import PERSISTENT_VOLUME_CLAIM, Json
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Skip
from provisioning.steps.deleting import NOT_THERE
from provisioning.steps.release import stopped_outside

EXPORT_SECONDS: Final = 1800.0
"""So long reading all of it may take, tries included."""


def export_of_silent(context: StepContext, cause: ExportCause, workload: Json) -> Skip:
    """Its control plane has no replica. PermanentError where what is in it would be lost, or was to be read."""
    name, last = context.virtual_cluster.name, newest_export(context.virtual_cluster)
    outside = stopped_outside(workload)
    if cause == ExportCause.SLEEP and not outside:
        return Skip("It is asleep already.")
    state, back = _words(name, outside=outside)
    if cause != ExportCause.DELETE:
        raise PermanentError(f"It {state}, and only one that is awake can be exported.", code="asleep", hint=f"{back}.")
    if last is None or last.finished_at is None or not _of_this_sleep(context, last.finished_at):
        raise PermanentError(
            f"It {state} and was not exported right before, so what is in it would be lost{_since(last)}.",
            code="asleep",
            hint=f"{back} first, or delete it for good: marina delete {name} --purge.",
        )
    return _kept(context, last, f"It {state}")


def _words(name: str, *, outside: bool) -> tuple[str, str]:
    """What it is, and what brings it back: nothing wakes what is not marked as asleep."""
    if outside:
        return "was stopped on its host", f"Bring it back (marina configure {name})"
    return "is asleep", f"Wake it (marina wake {name})"


def export_of_vanished(context: StepContext, placement: Placement) -> Skip:
    """Its control plane is gone from its host. What it held is there as long as its claim, and can be brought back.

    PermanentError where that would be lost; not where a deletion before exported it and took its release away.
    """
    if not _holds_data(context, placement):
        return NOT_THERE
    name, last = context.virtual_cluster.name, newest_export(context.virtual_cluster)
    if last is not None and last.cause == ExportCause.DELETE and not _changed_since(context, last):
        return _kept(context, last, "A deletion before took its control plane away")
    raise PermanentError(
        f"Its control plane is gone from its host, so what is in it can only be lost, not exported{_since(last)}.",
        code="vanished",
        hint=f"Bring it back (marina configure {name}) first, or delete it for good: marina delete {name} --purge.",
    )


def _holds_data(context: StepContext, placement: Placement) -> bool:
    claims = context.kube().list(PERSISTENT_VOLUME_CLAIM, placement.namespace)
    return any(claim["metadata"]["name"].startswith(f"data-{placement.release}-") for claim in claims)


def _changed_since(context: StepContext, export: Export) -> bool:
    """Whether it may have been there again after that export."""
    others = Operation.objects.filter(
        virtual_cluster=context.virtual_cluster,
        lock_key__isnull=False,
        state=OperationState.SUCCEEDED,
        finished_at__gt=export.finished_at,
    )
    return others.exclude(kind__in=(OperationKind.DELETE, OperationKind.EXPORT)).exists()


def _kept(context: StepContext, last: Export, why: str) -> Skip:
    with context.fenced():
        export_keep_for_deleted(export=last, now=context.now)
    return Skip(f"{why}; its last export is of {last.finished_at:%Y-%m-%d %H:%M} UTC.")


def _since(last: Export | None) -> str:
    return f"; its last export is of {last.finished_at:%Y-%m-%d %H:%M} UTC" if last and last.finished_at else ""


def _of_this_sleep(context: StepContext, exported: datetime) -> bool:
    """Whether it was exported as it fell asleep: what somebody else stopped may have changed since its last export.

    Where nobody knows when that was, it may have been just now.
    """
    since = context.virtual_cluster.asleep_since or context.now
    return since - exported <= timedelta(seconds=EXPORT_SECONDS)
