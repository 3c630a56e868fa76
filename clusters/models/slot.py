"""Slots: how many operations may work on a host at once. Rows, because a count lets races through."""

from django.db import models

from accounts.models import Organization
from clusters.models.host import HostCluster
from clusters.models.operation import Operation


class HostSlot(models.Model):
    """One of a host's places for an operation at work.

    Rows with numbers from 0 are there for as many as the host's `concurrency` ever was; those at or above it are given
    out no more. Who holds one keeps it until the worker hands the operation back, also through a worker's death.
    """

    host = models.ForeignKey(HostCluster, on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    operation = models.OneToOneField(Operation, on_delete=models.SET_NULL, null=True, related_name="slot")
    organization = models.ForeignKey(
        Organization, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Whose operation had it last."
    )
    given_at = models.DateTimeField(null=True, help_text="When it was last given out: turns go round by it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "number"], name="slot_once_a_number")]

    def __str__(self) -> str:
        return f"slot {self.number} of {self.host_id}"
