"""How far Marina upgrades clusters by itself and when, as an organization, a project or a cluster wants it."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization, Project
from accounts.models.base import Row
from clusters.models.virtual_cluster import VirtualCluster


class UpgradeChannel(models.TextChoices):
    """None: not by itself. Patch: newer patches of the same minor. Minor: the next minor as well."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"


class UpgradePolicy(Row):
    """What one scope says; what is empty says nothing, and then the wider scope counts.

    A window begins at the times of `window_cron` in its time zone and lasts `window_seconds`: all three or none.
    How scopes are put together stands in clusters/lifecycle/upgrade_policy.py.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="upgrade_policy"
    )
    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="upgrade_policy"
    )
    virtual_cluster = models.OneToOneField(
        VirtualCluster, on_delete=models.CASCADE, null=True, blank=True, related_name="upgrade_policy"
    )
    channel = models.CharField(max_length=10, choices=UpgradeChannel.choices, blank=True, help_text="Empty: nothing.")
    window_cron = models.CharField(
        max_length=100, blank=True, help_text="When a maintenance window begins, such as `0 2 * * SUN`; empty: nothing."
    )
    window_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="How long it lasts.")
    time_zone = models.CharField(max_length=60, default="UTC", help_text="Such as Europe/Berlin.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "upgrade policies"
        constraints = [
            models.CheckConstraint(
                name="upgrade_policy_is_of_one",
                condition=Q(organization__isnull=False, project__isnull=True, virtual_cluster__isnull=True)
                | Q(organization__isnull=True, project__isnull=False, virtual_cluster__isnull=True)
                | Q(organization__isnull=True, project__isnull=True, virtual_cluster__isnull=False),
            ),
            models.CheckConstraint(
                name="upgrade_policy_window_is_whole",
                condition=Q(window_cron="", window_seconds__isnull=True)
                | ~Q(window_cron="") & Q(window_seconds__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"upgrade policy of {self.scope}"

    @property
    def scope(self) -> Organization | Project | VirtualCluster:
        """Whose it is."""
        scope = self.virtual_cluster or self.project or self.organization
        if scope is None:
            raise ValueError("a policy is always somebody's (check constraint)")
        return scope
