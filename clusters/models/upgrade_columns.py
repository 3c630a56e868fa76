"""What a virtual cluster's row says of the upgrade that Marina itself will begin."""

from typing import Final

from django.db import models


class UpgradeCause(models.TextChoices):
    """Why: a newer patch, minor or chart by its channel, or because its version is without support."""

    PATCH = "patch"
    MINOR = "minor"
    CHART = "chart"
    SUPPORT = "support"


UPGRADE_COLUMNS: Final = (
    *("upgrade_channel", "upgrade_at", "upgrade_until", "upgrade_to", "upgrade_to_chart", "upgrade_cause"),
    *("upgrade_support_told", "upgrade_tries", "upgrade_tried", "upgrade_tried_at", "upgrade_blocked"),
    "upgrade_operation",
)
"""What the schedule of upgrades writes."""


class Upgradable(models.Model):
    """What is planned, what was tried, and what its owner was told."""

    upgrade_channel = models.CharField(max_length=10, blank=True, editable=False, help_text="The one that counts.")
    upgrade_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When it is to be upgraded.")
    upgrade_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The end of that window; empty: there is none."
    )
    upgrade_to = models.CharField(max_length=40, blank=True, editable=False)
    upgrade_to_chart = models.CharField(max_length=40, blank=True, editable=False)
    upgrade_cause = models.CharField(max_length=10, choices=UpgradeCause.choices, blank=True, editable=False)
    upgrade_support_told = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="By minor version: when its owner was told that support ends.",
    )
    upgrade_tries = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Of the same versions.")
    upgrade_tried = models.CharField(max_length=90, blank=True, editable=False, help_text="The versions of these.")
    upgrade_tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    upgrade_blocked = models.TextField(blank=True, editable=False, help_text="Why the last try did not do it.")
    upgrade_operation = models.UUIDField(
        null=True, blank=True, editable=False, help_text="The operation that is at it by itself now."
    )

    class Meta:
        abstract = True
