"""Sends what webhooks are due: each webhook one request at a time, several webhooks at once.

A round claims webhooks in the database, as many as threads are free, and returns; the threads go on. Whoever claimed a
webhook sends what is due there, in order, until nothing is, one fails, or its time is over. So a receiver that is slow
holds up itself only. One job that is killed after sending and before noting it leaves an event that is sent again, with
the same id, once its claim is over.
"""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random
from threading import Event, Lock
from typing import Final

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import close_old_connections, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts.models import Webhook, WebhookDelivery, WebhookDeliveryState
from accounts.services.webhook_outcomes import Outcome, outcome_note
from accounts.webhook_secrets import secret_cut, secret_decrypt, signature
from accounts.webhook_transport import Transport, Undelivered

log = structlog.get_logger(__name__)

THREADS: Final = 8
CLAIMED_FOR: Final = timedelta(seconds=120)
"""More than one request may take, with the look-up of its name."""
TURN: Final = timedelta(seconds=10)
"""After so long a webhook lets others have the thread."""
EXCERPT: Final = 1000


@dataclass(frozen=True)
class Sending:
    """What sending needs from outside."""

    clock: Callable[[], datetime] = timezone.now
    transport: Transport = field(default_factory=Transport)
    random: Random = field(default_factory=Random)


class Postman:
    """One a process: its threads, and how many are at work."""

    def __init__(self, sending: Sending | None = None) -> None:
        self._sending = sending or Sending()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
        self._working: set[Future[None]] = set()
        self._lock = Lock()
        self._stopping = Event()

    def round(self) -> int:
        """Claims what is due, for as many threads as are free, and leaves it to them; says for how many webhooks."""
        with self._lock:
            self._working = {each for each in self._working if not each.done()}
            free = 0 if self._stopping.is_set() else THREADS - len(self._working)
            claimed = webhooks_claim(limit=free, now=self._sending.clock()) if free else []
            self._working |= {self._threads.submit(self._work, webhook) for webhook in claimed}
        return len(claimed)

    def wait(self) -> None:
        """Until all that was claimed is done; raises what a thread raised."""
        for each in list(self._working):
            each.result()

    def stop(self) -> None:
        """From now on nothing new is sent; what is under way may end."""
        self._stopping.set()

    def close(self) -> None:
        """Ends the threads."""
        self.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _work(self, webhook: Webhook) -> None:
        close_old_connections()
        try:
            webhook_serve(webhook=webhook, sending=self._sending, stopping=self._stopping.is_set)
        except Exception:
            log.exception("a webhook could not be served", webhook=str(webhook.pk))
        finally:
            connection.close()


@cache
def postman() -> Postman:
    """This process's."""
    return Postman()


@transaction.atomic
def webhooks_claim(*, limit: int, now: datetime) -> list[Webhook]:
    """Takes webhooks with something due that nobody else serves; those that waited longest first."""
    due = WebhookDelivery.objects.filter(
        webhook=OuterRef("pk"), state=WebhookDeliveryState.PENDING, next_attempt_at__lte=now
    )
    free = Q(busy_until=None) | Q(busy_until__lte=now)
    rows = Webhook.objects.filter(free, Exists(due), enabled=True).order_by(F("busy_until").asc(nulls_first=True), "pk")
    claimed = list(rows.select_for_update(skip_locked=True)[:limit])
    for webhook in claimed:
        webhook.busy_until = now + CLAIMED_FOR
    Webhook.objects.bulk_update(claimed, ["busy_until"])
    return claimed


def webhook_serve(*, webhook: Webhook, sending: Sending, stopping: Callable[[], bool] = lambda: False) -> int:
    """Sends what is due at a claimed webhook, then gives the claim back; says how many were tried."""
    began, tried = sending.clock(), 0
    claim = webhook.busy_until
    while sending.clock() - began < TURN and not stopping() and (current := _still_mine(webhook, claim)):
        delivery = _next_due(current, now=sending.clock())
        if delivery is None:
            break
        outcome = _attempt(current, delivery, sending)
        tried += 1
        outcome_note(delivery=delivery, outcome=outcome, now=sending.clock(), random=sending.random)
        if outcome.error:
            break
        claim = _claim_prolong(current, claim, now=sending.clock())
    # in the past, not empty: who was served last comes last
    Webhook.objects.filter(pk=webhook.pk, busy_until=claim).update(busy_until=sending.clock())
    return tried


def _still_mine(webhook: Webhook, claim: datetime | None) -> Webhook | None:
    """As it is now: it may be off by now, have another address or secret, or be claimed by another."""
    return Webhook.objects.filter(pk=webhook.pk, busy_until=claim, enabled=True).first()


def _claim_prolong(webhook: Webhook, claim: datetime | None, *, now: datetime) -> datetime | None:
    until = now + CLAIMED_FOR
    return until if Webhook.objects.filter(pk=webhook.pk, busy_until=claim).update(busy_until=until) else claim


def _next_due(webhook: Webhook, *, now: datetime) -> WebhookDelivery | None:
    due = webhook.deliveries.filter(state=WebhookDeliveryState.PENDING, next_attempt_at__lte=now)
    return due.order_by("next_attempt_at", "id").first()


def _attempt(webhook: Webhook, delivery: WebhookDelivery, sending: Sending) -> Outcome:
    now = sending.clock()
    try:
        keys = _keys(webhook, now)
    except ImproperlyConfigured as error:
        return Outcome(error=str(error))
    body = _body(delivery)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Marina-Webhooks/1",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(keys=keys, event_id=delivery.event_id, at=now, body=body),
    }
    try:
        answer = sending.transport.post(webhook.url, body=body.encode(), headers=headers)
    except Undelivered as error:
        return Outcome(error=str(error))
    return Outcome(
        status=answer.status,
        excerpt=_excerpt(answer.body, keys),
        error=_error(answer.status),
        retry_after=float(answer.retry_after) if answer.retry_after.isdecimal() else 0.0,
    )


def _keys(webhook: Webhook, now: datetime) -> list[str]:
    """The secret, and for a day after a rotation the one before."""
    found = [secret_decrypt(webhook.secret)]
    if webhook.previous_secret is not None and webhook.previous_until is not None and now < webhook.previous_until:
        found.append(secret_decrypt(webhook.previous_secret))
    return found


def _body(delivery: WebhookDelivery) -> str:
    """The same text at each attempt, in the order that people read."""
    payload = delivery.payload
    ordered = {name: payload[name] for name in ("type", "timestamp", "data")}
    return json.dumps(ordered, separators=(",", ":"), ensure_ascii=True)


def _excerpt(body: bytes, keys: list[str]) -> str:
    # secrets are cut out before the text is, so that half of one does not stay
    text = secret_cut(body.decode("utf-8", "replace"), keys)
    return "".join(each for each in text if each == "\n" or each.isprintable())[:EXCERPT]


def _error(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"The receiver redirects ({status}); redirects are not followed."
    return f"The receiver answered {status}."


def webhook_deliveries_remove(*, now: datetime) -> int:
    """Forgets deliveries that are older than WEBHOOK_DELIVERY_DAYS; says how many. Run by a schedule."""
    old = now - timedelta(days=settings.WEBHOOK_DELIVERY_DAYS)
    removed, _ = WebhookDelivery.objects.filter(created_at__lt=old).delete()
    return removed
