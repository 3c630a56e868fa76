"""What the cleanup did, and whether it may do anything."""

from django.db import models
from django.db.models import Q

from accounts.models import User
from accounts.models.base import Row
from clusters.models.operation import Operation
from clusters.models.virtual_cluster import VirtualCluster


class CleanupRunState(models.TextChoices):
    """How a run ended."""

    RUNNING = "Running"
    DONE = "Done"
    STOPPED = "Stopped"
    DIED = "Died"


class CleanupAction(models.TextChoices):
    """What the cleanup does to a cluster."""

    NOTHING = "nothing"
    SLEEP = "sleep"
    WARN = "warn"
    ASK = "ask"
    DELETE = "delete"
    CLEAR = "clear"


class CleanupRun(Row):
    """The report of one sweep. One runs at a time (unique index)."""

    state = models.CharField(max_length=10, choices=CleanupRunState.choices, default=CleanupRunState.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    after_gap = models.BooleanField(
        default=False, help_text="The one before was long ago, so it deleted nothing and warned anew."
    )
    looked_at = models.PositiveIntegerField(default=0, help_text="Clusters.")
    warned = models.PositiveIntegerField(default=0)
    asked = models.PositiveIntegerField(default=0, help_text="For their owner's yes.")
    put_to_sleep = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    cleared = models.PositiveIntegerField(default=0, help_text="Are no longer to be deleted.")
    unknown = models.PositiveIntegerField(default=0, help_text="Left alone, because a signal is missing.")
    left = models.PositiveIntegerField(default=0, help_text="Left for the next run, which is as much as one may do.")
    message = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(name="cleanup_one_run", fields=["state"], condition=Q(state="Running")),
        ]

    def __str__(self) -> str:
        return f"cleanup of {self.started_at:%Y-%m-%d %H:%M}"


class CleanupItem(Row):
    """What one sweep did to one cluster, why, and by which signals."""

    run = models.ForeignKey(CleanupRun, on_delete=models.CASCADE, related_name="items")
    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="cleanup_items")
    action = models.CharField(max_length=10, choices=CleanupAction.choices)
    cleanup_at = models.DateTimeField(null=True)
    why = models.TextField()
    signals = models.JSONField(default=list)
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, null=True, related_name="+")
    refused = models.TextField(blank=True, help_text="Why it was not done after all.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.virtual_cluster}"


class CleanupSwitch(models.Model):
    """One row: whether the cleanup is stopped, for everything and everybody."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    stopped = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    changed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", editable=False)
    changed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "cleanup switch"
        constraints = [models.CheckConstraint(name="cleanup_has_one_switch", condition=Q(id=1))]

    def __str__(self) -> str:
        return "cleanup is stopped" if self.stopped else "cleanup is on"
