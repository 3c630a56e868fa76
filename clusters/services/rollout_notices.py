"""Who is told what of a rollout."""

from collections.abc import Iterable
from datetime import datetime

from accounts.models import User
from accounts.organization_admins import organization_admins_now
from accounts.services.notifications import About, notification_send
from clusters.models import Rollout


def rollout_tell(rollout: Rollout, kind: str, *, now: datetime, command: str) -> None:
    """What its message says: to whoever made it; where that is a program or somebody gone, to who runs the place."""
    notification_send(
        recipients=_recipients(rollout),
        kind=kind,
        about=About(kind="rollout", id=rollout.pk, name=rollout.name, organization_id=rollout.organization_id),
        text=f"The rollout {rollout.name}: {rollout.message}",
        now=now,
        command=f"marina rollout {command} {rollout.name}",
    )


def _recipients(rollout: Rollout) -> Iterable[User]:
    maker = rollout.created_by
    if maker is not None and maker.is_active and not maker.is_service_account:
        return [maker]
    if rollout.organization is not None:
        return organization_admins_now(rollout.organization)
    return User.objects.filter(is_staff=True, is_active=True, is_service_account=False).order_by("handle")
