"""Reading notifications and webhooks: what somebody may see, with what its readers need."""

from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.access import organizations_where, projects_where
from accounts.models import Notification, User, Webhook, WebhookDelivery
from accounts.token_scope import unlimited_require


def notifications_of(user: User) -> QuerySet[Notification]:
    """A person's own inbox. Nobody sees another's, and it tells of everything that a limited token may be kept from."""
    unlimited_require(user, "read an inbox")
    return Notification.objects.filter(recipient=user).prefetch_related("deliveries")


def webhooks_visible_to(user: User) -> QuerySet[Webhook]:
    """Whoever may change an organization or project sees its webhooks: to others their addresses are secrets."""
    organizations = organizations_where(user, "organization.update").values("pk")
    projects = projects_where(user, "project.update").values("pk")
    seen = Q(project=None, organization__in=organizations) | Q(project__in=projects)
    return Webhook.objects.filter(seen).select_related("organization", "project__organization")


def webhook_deliveries_visible_to(user: User, webhook_id: UUID) -> QuerySet[WebhookDelivery]:
    """What one of the webhooks that a user sees was told, or is to be told."""
    seen = webhooks_visible_to(user).filter(pk=webhook_id)
    rows = WebhookDelivery.objects.filter(webhook__in=seen.values("pk"))
    return rows.select_related("webhook__organization", "webhook__project__organization")
