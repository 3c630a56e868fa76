"""Who runs a project, and so is told of what needs somebody."""

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Project, RoleBinding, User
from accounts.services.organizations import organization_lasting_admins


def project_admins(project: Project) -> list[User]:
    """Active people who are admin of the project, by themselves or through a team: those without an end first.

    Where there is none: the admins of its organization.
    """
    found = _admins(RoleBinding.objects.filter(project=project))
    return found or list(organization_lasting_admins(project.organization).order_by("pk"))


def _admins(bindings: QuerySet[RoleBinding]) -> list[User]:
    lasting_first = F("expires_at").desc(nulls_first=True)
    rows = bindings.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), role="admin")
    found: dict[object, User] = {}
    for binding in rows.select_related("user", "team").order_by(lasting_first, "pk"):
        people = [binding.user] if binding.user else list(binding.team.members.order_by("pk")) if binding.team else []
        found.update({each.pk: each for each in people if each.is_active and each.pk not in found})
    return [each for each in found.values() if not each.is_service_account]
