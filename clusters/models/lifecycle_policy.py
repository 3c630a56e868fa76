"""When unused clusters sleep and are cleaned up, as an organization, a project or a cluster wants it."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization, Project
from accounts.models.base import Row
from clusters.models.virtual_cluster import VirtualCluster


class LifecyclePolicy(Row):
    """What one scope says; an empty column says nothing, and then the wider scope counts.

    How they are put together stands in clusters/lifecycle/policy.py.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="lifecycle_policy"
    )
    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="lifecycle_policy"
    )
    virtual_cluster = models.OneToOneField(
        VirtualCluster, on_delete=models.CASCADE, null=True, blank=True, related_name="lifecycle_policy"
    )
    sleep_after = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds without use after which it is put to sleep."
    )
    delete_after = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds without use after which it is deleted."
    )
    warn_before = models.JSONField(
        null=True, blank=True, help_text="Seconds before a deletion at which its owner is warned; at least two."
    )
    never_sleep = models.BooleanField(null=True, blank=True, help_text="It is not put to sleep for lack of use.")
    never_delete = models.BooleanField(null=True, blank=True, help_text="It is not deleted for lack of use.")
    extension_maximum = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Seconds: how far from now an extension reaches, and by how much in all a lifetime is made longer.",
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "lifecycle policies"
        constraints = [
            models.CheckConstraint(
                name="lifecycle_policy_is_of_one",
                condition=Q(organization__isnull=False, project__isnull=True, virtual_cluster__isnull=True)
                | Q(organization__isnull=True, project__isnull=False, virtual_cluster__isnull=True)
                | Q(organization__isnull=True, project__isnull=True, virtual_cluster__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"policy of {self.scope}"

    @property
    def scope(self) -> Organization | Project | VirtualCluster:
        """Whose it is."""
        scope = self.virtual_cluster or self.project or self.organization
        if scope is None:
            raise ValueError("a policy is always somebody's (check constraint)")
        return scope
