"""Guardian's per-object permission rows, with direct foreign keys (measured: lists over them stay fast).

They are derived from RoleBinding by accounts/services/role_bindings.py; nothing else writes them.
"""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from accounts.models.base import Ending
from accounts.models.organization import Organization, Project


class OrganizationUserPermission(UserObjectPermissionBase, Ending):
    """A user's permission on an organization and all in it."""

    content_object = models.ForeignKey(Organization, on_delete=models.CASCADE)


class OrganizationGroupPermission(GroupObjectPermissionBase, Ending):
    """A team's permission on an organization and all in it."""

    content_object = models.ForeignKey(Organization, on_delete=models.CASCADE)


class ProjectUserPermission(UserObjectPermissionBase, Ending):
    """A user's permission on a project and all in it."""

    content_object = models.ForeignKey(Project, on_delete=models.CASCADE)


class ProjectGroupPermission(GroupObjectPermissionBase, Ending):
    """A team's permission on a project and all in it."""

    content_object = models.ForeignKey(Project, on_delete=models.CASCADE)


class VirtualClusterUserPermission(UserObjectPermissionBase, Ending):
    """A user's permission on one virtual cluster alone."""

    # by name: this app knows that there are virtual clusters, and nothing else of the app above it
    content_object = models.ForeignKey("clusters.VirtualCluster", on_delete=models.CASCADE)


class VirtualClusterGroupPermission(GroupObjectPermissionBase, Ending):
    """A team's permission on one virtual cluster alone."""

    content_object = models.ForeignKey("clusters.VirtualCluster", on_delete=models.CASCADE)
