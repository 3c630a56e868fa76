"""Exporting what nobody can read: a control plane that is asleep, was stopped on its host, or is gone from there.

What is in it is then in its last export, as far as nothing can have changed since, and as far as that can be read.
"""

from datetime import datetime, timedelta
from typing import Final

from clusters.exports.purging import took_something
from clusters.models import Export, ExportCause, Operation, OperationKind, Placement
from clusters.services.export_writing import export_keep_for_deleted, newest_export
from provisioning.drivers.kinds import PERSISTENT_VOLUME_CLAIM, Json
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Skip
from provisioning.exports.opening import export_whole_check
from provisioning.steps.deleting import NOT_THERE, release_selector
from provisioning.steps.namespaces import namespace_of
from provisioning.steps.release import stopped_outside

EXPORT_SECONDS: Final = 1800.0
"""So long reading all of it may take, tries included."""


def export_of_silent(context: StepContext, cause: ExportCause, workload: Json) -> Skip:
    """Its control plane has no replica. PermanentError where what is in it would be lost, or was to be read."""
    cluster, last = context.virtual_cluster, newest_export(context.virtual_cluster)
    outside = stopped_outside(workload) and not cluster.sleeping
    if cause == ExportCause.SLEEP and not outside:
        return Skip("It is asleep already.")
    if cause == ExportCause.UPGRADE and not outside:  # which leaves it asleep, so nothing in it changes since
        return Skip(f"It is asleep{_since(last) or '; it has no export'}.")
    state, back = _words(cluster.name, outside=outside)
    if cause != ExportCause.DELETE:
        raise PermanentError(f"It {state}, and only one that is awake can be exported.", code="asleep", hint=f"{back}.")
    if last is None or last.finished_at is None or not _of_this_sleep(context, last.finished_at):
        raise PermanentError(
            f"It {state} and was not exported right before, so what is in it would be lost{_since(last)}.",
            code="asleep",
            hint=f"{back} first, or delete it for good: marina delete {cluster.name} --purge.",
        )
    export_whole_check(last, meanwhile=context.lease.check)  # it alone tells of what is about to go
    with context.fenced():
        export_keep_for_deleted(export=last, now=context.now)
    return Skip(f"It {state}{_since(last)}.")


def _words(name: str, *, outside: bool) -> tuple[str, str]:
    """What it is, and what brings it back: nothing wakes what is not marked as asleep."""
    if outside:
        return "was stopped on its host", f"Bring it back (marina configure {name})"
    return "is asleep", f"Wake it (marina wake {name})"


def _of_this_sleep(context: StepContext, exported: datetime) -> bool:
    """Whether it was exported as it fell asleep: what somebody else stopped may have changed since its last export.

    Where nobody knows since when it is stopped, nobody knows that either.
    """
    since = context.virtual_cluster.asleep_since
    return since is not None and since - exported <= timedelta(seconds=EXPORT_SECONDS)


def export_of_vanished(context: StepContext, placement: Placement) -> Skip:
    """Its control plane is gone from its host. What it held is there as long as its claim, and can be brought back.

    PermanentError where that would be lost; not where a deletion before took its release away, as that exported it.
    """
    if not _holds_state(context, placement):
        return NOT_THERE
    name, since = context.virtual_cluster.name, _since(newest_export(context.virtual_cluster))
    if _taken_before(context):
        return Skip(f"A deletion before took its control plane away{since}.")
    raise PermanentError(
        f"Its control plane is gone from its host, but its state is there, and would be lost unread{since}.",
        code="vanished",
        hint=f"Bring it back (marina configure {name}) first, or delete it for good: marina delete {name} --purge.",
    )


def _holds_state(context: StepContext, placement: Placement) -> bool:
    kube = context.kube()
    if namespace_of(kube, placement) is None:
        return False
    return bool(kube.list(PERSISTENT_VOLUME_CLAIM, placement.namespace, label_selector=release_selector(placement)))


def _taken_before(context: StepContext) -> bool:
    """Whether an earlier deletion began to take something away. Nothing brings that back."""
    earlier = Operation.objects.filter(
        virtual_cluster=context.virtual_cluster, kind=OperationKind.DELETE, pk__lt=context.operation.pk
    )
    return any(took_something(each) for each in earlier)


def _since(last: Export | None) -> str:
    return f"; its last export is of {last.finished_at:%Y-%m-%d %H:%M} UTC" if last and last.finished_at else ""
