"""Records what was tried and did not happen: in a transaction of its own, so that it stays when all else is undone."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Model

from accounts.models import AccessToken, Organization, ServiceAccount, User
from accounts.services.audit import Actor, audit_record

log = structlog.get_logger(__name__)

DENIED: Final = "denied"
"""Seen, but not allowed."""
FAILED: Final = "failed"
"""Allowed, but not possible, or wrong."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What was tried, with as much of the object as is known."""

    action: str
    kind: str
    object_id: str = ""
    name: str = ""
    organization_id: UUID | None = None

    @classmethod
    def on(cls, action: str, row: Model) -> "Attempt":
        """To do this to that row."""
        return cls(
            action=action,
            kind=kind_of(type(row)),
            object_id=str(row.pk),
            name=str(row),
            organization_id=organization_of(row),
        )


def kind_of(model: type[Model]) -> str:
    """As audit rows call its objects: `virtual-cluster`."""
    return str(model._meta.verbose_name).replace(" ", "-")


def organization_of(row: Any) -> UUID | None:
    """Whose auditors may read about the row; None for what belongs to the platform."""
    if isinstance(row, Organization):
        return row.pk
    found: UUID | None = getattr(row, "organization_id", None)
    for owner in ("project", "host"):
        above = getattr(row, owner, None)
        found = found or getattr(above, "organization_id", None)
    return found


def audit_refused(*, actor: Actor, attempt: Attempt, result: str, details: Mapping[str, Any]) -> None:
    """Adds a row of its own. To be called when what was tried is undone, outside of any transaction.

    It never fails: the refusal is answered in any case. Where the database is away, the log has it.
    """
    try:
        with transaction.atomic():
            audit_record(
                actor=actor,
                action=attempt.action[:60],
                kind=attempt.kind[:40],
                object_id=attempt.object_id[:64],
                name=attempt.name[:120],
                organization_id=attempt.organization_id,
                result=result,
                details=details,
            )
    except DatabaseError as error:
        log.error("a refusal could not be recorded", action=attempt.action, actor=actor.label, error=str(error))


def sign_in_refused(*, sender: Actor, handle: str = "", why: str = "") -> None:
    """Somebody did not get in. A handle that nobody has may be a password typed into the wrong field.

    `why` is a sentence free of secrets; empty where handle and password did not fit.
    """
    user = User.objects.filter(handle=handle).first() if handle else None
    attempt = Attempt.on("sign-in", user) if user else Attempt(action="sign-in", kind="user")
    audit_refused(actor=sender, attempt=attempt, result=FAILED, details={"why": why[:300]} if why else {})


def token_refused(*, sender: Actor, token: AccessToken | None, why: str) -> None:
    """A token was sent that does not open anything (any more)."""
    attempt = Attempt.on("token.use", token) if token else Attempt(action="token.use", kind="access-token")
    audit_refused(actor=sender, attempt=attempt, result=DENIED, details={"why": why})


def federation_refused(
    *, sender: Actor, account: ServiceAccount | None, why: str, told: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Another issuer's token let nobody in. A row of the account's organization, where a rule of it knows the issuer.

    `why` is a sentence, `told` safe claims; neither has anything else of the token.
    """
    action = "token.federate"
    attempt = Attempt.on(action, account) if account else Attempt(action=action, kind="access-token")
    audit_refused(actor=sender, attempt=attempt, result=DENIED, details={"why": why[:300], **told})
