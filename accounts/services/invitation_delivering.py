"""Sends the mails of invitations that are due, as notifications are: claimed in the database, tried for a day."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string

from accounts.encryption import encrypter
from accounts.invitation_text import invitation_link
from accounts.models import DeliveryState, InvitationMail
from accounts.services.audit import Actor, audit_record
from accounts.services.mail_attempts import CLAIMED_FOR, Refusal, mail_attempt, mail_connection, next_attempt
from accounts.services.notification_channels import mail_configured
from accounts.services.notification_mail import subject_line

log = structlog.get_logger(__name__)

BATCH: Final = 20


def invitation_mail_deliver(*, clock: Callable[[], datetime]) -> int:
    """Sends one batch over one connection; says how many it claimed.

    Whoever is killed between sending and noting it leaves a mail that is sent again, with the same link and Message-ID.
    """
    if not mail_configured():
        return 0
    claimed = _claim(now=clock())
    if not claimed:
        return 0
    connection = mail_connection()
    for row in claimed:
        _send(row, connection, clock)
    if not isinstance(connection, Refusal):
        connection.close()
    return len(claimed)


@transaction.atomic
def _claim(*, now: datetime) -> list[InvitationMail]:
    due = InvitationMail.objects.filter(state=DeliveryState.PENDING, next_attempt_at__lte=now)
    keys = list(
        due.order_by("next_attempt_at").select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH]
    )
    mine = InvitationMail.objects.filter(pk__in=keys)
    mine.update(next_attempt_at=now + CLAIMED_FOR, attempts=F("attempts") + 1)
    related = ("invitation__organization", "invitation__project__organization", "invitation__created_by")
    return list(mine.select_related(*related).order_by("id"))


def _send(row: InvitationMail, connection: BaseEmailBackend | Refusal, clock: Callable[[], datetime]) -> None:
    state = row.invitation.state(now=clock())
    if state != "open":
        _end(row, DeliveryState.SKIPPED, f"The invitation is {state}.", now=clock())
        return
    refusal = connection if isinstance(connection, Refusal) else _attempt(row, connection)
    if refusal is None:
        _end(row, DeliveryState.SENT, "", now=clock())
        return
    again = None if refusal.final else next_attempt(attempts=row.attempts, since=row.created_at, now=clock())
    if again is None:
        _end(row, DeliveryState.FAILED, refusal.sentence, now=clock())
        return
    _waiting(row).update(next_attempt_at=again, error=refusal.sentence)


def _attempt(row: InvitationMail, connection: BaseEmailBackend) -> Refusal | None:
    try:
        secret = encrypter().decrypt(bytes(row.secret or b"")).decode()
    except InvalidToken:
        return Refusal("None of MARINA_ENCRYPTION_KEYS opens its link any more.", final=True)
    return mail_attempt(connection, lambda: invitation_mail_of(row, secret))


def invitation_mail_of(row: InvitationMail, secret: str) -> EmailMultiAlternatives:
    """The mail for who is invited: they may not know Marina, so it says who writes and what the link does."""
    invitation, public_url = row.invitation, settings.PUBLIC_URL.rstrip("/")
    inviter = invitation.created_by
    context: dict[str, Any] = {
        "inviter": inviter.handle if inviter.name in ("", inviter.handle) else f"{inviter.name} ({inviter.handle})",
        "handle": inviter.handle,
        "scope": str(invitation.scope),
        "kind": "project" if invitation.project else "organization",
        "role": invitation.role,
        "until": f"{invitation.expires_at:%Y-%m-%d %H:%M} UTC",
        "email": invitation.email,
        "link": invitation_link(secret),
        "marina": public_url,
    }
    mail = EmailMultiAlternatives(
        subject=subject_line("mail/invitation.subject.txt", context),
        body=render_to_string("mail/invitation.txt", context).strip() + "\n",
        to=[invitation.email],
        headers={
            "Message-ID": f"<{row.pk}@{urlsplit(public_url).hostname or 'marina'}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("mail/invitation.html", context), "text/html")
    return mail


def _waiting(row: InvitationMail) -> Any:
    """The row, unless it was ended or replaced meanwhile."""
    return InvitationMail.objects.filter(pk=row.pk, state=DeliveryState.PENDING)


@transaction.atomic
def _end(row: InvitationMail, state: DeliveryState, sentence: str, *, now: datetime) -> None:
    sent_at = now if state == DeliveryState.SENT else None
    ended = _waiting(row).update(state=state, error=sentence, secret=None, next_attempt_at=None, sent_at=sent_at)
    if not ended or state == DeliveryState.SKIPPED:
        return
    invitation = row.invitation
    audit_record(
        actor=Actor(user=None, name="marina"),
        action="invitation.mail",
        kind="invitation",
        object_id=invitation.pk,
        name=str(invitation)[:120],
        organization_id=invitation.organization_id,
        result="ok" if state == DeliveryState.SENT else "failed",
        details={"email": invitation.email, "state": str(state), "error": sentence},
    )
    log.info("the mail of an invitation ended", invitation=str(invitation.pk), state=str(state), reason=sentence)
