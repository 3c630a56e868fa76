"""Rollouts: one change of many virtual clusters, wave after wave."""

from typing import Final

from django.db import models
from django.db.models import Q

from accounts.models import Organization, Project, User
from accounts.models.base import Row
from clusters.models.operation import Operation
from clusters.models.virtual_cluster import VirtualCluster


class RolloutAction(models.TextChoices):
    """What is done to each cluster."""

    UPGRADE = "upgrade"
    MIGRATE = "migrate"


class RolloutState(models.TextChoices):
    """Paused begins nothing until somebody resumes it, Halted because too much failed; the last three are ends.

    Completed is Succeeded but for failures that its budget allows.
    """

    RUNNING = "Running"
    PAUSED = "Paused"
    HALTED = "Halted"
    ABORTING = "Aborting"
    SUCCEEDED = "Succeeded"
    COMPLETED = "Completed"
    ABORTED = "Aborted"


ENDED_ROLLOUTS: Final = (RolloutState.SUCCEEDED, RolloutState.COMPLETED, RolloutState.ABORTED)


class RolloutMemberState(models.TextChoices):
    """Soaking: done, and looked at for a while before that counts."""

    QUEUED = "Queued"
    RUNNING = "Running"
    SOAKING = "Soaking"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


WORKING_MEMBERS: Final = (RolloutMemberState.RUNNING, RolloutMemberState.SOAKING)
OPEN_MEMBERS: Final = (RolloutMemberState.QUEUED, *WORKING_MEMBERS)
"""Not ended: no other rollout may have the same cluster."""


class Rollout(Row):
    """What is to be done to which clusters, in which waves, and what halts it.

    Of an organization; of none where it is the platform's. Who is in it is fixed when it is made. It is driven by
    `rollouts_advance` alone, under this row's lock.
    """

    name = models.CharField(max_length=40)
    action = models.CharField(max_length=10, choices=RolloutAction.choices)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="rollouts"
    )
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="rollouts",
        help_text="All of its clusters are of this project.",
    )
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="rollouts")
    selector = models.JSONField(default=dict, blank=True, help_text="By what its clusters were chosen.")
    wish = models.JSONField(
        default=dict, blank=True, help_text="Versions, or the host, and the choices that go with it."
    )

    waves = models.JSONField(default=list, blank=True, help_text="As they were asked for: 1, 10%, 50%, 100%.")
    pause_seconds = models.PositiveIntegerField(
        null=True, blank=True, default=0, help_text="Between waves; empty: until somebody resumes it."
    )
    soak_seconds = models.PositiveIntegerField(
        default=0, help_text="How long a cluster has to stay well before that counts."
    )
    failure_budget = models.CharField(max_length=10, default="0", help_text="A number, or percent of all clusters.")
    failures_allowed = models.PositiveIntegerField(default=0, help_text="What that is of these clusters.")
    failures_forgiven = models.PositiveIntegerField(
        default=0, help_text="How many had failed when somebody let it go on after it was halted."
    )
    max_parallel = models.PositiveSmallIntegerField(default=5)

    state = models.CharField(max_length=10, choices=RolloutState.choices, default=RolloutState.RUNNING)
    message = models.TextField(blank=True)
    wave = models.PositiveSmallIntegerField(default=0, help_text="Index of the wave that is at work.")
    next_wave_at = models.DateTimeField(null=True, blank=True, help_text="When the pause after this wave ends.")
    finished_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                name="rollout_name_unique_while_open",
                fields=["organization", "name"],
                nulls_distinct=False,
                condition=~Q(state__in=("Succeeded", "Completed", "Aborted")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ENDED_ROLLOUTS


class RolloutMember(Row):
    """One cluster of a rollout, and what became of it there."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="members")
    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="rollout_members")
    wave = models.PositiveSmallIntegerField()
    position = models.PositiveIntegerField(help_text="Its turn among all of the rollout.")
    state = models.CharField(max_length=10, choices=RolloutMemberState.choices, default=RolloutMemberState.QUEUED)
    message = models.TextField(blank=True)
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, null=True, related_name="+")
    phase_before = models.CharField(max_length=20, blank=True)
    not_before = models.DateTimeField(null=True, help_text="When it is tried again, where it was busy.")
    soaks_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="rollout_has_a_cluster_once", fields=["rollout", "virtual_cluster"]),
            models.UniqueConstraint(
                name="rollout_member_one_open_a_cluster",
                fields=["virtual_cluster"],
                condition=Q(state__in=("Queued", "Running", "Soaking")),
            ),
        ]
        indexes = [models.Index(name="rollout_member_turn", fields=["rollout", "state", "wave", "position"])]

    def __str__(self) -> str:
        return f"{self.virtual_cluster} in {self.rollout}"
