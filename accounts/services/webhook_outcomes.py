"""What becomes of a webhook's delivery, and of the webhook, after an attempt."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.models import RoleBinding, User, Webhook, WebhookDelivery, WebhookDeliveryState
from accounts.services.audit import Actor, audit_record
from accounts.services.notification_events import notification_event_taken
from accounts.services.notifications import About, notification_send
from accounts.services.organizations import organization_lasting_admins
from accounts.services.webhooks import host_of

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = 5.0
"""Seconds after the first failure; each next pause is three times as long."""
LONGEST_PAUSE: Final = 4 * 3600.0
SOONER: Final = timedelta(hours=24)
"""After so long without a success, many events that were given up are enough to switch a webhook off."""
GONE: Final = 410


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an attempt. `error` is empty for a success, else a sentence without a secret."""

    status: int | None = None
    excerpt: str = ""
    error: str = ""
    retry_after: float = 0.0


def pause_after(attempts: int, *, asked: float, random: Random) -> timedelta:
    """Until the next attempt: exponential, spread by a fifth to either side; longer where the receiver asks for it."""
    whole = min(FIRST_PAUSE * 3.0 ** min(attempts - 1, 20), LONGEST_PAUSE)
    return timedelta(seconds=max(whole * random.uniform(0.8, 1.2), min(asked, LONGEST_PAUSE)))


@transaction.atomic
def outcome_note(*, delivery: WebhookDelivery, outcome: Outcome, now: datetime, random: Random) -> None:
    """Writes the outcome to the delivery, and what follows from it to the webhook."""
    # in this order, as they are deleted together
    row = WebhookDelivery.objects.select_for_update().filter(pk=delivery.pk).first()
    webhook = Webhook.objects.select_for_update().filter(pk=delivery.webhook_id).first()
    if webhook is None or row is None:
        return  # deleted meanwhile
    row.attempts += 1
    row.attempted_at, row.status = now, outcome.status
    row.answer, row.error = outcome.excerpt, outcome.error[:300]
    if outcome.error:
        _failed(webhook, row, outcome, now, random)
    else:
        _delivered(webhook, row, now)
    row.save()


def _delivered(webhook: Webhook, row: WebhookDelivery, now: datetime) -> None:
    row.state, row.delivered_at, row.next_attempt_at = WebhookDeliveryState.DELIVERED, now, None
    if webhook.failing_since is not None:
        webhook.failing_since = None
        webhook.save(update_fields=["failing_since"])
    if row.type.startswith("notification."):
        notification_event_taken(source=row.source, now=now)


def _failed(webhook: Webhook, row: WebhookDelivery, outcome: Outcome, now: datetime, random: Random) -> None:
    if webhook.failing_since is None:
        webhook.failing_since = now
        webhook.save(update_fields=["failing_since"])
    row.next_attempt_at = now + pause_after(row.attempts, asked=outcome.retry_after, random=random)
    over = row.next_attempt_at > row.tried_from + timedelta(seconds=settings.WEBHOOK_RETRY_SECONDS)
    if over or outcome.status == GONE or not webhook.enabled:
        row.state, row.next_attempt_at = WebhookDeliveryState.FAILED, None
    row.save()  # what was given up is counted now
    reason = _reason_to_disable(webhook, outcome, now)
    if webhook.enabled and reason:
        webhook_disable(webhook=webhook, reason=reason, now=now)
        row.state, row.next_attempt_at = WebhookDeliveryState.FAILED, None


def _reason_to_disable(webhook: Webhook, outcome: Outcome, now: datetime) -> str:
    if outcome.status == GONE:
        return "The receiver says that it is gone (410)."
    since = webhook.failing_since
    if since is None:
        return ""
    if now - since >= timedelta(seconds=settings.WEBHOOK_DISABLE_SECONDS):
        return f"Nothing was delivered since {since:%Y-%m-%d %H:%M} UTC. {outcome.error}"
    if now - since < SOONER:
        return ""
    given_up = webhook.deliveries.filter(state=WebhookDeliveryState.FAILED, attempted_at__gte=since).count()
    if given_up < settings.WEBHOOK_DISABLE_EVENTS:
        return ""
    return f"{given_up} events were given up since {since:%Y-%m-%d %H:%M} UTC. {outcome.error}"


def webhook_disable(*, webhook: Webhook, reason: str, now: datetime) -> None:
    """Switches it off, gives up what waits, and tells the admins. Needs a transaction with the row locked."""
    webhook.enabled, webhook.disabled_reason = False, reason[:300]
    webhook.save(update_fields=["enabled", "disabled_reason"])
    webhook.deliveries.filter(state=WebhookDeliveryState.PENDING).update(
        state=WebhookDeliveryState.FAILED, next_attempt_at=None, error="The webhook was switched off before."
    )
    name = webhook.description or host_of(webhook)
    audit_record(
        actor=Actor(user=None, name="marina"),
        action="webhook.disable",
        kind="webhook",
        object_id=webhook.pk,
        name=name[:120],
        organization_id=webhook.organization_id,
        details={"reason": webhook.disabled_reason},
    )
    notification_send(
        recipients=_admins(webhook, now),
        kind="webhook-disabled",
        about=About(kind="webhook", id=webhook.pk, name=name, organization_id=webhook.organization_id),
        text=f"The webhook {name} of {webhook.project or webhook.organization} was switched off. {reason} "
        "Events from now on are not kept for it; what it missed so far can be delivered again for some days.",
        link=f"/webhooks/{webhook.pk}",
        command=f"marina webhook enable {webhook.pk}",
        now=now,
    )
    log.warning("a webhook was switched off", webhook=str(webhook.pk), reason=webhook.disabled_reason)


def _admins(webhook: Webhook, now: datetime) -> list[User]:
    """Of the organization, and for a project's webhook those of the project too."""
    found = list(organization_lasting_admins(webhook.organization))
    if webhook.project is not None:
        roles = RoleBinding.objects.filter(project=webhook.project, role="admin")
        lasting = roles.filter(Q(expires_at=None) | Q(expires_at__gt=now))
        found += User.objects.filter(Q(pk__in=lasting.values("user")) | Q(teams__in=lasting.values("team")))
    return found
