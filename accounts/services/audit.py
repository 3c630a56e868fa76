"""Writes the record of who did what, in the transaction of the change it records."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import AuditEvent, User


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, and from where: passed by every interface to the services.

    `user` is None where Marina acts by itself (a schedule, a command); `name` then says which part. `platform` is set
    by the admin site: its superusers act for the platform, without a role in the organization, and the row says so.
    """

    user: User | None
    name: str = ""
    token_prefix: str = ""
    address: str | None = None
    request_id: str = ""
    platform: bool = False

    @property
    def label(self) -> str:
        """The handle, or the part of Marina."""
        return self.user.handle if self.user else self.name or "marina"


def audit_record(
    *,
    actor: Actor,
    action: str,
    kind: str,
    object_id: UUID | str,
    name: str = "",
    organization_id: UUID | None = None,
    result: str = "ok",
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Adds one row. `details` must be free of secrets: it is shown to auditors as it is."""
    return AuditEvent.objects.create(
        actor_id=actor.user.id if actor.user else None,
        actor=actor.label,
        token_prefix=actor.token_prefix,
        address=actor.address,
        request_id=actor.request_id,
        action=action,
        object_kind=kind,
        object_id=str(object_id),
        object_name=name,
        organization_id=organization_id,
        result=result,
        details={**(details or {}), **({"for_the_platform": True} if actor.platform else {})},
    )
