"""Reading notifications and webhooks: what somebody may see, with what its readers need."""

from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from accounts.access import organizations_where, projects_where
from accounts.models import Notification, Organization, Project, User, Webhook, WebhookDelivery
from accounts.token_scope import unlimited_require


def notifications_of(user: User) -> QuerySet[Notification]:
    """A person's own inbox. Nobody sees another's, and it tells of everything that a limited token may be kept from."""
    unlimited_require(user, "read an inbox")
    return Notification.objects.filter(recipient=user).prefetch_related("deliveries")


def unread_first(rows: QuerySet[Notification]) -> QuerySet[Notification]:
    """What is new before what was read, each newest first."""
    new = ExpressionWrapper(Q(read_at=None), output_field=BooleanField())
    return rows.alias(new=new).order_by("-new", "-created_at", "-id")


def unread_count(user: User) -> int:
    """How much of the inbox was not read; 100 stands for all above."""
    return Notification.objects.filter(recipient=user, read_at=None)[:100].count()


def webhook_places(user: User, *, limit: int) -> list[str]:
    """Names of organizations and projects (organization/name) that the user may give webhooks, at most so many."""
    organizations = organizations_where(user, "organization.update").order_by("name")
    projects = projects_where(user, "project.update").select_related("organization")
    found = [*organizations[:limit], *projects.order_by("organization__name", "name")[:limit]]
    return [str(each) for each in found][:limit]


def webhook_place(user: User, name: str) -> tuple[Organization, Project | None] | None:
    """What has this name, of those; None for all other text."""
    organization, slash, project = name.replace("\0", "").partition("/")
    if slash:
        projects = projects_where(user, "project.update").select_related("organization")
        found = projects.filter(organization__name=organization, name=project).first()
        return (found.organization, found) if found else None
    whole = organizations_where(user, "organization.update").filter(name=organization).first()
    return (whole, None) if whole else None


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
