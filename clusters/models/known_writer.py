"""Who writes inside a virtual cluster: its field managers, and whether what they write says that it is used."""

from typing import Any, ClassVar, Final

from django.db import models

from accounts.models import User
from accounts.models.base import Row
from clusters.models.virtual_cluster import VirtualCluster

MANAGER_LENGTH: Final = 128
"""Kubernetes takes no longer name of a field manager."""


class Verdict(models.TextChoices):
    """Whose a field manager is. Only what people and their CI write is use."""

    PERSON = "person"
    CI = "ci"
    INSIDE = "inside"
    STEADY = "steady"
    SYSTEM = "system"


COUNTS: Final = (Verdict.PERSON, Verdict.CI)


class KnownWriter(Row):
    """One field manager of one cluster, as the survey of changes found it. `verdict` is learnt, `corrected` is told.

    Times are those that the cluster's API server wrote into managedFields.
    """

    virtual_cluster = models.ForeignKey(
        VirtualCluster, on_delete=models.CASCADE, related_name="known_writers", db_constraint=False, db_index=False
    )
    manager = models.CharField(max_length=MANAGER_LENGTH)
    first_seen_at = models.DateTimeField()
    last_write_at = models.DateTimeField()
    last_use_at = models.DateTimeField(null=True, help_text="Its last write that counted as use; empty: none did.")
    wrote = models.CharField(max_length=400, blank=True, help_text="What it wrote last: Deployment default/web.")
    times = models.JSONField(default=list, help_text="When its last bursts of writes began, in seconds since 1970.")
    kinds = models.JSONField(default=list, help_text="Kinds of objects that it wrote, as KIND.GROUP.")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    corrected = models.CharField(
        max_length=10, choices=Verdict.choices, blank=True, help_text="What people said; empty: as learnt."
    )
    corrected_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False, db_index=False
    )
    corrected_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[Any]] = ["-last_write_at"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["virtual_cluster", "manager"], name="known_writer_once"),
        ]

    def __str__(self) -> str:
        return f"{self.manager} in {self.virtual_cluster}"

    @property
    def counts(self) -> bool:
        """Whether what it writes is use."""
        return (self.corrected or self.verdict) in COUNTS
