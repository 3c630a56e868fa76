"""Guardian's tables of permission rows, and what the ends of several rows come to."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db.models import Model

from accounts.models import (
    OrganizationGroupPermission,
    OrganizationUserPermission,
    ProjectGroupPermission,
    ProjectUserPermission,
    VirtualClusterGroupPermission,
    VirtualClusterUserPermission,
)

OF_USERS: Final[tuple[type[Model], ...]] = (
    VirtualClusterUserPermission,
    ProjectUserPermission,
    OrganizationUserPermission,
)
OF_TEAMS: Final[tuple[type[Model], ...]] = (
    VirtualClusterGroupPermission,
    ProjectGroupPermission,
    OrganizationGroupPermission,
)
"""Both from the narrowest scope to the widest: a virtual cluster, its project, that one's organization."""


def last_end(ends: Collection[datetime | None]) -> datetime | None:
    """When the last of the roles ends that all give the same; None: never."""
    return None if None in ends else max((end for end in ends if end), default=None)
