"""Virtual clusters: what was asked for, and what is there."""

from django.db import models
from django.db.models import Q

from accounts.models import KubeconfigCeiling, Project, Team, User
from accounts.models.base import Row
from accounts.models.organization import NAME_RULE
from accounts.models.revisions import Revised
from accounts.roles import CLUSTER_ACTIONS
from clusters.models.host import Exposure, HostCluster
from clusters.models.lifecycle_columns import CleanedUp, Moved, Scheduled
from clusters.models.upgrade_columns import Upgradable


class VirtualClusterPhase(models.TextChoices):
    """Where a virtual cluster stands, in one word."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    READY = "Ready"
    UPDATING = "Updating"
    UPGRADING = "Upgrading"
    MIGRATING = "Migrating"
    RECOVERING = "Recovering"
    FALLING_ASLEEP = "FallingAsleep"
    ASLEEP = "Asleep"
    WAKING = "Waking"
    DELETING = "Deleting"
    DELETED = "Deleted"
    FAILED = "Failed"


class VirtualCluster(Row, Revised, Scheduled, CleanedUp, Moved, Upgradable):
    """A Kubernetes control plane of its own inside a namespace of a host cluster.

    The columns of `spec` are desired; phase, conditions and observed_generation are what workers found. `generation`
    grows with every change of what is desired.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="virtual_clusters")
    name = models.CharField(max_length=40, validators=[NAME_RULE])
    owner_user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="owned_clusters")
    owner_team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="owned_clusters")
    creator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="created_clusters", editable=False)
    labels = models.JSONField(default=dict, blank=True)
    deletion_protection = models.BooleanField(default=False)
    expires_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When its life ends: its owner is warned, then it is exported and deleted.",
    )
    kubeconfig_ceiling = models.CharField(
        max_length=10,
        choices=KubeconfigCeiling.choices,
        default=KubeconfigCeiling.ADMIN,
        help_text="The most that a kubeconfig gives inside it; the project's own ceiling counts too.",
    )
    generation = models.PositiveIntegerField(default=1, editable=False)

    # spec
    wanted_host = models.ForeignKey(
        HostCluster,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: Marina chooses.",
    )
    wanted_region = models.CharField(max_length=60, blank=True, help_text="Empty: any.")
    wanted_host_labels = models.JSONField(default=dict, blank=True, help_text="Labels that its host must have.")
    kubernetes_version = models.CharField(max_length=40)
    chart_version = models.CharField(max_length=40)
    size = models.CharField(max_length=20)
    exposure = models.CharField(
        max_length=20, choices=Exposure.choices, blank=True, help_text="Empty: as the host has it."
    )
    values = models.JSONField(default=dict, blank=True, help_text="Chart values.")
    replicas = models.PositiveSmallIntegerField(default=1)
    backing_store = models.CharField(max_length=40, default="embedded-database", editable=False)

    # status
    phase = models.CharField(
        max_length=20, choices=VirtualClusterPhase.choices, default=VirtualClusterPhase.PENDING, editable=False
    )
    conditions = models.JSONField(default=list, editable=False)
    observed_generation = models.PositiveIntegerField(default=0, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    sleeping = models.BooleanField(
        default=False,
        editable=False,
        help_text="Its release is kept without replicas, whatever else is changed of it; waking ends that.",
    )
    asleep_since = models.DateTimeField(null=True, blank=True, editable=False)
    asleep_by = models.CharField(
        max_length=160, blank=True, editable=False, help_text="Who or what put it to sleep, in words."
    )
    asleep_why = models.TextField(blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        permissions = [(action, action) for action in CLUSTER_ACTIONS]
        constraints = [
            models.UniqueConstraint(
                name="virtual_cluster_name_unique_in_project",
                fields=["project", "name"],
                condition=~Q(phase="Deleted"),
            ),
            models.CheckConstraint(
                name="virtual_cluster_has_one_owner",
                condition=Q(owner_user__isnull=False, owner_team__isnull=True)
                | Q(owner_user__isnull=True, owner_team__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name=f"cluster_next_{what}",
                fields=[f"next_{what}_at"],
                condition=Q(**{f"next_{what}_at__isnull": False}),
            )
            for what in ("sleep", "wake", "export")
        ] + [
            models.Index(name="cluster_upgrade", fields=["upgrade_at"], condition=Q(upgrade_at__isnull=False)),
            models.Index(
                name="cluster_upgrading", fields=["upgrade_operation"], condition=Q(upgrade_operation__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}/{self.name}"

    @property
    def owner(self) -> User | Team:
        """Who answers for it."""
        owner = self.owner_user or self.owner_team
        if owner is None:
            raise ValueError("a virtual cluster always has an owner (check constraint)")
        return owner

    @property
    def owner_label(self) -> str:
        """The owner in words: a service account by its own name."""
        if self.owner_user is not None and self.owner_user.is_service_account:
            return str(self.owner_user.service_account)
        return str(self.owner)
