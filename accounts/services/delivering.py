"""Sends the mail that is due. The row says what is to be sent and when; whoever claims it sends it."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F

from accounts.models import DeliveryState, NotificationDelivery
from accounts.services.mail_attempts import CLAIMED_FOR, Refusal, mail_attempt, mail_connection, next_attempt
from accounts.services.notification_channels import mail_configured
from accounts.services.notification_mail import mail_of

log = structlog.get_logger(__name__)

BATCH: Final = 20


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
    connection = mail_connection()
    if isinstance(connection, Refusal):
        for delivery in claimed:
            _later(delivery, connection.sentence, now=clock())
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
    refusal = mail_attempt(connection, lambda: mail_of(delivery))
    if refusal is None:
        NotificationDelivery.objects.filter(pk=delivery.pk).update(
            state=DeliveryState.SENT, sent_at=clock(), next_attempt_at=None, error=""
        )
    elif refusal.final:
        _end(delivery, DeliveryState.FAILED, refusal.sentence)
    else:
        _later(delivery, refusal.sentence, now=clock())


def _later(delivery: NotificationDelivery, sentence: str, *, now: datetime) -> None:
    again = next_attempt(attempts=delivery.attempts, since=delivery.created_at, now=now)
    if again is None:
        _end(delivery, DeliveryState.FAILED, sentence)
        return
    NotificationDelivery.objects.filter(pk=delivery.pk).update(next_attempt_at=again, error=sentence)


def _end(delivery: NotificationDelivery, state: DeliveryState, sentence: str) -> None:
    NotificationDelivery.objects.filter(pk=delivery.pk).update(state=state, next_attempt_at=None, error=sentence)
    log.info("a mail is not sent", notification=str(delivery.notification_id), state=state, reason=sentence)
