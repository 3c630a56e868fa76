"""What a virtual cluster's row says of its schedule and of its cleanup."""

from typing import Final

from django.db import models


class CleanupCause(models.TextChoices):
    """Why a cluster is to be deleted."""

    IDLE = "idle"
    LIFETIME = "lifetime"


class CleanupState(models.TextChoices):
    """How far that is."""

    WARNED = "warned"
    AWAITING_CONSENT = "awaiting-consent"
    DELETING = "deleting"


CLEANUP_COLUMNS: Final = (
    "cleanup_at",
    "cleanup_cause",
    "cleanup_state",
    "cleanup_why",
    "cleanup_warned_at",
    "consent_at",
)
"""What the sweep writes."""


class Scheduled(models.Model):
    """When its schedule acts next. A tick that is done moves these on, so two schedulers never do one twice."""

    planned_by = models.ForeignKey(
        "clusters.SleepSchedule",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="planned",
        editable=False,
        help_text="The schedule that the next times are from.",
    )
    next_sleep_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_wake_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_export_at = models.DateTimeField(null=True, blank=True, editable=False)
    sleep_skipped_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The time to sleep that somebody left out."
    )
    sleep_postponed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The time to sleep that somebody moved to the next one."
    )
    sleep_put_off_by = models.CharField(
        max_length=160, blank=True, editable=False, help_text="Who left that time out, or moved it."
    )
    sleep_put_off_for_project = models.BooleanField(
        default=False, editable=False, help_text="They did so for the whole project, not for this cluster alone."
    )

    class Meta:
        abstract = True


class CleanedUp(models.Model):
    """Whether and when it is to be deleted because nobody uses it, or because its lifetime ends."""

    kept_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Somebody wants it until then, used or not."
    )
    lifetime_extended = models.PositiveIntegerField(
        default=0, editable=False, help_text="Seconds by which its lifetime was made longer so far."
    )
    serving = models.BooleanField(
        null=True, editable=False, help_text="Whether workloads run in it; empty: nobody has looked."
    )
    cleanup_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When it is to be deleted.")
    cleanup_cause = models.CharField(max_length=10, choices=CleanupCause.choices, blank=True, editable=False)
    cleanup_state = models.CharField(max_length=20, choices=CleanupState.choices, blank=True, editable=False)
    cleanup_why = models.TextField(blank=True, editable=False)
    cleanup_warned_at = models.JSONField(
        default=list, blank=True, editable=False, help_text="When its owner was told of it."
    )
    consent_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its owner said yes to the deletion."
    )

    class Meta:
        abstract = True


class Moved(models.Model):
    """Whether nothing may be written to it now, because it is on its way to another host."""

    frozen_at = models.DateTimeField(null=True, blank=True, editable=False)
    frozen_why = models.CharField(
        max_length=300, blank=True, editable=False, help_text="What somebody who writes to it meanwhile is told."
    )

    class Meta:
        abstract = True
