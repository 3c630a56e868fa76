"""Writes the record of who did what, in the transaction of the change it records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import AuditEvent, User
from accounts.secret_names import secrets_removed


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, and from where: passed by every interface to the services.

    `user` is None where Marina acts by itself (a schedule, a command); `name` then says which part. `platform` is set
    by the admin site: its superusers act for the platform, without a role in the organization, and the row says so.
    `source` is the interface: api, cli, web, admin; marina where nobody asked.
    """

    user: User | None
    name: str = ""
    token_prefix: str = ""
    address: str | None = None
    request_id: str = ""
    platform: bool = False
    source: str = "marina"
    user_agent: str = ""

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
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Adds one row. All three must be free of secrets: they are shown to auditors as they are.

    `before` and `after` may also stand among the details; they get columns of their own in any case.
    """
    told = dict(details or {})
    was, became = told.pop("before", None) or before or {}, told.pop("after", None) or after or {}
    return AuditEvent.objects.create(
        actor_id=actor.user.id if actor.user else None,
        actor=actor.label,
        token_prefix=actor.token_prefix,
        address=actor.address,
        source=actor.source,
        user_agent=actor.user_agent,
        request_id=actor.request_id,
        action=action,
        object_kind=kind,
        object_id=str(object_id),
        object_name=name,
        organization_id=organization_id,
        result=result,
        before=secrets_removed(was),
        after=secrets_removed(became),
        details=secrets_removed(told | ({"for_the_platform": True} if actor.platform else {})),
    )
