"""Webhooks: made, changed and tried by who may change their organization or project."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from accounts.access import Scope, actor_require
from accounts.errors import Conflict, FieldError, InvalidInput
from accounts.models import Organization, Project, Webhook, WebhookDelivery, WebhookDeliveryState
from accounts.models.base import new_id
from accounts.services.audit import Actor, audit_record
from accounts.services.webhook_events import Event, webhook_deliveries_add
from accounts.webhook_event_types import PING, pattern_known, pattern_suggested
from accounts.webhook_secrets import secret_encrypt, secret_make
from accounts.webhook_urls import url_check

OVERLAP: Final = timedelta(hours=24)
"""So long the secret before a rotation signs as well."""
LIMIT: Final = 50
"""Webhooks an organization may have, those of its projects included."""


@dataclass(frozen=True)
class WebhookMade:
    """A webhook with its new secret: the only time that it is there as text."""

    webhook: Webhook
    secret: str = field(repr=False)


@transaction.atomic
def webhook_create(
    *,
    actor: Actor,
    organization: Organization,
    project: Project | None = None,
    url: str,
    events: Sequence[str],
    description: str = "",
) -> WebhookMade:
    """A new webhook of an organization or of one project. Raises InvalidInput for an address or event it cannot have,

    Conflict where the organization has as many as it may.
    """
    scope: Scope = project or organization
    actor_require(actor, update_action(scope), scope)
    url_check(url, allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
    wanted = _events_checked(events)
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)  # so that the count holds
    if Webhook.objects.filter(organization=organization).count() >= LIMIT:
        raise Conflict(f"{organization.name} has {LIMIT} webhooks already.", hint="Delete one that is not needed.")
    secret = secret_make()
    webhook = Webhook.objects.create(
        organization=organization,
        project=project,
        url=url,
        description=description,
        events=wanted,
        secret=secret_encrypt(secret),
    )
    _audit(actor, "webhook.create", webhook, host=host_of(webhook), events=wanted)
    return WebhookMade(webhook, secret)


@transaction.atomic
def webhook_update(
    *,
    actor: Actor,
    webhook: Webhook,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """Changes what is given. Switched on again, it begins anew: earlier failures count no more."""
    _require(actor, webhook)
    locked = _locked(webhook)
    before = _told(locked)
    if url is not None:
        url_check(url, allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
        locked.url = url
    if events is not None:
        locked.events = _events_checked(events)
    if description is not None:
        locked.description = description
    if enabled is not None and enabled != locked.enabled:
        locked.enabled = enabled
        locked.disabled_reason = "" if enabled else f"Switched off by {actor.label}."
        locked.failing_since = None
    locked.save()
    _audit(actor, "webhook.update", locked, before=before, after=_told(locked))
    return locked


@transaction.atomic
def webhook_delete(*, actor: Actor, webhook: Webhook) -> None:
    """Deletes it with its deliveries."""
    _require(actor, webhook)
    _audit(actor, "webhook.delete", webhook, host=host_of(webhook))
    webhook.delete()


@transaction.atomic
def webhook_secret_rotate(*, actor: Actor, webhook: Webhook, now: datetime) -> WebhookMade:
    """A new secret. The one before signs beside it for 24 h, so that receivers can be changed meanwhile."""
    _require(actor, webhook)
    locked = _locked(webhook)
    secret = secret_make()
    locked.previous_secret, locked.previous_until = locked.secret, now + OVERLAP
    locked.secret = secret_encrypt(secret)
    locked.save(update_fields=["secret", "previous_secret", "previous_until"])
    _audit(actor, "webhook.secret", locked)
    return WebhookMade(locked, secret)


@transaction.atomic
def webhook_ping(*, actor: Actor, webhook: Webhook, now: datetime) -> WebhookDelivery:
    """Sends an event that says nothing but that it arrives. Raises Conflict while the webhook is off."""
    _require(actor, webhook)
    _enabled_check(webhook)
    event = Event(
        type=PING,
        source=str(new_id()),
        at=now,
        organization_id=webhook.organization_id,
        data={"webhook": {"id": str(webhook.pk), "description": webhook.description}, "asked_by": actor.label},
    )
    (made,) = webhook_deliveries_add([(webhook, event)], now=now)
    return made


@transaction.atomic
def webhook_redeliver(*, actor: Actor, delivery: WebhookDelivery, now: datetime) -> WebhookDelivery:
    """Sends an event once more, under the same id; one on its way is tried at once. Conflict while it is off."""
    _require(actor, delivery.webhook)
    _enabled_check(delivery.webhook)
    locked = WebhookDelivery.objects.select_for_update().get(pk=delivery.pk)
    if locked.state != WebhookDeliveryState.PENDING:
        locked.state, locked.attempts, locked.tried_from = WebhookDeliveryState.PENDING, 0, now
        _audit(actor, "webhook.redeliver", delivery.webhook, delivery=str(delivery.pk), type=delivery.type)
    locked.next_attempt_at = now
    locked.save(update_fields=["state", "attempts", "tried_from", "next_attempt_at"])
    return locked


def update_action(scope: Scope) -> str:
    """What one must be allowed to do in the scope to see and change its webhooks."""
    return "organization.update" if isinstance(scope, Organization) else "project.update"


def host_of(webhook: Webhook) -> str:
    """The receiver's name: all that is told of the address, since paths of webhooks often are secrets themselves."""
    return urlsplit(webhook.url).hostname or ""


def _events_checked(events: Sequence[str]) -> list[str]:
    unknown = [(index, each) for index, each in enumerate(events) if not pattern_known(each)]
    if unknown:
        raise InvalidInput.of(
            FieldError(
                field=f"events[{index}]",
                message=f"There is no event {each[:80]!r}.",
                accepted=pattern_suggested(each),
            )
            for index, each in unknown
        )
    if not events:
        raise InvalidInput(
            "A webhook without events would never be told anything.", field="events", accepted="* or more"
        )
    return sorted(set(events))


def _locked(webhook: Webhook) -> Webhook:
    rows = Webhook.objects.select_for_update(of=("self",)).select_related("organization", "project__organization")
    return rows.get(pk=webhook.pk)


def _require(actor: Actor, webhook: Webhook) -> None:
    scope: Scope = webhook.project or webhook.organization
    actor_require(actor, update_action(scope), scope)


def _enabled_check(webhook: Webhook) -> None:
    if not webhook.enabled:
        raise Conflict(
            f"The webhook is off: {webhook.disabled_reason or 'switched off.'}",
            hint=f"Switch it on first: marina webhook enable {webhook.pk}",
        )


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "host": host_of(webhook),
        "events": webhook.events,
        "description": webhook.description,
        "enabled": webhook.enabled,
    }


def _audit(actor: Actor, action: str, webhook: Webhook, **details: object) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="webhook",
        object_id=webhook.pk,
        name=webhook.description[:120] or host_of(webhook)[:120],
        organization_id=webhook.organization_id,
        details=details,
    )
