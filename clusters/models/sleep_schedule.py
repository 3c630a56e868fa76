"""At what times clusters sleep, wake and are exported."""

from django.db import models
from django.db.models import Q

from accounts.models import Project
from accounts.models.base import Row
from clusters.models.virtual_cluster import VirtualCluster


class SleepSchedule(Row):
    """Of a project, for its clusters that have none of their own, or of one cluster. Its times are cron in a time zone.

    One of a cluster that is switched off keeps the project's away from it.
    """

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="sleep_schedule"
    )
    virtual_cluster = models.OneToOneField(
        VirtualCluster, on_delete=models.CASCADE, null=True, blank=True, related_name="sleep_schedule"
    )
    sleep_cron = models.CharField(max_length=100, blank=True, help_text="Such as `0 20 * * MON-FRI`; empty: never.")
    wake_cron = models.CharField(max_length=100, blank=True, help_text="Such as `0 7 * * MON-FRI`; empty: never.")
    export_cron = models.CharField(max_length=100, blank=True, help_text="When it is exported; empty: never.")
    time_zone = models.CharField(max_length=60, default="UTC", help_text="Such as Europe/Berlin.")
    enabled = models.BooleanField(default=True)
    skipped_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Of a project's: the time to sleep that was left out for all."
    )
    postponed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Of a project's: the time to sleep that was moved for all."
    )
    postponed_to = models.DateTimeField(null=True, blank=True, editable=False, help_text="Where that was moved to.")
    put_off_by = models.CharField(max_length=160, blank=True, editable=False, help_text="Who said so.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="sleep_schedule_is_of_one",
                condition=Q(project__isnull=False, virtual_cluster__isnull=True)
                | Q(project__isnull=True, virtual_cluster__isnull=False),
            ),
            models.CheckConstraint(
                name="sleep_schedule_says_something",
                condition=~Q(sleep_cron="", wake_cron="", export_cron="") | Q(enabled=False),
            ),
        ]

    def __str__(self) -> str:
        return f"schedule of {self.scope}"

    @property
    def scope(self) -> Project | VirtualCluster:
        """Whose it is."""
        scope = self.virtual_cluster or self.project
        if scope is None:
            raise ValueError("a schedule is always somebody's (check constraint)")
        return scope
