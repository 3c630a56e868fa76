"""What is to be mailed of invitations: queued with the invitation, dropped with it."""

from datetime import datetime
from typing import Final

from cryptography.fernet import InvalidToken

from accounts.encryption import encrypter
from accounts.errors import Conflict
from accounts.models import DeliveryState, Invitation, InvitationMail
from accounts.services.notification_channels import mail_configured

NO_SERVER: Final = "This installation sends no mail: hand the link over yourself."


def invitation_mail_queue(*, invitation: Invitation, secret: str, now: datetime) -> str:
    """Has the link mailed where the invitation has an address; gives the state, empty where it has none.

    Needs the transaction that makes the link. What was to be mailed of an earlier link is forgotten.
    """
    InvitationMail.objects.filter(invitation=invitation).delete()
    if not invitation.email:
        return ""
    configured = mail_configured()
    made = InvitationMail.objects.create(
        invitation=invitation,
        state=DeliveryState.PENDING if configured else DeliveryState.SKIPPED,
        next_attempt_at=now if configured else None,
        error="" if configured else NO_SERVER,
        secret=encrypter().encrypt(secret.encode()) if configured else None,
    )
    return str(made.state)


def invitation_mail_drop(*, invitation: Invitation, why: str) -> None:
    """Ends a mail that still waits: its link is of no use any more."""
    waiting = InvitationMail.objects.filter(invitation=invitation, state=DeliveryState.PENDING)
    waiting.update(state=DeliveryState.SKIPPED, secret=None, next_attempt_at=None, error=why)


def invitation_links_rotate() -> int:
    """Encrypts what waits anew with the first of MARINA_ENCRYPTION_KEYS; says how many. Must run in a transaction.

    Raises Conflict, naming the invitation, where none of the keys opens one.
    """
    rows = list(InvitationMail.objects.select_for_update().filter(secret__isnull=False))
    for row in rows:
        try:
            row.secret = encrypter().rotate(bytes(row.secret or b""))
        except InvalidToken:
            raise Conflict(
                f"None of MARINA_ENCRYPTION_KEYS opens the mail of invitation {row.invitation_id}; nothing changed.",
                hint="Put the key with which it was written back into the list, or revoke that invitation.",
            ) from None
    InvitationMail.objects.bulk_update(rows, ["secret"])
    return len(rows)
