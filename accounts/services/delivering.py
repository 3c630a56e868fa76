"""Sends the mail that is due. The row says what is to be sent and when; whoever claims it sends it."""

import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F

from accounts.models import DeliveryState, NotificationDelivery
from accounts.services.notification_channels import mail_configured
from accounts.services.notification_mail import mail_of

log = structlog.get_logger(__name__)

BATCH: Final = 20
CLAIMED_FOR: Final = timedelta(minutes=10)
"""So long a batch may take, each step of a mail at most EMAIL_TIMEOUT_SECONDS; then another job sends the rest."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=2)
TRIED_FOR: Final = timedelta(hours=24)


def mail_deliver(*, clock: Callable[[], datetime]) -> int:
    """Sends one batch of due mail over one connection; says how many it claimed.

    Two jobs at once never claim the same. One that is killed between sending and noting it leaves a mail that is sent
    again after CLAIMED_FOR, with the same Message-ID. A server that is away costs one connection a batch.
    """
    if not mail_configured():
        return 0
    claimed = _claim(now=clock())
    if not claimed:
        return 0
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("the mail server cannot be reached", error=type(error).__name__)
        for delivery in claimed:
            _later(delivery, f"The mail server cannot be reached ({type(error).__name__}).", now=clock())
        return len(claimed)
    for delivery in claimed:
        _send(delivery, connection, clock)
    connection.close()
    return len(claimed)


@transaction.atomic
def _claim(*, now: datetime) -> list[NotificationDelivery]:
    due = NotificationDelivery.objects.filter(
        channel=NotificationDelivery.By.MAIL, state=DeliveryState.PENDING, next_attempt_at__lte=now
    )
    keys = list(
        due.order_by("next_attempt_at").select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH]
    )
    mine = NotificationDelivery.objects.filter(pk__in=keys)
    mine.update(next_attempt_at=now + CLAIMED_FOR, attempts=F("attempts") + 1)
    return list(mine.select_related("notification__recipient").order_by("id"))


def _send(delivery: NotificationDelivery, connection: BaseEmailBackend, clock: Callable[[], datetime]) -> None:
    recipient = delivery.notification.recipient
    if not recipient.is_active or not recipient.email:
        _end(delivery, DeliveryState.SKIPPED, "The person was deactivated, or has no address any more.")
        return
    try:
        connection.send_messages([mail_of(delivery)])
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=450)
        _refused(delivery, code, "the recipient", now=clock())
    except smtplib.SMTPResponseException as error:
        _refused(delivery, error.smtp_code, "the mail", now=clock())
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # ValueError: an address or a header that no mail can have (BadHeaderError)
        _later(delivery, f"It could not be sent ({type(error).__name__}).", now=clock())
    else:
        NotificationDelivery.objects.filter(pk=delivery.pk).update(
            state=DeliveryState.SENT, sent_at=clock(), next_attempt_at=None, error=""
        )


def _refused(delivery: NotificationDelivery, code: int, what: str, *, now: datetime) -> None:
    """5xx is the server's last word, 4xx is not (RFC 5321, 4.2.1)."""
    sentence = f"The mail server refused {what} ({code})."
    if code >= 500:
        _end(delivery, DeliveryState.FAILED, sentence)
    else:
        _later(delivery, sentence, now=now)


def _later(delivery: NotificationDelivery, sentence: str, *, now: datetime) -> None:
    # attempts may be many after a long absence of the server: the exponent is bounded, not only the pause
    pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts - 1, 10), LONGEST_PAUSE)
    if now + pause > delivery.created_at + TRIED_FOR:
        _end(delivery, DeliveryState.FAILED, sentence)
        return
    NotificationDelivery.objects.filter(pk=delivery.pk).update(next_attempt_at=now + pause, error=sentence)


def _end(delivery: NotificationDelivery, state: DeliveryState, sentence: str) -> None:
    NotificationDelivery.objects.filter(pk=delivery.pk).update(state=state, next_attempt_at=None, error=sentence)
    log.info("a mail is not sent", notification=str(delivery.notification_id), state=state, reason=sentence)
