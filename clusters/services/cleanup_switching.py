"""The switch that stops all cleanup."""

from datetime import datetime

from django.db import transaction

from accounts.access import staff_require
from accounts.errors import InvalidInput
from accounts.services.audit import Actor, audit_record
from clusters.models import CleanupSwitch
from clusters.services.cleanup_calling_off import deletions_call_off


def cleanup_switch() -> CleanupSwitch:
    """As it stands; one that nobody touched is on."""
    return CleanupSwitch.objects.select_related("changed_by").first() or CleanupSwitch()


@transaction.atomic
def cleanup_switch_set(*, stopped: bool, actor: Actor, now: datetime, reason: str = "") -> CleanupSwitch:
    """Stops everything, also a run at work before its next deletion and the deletions that took nothing away yet, or

    lets it go on. Only platform staff.

    Warnings stay told. After a long stop nothing is deleted before its owner was warned anew.
    """
    staff_require(actor, "stop the cleanup or let it go on")
    if stopped and not reason.strip():
        raise InvalidInput("It is not said why.", field="reason", accepted="a sentence, for those who find it stopped")
    CleanupSwitch.objects.bulk_create([CleanupSwitch()], ignore_conflicts=True)
    switch = CleanupSwitch.objects.select_for_update().get()
    before = {"stopped": switch.stopped, "reason": switch.reason}
    switch.stopped, switch.reason = stopped, reason.strip() if stopped else ""
    switch.changed_by, switch.changed_at = actor.user, now
    switch.save()
    if stopped:
        deletions_call_off(now=now)
    audit_record(
        actor=actor,
        action="cleanup.stop" if stopped else "cleanup.resume",
        kind="cleanup",
        object_id=str(switch.pk),
        name="cleanup",
        before=before,
        after={"stopped": switch.stopped, "reason": switch.reason},
    )
    return switch
