"""Who runs each of many projects, with a fixed number of statements."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Project, RoleBinding, User


def projects_admins(projects: Collection[Project]) -> Mapping[UUID, list[User]]:
    """As `project_admins` of each: the project's own, and where it has none those of its organization."""
    own = _admins(RoleBinding.objects.filter(_holds(), project__in=projects), "project_id")
    alone = [project for project in projects if not own.get(project.pk)]
    lasting = RoleBinding.objects.filter(organization__in={each.organization_id for each in alone}, expires_at=None)
    above = _admins(lasting, "organization_id") if alone else {}
    return own | {project.pk: above.get(project.organization_id, []) for project in alone}


def _holds() -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=Now())


def _admins(bindings: QuerySet[RoleBinding], column: str) -> dict[UUID, list[User]]:
    found: defaultdict[UUID, dict[UUID, User]] = defaultdict(dict)
    rows = bindings.filter(role="admin").select_related("user", "team").prefetch_related("team__members")
    for binding in rows.order_by(F("expires_at").desc(nulls_first=True), "pk"):
        people = [binding.user] if binding.user else list(binding.team.members.all()) if binding.team else []
        for each in people:
            if each.is_active and not each.is_service_account:
                found[getattr(binding, column)].setdefault(each.pk, each)
    return {key: list(people.values()) for key, people in found.items()}
