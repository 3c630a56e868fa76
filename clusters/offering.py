"""Whom to ask for a host."""

from django.conf import settings

from accounts.models import Project
from accounts.organization_admins import admins_told


def who_can_offer(project: Project) -> str:
    """A sentence that names the organization's admins and the platform team."""
    organization = project.organization
    admins = admins_told(organization)
    named = f" ({admins})" if admins else ""
    return f"An admin of {organization.name}{named} or {settings.PLATFORM_CONTACT} can offer or connect one."
