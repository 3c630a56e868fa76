"""Reading schedules, policies and reports of the cleanup: what a user may see of them."""

from django.db.models import Q, QuerySet

from accounts.access import in_reach, organizations_where, platform_staff, projects_where
from accounts.models import User
from clusters.models import CleanupItem, CleanupRun, LifecyclePolicy, SleepSchedule, UpgradePolicy


def sleep_schedules_list(user: User) -> QuerySet[SleepSchedule]:
    """Those of projects and clusters that the user sees."""
    seen = Q(project__in=projects_where(user, "project.view").values("pk")) | Q(virtual_cluster__isnull=False) & (
        in_reach(user, "virtualcluster.view", project="virtual_cluster__project", cluster="virtual_cluster")
    )
    return SleepSchedule.objects.filter(seen).select_related(
        "project__organization", "virtual_cluster__project__organization"
    )


def lifecycle_policies_list(user: User) -> QuerySet[LifecyclePolicy]:
    """Those of organizations, projects and clusters that the user sees."""
    seen = (
        Q(organization__in=organizations_where(user, "organization.view").values("pk"))
        | Q(project__in=projects_where(user, "project.view").values("pk"))
        | Q(virtual_cluster__isnull=False)
        & in_reach(user, "virtualcluster.view", project="virtual_cluster__project", cluster="virtual_cluster")
    )
    return LifecyclePolicy.objects.filter(seen).select_related(
        "organization", "project__organization", "virtual_cluster__project__organization"
    )


def upgrade_policies_list(user: User) -> QuerySet[UpgradePolicy]:
    """Those of organizations, projects and clusters that the user sees."""
    seen = (
        Q(organization__in=organizations_where(user, "organization.view").values("pk"))
        | Q(project__in=projects_where(user, "project.view").values("pk"))
        | Q(virtual_cluster__isnull=False)
        & in_reach(user, "virtualcluster.view", project="virtual_cluster__project", cluster="virtual_cluster")
    )
    return UpgradePolicy.objects.filter(seen).select_related(
        "organization", "project__organization", "virtual_cluster__project__organization"
    )


def cleanup_runs_list(user: User) -> QuerySet[CleanupRun]:
    """Reports count over all tenants, so they are for platform staff."""
    return CleanupRun.objects.all() if platform_staff(user) else CleanupRun.objects.none()


def cleanup_items_list(user: User) -> QuerySet[CleanupItem]:
    """What was done to clusters that the user sees."""
    seen = in_reach(user, "virtualcluster.view", project="virtual_cluster__project", cluster="virtual_cluster")
    return CleanupItem.objects.filter(seen).select_related("virtual_cluster__project__organization")
